//! The commands that talk to a running server, through the same API as everybody else.
//!
//! [`settings`] has what they take; [`server`] sends operations and files, and says what keeps it from that; [`import`]
//! and [`export`] are the commands; [`job`] is an import as the server tells of it; [`output`] is where files go.

mod export;
mod import;
mod job;
mod output;
mod server;
pub mod settings;

pub use export::run as export;
pub use import::run as import;

/// How a command ended that came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All went in, or out.
    Whole,
    /// Some rows did not.
    RowsFailed,
}

/// The exit code of a command that could not do what it was asked for.
pub const FAILED: u8 = 2;

impl Ending {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::RowsFailed => 1,
        }
    }
}
