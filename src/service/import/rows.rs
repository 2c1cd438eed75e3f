//! The rows that an import keeps: those that failed, those that changed or deleted something, and all of a plan.

use entity::{ImportJobId, RowOutcome, import_job};
use sea_orm::FromQueryResult;

use super::job::{Stale, Task};
use crate::service::{
    csv::RowFault,
    db::{Rows, Tx, sql::Kind},
    error::{ErrorCode, Result},
    user::apply::FieldChange,
};

/// A row of a file as the job keeps it.
#[derive(Debug, Clone)]
pub struct Logged {
    /// The line of the file that the row starts on.
    pub line: i64,
    pub outcome: RowOutcome,
    /// The cells as they stand in the file, as a JSON array.
    pub cells: String,
    errors: String,
    changes: String,
    undo: Option<String>,
}

impl Logged {
    /// A row that came to nothing.
    pub fn plain(line: i64, outcome: RowOutcome, cells: String) -> Self {
        Self { line, outcome, cells, errors: "[]".into(), changes: "[]".into(), undo: None }
    }

    /// A row that failed.
    pub fn failed(line: i64, cells: String, faults: &[RowFault]) -> Result<Self> {
        let errors = serde_json::to_string(faults)?;
        Ok(Self { errors, ..Self::plain(line, RowOutcome::Failed, cells) })
    }

    /// A row that made, changed or deleted something.
    pub fn changed(line: i64, outcome: RowOutcome, cells: String, changes: &[FieldChange]) -> Result<Self> {
        let changes = serde_json::to_string(changes)?;
        Ok(Self { changes, ..Self::plain(line, outcome, cells) })
    }

    /// The same with what it takes to undo it.
    pub fn with_undo(self, undo: Option<String>) -> Self {
        Self { undo, ..self }
    }
}

/// Rows to be kept as the job's task wants it.
pub enum Keeping {
    /// They are written down.
    Write(Rows),
    /// A plan is being carried out: they are compared with those that it has.
    Compare(Vec<Logged>),
}

impl Keeping {
    pub fn new(task: Task, logged: Vec<Logged>) -> Self {
        if task == Task::ApplyPlan {
            return Self::Compare(logged);
        }
        let mut rows = Rows::new(&[
            ("line", Kind::Int),
            ("outcome", Kind::Text),
            ("cells", Kind::Text),
            ("errors", Kind::Text),
            ("changes", Kind::Text),
            ("undo", Kind::Text),
        ]);
        for row in logged.iter().filter(|row| task.keeps(row.outcome)) {
            rows.add(&[&row.line, &row.outcome, &row.cells, &row.errors, &row.changes, &row.undo]);
        }
        Self::Write(rows)
    }

    /// Keeps the rows; tells those that differ from the plan. One statement, or two.
    pub async fn keep(self, tx: &Tx, job: ImportJobId) -> Result<Stale> {
        match self {
            Self::Compare(logged) => compare(tx, job, &logged).await,
            Self::Write(rows) => {
                insert(tx, job, rows).await?;
                Ok(Stale::default())
            }
        }
    }
}

/// [`Keeping`] at once.
pub async fn keep(tx: &Tx, job: &import_job::Model, logged: Vec<Logged>) -> Result<Stale> {
    Keeping::new(Task::of(job), logged).keep(tx, job.id).await
}

async fn insert(tx: &Tx, job: ImportJobId, rows: Rows) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO import_row (organization_id, import_job_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(job).push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Planned {
    line: i64,
    outcome: RowOutcome,
    errors: String,
    changes: String,
}

/// Compares rows with those of the plan, and gives these what it takes to undo them.
async fn compare(tx: &Tx, job: ImportJobId, logged: &[Logged]) -> Result<Stale> {
    let mut stale = Stale::default();
    let (Some(first), Some(last)) = (logged.iter().map(|row| row.line).min(), logged.iter().map(|row| row.line).max())
    else {
        return Ok(stale);
    };
    let mut sql = tx.sql();
    sql.push("SELECT line, outcome, errors, changes FROM import_row WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("import_job_id", job);
    sql.push(" AND line BETWEEN ").bind(first).push(" AND ").bind(last);
    let mut planned = sql.all::<Planned>(tx.connection()).await?;
    planned.sort_unstable_by_key(|row| row.line);
    let mut undo = Rows::new(&[("line", Kind::Int), ("undo", Kind::Text)]);
    for row in logged {
        let same = match planned.binary_search_by_key(&row.line, |planned| planned.line) {
            Ok(i) => is_same(&planned[i], row)?,
            Err(_) => false,
        };
        if !same {
            stale.add(row.line);
        } else if row.undo.is_some() {
            undo.add(&[&row.line, &row.undo]);
        }
    }
    if !undo.is_empty() {
        let mut sql = tx.sql();
        sql.push("UPDATE import_row SET undo = r.undo FROM ").rows(undo).push(" AS r WHERE ");
        sql.equals("import_row.organization_id", tx.organization_id).push(" AND ");
        sql.equals("import_row.import_job_id", job).push(" AND import_row.line = r.line");
        tx.execute(sql).await?;
    }
    Ok(stale)
}

/// A row that fails for the same reasons is the same, whatever its sentences name.
fn is_same(planned: &Planned, row: &Logged) -> Result<bool> {
    let codes = |errors: &str| -> Result<Vec<ErrorCode>> {
        Ok(serde_json::from_str::<Vec<RowFault>>(errors)?.into_iter().map(|fault| fault.code).collect())
    };
    Ok(planned.outcome == row.outcome
        && planned.changes == row.changes
        && (planned.errors == row.errors || codes(&planned.errors)? == codes(&row.errors)?))
}
