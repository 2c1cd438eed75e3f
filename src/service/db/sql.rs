//! Statements that both databases take, put together from text and values.
//!
//! What differs between the two (lists of ids, a table made of values, a page for each of several parents) stands here and
//! nowhere else.

use std::fmt::Write;

use chrono::SecondsFormat;
use entity::FromRows;
use sea_orm::{
    ActiveEnum, ConnectionTrait, DbBackend, DbErr, FromQueryResult, QueryResult, Statement, Value, sea_query::ArrayType,
};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::service::clock::Time;

/// A statement that grows from left to right.
#[derive(Debug, Clone)]
pub struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub fn new(backend: DbBackend) -> Self {
        Self { backend, text: String::new(), values: Vec::new() }
    }

    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Adds text that stands in the program; never a value.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value as a parameter.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Adds `column = value`.
    pub fn equals(&mut self, column: &str, value: impl Into<Value>) -> &mut Self {
        self.push(column).push(" = ").bind(value)
    }

    /// Adds a condition: the id in `column` is one of these.
    pub fn any_id<T: Into<Uuid> + Copy>(&mut self, column: &str, ids: &[T]) -> &mut Self {
        self.push(column);
        let ids = ids.iter().map(|id| (*id).into());
        if self.backend == DbBackend::Postgres {
            let list = Value::Array(ArrayType::Uuid, Some(Box::new(ids.map(Value::from).collect())));
            self.push(" = ANY(").bind(list).push(")")
        } else {
            let list = Json::from(ids.map(|id| id.simple().to_string()).collect::<Vec<_>>()).to_string();
            self.push(" IN (SELECT unhex(value) FROM json_each(").bind(list).push("))")
        }
    }

    /// Adds a condition: the text in `column` is one of these.
    pub fn any_text<T: AsRef<str>>(&mut self, column: &str, texts: &[T]) -> &mut Self {
        self.push(column);
        if self.backend == DbBackend::Postgres {
            let list = texts.iter().map(|text| Value::from(text.as_ref())).collect();
            self.push(" = ANY(").bind(Value::Array(ArrayType::String, Some(Box::new(list)))).push(")")
        } else {
            let list = Json::from(texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()).to_string();
            self.push(" IN (SELECT value FROM json_each(").bind(list).push("))")
        }
    }

    /// Adds a condition: the name in `column` is one of these.
    pub fn any_name<T: ActiveEnum<Value = String>>(&mut self, column: &str, names: &[T]) -> &mut Self {
        let names: Vec<String> = names.iter().map(ActiveEnum::to_value).collect();
        self.any_text(column, &names)
    }

    /// Adds a table of one column of ids, `(SELECT … AS name)`, to stand behind FROM.
    pub fn ids<T: Into<Uuid> + Copy>(&mut self, name: &str, ids: &[T]) -> &mut Self {
        let ids = ids.iter().map(|id| (*id).into());
        if self.backend == DbBackend::Postgres {
            let list = Value::Array(ArrayType::Uuid, Some(Box::new(ids.map(Value::from).collect())));
            self.push("(SELECT unnest(").bind(list).push("::uuid[]) AS ").push(name).push(")")
        } else {
            let list = Json::from(ids.map(|id| id.simple().to_string()).collect::<Vec<_>>()).to_string();
            self.push("(SELECT unhex(value) AS ").push(name).push(" FROM json_each(").bind(list).push("))")
        }
    }

    /// Adds an aggregate: the ids in `column`, in no order, as one text of hexadecimal digits. [`ids_of`] reads it.
    pub fn gathered(&mut self, column: &str) -> &mut Self {
        let aggregate = match self.backend {
            DbBackend::Postgres => format!("string_agg(encode(uuid_send({column}), 'hex'), '')"),
            _ => format!("group_concat(hex({column}), '')"),
        };
        self.push(&aggregate)
    }

    /// Adds a table made of values, `(SELECT … )`, to stand behind FROM or INSERT INTO.
    pub fn rows(&mut self, rows: Rows) -> &mut Self {
        let columns = rows.columns;
        let data = rows.into_json();
        self.push("(SELECT ");
        if self.backend == DbBackend::Postgres {
            let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
            self.push(&names.join(", ")).push(" FROM json_to_recordset(").bind(data).push("::json) AS r (");
            let typed: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {}", kind.postgres())).collect();
            self.push(&typed.join(", ")).push("))")
        } else {
            // In SQLite's own form of JSON, each row is read once instead of once more for each of its columns.
            let typed: Vec<String> = columns.iter().map(|(name, kind)| kind.sqlite(name)).collect();
            self.push(&typed.join(", ")).push(" FROM jsonb_each(").bind(data).push("))")
        }
    }

    pub fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }

    /// All rows of the answer.
    pub async fn all<M: FromQueryResult>(self, db: &impl ConnectionTrait) -> Result<Vec<M>, DbErr> {
        let rows = db.query_all_raw(self.statement()).await?;
        rows.iter().map(|row| M::from_query_result(row, "")).collect()
    }

    /// All rows of the answer, read together.
    pub async fn models<M: FromRows>(self, db: &impl ConnectionTrait) -> Result<Vec<M>, DbErr> {
        M::from_rows(&db.query_all_raw(self.statement()).await?)
    }

    /// All rows of an answer of these columns, each an array of their values to serde, gathered into one text by the
    /// database. Thousands of rows take longer to be sent than to be found: SQLite's driver copies them cell by cell.
    pub async fn gathered_rows<T: DeserializeOwned>(
        mut self,
        columns: &[(&str, Kind)],
        db: &impl ConnectionTrait,
    ) -> Result<Vec<T>, DbErr> {
        let is_postgres = self.backend == DbBackend::Postgres;
        let cells: Vec<String> = columns.iter().map(|(name, kind)| kind.gathered(name, is_postgres)).collect();
        let cells = cells.join(", ");
        self.text = if is_postgres {
            format!("SELECT json_agg(json_build_array({cells}))::text FROM ({}) AS r", self.text)
        } else {
            format!("SELECT json_group_array(json_array({cells})) FROM ({})", self.text)
        };
        let Some(row) = db.query_one_raw(self.statement()).await? else { return Ok(Vec::new()) };
        match row.try_get_by_index::<Option<String>>(0)? {
            Some(rows) => serde_json::from_str(&rows).map_err(|error| DbErr::Type(format!("gathered rows: {error}"))),
            None => Ok(Vec::new()),
        }
    }

    /// All rows of the answer, read together, each with the id in its first column.
    pub async fn below<M: FromRows>(self, db: &impl ConnectionTrait) -> Result<impl Iterator<Item = (Uuid, M)>, DbErr> {
        let rows = db.query_all_raw(self.statement()).await?;
        let ids = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>()?;
        Ok(ids.into_iter().zip(M::from_rows(&rows)?))
    }

    /// All rows of the answer, each read by `read`.
    pub async fn map<T>(
        self,
        db: &impl ConnectionTrait,
        read: impl Fn(&QueryResult) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, DbErr> {
        db.query_all_raw(self.statement()).await?.iter().map(read).collect()
    }

    /// The first row of the answer.
    pub async fn one<M: FromQueryResult>(self, db: &impl ConnectionTrait) -> Result<Option<M>, DbErr> {
        db.query_one_raw(self.statement()).await?.map(|row| M::from_query_result(&row, "")).transpose()
    }

    /// The number that a statement with the one column `n` answers.
    pub async fn number(self, db: &impl ConnectionTrait) -> Result<i64, DbErr> {
        match db.query_one_raw(self.statement()).await? {
            Some(row) => row.try_get("", "n"),
            None => Ok(0),
        }
    }
}

