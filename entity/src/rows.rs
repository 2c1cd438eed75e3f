//! Rows of an answer, read together.

use sea_orm::{ColIdx, DbErr, FromQueryResult, QueryResult};

/// What the rows of an answer are read as.
pub trait FromRows: FromQueryResult {
    /// All rows of one answer, which may have more columns.
    ///
    /// # Errors
    /// A column that is missing, or holds something else.
    fn from_rows(rows: &[QueryResult]) -> Result<Vec<Self>, DbErr> {
        rows.iter().map(|row| Self::from_query_result(row, "")).collect()
    }
}

/// The place of a column. The library looks a column up by its name for each row, and formats how it was asked for where
/// there is NULL, only to throw the text away: that is a good part of the time that reading takes.
#[derive(Clone, Copy)]
pub struct Place(usize);

impl Place {
    /// Where a column stands among those of an answer.
    ///
    /// # Errors
    /// There is no such column.
    pub fn of(column: &str, columns: &[String]) -> Result<Self, DbErr> {
        let place = columns.iter().position(|name| name == column);
        place.map(Self).ok_or_else(|| DbErr::Type(format!("there is no column {column} in the answer")))
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl ColIdx for Place {
    type SqlxPostgresIndex = usize;
    type SqlxSqliteIndex = usize;

    fn as_sqlx_postgres_index(&self) -> usize {
        self.0
    }

    fn as_sqlx_sqlite_index(&self) -> usize {
        self.0
    }

    fn as_str(&self) -> Option<&str> {
        None
    }

    fn as_usize(&self) -> Option<&usize> {
        Some(&self.0)
    }
}

/// Names the column in what went wrong with it: by its [`Place`], the library can't.
pub fn about(column: &str, error: &DbErr) -> DbErr {
    DbErr::Type(format!("the column {column}: {error}"))
}

/// Reads rows of a kind that is read often by the places of their columns, which are its fields.
macro_rules! read_by_place {
    ($row:ident { $($column:ident),+ $(,)? }) => {
        impl $crate::FromRows for $row {
            fn from_rows(rows: &[::sea_orm::QueryResult]) -> Result<Vec<Self>, ::sea_orm::DbErr> {
                let Some(first) = rows.first() else { return Ok(Vec::new()) };
                let columns = first.column_names();
                $(let $column = $crate::rows::Place::of(stringify!($column), &columns)?;)+
                let read = |row: &::sea_orm::QueryResult| {
                    Ok(Self {
                        $($column: row
                            .try_get_by($column)
                            .map_err(|error| $crate::rows::about(stringify!($column), &error))?),+
                    })
                };
                rows.iter().map(read).collect()
            }
        }
    };
}

pub(crate) use read_by_place;
