//! Where records start and end, how many lines they take, and how long they are: one pass, a byte at a time, keeping
//! at most [`MAX_RECORD_BYTES`] of a record.
//!
//! A quote counts only where a cell starts, as in the `csv` crate: `a"b` is three characters, and what stands between
//! a closing quote and the next comma is added to the cell.

use super::{MAX_RECORD_BYTES, Position};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first byte of a cell.
    CellStart,
    /// In a cell, outside quotes.
    Bare,
    /// In a cell, inside quotes.
    Quoted,
    /// After a quote inside quotes: the end of them, or half of a doubled one.
    QuoteInQuoted,
}

/// Finds the records of a file, which is handed over in chunks of any size.
#[derive(Debug)]
pub(super) struct Splitter {
    state: State,
    /// The place of the next byte.
    at: Position,
    /// The start of the record at hand.
    start: Position,
    /// The record at hand as it stands in the file, its line end included; at most [`MAX_RECORD_BYTES`] of it.
    kept: Vec<u8>,
    /// The line on which the last quote was opened.
    quote_line: u64,
    after_cr: bool,
    stray_cr: Option<u64>,
    only_blanks: bool,
    complete: bool,
    /// The bytes of the line end that completed the record.
    line_end: u64,
}

/// A record as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub start: Position,
    pub next: Position,
    /// Without the line end; cut where it is too long.
    pub bytes: &'a [u8],
    /// The length in the file, without the line end.
    pub len: u64,
    /// Nothing but commas, quotes and white space.
    pub only_blanks: bool,
}

impl Record<'_> {
    pub(super) fn is_cut(&self) -> bool {
        self.bytes.len() as u64 != self.len
    }
}

impl Splitter {
    pub(super) fn new(at: Position) -> Self {
        Self {
            state: State::CellStart,
            at,
            start: at,
            kept: Vec::new(),
            quote_line: at.line,
            after_cr: false,
            stray_cr: None,
            only_blanks: true,
            complete: false,
            line_end: 0,
        }
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    /// The line on which a quote was opened that is still open.
    pub(super) fn open_quote(&self) -> Option<u64> {
        (self.state == State::Quoted).then_some(self.quote_line)
    }

    /// The first line with a carriage return outside quotes that something other than a line feed follows.
    pub(super) fn stray_cr(&self) -> Option<u64> {
        self.stray_cr
    }

    /// At the end of the file: the last line, where it ends in a carriage return outside quotes.
    pub(super) fn ends_in_cr(&self) -> Option<u64> {
        self.after_cr.then_some(self.at.line)
    }

    /// Takes bytes up to the end of a record or of the chunk. Gives how many it took, and whether a record ends
    /// there; [`record`](Self::record) is that record until the next call.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> (usize, bool) {
        if self.complete {
            self.begin();
        }
        let mut taken = chunk.len();
        for (i, byte) in chunk.iter().enumerate() {
            let quoted = self.state == State::Quoted;
            let after_cr = self.after_cr;
            if after_cr && *byte != b'\n' {
                self.stray_cr = self.stray_cr.or(Some(self.at.line));
            }
            self.after_cr = *byte == b'\r' && !quoted;
            match (self.state, byte) {
                (State::Quoted, b'"') => self.state = State::QuoteInQuoted,
                (State::Quoted, b'\n') => self.at.line += 1,
                (State::Quoted, _) => {}
                (State::QuoteInQuoted, b'"') => self.state = State::Quoted,
                (_, b'\n') => {
                    self.at.line += 1;
                    self.complete = true;
                    self.line_end = 1 + u64::from(after_cr);
                    taken = i + 1;
                    break;
                }
                (_, b',') => self.state = State::CellStart,
                (State::CellStart, b'"') => {
                    self.state = State::Quoted;
                    self.quote_line = self.at.line;
                }
                _ => self.state = State::Bare,
            }
            self.only_blanks &= matches!(byte, b',' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
        }
        self.at.offset += taken as u64;
        let room = MAX_RECORD_BYTES.saturating_sub(self.kept.len());
        self.kept.extend(chunk.iter().take(taken.min(room)));
        (taken, self.complete)
    }

    /// At the end of the file: whether a last record without a line end is left.
    pub(super) fn finish(&mut self) -> bool {
        if self.complete || self.start == self.at {
            return false;
        }
        self.complete = true;
        true
    }

    /// The record that has just ended.
    pub(super) fn record(&self) -> Record<'_> {
        let len = self.at.offset - self.start.offset - self.line_end;
        let kept = usize::try_from(len).unwrap_or(usize::MAX).min(MAX_RECORD_BYTES);
        let bytes = self.kept.get(..kept).unwrap_or(&self.kept);
        Record { start: self.start, next: self.at, bytes, len, only_blanks: self.only_blanks }
    }