/// The ids of a text that [`Sql::gathered`] made.
pub fn ids_of<T: From<Uuid>>(gathered: &str) -> impl Iterator<Item = T> {
    let ids = gathered.as_bytes().chunks(32);
    ids.filter_map(|digits| Uuid::try_parse_ascii(digits).ok()).map(T::from)
}

/// The type of a column of [`Rows`], or of [`Sql::gathered_rows`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Uuid,
    Text,
    Bool,
    Int,
    Time,
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Bool => "boolean",
            Self::Int => "bigint",
            Self::Time => "timestamptz",
        }
    }

    fn sqlite(self, name: &str) -> String {
        match self {
            Self::Uuid => format!("unhex(value->>'{name}') AS {name}"),
            _ => format!("value->>'{name}' AS {name}"),
        }
    }

    /// The column as JSON has it.
    fn gathered(self, name: &str, is_postgres: bool) -> String {
        match self {
            Self::Uuid if !is_postgres => format!("nullif(hex({name}), '')"),
            Self::Bool if !is_postgres => {
                format!("json(CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' ELSE 'null' END)")
            }
            _ => name.to_owned(),
        }
    }
}

/// A table of values that travels as one parameter, whatever the number of rows: chunks are set-based.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: &'static [(&'static str, Kind)],
    /// A JSON array of objects, its last bracket missing.
    json: String,
    len: usize,
}

