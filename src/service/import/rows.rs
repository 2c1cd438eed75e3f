//! The rows that an import keeps: those that failed, and those that changed or deleted something.

use entity::{ImportJobId, RowOutcome};

use crate::service::{
    csv::RowFault,
    db::{Rows, Tx, sql::Kind},
    error::Result,
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
    /// A row that failed.
    pub fn failed(line: i64, cells: String, faults: &[RowFault]) -> Result<Self> {
        let errors = serde_json::to_string(faults)?;
        Ok(Self { line, outcome: RowOutcome::Failed, cells, errors, changes: "[]".into(), undo: None })
    }

    /// A row that changed or deleted something.
    pub fn changed(line: i64, outcome: RowOutcome, cells: String, changes: &[FieldChange]) -> Result<Self> {
        let changes = serde_json::to_string(changes)?;
        Ok(Self { line, outcome, cells, errors: "[]".into(), changes, undo: None })
    }

    /// The row with what it takes to undo it, as JSON.
    #[must_use]
    pub fn with_undo(self, undo: String) -> Self {
        Self { undo: Some(undo), ..self }
    }
}

/// Keeps rows: one statement.
pub async fn log(tx: &Tx, job: ImportJobId, logged: &[Logged]) -> Result<()> {
    if logged.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(&[
        ("line", Kind::Int),
        ("outcome", Kind::Text),
        ("cells", Kind::Text),
        ("errors", Kind::Text),
        ("changes", Kind::Text),
        ("undo", Kind::Text),
    ]);
    for row in logged {
        rows.add(&[&row.line, &row.outcome, &row.cells, &row.errors, &row.changes, &row.undo]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO import_row (organization_id, import_job_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(job).push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}
