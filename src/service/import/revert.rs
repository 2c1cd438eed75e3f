//! Undoing an import, in chunks: first the rows that changed or deleted something, from the last to the first, then what
//! the others made; in the end the teams that were made for it and hold nobody.

use entity::{ImportKind, RowOutcome, UserId, import_job};
use sea_orm::FromQueryResult;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{job, users::row_fault, worker::pause};
use crate::service::{
    Services,
    clock::Time,
    csv::RowFault,
    db::{Rows, Tx, sql::Kind},
    error::{ErrorCode, Result},
    team,
    user::apply::{Options, Restore, Undo, restore},
};

/// Rows of a chunk.
const CHUNK: i64 = 1_000;
/// Processes' clocks may differ: ids that are older than the import by no more than this may be of things that it made.
const SKEW_MS: u64 = 24 * 60 * 60 * 1_000;

/// Where undoing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Cursor {
    /// With the rows before this line that changed something.
    Changed(i64),
    /// With what was made and has a greater id.
    Made(Uuid),
}

#[derive(FromQueryResult)]
struct Changed {
    line: i64,
    undo: String,
}

#[derive(FromQueryResult)]
struct Made {
    id: UserId,
    import_line: Option<i64>,
    created_at: Time,
    updated_at: Time,
    deleted_at: Option<Time>,
    is_mapped: bool,
}

/// A row that was left as it is, and why.
pub(super) struct LeftAlone {
    pub line: i64,
    pub outcome: RowOutcome,
    pub fault: RowFault,
}

/// Undoes an import.
pub(super) async fn run(services: &Services, job: &import_job::Model, stop: &CancellationToken) -> Result<()> {
    match job.kind {
        ImportKind::Users => users(services, job, stop).await,
        ImportKind::Mappings => super::mappings::revert(services, job).await,
        ImportKind::CrmUsers => super::crm_users::revert(services, job).await,
    }
}

async fn users(services: &Services, job: &import_job::Model, stop: &CancellationToken) -> Result<()> {
    let mut cursor = match &job.revert_cursor {
        Some(cursor) => serde_json::from_str(cursor)?,
        None => Cursor::Changed(i64::MAX),
    };
    loop {
        let begun = Instant::now();
        let tx = services.db.write(job.organization_id).await?;
        if stop.is_cancelled() {
            job::release(&tx, job).await?;
            return tx.commit().await;
        }
        let (next, restored) = match cursor {
            Cursor::Changed(line) => changed(&tx, job, line).await?,
            Cursor::Made(id) => made(&tx, job, id).await?,
        };
        let Some(next) = next else {
            drop(tx);
            let tx = services.db.write(job.organization_id).await?;
            team::change::remove_empty(&tx, job.id).await?;
            job::finish(&tx, job, None).await?;
            return tx.commit().await;
        };
        let left_alone = carry_out(&tx, job, restored).await?;
        keep(&tx, job, &left_alone.rows).await?;
        let alone = i64::try_from(left_alone.rows.len()).unwrap_or(i64::MAX);
        job::reverted(&tx, job, left_alone.restored, alone, &serde_json::to_string(&next)?).await?;
        tx.commit().await?;
        pause(services, begun, stop).await;
        cursor = next;
    }
}

/// What is to be undone of a row, or why it is left alone.
type Wanted = (i64, RowOutcome, Result<Restore, RowFault>);

fn since(message: &str) -> RowFault {
    RowFault::new(ErrorCode::WrongState, message)
}

