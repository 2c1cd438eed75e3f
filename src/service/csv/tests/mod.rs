//! The layer from file to rows and back.

mod log;
mod rows;
mod whole;

use std::io::Cursor;

use super::super::error::ErrorCode;
use super::*;

const LIMITS: Limits = Limits { max_bytes: 100 * 1024 * 1024 };
const MAPPINGS: &str = "email,external_id,alias_email,operation\r\n";

fn scan_as(kind: Kind, mode: HeaderMode, file: impl AsRef<[u8]>) -> Result<Scanned, FileFault> {
    scan(file.as_ref(), kind, mode, LIMITS).unwrap()
}

fn scan_mappings(file: impl AsRef<[u8]>) -> Result<Scanned, FileFault> {
    scan_as(Kind::Mappings, HeaderMode::Exact, file)
}

/// The code and message that a file is refused with.
fn refused(outcome: Result<Scanned, FileFault>) -> (ErrorCode, String) {
    let fault = outcome.unwrap_err();
    (fault.code, fault.message)
}

fn rows_from(file: &[u8], layout: &Layout, from: Position) -> Vec<Row> {
    Reader::open(Cursor::new(file), layout, from).unwrap().map(Result::unwrap).collect()
}

/// The file's layout and all its rows.
fn read(kind: Kind, file: impl AsRef<[u8]>) -> (Layout, Vec<Row>) {
    let scanned = scan_as(kind, HeaderMode::Exact, &file).unwrap();
    let rows = rows_from(file.as_ref(), &scanned.layout, scanned.layout.first_row());
    assert_eq!(rows.len() as u64, scanned.rows, "both passes count the same");
    for column in 0..kind.table().columns.len() {
        let reader = Reader::open(Cursor::new(&file), &scanned.layout, scanned.layout.first_row()).unwrap();
        let values: Vec<Option<String>> = reader.values(column).map(Result::unwrap).collect();
        assert_eq!(values.len(), rows.len());
        for (row, value) in rows.iter().zip(&values).filter(|(row, _)| row.get(column).is_some()) {
            assert_eq!(row.get(column), value.as_deref(), "line {}", row.line);
        }
    }
    (scanned.layout, rows)
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    /// A short text of what is hard about CSV.
    fn cell(&mut self) -> String {
        const PARTS: [&str; 16] =
            ["a", "é", "\"", "\"\"", "\n", "\r\n", "\r", ",", "'", "=", "+", "-", "@", "\t", " ", "日"];
        (0..self.below(6)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }
}
