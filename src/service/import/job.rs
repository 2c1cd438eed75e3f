//! A job in the queue: claimed under a lease, moved on chunk by chunk, ended. Whoever lost the lease changes nothing.

use chrono::Duration;
use entity::{ImportJobId, ImportStatus, OrganizationId, SyncRunId, import_job};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::service::{
    Services,
    csv::Position,
    db::{Sql, Tx},
    error::{Error, ErrorCode, Fault, Result},
};

/// What became of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that are done with.
    pub processed: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub deleted: i64,
    pub skipped: i64,
    pub failed: i64,
}

#[derive(FromQueryResult)]
struct Waiting {
    organization_id: OrganizationId,
    id: ImportJobId,
}

/// Claims the oldest job that nobody works on and that waits for no other job of its organisation.
pub async fn claim(services: &Services, owner: Uuid) -> Result<Option<import_job::Model>> {
    let claimable = |sql: &mut Sql| {
        sql.push(" (j.status = 'QUEUED' OR (j.status = 'RUNNING' AND (j.lease_until < ").bind(services.clock.now());
        // Its own claim a worker takes up again at once: the database went away and came back.
        sql.push(" OR ")
            .equals("j.lease_owner", owner)
            .push("))) AND NOT EXISTS (SELECT 1 FROM import_job o WHERE o.organization_id = j.organization_id ");
        sql.push("AND o.id <> j.id AND o.status = 'RUNNING')");
    };
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT j.organization_id, j.id FROM import_job j WHERE j.status IN ('QUEUED', 'RUNNING') AND");
    claimable(&mut sql);
    sql.push(" ORDER BY j.created_at, j.id LIMIT 1");
    let Some(found): Option<Waiting> = sql.one(services.db.reader()).await? else { return Ok(None) };
    let tx = services.db.write(found.organization_id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE import_job AS j SET status = 'RUNNING', ").equals("lease_owner", owner).push(", ");
    sql.equals("lease_until", tx.lease_until()).push(", started_at = COALESCE(j.started_at, ").bind(tx.now);
    sql.push(") WHERE ").equals("j.organization_id", found.organization_id).push(" AND ").equals("j.id", found.id);
    sql.push(" AND");
    claimable(&mut sql);
    sql.push(" RETURNING *");
    let job = sql.one(tx.connection()).await?;
    tx.commit().await?;
    Ok(job)
}

/// The error of a worker whose claim is another's by now.
fn lost() -> Error {
    Error::internal("another worker has taken the import over")
}

/// Moves a job on in the transaction that did the work: cursor, counts, and the lease.
///
/// # Errors
/// [`Error::Internal`] when the job is another worker's by now; the transaction must then not be committed.
pub async fn advance(tx: &Tx, job: &import_job::Model, counts: Counts, cursor: Option<Position>) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.lease_until());
    for (column, count) in [
        ("processed_rows", counts.processed),
        ("created_rows", counts.created),
        ("updated_rows", counts.updated),
        ("unchanged_rows", counts.unchanged),
        ("deleted_rows", counts.deleted),
        ("skipped_rows", counts.skipped),
        ("failed_rows", counts.failed),
    ] {
        sql.push(", ").push(column).push(" = ").push(column).push(" + ").bind(count);
    }
    if let Some(cursor) = cursor {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sql.push(", ").equals("cursor_offset", signed(cursor.offset)).push(", ");
        sql.equals("cursor_line", signed(cursor.line));
    }
    guard(&mut sql, job);
    if tx.execute(sql).await? == 1 { Ok(()) } else { Err(lost()) }
}

/// A sign of life, beside the transaction that does the work.
///
/// # Errors
/// As [`advance`].
pub async fn renew(services: &Services, job: &import_job::Model) -> Result<()> {
    let db = &services.db;
    let mut sql = Sql::new(db.backend());
    sql.push("UPDATE import_job SET ").equals("lease_until", services.clock.now() + db.lease());
    guard(&mut sql, job);
    if db.writer().execute_raw(sql.statement()).await?.rows_affected() == 1 { Ok(()) } else { Err(lost()) }
}

fn guard(sql: &mut Sql, job: &import_job::Model) {
    sql.push(" WHERE ").equals("organization_id", job.organization_id).push(" AND ").equals("id", job.id);
    sql.push(" AND status = 'RUNNING' AND ").equals("lease_owner", job.lease_owner);
}

/// Ends a job; with a fault it has failed as a whole.
///
/// # Errors
/// As [`advance`].
pub async fn finish(tx: &Tx, job: &import_job::Model, fault: Option<&Fault>) -> Result<()> {
    let status = if fault.is_some() { ImportStatus::Failed } else { ImportStatus::Completed };
    let code = fault.map(|fault| code_name(fault.code)).transpose()?;
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("status", status).push(", ").equals("finished_at", tx.now).push(", ");
    sql.push("lease_owner = NULL, lease_until = NULL, ").equals("error_code", code).push(", ");
    sql.equals("error_message", fault.map(|fault| fault.message.clone()));
    guard(&mut sql, job);
    if tx.execute(sql).await? == 1 { Ok(()) } else { Err(lost()) }
}

/// The code's name in the database and in the API.
fn code_name(code: ErrorCode) -> Result<String> {
    match serde_json::to_value(code)? {
        serde_json::Value::String(name) => Ok(name),
        _ => Err(Error::internal("an error code is not a name")),
    }
}

/// Gives a job back unfinished, so that the next worker need not wait for the lease to run out.
pub async fn release(tx: &Tx, job: &import_job::Model) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.now - Duration::seconds(1));
    guard(&mut sql, job);
    tx.execute(sql).await?;
    Ok(())
}

/// Names the receipt that an import of CRM users fills.
pub async fn set_sync_run(tx: &Tx, job: &import_job::Model, run: SyncRunId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("sync_run_id", run);
    guard(&mut sql, job);
    if tx.execute(sql).await? == 1 { Ok(()) } else { Err(lost()) }
}