async fn changed(tx: &Tx, job: &import_job::Model, before: i64) -> Result<(Option<Cursor>, Vec<Wanted>)> {
    let mut sql = tx.sql();
    sql.push("SELECT line, undo FROM import_row WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("import_job_id", job.id).push(" AND undo IS NOT NULL AND line < ").bind(before);
    sql.push(" ORDER BY line DESC LIMIT ").bind(CHUNK);
    let rows: Vec<Changed> = sql.all(tx.connection()).await?;
    let Some(last) = rows.last() else { return Ok((Some(Cursor::Made(first_id(job))), Vec::new())) };
    let next = Cursor::Changed(last.line);
    let wanted = rows
        .into_iter()
        .map(|row| Ok((row.line, RowOutcome::Updated, Ok(Restore::Changed(serde_json::from_str::<Undo>(&row.undo)?)))))
        .collect::<Result<_>>()?;
    Ok((Some(next), wanted))
}

/// An id before those of all that an import made: ids rise with time.
pub(super) fn first_id(job: &import_job::Model) -> Uuid {
    let (seconds, nanos) = job.id.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let millis = (seconds * 1_000 + u64::from(nanos) / 1_000_000).saturating_sub(SKEW_MS);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

async fn made(tx: &Tx, job: &import_job::Model, after: Uuid) -> Result<(Option<Cursor>, Vec<Wanted>)> {
    let mut sql = tx.sql();
    sql.push("SELECT u.id, u.import_line, u.created_at, u.updated_at, u.deleted_at, EXISTS (SELECT 1 FROM mapping m ");
    sql.push("WHERE m.organization_id = u.organization_id AND m.user_id = u.id AND m.ended_at IS NULL ");
    sql.push("AND m.source = 'MANUAL') AS is_mapped FROM app_user u WHERE ");
    sql.equals("u.organization_id", tx.organization_id).push(" AND u.id > ").bind(after);
    sql.push(" AND ").equals("u.import_job_id", job.id).push(" ORDER BY u.id LIMIT ").bind(CHUNK);
    let rows: Vec<Made> = sql.all(tx.connection()).await?;
    let Some(last) = rows.last() else { return Ok((None, Vec::new())) };
    let next = Cursor::Made(last.id.0);
    let wanted = rows.into_iter().map(|row| {
        let restore = if row.deleted_at.is_some() {
            Err(since("The user has been deleted since."))
        } else if row.is_mapped {
            Err(since("The user has been mapped by hand since, and was left as it is."))
        } else if row.created_at != row.updated_at {
            Err(since("The user has changed since, and was left as it is."))
        } else {
            Ok(Restore::Made(row.id))
        };
        (row.import_line.unwrap_or_default(), RowOutcome::Created, restore)
    });
    Ok((Some(next), wanted.collect()))
}

struct CarriedOut {
    restored: i64,
    rows: Vec<LeftAlone>,
}

async fn carry_out(tx: &Tx, job: &import_job::Model, wanted: Vec<Wanted>) -> Result<CarriedOut> {
    let mut done = CarriedOut { restored: 0, rows: Vec::new() };
    let mut places = Vec::new();
    let mut restores = Vec::new();
    for (line, outcome, wanted) in wanted {
        match wanted {
            Ok(wanted) => {
                places.push((line, outcome));
                restores.push(wanted);
            }
            Err(fault) => done.rows.push(LeftAlone { line, outcome, fault }),
        }
    }
    let results = restore(tx, &restores, &Options::of(job.created_by)).await?;
    for ((line, outcome), result) in places.into_iter().zip(results) {
        match result {
            Ok(()) => done.restored += 1,
            Err(faults) => {
                let fault = faults.into_iter().next().map_or_else(|| since("It could not be undone."), row_fault);
                done.rows.push(LeftAlone { line, outcome, fault });
            }
        }
    }
    Ok(done)
}

/// Keeps the rows that were left alone, and why: one statement.
pub(super) async fn keep(tx: &Tx, job: &import_job::Model, rows: &[LeftAlone]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut kept = Rows::new(&[("line", Kind::Int), ("outcome", Kind::Text), ("revert_error", Kind::Text)]);
    for row in rows {
        kept.add(&[&row.line, &row.outcome, &serde_json::to_string(&row.fault)?]);
    }
    let mut sql = tx.sql();
    sql.push("INSERT INTO import_row (organization_id, import_job_id, cells, errors, changes, line, outcome, ");
    sql.push("revert_error) SELECT ").bind(tx.organization_id).push(", ").bind(job.id);
    sql.push(", '[]', '[]', '[]', line, outcome, revert_error FROM ").rows(kept).push(" AS r WHERE true ");
    sql.push("ON CONFLICT (organization_id, import_job_id, line) DO UPDATE SET revert_error = excluded.revert_error");
    tx.execute(sql).await?;
    Ok(())
}
