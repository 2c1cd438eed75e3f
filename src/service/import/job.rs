//! A job in the queue: claimed under a lease, moved on chunk by chunk, ended. Whoever lost the lease changes nothing.

use chrono::Duration;
use entity::{
    ImportErrorPolicy, ImportJobId, ImportMode, ImportPhase, ImportStatus, OrganizationId, RowOutcome, SyncRunId,
    import_job,
};
use sea_orm::{EntityTrait, FromQueryResult};
use uuid::Uuid;

use crate::service::{
    Services,
    csv::Position,
    db::{Sql, Tx},
    error::{Error, ErrorCode, Fault, Result},
};

/// What a worker does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Carries the rows out; keeps those that failed, and those that changed or deleted something.
    Apply,
    /// Works out what the rows come to, and keeps every one.
    Plan,
    /// Carries the rows out if every one still comes to what the plan says.
    ApplyPlan,
    /// Undoes what was carried out.
    Revert,
}

impl Task {
    pub fn of(job: &import_job::Model) -> Self {
        match job.revert_status {
            Some(ImportStatus::Queued | ImportStatus::Running) => Self::Revert,
            _ if job.mode == ImportMode::Apply => Self::Apply,
            _ if job.planned_at.is_none() => Self::Plan,
            _ => Self::ApplyPlan,
        }
    }

    /// Whether a row of this outcome is kept, or compared with the one that was kept.
    pub fn keeps(self, outcome: RowOutcome) -> bool {
        match self {
            Self::Apply => matches!(outcome, RowOutcome::Failed | RowOutcome::Updated | RowOutcome::Deleted),
            Self::Plan | Self::ApplyPlan => true,
            Self::Revert => false,
        }
    }
}

/// Whether the job's rows go in together or not at all.
pub fn is_all_or_nothing(job: &import_job::Model) -> bool {
    job.error_policy == ImportErrorPolicy::RejectFile || Task::of(job) == Task::ApplyPlan
}

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
    pub stale: Stale,
}

impl Counts {
    /// Counts rows that came to this.
    pub fn add(&mut self, outcome: RowOutcome, rows: i64) {
        let counted = match outcome {
            RowOutcome::Created => &mut self.created,
            RowOutcome::Updated => &mut self.updated,
            RowOutcome::Unchanged => &mut self.unchanged,
            RowOutcome::Deleted => &mut self.deleted,
            RowOutcome::Skipped => &mut self.skipped,
            RowOutcome::Failed => &mut self.failed,
        };
        *counted += rows;
        self.processed += rows;
    }

    pub fn join(&mut self, other: &Self) {
        for (outcome, rows) in [
            (RowOutcome::Created, other.created),
            (RowOutcome::Updated, other.updated),
            (RowOutcome::Unchanged, other.unchanged),
            (RowOutcome::Deleted, other.deleted),
            (RowOutcome::Skipped, other.skipped),
            (RowOutcome::Failed, other.failed),
        ] {
            self.add(outcome, rows);
        }
        self.stale.join(other.stale);
    }
}

/// Rows that come out differently from what a plan says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stale {
    pub rows: i64,
    /// The line of the first.
    pub first: Option<i64>,
}

impl Stale {
    pub fn add(&mut self, line: i64) {
        self.join(Self { rows: 1, first: Some(line) });
    }

