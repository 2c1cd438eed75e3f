//! The rows of a file that [`scan`](super::scan) has let through.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::super::error::ErrorCode;
use super::cell::{CellParser, unguard};
use super::split::{Record, Splitter};
use super::{Layout, MAX_CELL_BYTES, MAX_RECORD_BYTES, Position, RowFault, SHOWN_OF_LONG_RECORD};

/// One row of a file, with what is wrong with it as CSV. What is wrong with its values is for the services to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line of the file that the row starts on; the header is line 1.
    pub line: u64,
    /// The byte of the file that the row starts at.
    pub offset: u64,
    /// Where the next row starts: what to remember once this one is done.
    pub next: Position,
    /// The cells as they stand in the file, for the log; at most as many as the header has.
    pub raw: Vec<String>,
    /// For each column of the table where its value stands among the raw cells.
    cells: Vec<Option<Part>>,
    /// `COLUMN_COUNT`, or else `SURROUNDING_SPACES` and `INVALID` (a cell over [`MAX_CELL_BYTES`]) for each column
    /// that they are true of, or `INVALID` for a row over [`MAX_RECORD_BYTES`]. None in a blank row.
    pub faults: Vec<RowFault>,
    /// Every cell is empty or white space.
    pub blank: bool,
    /// The row is `SKIPPED`, whatever else is wrong with it: it is blank, of any width, or it has the right width and
    /// its operation is empty (csv.md "Every file").
    pub skipped: bool,
}

/// A part of a raw cell, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    cell: usize,
    start: usize,
    end: usize,
}

impl Row {
    /// The value of a column of the table, without the `'` of the guard and without surrounding white space (which is a
    /// fault, but what was meant can be looked at further). `None`: the file does not have the column, or it is not read,
    /// or the row has the wrong width or is too long to be kept.
    pub fn get(&self, column: usize) -> Option<&str> {
        let Part { cell, start, end } = (*self.cells.get(column)?)?;
        self.raw.get(cell)?.get(start..end)
    }

    /// Whether any column has a value.
    pub fn has_cells(&self) -> bool {
        self.cells.iter().any(Option::is_some)
    }
}

/// Gives the rows of a file one after the other; memory does not grow with the file.
#[derive(Debug)]
pub struct Reader<'a, R> {
    layout: &'a Layout,
    input: BufReader<R>,
    splitter: Splitter,
    parser: CellParser,
}

impl<'a, R: Read + Seek> Reader<'a, R> {
    /// Reads on from `from`: [`Layout::first_row`], or the [`next`](Row::next) of an earlier row. What was read of
    /// the file before changes nothing.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn open(mut file: R, layout: &'a Layout, from: Position) -> io::Result<Self> {
        file.seek(SeekFrom::Start(from.offset))?;
        Ok(Self {
            layout,
            input: BufReader::with_capacity(64 * 1024, file),
            splitter: Splitter::new(from),
            parser: CellParser::new(),
        })
    }

    /// The values of one column from here on, row by row: all that [`Row::get`] has, and perhaps some that it leaves out.
    pub fn values(mut self, column: usize) -> impl Iterator<Item = io::Result<Option<String>>> {
        let value = move |layout: &Layout, parser: &mut CellParser, record: Record<'_>| {
            let place = layout.place(column).filter(|_| !record.is_cut())?;
            Some(unguard(&parser.nth(record.bytes, place)?).trim().to_owned())
        };
        std::iter::from_fn(move || self.read(value).transpose())
    }

    /// The next record, as `read` reads it.
    fn read<T>(&mut self, read: impl Fn(&Layout, &mut CellParser, Record<'_>) -> T) -> io::Result<Option<T>> {
        loop {
            let chunk = self.input.fill_buf()?;
            let complete = if chunk.is_empty() {
                if !self.splitter.finish() {
                    return Ok(None);
                }
                true
            } else {
                let (taken, complete) = self.splitter.feed(chunk);
                self.input.consume(taken);
                complete
            };
            if complete {
                return Ok(Some(read(self.layout, &mut self.parser, self.splitter.record())));
            }
        }
    }
}

impl<R: Read + Seek> Iterator for Reader<'_, R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read(row).transpose()
    }
}

fn row(layout: &Layout, parser: &mut CellParser, record: Record<'_>) -> Row {
    let table = layout.kind().table();
    let raw = parser.parse(if record.is_cut() { beginning(record.bytes) } else { record.bytes });
    let mut row = Row {
        line: record.start.line,
        offset: record.start.offset,
        next: record.next,
        cells: vec![None; table.columns.len()],
        faults: Vec::new(),
        blank: record.only_blanks && record.is_cut()
            || !record.is_cut() && raw.iter().all(|cell| cell.trim().is_empty()),
        skipped: false,
        raw,
    };
    if row.blank {
        row.skipped = true;
    } else if record.is_cut() {
        row.faults.push(RowFault::new(
            ErrorCode::Invalid,
            format!(
                "The row is {} bytes long, up to line {}; {MAX_RECORD_BYTES} are the most. Is a quote left open in it? \
                 Only its beginning is shown.",
                record.len, record.next.line
            ),
        ));
    } else if row.raw.len() != layout.width() {
        row.faults.push(RowFault::new(
            ErrorCode::ColumnCount,
            format!(
                "The row has {} cells and the header {}. Put a cell that holds a comma in double quotes. The whole \
                 line: {}",
                row.raw.len(),
                layout.width(),
                String::from_utf8_lossy(record.bytes)
            ),
        ));
    } else {
        read_cells(layout, &mut row);
        let operation = table.operation.and_then(|column| layout.place(column));
        row.skipped = operation.is_some_and(|at| row.raw[at].is_empty());
    }
    row.raw.truncate(layout.width());
    row
}

/// The cells of a row of the right width.
fn read_cells(layout: &Layout, row: &mut Row) {
    for (column, described) in layout.kind().table().columns.iter().enumerate() {
        let Some((at, raw)) = layout.place(column).and_then(|at| Some((at, row.raw.get(at)?))) else {
            continue;
        };
        let cell = unguard(raw);
        if cell.len() > MAX_CELL_BYTES {
            row.faults.push(RowFault::at(
                ErrorCode::Invalid,
                described.name,
                format!("{} holds {} bytes; {MAX_CELL_BYTES} are the most.", described.name, cell.len()),
            ));
        }
        let trimmed = cell.trim();
        if trimmed.len() != cell.len() {
            row.faults.push(RowFault::at(
                ErrorCode::SurroundingSpaces,
                described.name,
                format!("{} has white space before or after its value; take it away.", described.name),
            ));
        }
        let start = raw.len() - cell.trim_start().len();
        row.cells[column] = Some(Part { cell: at, start, end: start + trimmed.len() });
    }
}

/// What is shown of a record that is too long to be kept, cut between two characters.
fn beginning(bytes: &[u8]) -> &[u8] {
    let mut end = SHOWN_OF_LONG_RECORD.min(bytes.len());
    while end > 0 && bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    &bytes[..end]
}