/// A cell of [`Rows`].
pub trait Cell {
    /// Writes the cell as a JSON value.
    fn write(&self, json: &mut String);
}

impl Rows {
    pub fn new(columns: &'static [(&'static str, Kind)]) -> Self {
        Self { columns, json: "[".to_owned(), len: 0 }
    }

    /// Adds a row: a cell for each column, in their order.
    pub fn add(&mut self, cells: &[&dyn Cell]) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.json.push_str(if self.len == 0 { "{" } else { ",{" });
        for (i, ((name, _), cell)) in self.columns.iter().zip(cells).enumerate() {
            self.json.push_str(if i == 0 { "\"" } else { ",\"" });
            self.json.push_str(name);
            self.json.push_str("\":");
            cell.write(&mut self.json);
        }
        self.json.push('}');
        self.len += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The names of the columns, for the list behind INSERT INTO or SELECT.
    pub fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn into_json(mut self) -> String {
        self.json.push(']');
        self.json
    }
}

impl Cell for Uuid {
    fn write(&self, json: &mut String) {
        json.push('"');
        json.push_str(self.simple().encode_lower(&mut Uuid::encode_buffer()));
        json.push('"');
    }
}

impl Cell for str {
    fn write(&self, json: &mut String) {
        if self.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            json.push_str(&Json::from(self).to_string());
        } else {
            json.push('"');
            json.push_str(self);
            json.push('"');
        }
    }
}

impl Cell for String {
    fn write(&self, json: &mut String) {
        self.as_str().write(json);
    }
}

impl<T: Cell + ?Sized> Cell for &T {
    fn write(&self, json: &mut String) {
        (**self).write(json);
    }
}

macro_rules! plain {
    ($($plain:ty),*) => {$(
        impl Cell for $plain {
            fn write(&self, json: &mut String) {
                let _ = write!(json, "{self}");
            }
        }
    )*};
}
plain!(bool, i64, i32);

impl Cell for Time {
    /// In the one form that SQLite's text column and its driver use, so that text order is the order of time.
    fn write(&self, json: &mut String) {
        let _ = write!(json, "\"{}\"", self.to_rfc3339_opts(SecondsFormat::AutoSi, false));
    }
}

impl<T: Cell> Cell for Option<T> {
    fn write(&self, json: &mut String) {
        match self {
            Some(cell) => cell.write(json),
            None => json.push_str("null"),
        }
    }
}

macro_rules! cells {
    (inner: $($inner:ident),*; names: $($name:ident),*) => {
        $(impl Cell for entity::$inner {
            fn write(&self, json: &mut String) {
                self.0.write(json);
            }
        })*
        $(impl Cell for entity::$name {
            fn write(&self, json: &mut String) {
                self.as_str().write(json);
            }
        })*
    };
}
cells! {
    inner: OrganizationId, UserId, TeamId, LicenseId, ConfigurationProfileId, IntegrationId, CrmUserId, MappingId,
        ImportJobId, SyncRunId, Email, ExternalId;
    names: UserRole, ObjectVisibility, UserStatus, MappingSource, MappingEndReason, LinkState, RowOutcome,
        MappingOperation, MappingVerdict, SyncChangeKind
}