    pub fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.first = match (self.first, other.first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// What is to be said of it: nothing was changed.
    pub fn fault(self) -> Option<Fault> {
        let first = self.first?;
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        Some(Fault::new(
            ErrorCode::StalePlan,
            format!(
                "{rows} would now come out differently from what the plan shows, the first on line {first}, so nothing \
                 was changed. Import the file again with mode PLAN, and look at the new plan."
            ),
        ))
    }
}

/// What is to be said of a file that is rejected as a whole.
pub fn rejected(failed: i64) -> Fault {
    let rows = if failed == 1 { "1 row".to_owned() } else { format!("{failed} rows") };
    Fault::new(
        ErrorCode::RowsFailed,
        format!("{rows} failed, so nothing was changed. Mend what the log names, or import with SKIP_FAILED_ROWS."),
    )
}

#[derive(FromQueryResult)]
struct Waiting {
    organization_id: OrganizationId,
    id: ImportJobId,
}

/// Claims the oldest job that nobody works on and that waits for no other job of its organisation.
pub async fn claim(services: &Services, owner: Uuid) -> Result<Option<import_job::Model>> {
    let claimable = |sql: &mut Sql| {
        sql.push(" (j.status = 'QUEUED' OR j.revert_status = 'QUEUED' OR ");
        sql.push("((j.status = 'RUNNING' OR j.revert_status = 'RUNNING') AND (j.lease_until < ");
        sql.bind(services.clock.now());
        // Its own claim a worker takes up again at once: the database went away and came back.
        sql.push(" OR ").equals("j.lease_owner", owner);
        sql.push("))) AND NOT EXISTS (SELECT 1 FROM import_job o WHERE o.organization_id = j.organization_id ");
        sql.push("AND o.id <> j.id AND (o.status = 'RUNNING' OR o.revert_status = 'RUNNING'))");
    };
    let mut sql = Sql::new(services.db.backend());
    // Two parts, each with an index of its own.
    for (i, waits) in
        ["j.status IN ('QUEUED', 'RUNNING')", "j.revert_status IN ('QUEUED', 'RUNNING')"].iter().enumerate()
    {
        sql.push(if i == 0 { "" } else { " UNION " });
        sql.push("SELECT j.organization_id, j.id, j.created_at FROM import_job j WHERE ").push(waits).push(" AND");
        claimable(&mut sql);
    }
    sql.push(" ORDER BY created_at, id LIMIT 1");
    let Some(found): Option<Waiting> = sql.one(services.db.reader()).await? else { return Ok(None) };
    let tx = services.db.write(found.organization_id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE import_job AS j SET ").equals("lease_owner", owner).push(", ");
    sql.equals("lease_until", tx.lease_until()).push(", started_at = COALESCE(j.started_at, ").bind(tx.now);
    sql.push("), status = CASE WHEN j.status = 'QUEUED' THEN 'RUNNING' ELSE j.status END, ");
    sql.push("revert_status = CASE WHEN j.revert_status = 'QUEUED' THEN 'RUNNING' ELSE j.revert_status END WHERE ");
    sql.equals("j.organization_id", found.organization_id).push(" AND ").equals("j.id", found.id);
    sql.push(" AND");
    claimable(&mut sql);
    sql.push(" RETURNING *");
    let job = sql.one(tx.connection()).await?;
    tx.commit().await?;
    Ok(job)
}

/// The job as it stands.
pub async fn at(tx: &Tx, id: ImportJobId) -> Result<import_job::Model> {
    let found = import_job::Entity::find_by_id((tx.organization_id, id)).one(tx.connection()).await?;
    found.ok_or_else(|| Error::internal("the import is gone"))
}

/// The job as it stands, which is still to be this worker's.
pub async fn reload(tx: &Tx, job: &import_job::Model) -> Result<import_job::Model> {
    let found = at(tx, job.id).await?;
    if found.lease_owner == job.lease_owner { Ok(found) } else { Err(Error::superseded()) }
}

/// A sign of life: the claim holds on.
///
/// # Errors
/// [`Error::superseded`] when the job is no longer this worker's.
pub async fn renew(services: &Services, job: &import_job::Model) -> Result<()> {
    // Not under the organisation's lock: a transaction that has it may take longer than a lease.
    let tx = services.db.write_beside(job.organization_id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.lease_until());
    guarded(&tx, sql, job).await?;
    tx.commit().await
}

/// Moves a job on in the transaction that did the work: cursor, counts, and the lease.
///
/// # Errors
/// [`Error::superseded`] when the job is no longer this worker's; the transaction must then not be committed.
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
        ("stale_rows", counts.stale.rows),
    ] {
        sql.push(", ").push(column).push(" = ").push(column).push(" + ").bind(count);
    }
    if let Some(line) = counts.stale.first {
        // Chunks go by in the order of their lines.
        sql.push(", stale_line = COALESCE(stale_line, ").bind(line).push(")");
    }
    if let Some(cursor) = cursor {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sql.push(", ").equals("cursor_offset", signed(cursor.offset)).push(", ");
        sql.equals("cursor_line", signed(cursor.line));
    }
    guarded(tx, sql, job).await
}

