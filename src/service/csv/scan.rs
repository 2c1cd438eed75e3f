//! The one pass over a whole file before an import is made of it.

use std::io::{self, Read};

use super::super::error::ErrorCode;
use super::cell::CellParser;
use super::detect::{self, HEAD_BYTES, not_csv};
use super::header::{self, Resolved};
use super::split::{Record, Splitter};
use super::{FileFault, HeaderMode, Kind, Layout, MAX_RECORD_BYTES, Position};

/// How much of the file is in memory at a time, beside the record at hand.
const BUFFER_BYTES: usize = 64 * 1024;

const BOM: &[u8] = "\u{feff}".as_bytes();

/// What a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes.
    pub max_bytes: u64,
}

/// What the pass found out about a file that can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    pub layout: Layout,
    /// Rows, blank ones included, the header not.
    pub rows: u64,
    /// The file's length in bytes.
    pub bytes: u64,
}

/// Reads a file from its first byte to its last, in memory that does not grow with it, and refuses it or says how to
/// read it (csv.md "Every file").
///
/// Of several faults the one given is: what makes the file unreadable (`TOO_LARGE`, `NOT_CSV`, `NOT_UTF8`), the first
/// one in the file; else `EMPTY_FILE` without a header; else `HEADER_MISMATCH`; else `STATUS_COLUMNS_NOT_ACCEPTED`;
/// else `EMPTY_FILE` without a row.
///
/// # Errors
/// The outer one is the reading's.
pub fn scan(file: impl Read, kind: Kind, mode: HeaderMode, limits: Limits) -> io::Result<Result<Scanned, FileFault>> {
    let mut scan = Scan::new(kind, mode);
    let outcome = scan.read(file, limits)?;
    Ok(outcome.and_then(|()| scan.conclude()))
}

struct Scan {
    kind: Kind,
    mode: HeaderMode,
    splitter: Splitter,
    parser: CellParser,
    header: Option<Result<Resolved, FileFault>>,
    status_fault: Option<FileFault>,
    rows: u64,
    bytes: u64,
}

impl Scan {
    fn new(kind: Kind, mode: HeaderMode) -> Self {
        Self {
            kind,
            mode,
            splitter: Splitter::new(Position { offset: 0, line: 1 }),
            parser: CellParser::new(),
            header: None,
            status_fault: None,
            rows: 0,
            bytes: 0,
        }
    }

