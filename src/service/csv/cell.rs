//! The cells of one record, and the apostrophe that keeps a spreadsheet from running them.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, ReaderBuilder, Terminator};

/// The cell as every file that this system produces has it: with a leading `'` where a spreadsheet would run it, that
/// is, where it starts with `=`, `+`, `-`, `@`, tab or carriage return; and where it starts with `'`s followed by one
/// of these, so that [`unguard`] gives exactly the cell back (csv.md "The log").
pub fn guard(cell: &str) -> Cow<'_, str> {
    if runs(cell.trim_start_matches('\'')) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell without the `'` of [`guard`]; every other cell as it is, one such as `'tis` too.
pub fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if runs(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

fn runs(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Takes records apart, one after the other, by the `csv` crate's rules.
#[derive(Debug)]
pub(super) struct CellParser {
    core: csv_core::Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl CellParser {
    pub(super) fn new() -> Self {
        // Records come without their line ends, so a carriage return in one is part of a cell.
        let core = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        let mut parser = Self { core, output: Vec::new(), ends: Vec::new() };
        parser.prime();
        parser
    }

    /// The cells of one record without its line end; none for an empty one. A quote that is still open at its end is
    /// taken as closed there. What is not UTF-8 (the scan lets none through) becomes U+FFFD.
    pub(super) fn parse(&mut self, record: &[u8]) -> Vec<String> {
        let number = self.split(record);
        let cells = (0..number).map(|at| self.cell(at)).collect();
        self.shrink();
        cells
    }

    /// One of the cells that [`parse`](Self::parse) would give.
    pub(super) fn nth(&mut self, record: &[u8], at: usize) -> Option<String> {
        let cell = (at < self.split(record)).then(|| self.cell(at));
        self.shrink();
        cell
    }

    fn cell(&self, at: usize) -> String {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        String::from_utf8_lossy(&self.output[start..self.ends[at]]).into_owned()
    }

    /// Takes a record apart; the number of its cells.
    fn split(&mut self, record: &[u8]) -> usize {
        if record.is_empty() {
            return 0;
        }
        let commas = record.iter().filter(|byte| **byte == b',').count();
        self.output.resize(record.len() + 1, 0);
        self.ends.resize(commas + 3, 0);
        let (_, _, written, ended) = self.core.read_record(record, &mut self.output, &mut self.ends);
        let (output, ends) = (&mut self.output[written..], &mut self.ends[ended..]);
        let (result, _, _, last) = self.core.read_record(&[], output, ends);
        debug_assert_eq!(result, ReadRecordResult::Record, "the record is whole");
        self.core.reset();
        self.prime();
        ended + last
    }

    /// A long record must not hold its room for the rest of the file.
    fn shrink(&mut self) {
        self.output.truncate(64 * 1024);
        self.output.shrink_to(64 * 1024);
        self.ends.truncate(64);
        self.ends.shrink_to(4 * 1024);
    }

    /// A fresh core takes a byte-order mark off what it reads first; here that would be off a cell. A line end before
    /// the first record gives nothing and is not fresh any more.
    fn prime(&mut self) {
        self.core.read_record(b"\n", &mut [0], &mut [0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_that_run_are_guarded() {
        for (cell, written) in [
            ("", ""),
            ("plain", "plain"),
            ("'tis", "'tis"),
            ("'", "'"),
            ("=1+1", "'=1+1"),
            ("+1 555", "'+1 555"),
            ("-", "'-"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("\nx", "\nx"),
            ("'=1", "''=1"),
            ("'''@", "''''@"),
            (" =1", " =1"),
        ] {
            assert_eq!(guard(cell), written);
            assert_eq!(unguard(&guard(cell)), cell);
        }
        assert_eq!(unguard("''tis"), "''tis");
        assert_eq!(unguard("=1"), "=1");
    }

    #[test]
    fn cells_of_a_record() {
        let mut parser = CellParser::new();
        for (record, cells) in [
            ("", vec![]),
            ("\"\"", vec![""]),
            ("a", vec!["a"]),
            (",", vec!["", ""]),
            ("a,\"b,\"\"c\"\"\n\",", vec!["a", "b,\"c\"\n", ""]),
            ("a\"b, \"c\"", vec!["a\"b", " \"c\""]),
            ("\"a\"b\",c", vec!["ab\"", "c"]),
            ("\"open,", vec!["open,"]),
            ("a\r,b", vec!["a\r", "b"]),
            ("\u{feff}a,é", vec!["\u{feff}a", "é"]),
        ] {
            assert_eq!(parser.parse(record.as_bytes()), cells, "{record:?}");
            for at in 0..=cells.len() {
                assert_eq!(parser.nth(record.as_bytes(), at).as_deref(), cells.get(at).copied(), "{record:?}");
            }
        }
    }
}
