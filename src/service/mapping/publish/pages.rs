//! A long answer, some rows at a time, while other statements run in the same transaction.

use std::{marker::PhantomData, vec::IntoIter};

use sea_orm::{DbBackend, FromQueryResult};
use serde::de::DeserializeOwned;

use super::{ALL, Lines, Stage};
use crate::service::{
    db::{Sql, sql::Kind},
    error::Result,
};

/// Adds the query for these lines of the stage.
pub(super) type Select = fn(&Stage<'_>, &mut Sql, Lines);

/// A row that is read by the page.
pub trait Paged: FromQueryResult + DeserializeOwned {
    const COLUMNS: &'static [(&'static str, Kind)];
}

/// The rows of a query over the stage, as they are when the first are asked for.
///
/// On PostgreSQL they come from a cursor, so that the server plans for all of them; on SQLite each piece of the stage is
/// asked for by itself, and comes as one text: a row by itself is handed from thread to thread, which takes longer than
/// reading it.
pub struct Pages<'a, T> {
    stage: &'a Stage<'a>,
    /// The cursor's. There is one of a name at a time.
    name: &'static str,
    select: Select,
    state: State,
    row: PhantomData<fn() -> T>,
}

enum State {
    New,
    Pieces(IntoIter<Lines>),
    Cursor,
    Done,
}

impl<'a, T: Paged> Pages<'a, T> {
    pub(super) fn new(stage: &'a Stage<'a>, name: &'static str, select: Select) -> Self {
        Self { stage, name, select, state: State::New, row: PhantomData }
    }

    /// The next rows; none when there are no more.
    pub async fn next(&mut self) -> Result<Vec<T>> {
        let tx = self.stage.tx;
        if let State::New = self.state {
            self.state = if tx.backend == DbBackend::Postgres {
                self.declare().await?;
                State::Cursor
            } else {
                State::Pieces(self.stage.pieces().await?.to_vec().into_iter())
            };
        }
        if let State::Pieces(pieces) = &mut self.state {
            for lines in pieces {
                let mut sql = tx.sql();
                sql.push("SELECT json_group_array(json_object(").push(&json::<T>()).push(")) AS page FROM (");
                (self.select)(self.stage, &mut sql, lines);
                sql.push(") AS q");
                let page: Vec<String> = sql.map(tx.connection(), |row| row.try_get("", "page")).await?;
                if let Some(page) = page.first().filter(|page| *page != "[]") {
                    return Ok(serde_json::from_str(page)?);
                }
            }
            self.state = State::Done;
        }
        if let State::Cursor = self.state {
            let mut sql = tx.sql();
            sql.push("FETCH FORWARD ").push(&self.stage.step.to_string()).push(" FROM ").push(self.name);
            let rows = sql.all(tx.connection()).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
            let mut sql = tx.sql();
            sql.push("CLOSE ").push(self.name);
            tx.execute(sql).await?;
            self.state = State::Done;
        }
        Ok(Vec::new())
    }

    async fn declare(&self) -> Result<()> {
        let tx = self.stage.tx;
        let mut sql = tx.sql();
        // All rows will be fetched, not the first few.
        sql.push("SET LOCAL cursor_tuple_fraction = 1");
        tx.execute(sql).await?;
        let mut sql = tx.sql();
        sql.push("DECLARE ").push(self.name).push(" NO SCROLL CURSOR FOR ");
        (self.select)(self.stage, &mut sql, ALL);
        tx.execute(sql).await?;
        Ok(())
    }
}

/// The columns as `json_object` takes them.
fn json<T: Paged>() -> String {
    let column = |(name, kind): &(&str, Kind)| match kind {
        Kind::Uuid => format!("'{name}', CASE WHEN q.{name} IS NOT NULL THEN hex(q.{name}) END"),
        Kind::Bool => format!("'{name}', json(CASE WHEN q.{name} THEN 'true' ELSE 'false' END)"),
        _ => format!("'{name}', q.{name}"),
    };
    T::COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ")
}
