//! The file reader, `counterpart::service::csv`, on any bytes. It must not panic, and of a file that `scan` lets through:
//!
//! - there are as many rows as it counted, one after the other without a gap, up to the file's end;
//! - reading on from where any row ended gives the rows that reading through gives;
//! - however few bytes the file gives at a time;
//! - a row's cells are those that the `csv` crate's own reader finds in the row's bytes.
//!
//! The first byte of the input says which table it is, how its header is read, and whether the header stands before the
//! rest by itself: without it hardly an input would come past the first line.

#![no_main]

use std::io::{Cursor, Read, Result, Seek, SeekFrom};

use counterpart::service::csv::{
    HeaderMode, Kind, Layout, Limits, MAX_RECORD_BYTES, Position, Reader, Row, scan, template,
};
use libfuzzer_sys::fuzz_target;

/// Gives at most so many bytes at a time.
struct Trickle<'a> {
    file: Cursor<&'a [u8]>,
    at_a_time: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = buffer.len().min(self.at_a_time);
        self.file.read(&mut buffer[..most])
    }
}

impl Seek for Trickle<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}

fn trickle(file: &[u8], at_a_time: usize) -> Trickle<'_> {
    Trickle { file: Cursor::new(file), at_a_time }
}

fn rows(file: &[u8], at_a_time: usize, layout: &Layout, from: Position) -> Vec<Row> {
    let reader = Reader::open(trickle(file, at_a_time), layout, from).expect("memory can be read");
    reader.map(|row| row.expect("memory can be read")).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = data.split_first() else { return };
    let kind = [Kind::Users, Kind::Mappings, Kind::CrmUsers][usize::from(how & 3) % 3];
    let mode = if how & 4 == 0 { HeaderMode::Exact } else { HeaderMode::ByName };
    let mut file = Vec::new();
    if how & 8 != 0 {
        file.extend("\u{feff}".bytes());
    }
    if how & 16 != 0 {
        file.extend(template(kind).bytes());
    }
    file.extend(rest);

    let limits = Limits { max_bytes: 1 << 20 };
    let scanned = scan(&file[..], kind, mode, limits).expect("memory can be read");
    assert_eq!(scanned, scan(trickle(&file, 3), kind, mode, limits).expect("memory can be read"));
    let Ok(scanned) = scanned else { return };
    assert_eq!(scanned.bytes, file.len() as u64);

    let layout = &scanned.layout;
    let all = rows(&file, usize::MAX, layout, layout.first_row());
    assert_eq!(all.len() as u64, scanned.rows);
    assert_eq!(all, rows(&file, 1, layout, layout.first_row()));
    let mut at = layout.first_row();
    for (n, row) in all.iter().enumerate() {
        assert_eq!((row.offset, row.line), (at.offset, at.line), "no gap before row {n}");
        assert!(row.next.offset > row.offset, "row {n} ends after it starts");
        at = row.next;
        let before = &file[..at.offset as usize];
        assert_eq!(at.line, 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64, "lines are counted");
        if n % 7 == 0 {
            assert_eq!(rows(&file, 5, layout, at), all[n + 1..], "reading on after row {n}");
        }
        cells(layout, row, &file[row.offset as usize..at.offset as usize]);
    }
    assert_eq!(at.offset, scanned.bytes, "nothing is left over");
});

/// Compares a row's cells with what the `csv` crate makes of its bytes.
fn cells(layout: &Layout, row: &Row, bytes: &[u8]) {
    // A mark at the start of a row is a cell's; the crate would take it off.
    if bytes.len() > MAX_RECORD_BYTES || bytes.starts_with("\u{feff}".as_bytes()) {
        return;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut records = reader.records();
    let record = records.next().map(|record| record.expect("it is UTF-8"));
    let found: Vec<&str> = record.iter().flat_map(|record| record.iter()).take(layout.width()).collect();
    assert_eq!(row.raw, found, "the cells of {:?}", String::from_utf8_lossy(bytes));
    assert!(records.next().is_none(), "one row is one record: {:?}", String::from_utf8_lossy(bytes));
}
