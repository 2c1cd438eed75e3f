//! Every CSV file that the system produces: exports and logs.
//!
//! RFC 4180, UTF-8 without a byte-order mark. Lines end in CRLF: that is what the RFC says, what spreadsheets write
//! themselves, and what every reader takes.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize as _;

use super::super::error::ErrorCode;
use super::cell::{guard, unguard};
use super::{Layout, RowFault};

/// The columns that a log has behind the file's own (csv.md "The log").
pub const LOG_COLUMNS: [&str; 4] = ["_line", "_column", "_code", "_message"];

/// Writes rows of cells, each guarded against being run by a spreadsheet.
pub struct Writer<W: Write> {
    csv: ::csv::Writer<W>,
}

impl<W: Write> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl<W: Write> Writer<W> {
    /// Writes through a buffer of its own; [`flush`](Self::flush) at the end.
    pub fn new(output: W) -> Self {
        let csv = ::csv::WriterBuilder::new().flexible(true).terminator(::csv::Terminator::CRLF).from_writer(output);
        Self { csv }
    }

    /// Writes one row. Rows may have different widths; one without cells is a blank line.
    ///
    /// # Errors
    /// The output's.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<()> {
        for cell in cells {
            self.csv.write_field(guard(cell.as_ref()).as_bytes())?;
        }
        self.csv.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Hands everything written so far to the output.
    ///
    /// # Errors
    /// The output's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }

    /// The output, with everything written.
    ///
    /// # Errors
    /// The output's.
    pub fn into_inner(self) -> io::Result<W> {
        self.csv.into_inner().map_err(::csv::IntoInnerError::into_error)
    }
}

/// The header of the log of a file: the file's own columns and [`LOG_COLUMNS`]. Where the file is a log itself, the
/// old columns of these names are left out.
pub fn log_header(layout: &Layout) -> Vec<String> {
    let mut cells: Vec<String> = own(layout).map(|at| layout.header()[at].clone()).collect();
    cells.extend(LOG_COLUMNS.map(str::to_owned));
    cells
}

/// The line of the log for one failed row, for [`Writer::row`].
///
/// `raw` are the row's cells as they stand in the file ([`Row::raw`](super::Row::raw)); cells that it does not have
/// are empty. A guard that a cell has in the file is taken off here, since writing puts it on again. The faults'
/// columns, codes and messages stand in the same order, joined by `; `.
pub fn log_row(layout: &Layout, raw: &[impl AsRef<str>], line: u64, faults: &[RowFault]) -> Vec<String> {
    let joined = |part: &dyn Fn(&RowFault) -> String| faults.iter().map(part).collect::<Vec<_>>().join("; ");
    let mut cells: Vec<String> =
        own(layout).map(|at| raw.get(at).map_or_else(String::new, |cell| unguard(cell.as_ref()).to_owned())).collect();
    cells.extend([
        line.to_string(),
        joined(&|fault| fault.column.clone().unwrap_or_default()),
        joined(&|fault| Code(fault.code).to_string()),
        joined(&|fault| fault.message.clone()),
    ]);
    cells
}

/// The places of the file's columns that a log keeps.
fn own(layout: &Layout) -> impl Iterator<Item = usize> {
    (0..layout.width()).filter(|at| !LOG_COLUMNS.contains(&layout.header()[*at].as_str()))
}

/// A code as the API spells it.
struct Code(ErrorCode);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}