    fn begin(&mut self) {
        self.complete = false;
        self.line_end = 0;
        self.state = State::CellStart;
        self.start = self.at;
        self.only_blanks = true;
        // A long record must not hold its room for the rest of the file.
        if self.kept.capacity() > 4 * 64 * 1024 {
            self.kept = Vec::new();
        }
        self.kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, chunk: usize) -> Vec<(u64, u64, String)> {
        let mut splitter = Splitter::new(Position { offset: 0, line: 1 });
        let mut records = Vec::new();
        let mut push = |splitter: &Splitter| {
            let record = splitter.record();
            let text = String::from_utf8(record.bytes.to_vec()).unwrap();
            records.push((record.start.line, record.start.offset, text));
        };
        for mut part in text.as_bytes().chunks(chunk) {
            while !part.is_empty() {
                let (taken, complete) = splitter.feed(part);
                part = &part[taken..];
                if complete {
                    push(&splitter);
                }
            }
        }
        if splitter.finish() {
            push(&splitter);
        }
        records
    }

    #[test]
    fn records_lines_and_offsets() {
        let text = "a,b\r\n\r\n\"x\ny\",1\n\n\"q\"\"\r\n,\"\nla\"st,\"";
        for chunk in [1, 2, 3, 7, 1000] {
            assert_eq!(
                split(text, chunk),
                [
                    (1, 0, "a,b".to_owned()),
                    (2, 5, String::new()),
                    (3, 7, "\"x\ny\",1".to_owned()),
                    (5, 15, String::new()),
                    (6, 16, "\"q\"\"\r\n,\"".to_owned()),
                    (8, 25, "la\"st,\"".to_owned()),
                ],
                "in chunks of {chunk}"
            );
        }
        assert_eq!(split("", 1), []);
        assert_eq!(split("a", 1).len(), 1);
        assert_eq!(split("a\n", 1).len(), 1);
        assert_eq!(split("a\n\n", 1).len(), 2);
    }

    #[test]
    fn long_records_are_cut() {
        let text = format!("a\n{}\nb\n", "x".repeat(3 * MAX_RECORD_BYTES));
        let mut splitter = Splitter::new(Position { offset: 0, line: 1 });
        let mut rest = text.as_bytes();
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let (taken, complete) = splitter.feed(&rest[..rest.len().min(1000)]);
            rest = &rest[taken..];
            if complete {
                let record = splitter.record();
                seen.push((record.bytes.len(), record.is_cut()));
            }
        }
        assert_eq!(seen, [(1, false), (MAX_RECORD_BYTES, true), (1, false)]);
    }

    #[test]
    fn a_stray_carriage_return_is_noticed() {
        let stray = |text: &str| {
            let mut splitter = Splitter::new(Position { offset: 0, line: 1 });
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                rest = &rest[splitter.feed(rest).0..];
            }
            splitter.stray_cr().or(splitter.ends_in_cr())
        };
        assert_eq!(stray("a\r\n\"b\rc\"\r\nd"), None);
        assert_eq!(stray("a\nb\rc\n"), Some(2));
        assert_eq!(stray("a\rb\r"), Some(1));
        assert_eq!(stray("a\r"), Some(1));
        assert_eq!(stray("a\r\r\n"), Some(1));
    }
}
