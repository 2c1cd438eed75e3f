//! Files as people and spreadsheets make them, and as nobody should.

use counterpart::service::import::worker::CHUNK_ROWS;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    file::{Cell, Column, File, Kind, Operation, Path, Row, Value},
    state::{MAX_CELL, STATUS},
};

pub const TEAMS: [&[&str]; 5] = [&["Sales"], &["Sales", "West"], &["Sales", "A:B"], &["R\\D"], &["R\\D", "Lab; 2"]];
pub const LICENSES: [&str; 5] =
    ["Foundation", "Engagement Dashboard", "Forecasting", "Unified Backstory Application Enterprise", "Gold; Plus"];
pub const PROFILES: [&str; 2] = ["Default: Intake Off", "All: On"];

/// Addresses as they are written, and as they are kept.
const EMAILS: &[(&str, &str)] = &[
    ("ann@x.com", "ann@x.com"),
    ("Ann@X.COM", "ann@x.com"),
    ("bob@x.com", "bob@x.com"),
    ("BOB@x.com", "bob@x.com"),
    ("cy@x.com", "cy@x.com"),
    ("dee@x.com", "dee@x.com"),
    ("eve@y.org", "eve@y.org"),
    ("fay@y.org", "fay@y.org"),
    ("gus@y.org", "gus@y.org"),
    ("jos\u{e9}@x.com", "jos\u{e9}@x.com"),
    ("JOSE\u{301}@X.com", "jos\u{e9}@x.com"),
    ("ЖЕНЯ@Почта.рф", "женя@почта.рф"),
    ("o'brien+tag@x.co", "o'brien+tag@x.co"),
    ("=ida@x.com", "=ida@x.com"),
    ("'=ida@x.com", "=ida@x.com"),
    ("'+jo@x.com", "+jo@x.com"),
    ("admin@acme.example", "admin@acme.example"),
];
const NO_EMAILS: &[&str] = &["ann @x.com", "nobody", "a@b", "x@y..com", "#N/A", "a@b@x.com"];

/// Texts as they are written, and as they are kept.
const TEXTS: &[(&str, Option<&str>)] = &[
    ("Ann", Some("Ann")),
    ("Lee, Jr.", Some("Lee, Jr.")),
    ("O\"Neil", Some("O\"Neil")),
    ("\"\"", Some("\"\"")),
    ("Zo\u{eb}", Some("Zo\u{eb}")),
    ("=1+1", Some("=1+1")),
    ("'=1+1", Some("=1+1")),
    ("''@x", Some("'@x")),
    ("'tis", Some("'tis")),
    ("-5", Some("-5")),
    ("a; b", Some("a; b")),
    ("漢字", Some("漢字")),
    ("two\nlines", None),
    ("two\r\nlines", None),
    ("a\ttab", None),
];

/// Salesforce ids as they are written, and as they are kept.
const IDS: &[(&str, &str)] = &[
    ("0050Y000000fL1A", "0050Y000000fL1AQAU"),
    ("0050Y000000fL1AQAU", "0050Y000000fL1AQAU"),
    ("0050Y000000FL1AQAU", "0050Y000000fL1AQAU"),
    ("0050y000000fl1aqau", "0050Y000000fL1AQAU"),
    ("0050Y000000fL1B", "0050Y000000fL1BQAU"),
    ("0050Y000000fL1CQAU", "0050Y000000fL1CQAU"),
    ("0050Y000000fL1D", "0050Y000000fL1DQAU"),
    ("0050Y000000fL1EQAU", "0050Y000000fL1EQAU"),
    ("0050Y000000fL1F", "0050Y000000fL1FQAU"),
    ("0050Y000000fL1G", "0050Y000000fL1GQAU"),
];
const NO_IDS: &[&str] = &["0050Y000000fl1AQAU", "00GE0000001AbCd", "0050Y", "0050Y000000fL1-", "#N/A"];

const USERS: &[&str] = &[
    "Email Address",
    "First Name",
    "Last Name",
    "Title",
    "Team",
    "Role",
    "Object Visibility",
    "Configuration Profile",
    "Manager Of",
    "Licenses",
    "Status",
    "Suspended At",
    "Operation",
];
const MAPPINGS: &[&str] = &["email", "external_id", "alias_email", "operation"];
const CRM_USERS: &[&str] = &["external_id", "email", "name", "username", "title", "is_active", "team", "created_at"];

