//! A file as its rows, and as its bytes: each cell stands beside what it means, so that nobody has to read the text.

/// What a cell means, as `contract/csv.md` has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Blank,
    /// `#N/A`.
    Clear,
    /// Normalised; `None` where it is no address.
    Email(Option<String>),
    /// `None` where it can't be kept.
    Text(Option<String>),
    /// The names from the root down; `None` where it is no path.
    Team(Option<Path>),
    Teams(Vec<Option<Path>>),
    /// One of a few names; `None` for any other.
    Choice(Option<&'static str>),
    /// An entry of a catalogue, or several.
    Names(Vec<&'static str>),
    Operation(Option<Operation>),
    /// As it is kept; `None` where it is no id.
    Id(Option<&'static str>),
    Active(Option<bool>),
    /// In RFC 3339; `None` where it is no time.
    Time(Option<&'static str>),
    /// What stands in a column that is not read.
    Ignored,
}

pub type Path = Vec<&'static str>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add,
    Edit,
    Suspend,
    Reactivate,
    Delete,
    Replace,
    Remove,
}

#[derive(Debug, Clone)]
pub struct Cell {
    /// As it stands in the file, without its quotes.
    pub text: String,
    pub value: Value,
    pub quoted: bool,
    /// White space stands before or after it.
    pub spaces: bool,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub cells: Vec<Cell>,
    pub end: &'static str,
    /// How often it stands there; many only for blank lines.
    pub times: usize,
}

impl Row {
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.text.trim().is_empty())
    }

    /// The line without its end.
    pub fn text(&self) -> String {
        let cells: Vec<String> = self.cells.iter().map(|cell| quote(&cell.text, cell.quoted)).collect();
        cells.join(",")
    }
}

fn quote(text: &str, quoted: bool) -> String {
    if quoted || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Users,
    Mappings,
    CrmUsers,
}

#[derive(Debug, Clone)]
pub struct Column {
    /// As the file spells it.
    pub spelled: String,
    /// As the template spells it; none for those that start with `_`.
    pub name: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub struct File {
    pub kind: Kind,
    pub by_name: bool,
    pub create_missing_teams: bool,
    pub on_existing: &'static str,
    pub is_complete: bool,
    pub bom: bool,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

impl File {
    pub fn header(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.spelled.clone()).collect()
    }

    pub fn text(&self) -> String {
        let mut text = String::from(if self.bom { "\u{feff}" } else { "" });
        text += &self.header().join(",");
        text += "\n";
        for row in &self.rows {
            for _ in 0..row.times {
                text += &row.text();
                text += row.end;
            }
        }
        text
    }

    /// Each row with the line it starts on.
    pub fn rows(&self) -> impl Iterator<Item = (u64, &Row)> {
        let mut line = 2;
        self.rows.iter().flat_map(|row| std::iter::repeat_n(row, row.times)).map(move |row| {
            let start = line;
            line += (row.text().matches('\n').count() + row.end.matches('\n').count()) as u64;
            (start, row)
        })
    }

    /// The cell of a column; `None` where the file does not have the column.
    pub fn cell<'a>(&self, row: &'a Row, name: &str) -> Option<&'a Cell> {
        let at = self.columns.iter().position(|column| column.name == Some(name))?;
        row.cells.get(at)
    }
}
