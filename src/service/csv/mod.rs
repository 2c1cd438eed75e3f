//! The CSV layer: what `csv.md` says under "Every file" and "The log", and nothing about users or mappings.
//!
//! A file goes through it twice. [`scan`] reads it once from end to end before an import is made, and either refuses
//! it whole or says how its columns lie ([`Layout`]) and how many rows it has. [`Reader`] then gives the rows, from
//! the start or from any [`Position`] that an earlier row ended at, so that an import can go on after a crash.
//! [`Writer`] makes every file that the system produces: exports, templates, logs.
//!
//! Memory does not grow with the file: a record of which more than [`MAX_RECORD_BYTES`] lie in the file is not kept.
//!
//! Records are found by [`split`], their cells by the `csv` crate's core. The crate does not do both because its
//! reader drops blank lines, which here are rows that are counted and skipped, and then miscounts the lines.

mod cell;
mod detect;
mod header;
mod reader;
mod scan;
mod split;
mod table;
mod writer;

#[cfg(test)]
mod tests;

pub use cell::{guard, unguard};
pub use header::{HeaderMode, Layout};
pub use reader::{Reader, Row};
pub use scan::{Limits, Scanned, scan};
pub use table::{Column, Kind, Presence, Table, crm_users, mappings, template, users};
pub use writer::{LOG_COLUMNS, Writer, log_header, log_row};

use super::error::ErrorCode;

/// The largest cell, in bytes of UTF-8 without its quotes (csv.md "Every file").
pub const MAX_CELL_BYTES: usize = 64 * 1024;

/// The largest record that is kept, in bytes as it stands in the file: enough for every column of the widest table
/// to be full of doubled quotes. A longer one fails with `INVALID`.
pub const MAX_RECORD_BYTES: usize = 2 * 1024 * 1024;

/// How much of a record over [`MAX_RECORD_BYTES`] the log shows, in bytes.
pub const SHOWN_OF_LONG_RECORD: usize = 4 * 1024;

/// A place between two rows of a file, from which reading can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Bytes from the start of the file, its byte-order mark included.
    pub offset: u64,
    /// The line that starts there; the file's first line is 1.
    pub line: u64,
}

/// Why a whole file is refused, before an import is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FileFault {
    pub code: ErrorCode,
    /// For a person: what is wrong, where, and what to do about it.
    pub message: String,
}

/// One thing that is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RowFault {
    pub code: ErrorCode,
    /// The column's name as the template spells it; `None` where the fault is the row's.
    pub column: Option<String>,
    /// For a person.
    pub message: String,
}

impl RowFault {
    /// A fault of the row as a whole.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, column: None, message: message.into() }
    }

    /// A fault of one cell.
    pub fn at(code: ErrorCode, column: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, column: Some(column.into()), message: message.into() }
    }
}
