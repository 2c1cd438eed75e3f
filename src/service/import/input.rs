//! The file of an import as its rows go by: chunk by chunk, each row with the line of an earlier one of the same key, and the
//! next chunk read while one is worked on.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use entity::ImportKind;

use super::{
    seen::{self, Seen},
    worker::{AskedRow, CHUNK_ROWS},
};
use crate::service::{
    beside::Beside,
    csv::{self as column, Layout, Position, Reader, Row},
    error::Result,
    value::{
        email,
        external_id::{self, IdKind},
    },
};

/// Bytes of a chunk, about, at most: one row may be 2 MiB.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// The file, and its keys.
#[derive(Debug)]
pub(super) struct Input {
    file: File,
    layout: Arc<Layout>,
    kind: ImportKind,
    /// How the external ids of the job's integration are read.
    ids: IdKind,
    seen: Seen,
}

impl Input {
    /// For an import of which the rows before `until` are done: goes over the file for the keys that come more than once,
    /// and over those rows for where these stand.
    pub fn new(file: File, layout: Arc<Layout>, kind: ImportKind, ids: IdKind, until: Position) -> io::Result<Self> {
        let mut input = Self { file, layout, kind, ids, seen: Seen::default() };
        let mut hashes = Vec::new();
        for value in input.reader(input.layout.first_row())?.values(input.column()) {
            hashes.extend(value?.and_then(|value| input.normalized(&value)).map(|key| seen::hash(&key)));
        }
        input.seen = Seen::among(hashes);
        let mut at = input.layout.first_row();
        while at.offset < until.offset && !input.seen.is_empty() {
            let rows = input.rows(at)?;
            let Some(last) = rows.last() else { break };
            at = last.next;
            for row in rows.iter().filter(|row| row.offset < until.offset) {
                input.first_of_key(row)?;
            }
        }
        Ok(input)
    }

    fn reader(&self, from: Position) -> io::Result<Reader<'_, File>> {
        Reader::open(self.file.try_clone()?, &self.layout, from)
    }

    /// The rows from `from`, up to a chunk.
    fn rows(&self, from: Position) -> io::Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut bytes = 0;
        for row in self.reader(from)? {
            let row = row?;
            bytes += row.raw.iter().map(String::len).sum::<usize>();
            rows.push(row);
            if rows.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                break;
            }
        }
        Ok(rows)
    }

    /// The normalised key of a row that is to be processed.
    fn key(&self, row: &Row) -> Option<String> {
        if row.skipped { None } else { self.normalized(row.get(self.column())?) }
    }

    /// The column of the key.
    fn column(&self) -> usize {
        match self.kind {
            ImportKind::Users => column::users::EMAIL,
            ImportKind::Mappings => column::mappings::EMAIL,
            ImportKind::CrmUsers => column::crm_users::EXTERNAL_ID,
        }
    }

    /// The one form of a key; a Salesforce id of 15 characters and the same of 18 are one.
    fn normalized(&self, key: &str) -> Option<String> {
        match self.kind {
            ImportKind::Users | ImportKind::Mappings => email::parse(key).ok(),
            ImportKind::CrmUsers => external_id::parse(self.ids, key).ok(),
        }
    }

    /// The line of an earlier row with the same key, where there is one.
    fn first_of_key(&mut self, row: &Row) -> io::Result<Option<u64>> {
        if self.seen.is_empty() {
            return Ok(None);
        }
        let Some(key) = self.key(row) else { return Ok(None) };
        let mut seen = std::mem::take(&mut self.seen);
        let here = Position { offset: row.offset, line: row.line };
        let first = seen.first(&key, here, |place| {
            let row = self.reader(place)?.next().transpose()?;
            Ok::<_, io::Error>(row.as_ref().and_then(|row| self.key(row)))
        });
        self.seen = seen;
        Ok(first?.map(|place| place.line))
    }

    /// The next chunk, and where the one after it begins; `None` at the end.
    fn chunk<T: AskedRow>(&mut self, from: Position) -> io::Result<Option<(Vec<T>, Position)>> {
        let rows = self.rows(from)?;
        let Some(next) = rows.last().map(|row| row.next) else { return Ok(None) };
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            let first = self.first_of_key(&row)?;
            read.push(T::read(row, first)?);
        }
        Ok(Some((read, next)))
    }
}

/// A chunk that is being read, and where the one after it begins; `None` at the end.
type Reading<T> = Beside<io::Result<Option<(Vec<T>, Position)>>>;

/// The chunks of a file, one after the other.
pub(super) struct Chunks<T> {
    input: Arc<Mutex<Input>>,
    next: Option<Reading<T>>,
}

impl<T: AskedRow> Chunks<T> {
    /// Begins to read at `from`.
    pub fn from(input: &Arc<Mutex<Input>>, from: Position) -> Self {
        Self { input: Arc::clone(input), next: Some(read(input, from)) }
    }

    /// The next chunk, and where the one after it begins; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(Vec<T>, Position)>> {
        let Some(reading) = self.next.take() else { return Ok(None) };
        let read_ahead = reading.done().await??;
        self.next = read_ahead.as_ref().map(|(_, next)| read(&self.input, *next));
        Ok(read_ahead)
    }
}

fn read<T: AskedRow>(input: &Arc<Mutex<Input>>, from: Position) -> Reading<T> {
    let input = Arc::clone(input);
    // One at a time: all handles of a file share their place in it.
    Beside::start(move || input.lock().unwrap_or_else(PoisonError::into_inner).chunk(from))
}
