//! The header row: which column of the file is which, or all that is wrong with it in one message.

use std::fmt::Write as _;

use super::super::error::ErrorCode;
use super::{FileFault, Kind, Position, Presence, Table};

/// How a file's header is matched with its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HeaderMode {
    /// Every column, spelled and ordered as in the template.
    Exact,
    /// Any order and case; only the key and the operation must be there. An unknown column is still an error.
    ByName,
}

/// How the columns of one file lie: what [`scan`](super::scan) finds out and [`Reader`](super::Reader) needs. Goes
/// with the import, so that any process can read on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layout {
    kind: Kind,
    header: Vec<String>,
    /// For each column of the table, its place in the file; `None` where it is not there or not read.
    places: Vec<Option<usize>>,
    rows: Position,
}

impl Layout {
    /// Which file it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The header's cells as they stand in the file, unknown to the table (`_…`) included.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The number of cells that every row must have.
    pub fn width(&self) -> usize {
        self.header.len()
    }

    /// The place in the file of a column of the table, from 0; `None` where the file does not have it, or has it and
    /// it is not read (Status, Suspended At).
    pub fn place(&self, column: usize) -> Option<usize> {
        self.places.get(column).copied().flatten()
    }

    /// Where the first row starts.
    pub fn first_row(&self) -> Position {
        self.rows
    }
}

/// A header that fits.
pub(super) struct Resolved {
    pub layout: Layout,
    /// The places in the file whose cells must be empty.
    pub must_be_empty: Vec<usize>,
}

/// Matches a file's header with the table. `rows` is the place behind it.
pub(super) fn resolve(
    kind: Kind,
    mode: HeaderMode,
    header: Vec<String>,
    rows: Position,
) -> Result<Resolved, FileFault> {
    let table = kind.table();
    let found = Found::look(table, mode, &header);
    let problems = found.problems(table, mode, &header);
    if !problems.is_empty() {
        return Err(mismatch(table, mode, &header, &problems));
    }
    let mut places = found.places;
    let mut must_be_empty = Vec::new();
    for (place, column) in places.iter_mut().zip(table.columns) {
        if column.presence == Presence::WrittenOnly {
            must_be_empty.extend(place.take().filter(|_| mode == HeaderMode::Exact));
        }
    }
    Ok(Resolved { layout: Layout { kind, header, places, rows }, must_be_empty })
}

/// The most names that a message lists of one sort of problem.
const LISTED: usize = 20;

#[derive(Debug, Default)]
struct Found {
    /// For each column of the table, its first place in the file.
    places: Vec<Option<usize>>,
    unknown: Vec<usize>,
    doubled: Vec<usize>,
    /// Columns whose name starts with `_`.
    ignored: Vec<usize>,
}

impl Found {
    fn look(table: &Table, mode: HeaderMode, header: &[String]) -> Self {
        let mut found = Self { places: vec![None; table.columns.len()], ..Self::default() };
        for (at, name) in header.iter().enumerate() {
            let same = |known: &str| match mode {
                HeaderMode::Exact => known == name,
                HeaderMode::ByName => known.to_lowercase() == name.to_lowercase(),
            };
            if name.starts_with('_') {
                found.ignored.push(at);
            } else if let Some(column) = table.names().position(same) {
                match &mut found.places[column] {
                    Some(_) => found.doubled.push(at),
                    place => *place = Some(at),
                }
            } else {
                found.unknown.push(at);
            }
        }
        found
    }

    /// One sentence for each sort of problem.
    fn problems(&self, table: &Table, mode: HeaderMode, header: &[String]) -> Vec<String> {
        let missing = self.missing(table, mode);
        let mut problems = Vec::new();
        let mut add = |what: &str, names: Vec<String>| {
            if !names.is_empty() {
                problems.push(format!("{what}: {}.", listed(&names)));
            }
        };
        let named = |at: &usize| format!("{} (column {})", shown(&header[*at]), at + 1);
        add("Missing", missing.iter().map(|column| shown(table.columns[*column].name)).collect());
        // Only what is listed is compared: a damaged header can have a million columns.
        let unknown = self.unknown.iter().enumerate().map(|(i, at)| {
            let nearest = if i < LISTED { self.nearest(table, &header[*at]) } else { None };
            nearest.map_or_else(|| named(at), |nearest| format!("{}, nearest to {}", named(at), shown(nearest)))
        });
        add("Unknown", unknown.collect());
        add("There more than once", self.doubled.iter().map(named).collect());
        if mode == HeaderMode::Exact {
            let misplaced = self.misplaced(table, header);
            add("Out of place", misplaced);
        }
        problems
    }

    fn missing(&self, table: &Table, mode: HeaderMode) -> Vec<usize> {
        let there = |column: usize| self.places[column].is_some();
        let any_written_only = (0..table.columns.len())
            .any(|column| table.columns[column].presence == Presence::WrittenOnly && there(column));
        let needed = |column: &usize| match table.columns[*column].presence {
            Presence::Always => true,
            Presence::Exact => mode == HeaderMode::Exact,
            Presence::Optional => false,
            Presence::WrittenOnly => mode == HeaderMode::Exact && any_written_only,
        };
        (0..table.columns.len()).filter(needed).filter(|column| !there(*column)).collect()
    }