/// Files to be imported one after the other.
pub fn files(seed: u64) -> Vec<File> {
    let mut g = Generator { rng: StdRng::seed_from_u64(seed) };
    let count = g.rng.random_range(4..9);
    (0..count)
        .map(|n| {
            let kind = match n {
                0 => Kind::CrmUsers,
                1 => Kind::Users,
                _ => g.one(&[Kind::Users, Kind::Users, Kind::Mappings, Kind::Mappings, Kind::CrmUsers]),
            };
            g.file(kind, n < 2)
        })
        .collect()
}

struct Generator {
    rng: StdRng,
}

impl Generator {
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).expect("there is something to choose from").clone()
    }

    /// Happens so many times in a hundred.
    fn percent(&mut self, times: u32) -> bool {
        self.rng.random_ratio(times, 100)
    }

    /// A file; a first one mostly adds.
    fn file(&mut self, kind: Kind, is_first: bool) -> File {
        let by_name = self.percent(40);
        let end = self.one(&["\n", "\r\n"]);
        let mut file = File {
            kind,
            by_name,
            create_missing_teams: self.percent(40),
            on_existing: self.one(&["ERROR", "OVERRIDE_AUTOMATIC", "REPLACE"]),
            is_complete: kind == Kind::CrmUsers && self.percent(20),
            bom: self.percent(30),
            columns: self.columns(kind, by_name),
            rows: Vec::new(),
        };
        for _ in 0..self.rng.random_range(1..if is_first { 20 } else { 14 }) {
            let row = self.row(&file, is_first, end);
            file.rows.push(row);
        }
        if self.percent(5) {
            // The rows behind it come in another chunk.
            let at = self.rng.random_range(0..=file.rows.len());
            file.rows.insert(at, Row { cells: Vec::new(), end: "\n", times: CHUNK_ROWS });
        }
        // The last line needs no end, unless there is nothing in it.
        if let Some(last) = file.rows.last_mut()
            && last.times == 1
            && !last.text().is_empty()
            && self.percent(30)
        {
            last.end = "";
        }
        file
    }

    fn columns(&mut self, kind: Kind, by_name: bool) -> Vec<Column> {
        let (all, needed): (&[&'static str], &[&str]) = match kind {
            Kind::Users => (USERS, &["Email Address", "Operation"]),
            // What stays of an alias whose column is not there is not said.
            Kind::Mappings => (MAPPINGS, &["email", "operation", "alias_email"]),
            Kind::CrmUsers => (CRM_USERS, &["external_id"]),
        };
        let status = self.percent(30);
        let mut columns: Vec<Column> = Vec::new();
        for name in all {
            let left_out = match (by_name, kind) {
                _ if STATUS.contains(name) => !status,
                (true, _) => !needed.contains(name) && self.percent(25),
                (false, Kind::CrmUsers) => ["team", "created_at"].contains(name) && self.percent(50),
                (false, _) => false,
            };
            if left_out {
                continue;
            }
            let spelled = match by_name {
                true => self.any_case(name),
                false => (*name).to_owned(),
            };
            let at = if by_name { self.rng.random_range(0..=columns.len()) } else { columns.len() };
            columns.insert(at, Column { spelled, name: Some(name) });
        }
        if self.percent(20) {
            columns.push(Column { spelled: "_note".into(), name: None });
            columns.push(Column { spelled: "_".into(), name: None });
        }
        columns
    }

    fn any_case(&mut self, text: &str) -> String {
        match self.rng.random_range(0..4) {
            0 => text.to_lowercase(),
            1 => text.to_uppercase(),
            _ => text.to_owned(),
        }
    }

    fn row(&mut self, file: &File, is_first: bool, end: &'static str) -> Row {
        let end = if self.percent(5) { self.one(&["\n", "\r\n"]) } else { end };
        let width = file.columns.len();
        if self.percent(5) {
            let blank = |text: &str| Cell { text: text.into(), value: Value::Blank, quoted: false, spaces: false };
            let cells = match self.rng.random_range(0..3) {
                0 => Vec::new(),
                1 => vec![blank(""); width],
                _ => vec![blank(" "), blank("\t"), blank("")],
            };
            return Row { cells, end, times: 1 };
        }
        let plain = Cell { text: String::new(), value: Value::Blank, quoted: false, spaces: false };
        let mut cells = Vec::new();
        for column in &file.columns {
            let (text, value) = self.value(file.kind, column.name, is_first);
            let mut cell = Cell { text, value, quoted: self.percent(10), ..plain.clone() };
            let read = column.name.is_some_and(|name| !STATUS.contains(&name));
            if read && self.percent(1) {
                self.surround(&mut cell);
            }
            cells.push(cell);
        }
        if self.percent(4) {
            match self.rng.random_range(0..2) {
                0 => cells.truncate(self.rng.random_range(1..width)),
                _ => cells.extend(
                    (0..self.rng.random_range(1..4)).map(|n| Cell { text: format!("more {n}"), ..plain.clone() }),
                ),
            }
        }
        Row { cells, end, times: 1 }
    }

    fn surround(&mut self, cell: &mut Cell) {
        cell.spaces = true;
        // Before a guard it would be no guard.
        let spaces = self.one(&[" ", "  ", "\u{a0}", "\t"]);
        if cell.text.starts_with(['\'', '=', '+', '-', '@']) || self.percent(50) {
            cell.text.push_str(spaces);
        } else {
            cell.text.insert_str(0, spaces);
        }
    }

    /// A cell of a column: how it is written, and what it means.
    fn value(&mut self, kind: Kind, column: Option<&'static str>, is_first: bool) -> (String, Value) {
        let Some(column) = column else { return (self.one(&["", "note", "=1", " x "]).into(), Value::Ignored) };
        let faulty = self.percent(if is_first { 1 } else { 4 });
        match (kind, column) {
            (_, "Email Address") => self.email(faulty),
            (Kind::Mappings, "email") => self.email(faulty),
            (_, "alias_email") => match self.percent(70) {
                true => blank(),
                false => self.email(faulty),
            },
            (Kind::CrmUsers, "email") if self.percent(10) => blank(),
            (_, "email") => self.email(faulty),
            (Kind::Mappings, "external_id") => match self.rng.random_range(0..10) {
                0 | 1 => match self.email(faulty) {
                    // What holds no @ is meant as an id.
                    (text, Value::Email(None)) if !text.contains('@') => (text, Value::Id(None)),
                    email => email,
                },
                2 => blank(),
                _ => self.id(faulty),
            },
            (_, "external_id") => self.id(faulty),
            (_, "First Name" | "Last Name" | "Title" | "name" | "username" | "title") => self.text(kind, faulty),
            (_, "Team" | "team") => self.team(kind, is_first),
            (_, "Manager Of") => self.teams(is_first),
            (_, "Role") => self.choice(&["Member", "Member", "Manager", "Data", "Admin"], faulty),
            (_, "Object Visibility") => self.choice(&["Team", "Full"], faulty),
            (_, "Configuration Profile") => match self.rng.random_range(0..10) {
                0..=4 => blank(),
                5 if !is_first => clear(),
                6 if faulty => ("Nope".into(), Value::Names(vec!["Nope"])),
                _ => {
                    let name = self.one(&PROFILES);
                    (name.into(), Value::Names(vec![name]))
                }
            },
            (_, "Licenses") => self.licenses(faulty),
            (_, "is_active") => {
                let (text, active) = self.one(&[
                    ("", None),
                    ("true", Some(true)),
                    ("1", Some(true)),
                    ("Yes", Some(true)),
                    ("FALSE", Some(false)),
                    ("0", Some(false)),
                    ("no", Some(false)),
                ]);
                match faulty {
                    true => ("maybe".into(), Value::Active(None)),
                    false if text.is_empty() => blank(),
                    false => (text.into(), Value::Active(active)),
                }
            }
            (_, "created_at") => {
                let (text, time) = self.one(&[
                    ("2020-02-29", "2020-02-29T00:00:00Z"),
                    ("2021-01-31T09:30:00Z", "2021-01-31T09:30:00Z"),
                    ("2021-01-31T10:30:00+01:00", "2021-01-31T09:30:00Z"),
                ]);
                match faulty {
                    true => (self.one(&["yesterday", "2021-02-29"]).into(), Value::Time(None)),
                    false if self.percent(50) => blank(),
                    false => (text.into(), Value::Time(Some(time))),
                }
            }
            (_, "Operation" | "operation") => self.operation(kind, is_first, faulty),
            // Status and Suspended At.
            _ => (if self.percent(1) { "Active" } else { "" }.into(), Value::Ignored),
        }
    }

    fn email(&mut self, faulty: bool) -> (String, Value) {
        if faulty {
            return match self.one(NO_EMAILS) {
                "#N/A" if self.percent(50) => blank(),
                text => (text.into(), Value::Email(None)),
            };
        }
        let (text, email) = self.one(EMAILS);
        (text.into(), Value::Email(Some(email.into())))
    }

    fn id(&mut self, faulty: bool) -> (String, Value) {
        if faulty {
            return (self.one(NO_IDS).into(), Value::Id(None));
        }
        let (text, id) = self.one(IDS);
        (text.into(), Value::Id(Some(id)))
    }

    fn text(&mut self, kind: Kind, faulty: bool) -> (String, Value) {
        if faulty && self.percent(10) {
            return ("x".repeat(MAX_CELL + 1), Value::Text(None));
        }
        if self.percent(40) {
            return blank();
        }
        if self.percent(5) {
            return match kind {
                Kind::Users => clear(),
                _ => ("#N/A".into(), Value::Text(Some("#N/A".into()))),
            };
        }
        let (text, kept) = loop {
            let found = self.one(TEXTS);
            if found.1.is_some() || faulty {
                break found;
            }
        };
        (text.into(), Value::Text(kept.map(str::to_owned)))
    }

    fn path(&mut self, is_first: bool) -> (String, Option<Path>) {
        let found = match self.rng.random_range(0..if is_first { 100 } else { 20 }) {
            0 => return (self.one(&["Sales:", ":", "Sales\\x", "Sales: West"]).into(), None),
            1 => self.one::<&[&'static str]>(&[&["New"], &["New", "Deep", "Down"], &["Sales", "North"]]),
            _ => self.one(&TEAMS),
        };
        (path_text(found), Some(found.to_vec()))
    }

    fn team(&mut self, kind: Kind, is_first: bool) -> (String, Value) {
        if self.percent(50) {
            return blank();
        }
        if kind == Kind::Users && self.percent(5) {
            return clear();
        }
        let (text, path) = self.path(is_first);
        (text, Value::Team(path))
    }

    fn teams(&mut self, is_first: bool) -> (String, Value) {
        if self.percent(70) {
            return blank();
        }
        if self.percent(15) {
            return clear();
        }
        let found: Vec<(String, Option<Path>)> =
            (0..self.rng.random_range(1..4)).map(|_| self.path(is_first)).collect();
        let texts: Vec<String> = found.iter().map(|(text, _)| text.replace(';', "\\;")).collect();
        (texts.join(";"), Value::Teams(found.into_iter().map(|(_, path)| path).collect()))
    }

    fn licenses(&mut self, faulty: bool) -> (String, Value) {
        if self.percent(50) {
            return blank();
        }
        if self.percent(15) {
            return clear();
        }
        let mut names: Vec<&'static str> = (0..self.rng.random_range(1..4)).map(|_| self.one(&LICENSES)).collect();
        if faulty {
            names.push("Platinum");
        }
        let texts: Vec<String> = names.iter().map(|name| name.replace(';', "\\;")).collect();
        (texts.join(";"), Value::Names(names))
    }

    fn choice(&mut self, of: &[&'static str], faulty: bool) -> (String, Value) {
        if faulty {
            return if self.percent(50) { clear() } else { ("Boss".into(), Value::Choice(None)) };
        }
        if self.percent(40) {
            return blank();
        }
        let name = self.one(of);
        (self.any_case(name), Value::Choice(Some(name)))
    }

    fn operation(&mut self, kind: Kind, is_first: bool, faulty: bool) -> (String, Value) {
        use Operation::{Add, Delete, Edit, Reactivate, Remove, Replace, Suspend};

        if faulty {
            return (self.one(&["Frobnicate", "Adds", "#N/A"]).into(), Value::Operation(None));
        }
        if self.percent(3) {
            return blank();
        }
        let (name, operation) = match kind {
            Kind::Users if is_first => ("Add", Add),
            Kind::Users => self.one(&[
                ("Add", Add),
                ("Add", Add),
                ("Edit", Edit),
                ("Edit", Edit),
                ("Edit", Edit),
                ("Suspend", Suspend),
                ("Reactivate", Reactivate),
                ("Delete", Delete),
            ]),
            _ => {
                self.one(&[("add", Add), ("add", Add), ("replace", Replace), ("replace", Replace), ("remove", Remove)])
            }
        };
        (self.any_case(name), Value::Operation(Some(operation)))
    }
}

fn blank() -> (String, Value) {
    (String::new(), Value::Blank)
}

fn clear() -> (String, Value) {
    ("#N/A".into(), Value::Clear)
}

/// A path as a cell has it.
pub fn path_text(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| name.replace('\\', "\\\\").replace(':', "\\:")).collect();
    names.join(":")
}
