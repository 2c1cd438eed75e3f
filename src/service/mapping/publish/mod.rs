//! A mappings file carried out at once, whatever its size: its rows lie resolved in `mapping_stage`, and all that is said
//! of them and done with them is set-based.
//!
//! [`Stage::settle`] writes beside each row what it comes to, [`Stage::carry_out`] makes and ends the mappings,
//! [`Stage::changed_rows`] and [`Stage::all_rows`] give back what there is to tell of them, [`Stage::counts`] how many
//! there are of each kind. The order is theirs; one that is not wanted can be left out.

mod carry_out;
mod inverse;
mod pages;
mod rows;
mod settle;

use entity::{ImportJobId, MappingVerdict, RowOutcome, integration};
use sea_orm::DbBackend;
use tokio::sync::OnceCell;

pub use pages::{Paged, Pages};
pub use rows::{Row, StagedRow};

use crate::service::{
    db::{Db, Sql, Tx},
    error::Result,
};

/// Rows that are read at a time, and on SQLite written.
const STEP: u32 = 2_000;
/// Rows that a statement brings along.
pub const PAGE: usize = 2_000;

/// From how many rows on PostgreSQL is to look at the stage before it plans.
const MANY: i64 = 5_000;

/// The verdicts of rows that make a mapping.
const MAKES: &str = "IN ('CREATED', 'UPDATED')";
/// The verdicts of rows that end one.
const ENDS: &str = "IN ('UPDATED', 'DELETED')";

/// Lines of a file: after the first, up to and with the second.
type Lines = (i64, i64);

/// The stage, and the cells of its rows as they stand in the file.
const TABLES: [&str; 2] = ["mapping_stage", "mapping_stage_cells"];

/// All lines.
const ALL: Lines = (i64::MIN, i64::MAX);

/// The rows of one import, in the transaction that carries them out.
pub struct Stage<'a> {
    pub tx: &'a Tx,
    pub integration: &'a integration::Model,
    pub job: ImportJobId,
    /// Rows that are read at a time, and on SQLite written.
    pub step: u32,
    /// It undoes what an import did.
    pub reverts: bool,
    /// The file says nothing of aliases: each stays as it is.
    pub keeps_aliases: bool,
    pieces: OnceCell<Vec<Lines>>,
}

/// Tells PostgreSQL how much is staged, so that it joins a million rows otherwise than ten. Outside of a transaction, since
/// two can't do it to a table at once.
pub async fn prepare(db: &Db, rows: i64) -> Result<()> {
    if db.backend() == DbBackend::Postgres && rows >= MANY {
        use sea_orm::ConnectionTrait;
        for table in TABLES {
            db.writer().execute_unprepared(&format!("ANALYZE {table}")).await?;
        }
    }
    Ok(())
}

impl<'a> Stage<'a> {
    pub fn new(tx: &'a Tx, integration: &'a integration::Model, job: ImportJobId) -> Self {
        let pieces = OnceCell::new();
        Self { tx, integration, job, step: STEP, reverts: false, keeps_aliases: false, pieces }
    }

    /// How many rows came to what.
    pub async fn counts(&self) -> Result<Vec<(RowOutcome, i64)>> {
        let mut sql = self.tx.sql();
        sql.push("SELECT s.verdict, COUNT(*) AS n FROM mapping_stage s WHERE ");
        self.within(&mut sql, "s", ALL).push(" AND s.verdict IS NOT NULL GROUP BY s.verdict");
        let counts = sql.map(self.tx.connection(), |row| Ok((row.try_get("", "verdict")?, row.try_get("", "n")?)));
        Ok(counts.await?.into_iter().map(|(verdict, n)| (outcome(verdict), n)).collect())
    }

    /// Empties the stage.
    pub async fn clear(&self) -> Result<()> {
        clear(self.tx, self.job).await
    }

    /// Adds a condition: the row called `name` is one of this stage, from these lines.
    fn within<'s>(&self, sql: &'s mut Sql, name: &str, lines: Lines) -> &'s mut Sql {
        sql.push(name).push(".").equals("organization_id", self.tx.organization_id).push(" AND ");
        sql.push(name).push(".").equals("import_job_id", self.job);
        if lines != ALL {
            sql.push(" AND ").push(name).push(".line > ").bind(lines.0);
            sql.push(" AND ").push(name).push(".line <= ").bind(lines.1);
        }
        sql
    }

    /// The pieces that statements over the whole stage are cut into, once all of it is filled.
    ///
    /// PostgreSQL takes it in one. SQLite keeps in memory what a statement changes until the statement ends.
    async fn pieces(&self) -> Result<&[Lines]> {
        Ok(self.pieces.get_or_try_init(|| self.cut()).await?)
    }

    async fn cut(&self) -> Result<Vec<Lines>> {
        if self.tx.backend == DbBackend::Postgres {
            return Ok(vec![ALL]);
        }
        let mut pieces = Vec::new();
        let mut from = i64::MIN;
        loop {
            let mut sql = self.tx.sql();
            sql.push("SELECT s.line AS line FROM mapping_stage s WHERE ");
            self.within(&mut sql, "s", (from, i64::MAX));
            sql.push(" ORDER BY s.line LIMIT 1 OFFSET ").bind(i64::from(self.step.max(1)) - 1);
            let last: Vec<i64> = sql.map(self.tx.connection(), |row| row.try_get("", "line")).await?;
            let Some(last) = last.first() else { break };
            pieces.push((from, *last));
            from = *last;
        }
        pieces.push((from, i64::MAX));
        Ok(pieces)
    }
}

/// Empties the stage of an import.
pub async fn clear(tx: &Tx, job: ImportJobId) -> Result<()> {
    for table in TABLES {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table);
        // Without a condition, SQLite lets go of the whole table instead of row after row.
        if tx.backend != DbBackend::Sqlite || !is_alone(tx, job, table).await? {
            sql.push(" WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
            sql.equals("import_job_id", job);
        }
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Whether nothing else is in the table: the first and the last row are this import's.
async fn is_alone(tx: &Tx, job: ImportJobId, table: &str) -> Result<bool> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM (");
    for (i, order) in ["", " DESC"].into_iter().enumerate() {
        sql.push(if i == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
        sql.push("SELECT organization_id, import_job_id FROM ").push(table);
        sql.push(&format!(" ORDER BY organization_id{order}, import_job_id{order} LIMIT 1)"));
    }
    sql.push(") AS ends WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("import_job_id", job);
    Ok(sql.number(tx.connection()).await? == 2)
}

/// What a file's log says of a verdict.
pub fn outcome(verdict: MappingVerdict) -> RowOutcome {
    match verdict {
        MappingVerdict::Created => RowOutcome::Created,
        MappingVerdict::Updated => RowOutcome::Updated,
        MappingVerdict::Unchanged => RowOutcome::Unchanged,
        MappingVerdict::Deleted => RowOutcome::Deleted,
        MappingVerdict::UserDeleted
        | MappingVerdict::Duplicate
        | MappingVerdict::Exists
        | MappingVerdict::Missing
        | MappingVerdict::Mismatch
        | MappingVerdict::Held
        | MappingVerdict::Claimed => RowOutcome::Failed,
    }
}