/// Goes to a step, to its beginning: what was found before is counted anew.
pub async fn start(tx: &Tx, job: &import_job::Model, phase: ImportPhase, first: Position) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.lease_until());
    from_the_start(&mut sql, phase, first);
    guarded(tx, sql, job).await
}

/// Sets the step, its beginning, and all counts to nothing.
pub fn from_the_start(sql: &mut Sql, phase: ImportPhase, first: Position) {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sql.push(", ").equals("phase", phase).push(", ").equals("cursor_offset", signed(first.offset));
    sql.push(", ").equals("cursor_line", signed(first.line));
    reset(sql);
}

/// Sets all counts to nothing.
fn reset(sql: &mut Sql) {
    for column in ["processed", "created", "updated", "unchanged", "deleted", "skipped", "failed", "stale"] {
        sql.push(", ").push(column).push("_rows = 0");
    }
    sql.push(", stale_line = NULL");
}

/// Runs an update of the job, as long as it is this worker's.
async fn guarded(tx: &Tx, mut sql: Sql, job: &import_job::Model) -> Result<()> {
    sql.push(" WHERE ").equals("organization_id", job.organization_id).push(" AND ").equals("id", job.id);
    sql.push(" AND (status = 'RUNNING' OR revert_status = 'RUNNING') AND ").equals("lease_owner", job.lease_owner);
    if tx.execute(sql).await? == 1 { Ok(()) } else { Err(Error::superseded()) }
}

/// Ends a job; with a fault it has failed as a whole.
///
/// # Errors
/// As [`advance`].
pub async fn finish(tx: &Tx, job: &import_job::Model, fault: Option<&Fault>) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET lease_owner = NULL, lease_until = NULL, ");
    match (Task::of(job), fault) {
        (Task::Revert, None) => {
            sql.equals("revert_status", ImportStatus::Completed).push(", ").equals("status", ImportStatus::Reverted);
        }
        (Task::Revert, Some(_)) => {
            sql.equals("revert_status", ImportStatus::Failed);
        }
        (task, fault) => {
            let status = match (task, fault) {
                (_, Some(_)) => ImportStatus::Failed,
                (Task::Plan, None) => ImportStatus::Planned,
                _ => ImportStatus::Completed,
            };
            sql.equals("status", status).push(", ").equals("finished_at", tx.now).push(", ");
            if status == ImportStatus::Planned {
                sql.equals("planned_at", tx.now).push(", ");
            }
            let code = fault.map(|fault| code_name(fault.code)).transpose()?;
            sql.equals("error_code", code).push(", ");
            sql.equals("error_message", fault.map(|fault| fault.message.clone()));
        }
    }
    guarded(tx, sql, job).await
}

/// Ends a job that changed nothing, with the fault that is why: what it counted so far is taken back, but for the rows
/// that failed.
pub async fn refuse(tx: &Tx, job: &import_job::Model, fault: &Fault, failed: i64) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.lease_until());
    reset(&mut sql);
    guarded(tx, sql, job).await?;
    advance(tx, job, Counts { processed: failed, failed, ..Counts::default() }, None).await?;
    finish(tx, job, Some(fault)).await
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
    guarded(tx, sql, job).await
}

/// Names the receipt that an import of CRM users fills.
pub async fn set_sync_run(tx: &Tx, job: &import_job::Model, run: SyncRunId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("sync_run_id", run);
    guarded(tx, sql, job).await
}

/// Undoing went on: what it did, and where it goes on.
pub async fn reverted(tx: &Tx, job: &import_job::Model, rows: i64, left_alone: i64, cursor: &str) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ").equals("lease_until", tx.lease_until()).push(", ");
    sql.push("reverted_rows = reverted_rows + ").bind(rows).push(", left_alone_rows = left_alone_rows + ");
    sql.bind(left_alone).push(", ").equals("revert_cursor", cursor);
    guarded(tx, sql, job).await
}
