//! Keyset pages: a page is found by the keys of the row before it, so that page 10,000 costs what page 1 does.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::SecondsFormat;
use entity::FromRows;
use sea_orm::{ConnectionTrait, DbBackend, Value};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    clock::Time,
    db::Sql,
    error::{Error, Result},
};

/// Rows of a page when neither `first` nor `last` says.
pub const DEFAULT_SIZE: u64 = 50;
/// Rows of a page at most.
pub const MAX_SIZE: u64 = 200;

/// The arguments of a connection field, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// One value of a row's sort key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Text(String),
    Time(Time),
    Id(Uuid),
    Number(i64),
}

/// The type of a [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Text,
    Time,
    Id,
    Number,
}

/// What a list is ordered by. The columns together are unique and never null; all go the same way.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Names the order inside a cursor, so that one list's cursor is refused by another.
    pub tag: &'static str,
    /// The columns as the statement names them, and their types.
    pub columns: &'static [(&'static str, KeyKind)],
    pub descending: bool,
}

/// A table whose rows a list shows.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    pub name: &'static str,
    /// The columns of its primary key, of the alias `x`.
    pub key: &'static str,
}

impl Table {
    /// A table whose rows have an id.
    pub const fn with_id(name: &'static str) -> Self {
        Self { name, key: "x.organization_id, x.id" }
    }
}

/// A page that was asked for, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageRequest {
    size: u64,
    backward: bool,
    after: Option<Vec<Key>>,
    before: Option<Vec<Key>>,
}

/// Rows in the list's order, and whether there are more on either side.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), has_next: false, has_previous: false }
    }
}

impl<T> Page<T> {
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(f).collect(), has_next: self.has_next, has_previous: self.has_previous }
    }
}

fn size(name: &str, asked: i32) -> Result<u64> {
    match u64::try_from(asked) {
        Err(_) => Err(Error::BadRequest(format!("`{name}` is {asked}; it takes a number from 0 to {MAX_SIZE}."))),
        Ok(size) if size > MAX_SIZE => Err(Error::LimitExceeded(format!(
            "`{name}` is {asked}; a page has {MAX_SIZE} rows at most. Take several pages with `after`."
        ))),
        Ok(size) => Ok(size),
    }
}

impl PageArgs {
    /// Checks the arguments against a list's order.
    ///
    /// # Errors
    /// [`Error::BadRequest`] for a negative size, for both `first` and `last`, and for a cursor that this list did not
    /// hand out; [`Error::LimitExceeded`] for a size over [`MAX_SIZE`].
    pub fn check(&self, order: &Order) -> Result<PageRequest> {
        let (size, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::BadRequest("Give `first` or `last`, not both: a page is read from one end.".into()));
            }
            (Some(first), None) => (size("first", first)?, false),
            (None, Some(last)) => (size("last", last)?, true),
            (None, None) => (DEFAULT_SIZE, false),
        };
        let cursor = |name: &str, cursor: &Option<String>| {
            cursor
                .as_deref()
                .map(|text| {
                    order.decode(text).ok_or_else(|| {
                        Error::BadRequest(format!(
                            "`{name}` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's \
                             `cursor` of the same list in the same order."
                        ))
                    })
                })
                .transpose()
        };
        Ok(PageRequest {
            size,
            backward,
            after: cursor("after", &self.after)?,
            before: cursor("before", &self.before)?,
        })
    }
}

/// A part of a cursor, which anybody could have made.
#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Number(i64),
    Text(String),
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) => None,
        }
    }
}

impl Order {
    /// The opaque text for the place of a row.
    pub fn encode(&self, keys: &[Key]) -> String {
        let mut parts = vec![serde_json::Value::from(self.tag)];
        parts.extend(keys.iter().map(|key| match key {
            Key::Text(text) => serde_json::Value::from(text.as_str()),
            Key::Time(time) => serde_json::Value::from(time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            Key::Id(id) => serde_json::Value::from(id.simple().to_string()),
            Key::Number(number) => serde_json::Value::from(*number),
        }));
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
    }

    fn decode(&self, cursor: &str) -> Option<Vec<Key>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let parts: Vec<Part> = serde_json::from_slice(&bytes).ok()?;
        let (tag, parts) = parts.split_first()?;
        if tag.text()? != self.tag || parts.len() != self.columns.len() {
            return None;
        }
        parts
            .iter()
            .zip(self.columns)
            .map(|(part, (_, kind))| {
                Some(match kind {
                    KeyKind::Text => Key::Text(part.text().filter(|text| !text.contains('\0'))?.to_owned()),
                    KeyKind::Time => Key::Time(part.text()?.parse().ok()?),
                    KeyKind::Id => Key::Id(part.text()?.parse().ok()?),
                    KeyKind::Number => match part {
                        Part::Number(number) => Key::Number(*number),
                        Part::Text(_) => return None,
                    },
                })
            })
            .collect()
    }