    /// The expected name that an unknown one is most like, among those that the file does not have; where it has all,
    /// among all, if it is much like it.
    fn nearest(&self, table: &Table, unknown: &str) -> Option<&'static str> {
        let unknown = unknown.trim().to_lowercase();
        let likeness = |name: &str| {
            let name = name.to_lowercase();
            strsim::jaro_winkler(&name, &unknown).max(strsim::normalized_damerau_levenshtein(&name, &unknown))
        };
        let best = |columns: &mut dyn Iterator<Item = usize>| {
            columns
                .map(|column| (likeness(table.columns[column].name), table.columns[column].name))
                .max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let free = best(&mut (0..table.columns.len()).filter(|column| self.places[*column].is_none()));
        let any = best(&mut (0..table.columns.len())).filter(|(likeness, _)| *likeness >= 0.75);
        free.filter(|(likeness, _)| *likeness > 0.4).or(any).map(|(_, name)| name)
    }

    /// The columns that would have to move for the rest to stand in the template's order, and `_` columns before
    /// known ones.
    fn misplaced(&self, table: &Table, header: &[String]) -> Vec<String> {
        let mut order: Vec<(usize, usize)> =
            self.places.iter().enumerate().filter_map(|(column, at)| at.map(|at| (at, column))).collect();
        order.sort_unstable();
        let stays = longest_rising(&order.iter().map(|(_, column)| *column).collect::<Vec<_>>());
        let mut names: Vec<String> = Vec::new();
        for (i, (at, column)) in order.iter().enumerate() {
            if !stays.contains(&i) {
                let before = (0..*column).rev().find(|before| self.places[*before].is_some());
                let belongs = match before {
                    Some(before) => format!("after {}", shown(table.columns[before].name)),
                    None => "first".into(),
                };
                names.push(format!("{} (column {}), which belongs {belongs}", shown(&header[*at]), at + 1));
            }
        }
        let last = order.last().map_or(0, |(at, _)| *at);
        for at in self.ignored.iter().filter(|at| **at < last) {
            names.push(format!("{} (column {}), which may only follow the known columns", shown(&header[*at]), at + 1));
        }
        names
    }
}

/// The positions of a longest rising subsequence.
fn longest_rising(values: &[usize]) -> Vec<usize> {
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        let before = best.iter().filter(|run| run.last().is_some_and(|last| values[*last] < *value));
        let mut run = before.max_by_key(|run| run.len()).cloned().unwrap_or_default();
        run.push(i);
        best.push(run);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

fn mismatch(table: &Table, mode: HeaderMode, header: &[String], problems: &[String]) -> FileFault {
    let mut message = String::from("The header row does not fit.");
    if header.iter().all(|name| name.trim().is_empty()) {
        message.push_str(" Line 1 is blank; the header must be the first line.");
    }
    if let Some(separator) = other_separator(table, header) {
        // All else follows from that.
        let _ = write!(message, " The columns are separated by {separator}; they must be by commas.");
    } else {
        for problem in problems {
            message.push(' ');
            message.push_str(problem);
        }
    }
    let expected = table.names().collect::<Vec<_>>().join(",");
    let _ = match mode {
        HeaderMode::Exact => write!(message, " The header must be: {expected}"),
        HeaderMode::ByName => write!(message, " The columns are: {expected}"),
    };
    let optional = table
        .columns
        .iter()
        .filter(|column| !matches!(column.presence, Presence::Always | Presence::Exact))
        .map(|column| shown(column.name))
        .collect::<Vec<_>>();
    if mode == HeaderMode::Exact && !optional.is_empty() {
        let _ = write!(message, " ({} may be left out)", optional.join(" and "));
    }
    message.push('.');
    FileFault { code: ErrorCode::HeaderMismatch, message }
}

/// What separates the columns instead of commas, where it is plain.
fn other_separator(table: &Table, header: &[String]) -> Option<&'static str> {
    let [line] = header else { return None };
    [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")].into_iter().find_map(|(separator, name)| {
        let known = |cell: &str| table.names().any(|name| name.eq_ignore_ascii_case(cell.trim_matches(['"', ' '])));
        (line.split(separator).filter(|cell| known(cell)).count() >= 2).then_some(name)
    })
}

fn listed(names: &[String]) -> String {
    match names.get(..LISTED) {
        Some(first) if names.len() > LISTED => {
            format!("{} and {} more", first.join("; "), names.len() - LISTED)
        }
        _ => names.join("; "),
    }
}

/// A name in quotes, cut after 60 characters.
fn shown(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((at, _)) => format!("{:?}…", &name[..at]),
        None => format!("{name:?}"),
    }
}