    fn read(&mut self, mut file: impl Read, limits: Limits) -> io::Result<Result<(), FileFault>> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut filled = fill(&mut file, &mut buffer, 0)?;
        let head = buffer[..filled.min(HEAD_BYTES)].to_vec();
        if let Some(fault) = detect::by_signature(&head) {
            return Ok(Err(fault));
        }
        self.bytes = filled as u64;
        let mut at_end = filled < BUFFER_BYTES;
        if buffer[..filled].starts_with(BOM) {
            buffer.copy_within(BOM.len()..filled, 0);
            filled -= BOM.len();
            self.splitter = Splitter::new(Position { offset: BOM.len() as u64, line: 1 });
        }
        loop {
            if self.bytes > limits.max_bytes {
                return Ok(Err(too_large(limits)));
            }
            let (valid, bad) = match std::str::from_utf8(&buffer[..filled]) {
                Ok(_) => (filled, false),
                // A character that the buffer's end cuts is looked at with what follows.
                Err(error) => (error.valid_up_to(), at_end || error.error_len().is_some()),
            };
            let nul = buffer[..valid].iter().position(|byte| *byte == 0);
            self.take(&buffer[..nul.unwrap_or(valid)]);
            let line = self.splitter.at().line;
            if let Some(line) = self.splitter.stray_cr() {
                return Ok(Err(stray_cr(line)));
            }
            if nul.is_some() {
                return Ok(Err(detect::by_nul(&head, line)));
            }
            if bad {
                return Ok(Err(detect::by_bad_bytes(&head, &buffer[valid..filled], line)));
            }
            if at_end {
                return Ok(self.end());
            }
            buffer.copy_within(valid..filled, 0);
            let kept = filled - valid;
            filled = fill(&mut file, &mut buffer, kept)?;
            self.bytes += (filled - kept) as u64;
            at_end = filled < BUFFER_BYTES;
        }
    }

    /// Takes the records out of valid text.
    fn take(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            let (taken, complete) = self.splitter.feed(text);
            text = &text[taken..];
            if complete {
                self.look();
            }
        }
    }

    /// What only the end of the file shows.
    fn end(&mut self) -> Result<(), FileFault> {
        if let Some(line) = self.splitter.ends_in_cr() {
            return Err(stray_cr(line));
        }
        if let Some(line) = self.splitter.open_quote() {
            return Err(not_csv(format!(
                "The file is not CSV: a quote opens on line {line} and never closes. Close it, or write \"\" for a \
                 quote inside a cell."
            )));
        }
        if self.splitter.finish() {
            self.look();
        }
        Ok(())
    }

    /// Looks at the record that has just ended.
    fn look(&mut self) {
        let record = self.splitter.record();
        match &self.header {
            None => self.header = Some(read_header(self.kind, self.mode, &mut self.parser, record)),
            Some(header) => {
                self.rows += 1;
                if let Ok(header) = header
                    && self.status_fault.is_none()
                    && !header.must_be_empty.is_empty()
                {
                    self.status_fault = status_fault(header, &mut self.parser, record);
                }
            }
        }
    }

    fn conclude(self) -> Result<Scanned, FileFault> {
        let empty = |message: &str| FileFault { code: ErrorCode::EmptyFile, message: message.into() };
        let layout = self.header.ok_or_else(|| empty("The file is empty: it has not even a header row."))??.layout;
        if let Some(fault) = self.status_fault {
            return Err(fault);
        }
        if self.rows == 0 {
            return Err(empty("The file has a header row and no row below it."));
        }
        Ok(Scanned { layout, rows: self.rows, bytes: self.bytes })
    }
}

fn read_header(
    kind: Kind,
    mode: HeaderMode,
    parser: &mut CellParser,
    record: Record<'_>,
) -> Result<Resolved, FileFault> {
    if record.is_cut() {
        let message = format!(
            "The header row is {} bytes long, up to line {}; {MAX_RECORD_BYTES} are the most. Is a quote left open in \
             it?",
            record.len, record.next.line
        );
        return Err(FileFault { code: ErrorCode::HeaderMismatch, message });
    }
    header::resolve(kind, mode, parser.parse(record.bytes), record.next)
}

/// The fault of a file with a value in a column that is written and never read. Rows of another width don't say which
/// cell is which: they fail on their own.
fn status_fault(header: &Resolved, parser: &mut CellParser, record: Record<'_>) -> Option<FileFault> {
    if record.only_blanks || record.is_cut() {
        return None;
    }
    let cells = parser.parse(record.bytes);
    if cells.len() != header.layout.width() {
        return None;
    }
    let at = *header.must_be_empty.iter().find(|at| cells.get(**at).is_some_and(|cell| !cell.is_empty()))?;
    let message = format!(
        "{:?} has a value on line {}, and it is not read: delete the columns Status and Suspended At, or empty \
         them. To change a status, write Suspend or Reactivate in Operation.",
        header.layout.header()[at],
        record.start.line
    );
    Some(FileFault { code: ErrorCode::StatusColumnsNotAccepted, message })
}

fn too_large(limits: Limits) -> FileFault {
    let message = format!(
        "The file is larger than {} bytes, the most that this server takes. Split it and upload the parts one after \
         the other, each with the header row.",
        limits.max_bytes
    );
    FileFault { code: ErrorCode::TooLarge, message }
}

fn stray_cr(line: u64) -> FileFault {
    not_csv(format!(
        "The file is not CSV: on line {line} a carriage return stands without a line feed. Lines end in CRLF or LF."
    ))
}

/// Reads until the buffer is full or the file ends. Gives how much of the buffer is filled then.
fn fill(file: &mut impl Read, buffer: &mut [u8], mut filled: usize) -> io::Result<usize> {
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