    fn direction(&self, backward: bool) -> &'static str {
        if self.descending == backward { "ASC" } else { "DESC" }
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Text(text) => text.into(),
            Key::Time(time) => time.into(),
            Key::Id(id) => id.into(),
            Key::Number(number) => number.into(),
        }
    }
}

impl PageRequest {
    /// A page of this size from the start.
    pub fn first(size: u64) -> Self {
        Self { size, backward: false, after: None, before: None }
    }

    /// Adds `AND (columns) > (keys) ORDER BY … LIMIT …` to a statement that already has a WHERE.
    fn restrict(&self, sql: &mut Sql, order: &Order) {
        let names: Vec<&str> = order.columns.iter().map(|(name, _)| *name).collect();
        let mut compare = |keys: &Option<Vec<Key>>, operator: &str| {
            if let Some(keys) = keys {
                sql.push(" AND (").push(&names.join(", ")).push(") ").push(operator).push(" (");
                for (i, key) in keys.iter().enumerate() {
                    if i > 0 {
                        sql.push(", ");
                    }
                    sql.bind(key.clone());
                }
                sql.push(")");
            }
        };
        compare(&self.after, if order.descending { "<" } else { ">" });
        compare(&self.before, if order.descending { ">" } else { "<" });
        self.order_by(sql, order);
        // One more than asked for tells whether there are more.
        sql.push(" LIMIT ").bind(i64::try_from(self.size + 1).unwrap_or(i64::MAX));
    }

    fn order_by(&self, sql: &mut Sql, order: &Order) {
        for (i, (name, _)) in order.columns.iter().enumerate() {
            sql.push(if i == 0 { " ORDER BY " } else { ", " }).push(name).push(" ");
            sql.push(order.direction(self.backward));
        }
    }

    fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        if self.backward {
            rows.reverse();
        }
        let (has_next, has_previous) =
            if self.backward { (self.before.is_some(), more) } else { (more, self.after.is_some()) };
        Page { rows, has_next, has_previous }
    }

    /// Loads the page. `select` is the statement up to and with its WHERE.
    pub async fn load<T: FromRows>(
        &self,
        db: &impl ConnectionTrait,
        order: &Order,
        mut select: Sql,
    ) -> Result<Page<T>> {
        self.restrict(&mut select, order);
        Ok(self.cut(select.models(db).await?))
    }

    /// Loads the same page of a list below each of several parents, in one statement.
    ///
    /// `table` is the table of the rows; `from` adds `FROM … WHERE …` with the table under the alias `x` and the
    /// parent's id as `p.parent`. Rows are found parent by parent, each through the list's index.
    pub async fn load_each<T: FromRows>(
        &self,
        db: &impl ConnectionTrait,
        order: &Order,
        parents: &[Uuid],
        table: Table,
        from: impl Fn(&mut Sql),
    ) -> Result<std::collections::HashMap<Uuid, Page<T>>> {
        let backend = db.get_database_backend();
        let mut sql = Sql::new(backend);
        sql.push("SELECT p.parent AS parent_key, x.* FROM ").ids("parent", parents).push(" AS p ");
        if backend == DbBackend::Postgres {
            sql.push("CROSS JOIN LATERAL (SELECT x.* ");
            from(&mut sql);
            self.restrict(&mut sql, order);
            sql.push(") AS x");
        } else {
            // SQLite has no LATERAL; a list of keys that depends on the row outside does the same.
            sql.push("CROSS JOIN ")
                .push(table.name)
                .push(" AS x ON (")
                .push(table.key)
                .push(") IN (SELECT ")
                .push(table.key)
                .push(" ");
            from(&mut sql);
            self.restrict(&mut sql, order);
            sql.push(")");
        }
        self.order_by(&mut sql, order);
        let mut lists: std::collections::HashMap<Uuid, Vec<T>> = parents.iter().map(|id| (*id, Vec::new())).collect();
        for (parent, row) in sql.below(db).await? {
            lists.entry(parent).or_default().push(row);
        }
        Ok(lists.into_iter().map(|(parent, rows)| (parent, self.cut(rows))).collect())
    }
}
