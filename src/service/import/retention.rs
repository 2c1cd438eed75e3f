//! What has been kept for long enough goes: uploaded files, the rows and the log of imports, and files that belong to no
//! import. The imports themselves stay, with what was asked for and their counts.
//!
//! Everything is decided anew in the small transaction that does it, under the organisation's lock, so that two
//! processes may clean up at once, and a process that dies leaves only work for the next one. What is about to be deleted
//! is marked first: nobody meets half a log, and no plan is carried out without its file.

use std::sync::Arc;

use chrono::Duration;
use entity::{ImportJobId, OrganizationId};
use futures::TryStreamExt;
use object_store::path::Path;
use sea_orm::FromQueryResult;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::upload;
use crate::service::{
    Services,
    clock::Time,
    db::{Rows, Sql, Tx, sql::Kind},
    error::Result,
    sync_run,
};

/// How often a process cleans up.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(60 * 60);
/// Imports, or files of the store, that are looked at in one statement.
const BATCH: usize = 500;
/// Rows that are deleted in one transaction.
const ROWS: i64 = 5_000;
/// An upload takes less: what is older and has no import will never have one.
const ORPHANED: Duration = Duration::days(1);

/// What an import keeps besides itself: the table, its column that names the import, and the same of the import.
const KEPT: [(&str, &str, &str); 4] = [
    ("mapping_stage", "import_job_id", "id"),
    ("mapping_stage_cells", "import_job_id", "id"),
    ("crm_user_stage", "sync_run_id", "sync_run_id"),
    ("import_row", "import_job_id", "id"),
];

/// For how long things are kept after an import has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Its rows and its log.
    rows: Duration,
    /// The uploaded file; never longer than the rows.
    file: Duration,
}

impl Life {
    pub fn days(rows: u32, file: u32) -> Self {
        Self { rows: Duration::days(rows.into()), file: Duration::days(file.min(rows).into()) }
    }
}

#[derive(FromQueryResult)]
struct Job {
    organization_id: OrganizationId,
    id: ImportJobId,
    file_key: String,
}

/// Cleans up at once and then every hour, until `stop`.
pub async fn run(services: Arc<Services>, life: Life, stop: CancellationToken) {
    while !stop.is_cancelled() {
        sweep(&services, life, &stop).await;
        stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
    }
}

/// Cleans up once. What can't be deleted now is for the next time: the log says why.
pub async fn sweep(services: &Services, life: Life, stop: &CancellationToken) {
    let now = services.clock.now();
    let failed = |what| move |error| tracing::error!(%error, "old {what} can't be deleted, and stay for now");
    files(services, now - life.file, stop).await.unwrap_or_else(failed("uploaded files"));
    rows(services, now - life.rows, stop).await.unwrap_or_else(failed("rows of imports"));
    sync_run::retention::sweep(services, now - life.rows, stop).await.unwrap_or_else(failed("changes of sync runs"));
    orphans(services, now - ORPHANED, stop).await.unwrap_or_else(failed("files without an import"));
}

/// Adds the condition that import `j` had ended before `until` and that nothing more comes of it. A plan ends when it
/// is complete: whoever wants it carried out has as long as its file is there.
fn ended(sql: &mut Sql, until: Time) {
    // An import does not end before it was made; an index knows when that was.
    sql.push("j.created_at < ").bind(until);
    sql.push(" AND COALESCE(j.finished_at, j.planned_at, j.created_at) < ").bind(until);
    sql.push(" AND j.status NOT IN ('QUEUED', 'RUNNING')");
    sql.push(" AND COALESCE(j.revert_status, '') NOT IN ('QUEUED', 'RUNNING')");
}

/// Marks an import under its organisation's lock, unless something is to come of it after all; whether it is marked.
async fn mark(tx: &Tx, job: &Job, column: &str, until: Time) -> Result<bool> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job AS j SET ").push(column).push(" = COALESCE(j.").push(column).push(", ").bind(tx.now);
    sql.push(") WHERE ").equals("j.organization_id", tx.organization_id).push(" AND ").equals("j.id", job.id);
    sql.push(" AND ");
    ended(&mut sql, until);
    Ok(tx.execute(sql).await? == 1)
}

/// Deletes uploaded files. One that is marked and could not be deleted is found as an orphan.
async fn files(services: &Services, until: Time, stop: &CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        let mut sql = Sql::new(services.db.backend());
        sql.push("SELECT j.organization_id, j.id, j.file_key FROM import_job j WHERE j.file_deleted_at IS NULL AND ");
        ended(&mut sql, until);
        sql.push(" ORDER BY j.created_at LIMIT ").bind(BATCH as i64);
        let due: Vec<Job> = sql.all(services.db.reader()).await?;
        for job in &due {
            let tx = services.db.write(job.organization_id).await?;
            let marked = mark(&tx, job, "file_deleted_at", until).await?;
            tx.commit().await?;
            if marked {
                upload::discard(services, &job.file_key).await?;
                tracing::debug!(import = %job.id.0, "the uploaded file is deleted");
            }
        }
        if due.len() < BATCH {
            break;
        }
    }
    Ok(())
}

/// Deletes the rows of imports, and with them their logs.
async fn rows(services: &Services, until: Time, stop: &CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        let mut sql = Sql::new(services.db.backend());
        sql.push("SELECT j.organization_id, j.id, j.file_key FROM import_job j WHERE ");
        ended(&mut sql, until);
        // One that is marked may have rows left: a process died over it.
        sql.push(" AND (j.rows_deleted_at IS NULL");
        for (table, column, of_job) in KEPT {
            sql.push(" OR EXISTS (SELECT 1 FROM ").push(table).push(" r WHERE r.organization_id = j.organization_id");
            sql.push(" AND r.").push(column).push(" = j.").push(of_job).push(")");
        }
        sql.push(") ORDER BY j.created_at LIMIT ").bind(BATCH as i64);
        let due: Vec<Job> = sql.all(services.db.reader()).await?;
        for job in &due {
            for (table, column, of_job) in KEPT {
                while !stop.is_cancelled()
                    && rows_of(services, job, until, (table, column, of_job)).await? == ROWS as u64
                {}
            }
        }
        if due.len() < BATCH {
            break;
        }
    }
    Ok(())
}

/// Deletes some rows of an import from a table; how many.
async fn rows_of(
    services: &Services,
    job: &Job,
    until: Time,
    (table, column, of_job): (&str, &str, &str),
) -> Result<u64> {
    let tx = services.db.write(job.organization_id).await?;
    if !mark(&tx, job, "rows_deleted_at", until).await? {
        return Ok(0);
    }
    let mut sql = tx.sql();
    let of_this_job = |sql: &mut Sql| {
        sql.equals("organization_id", tx.organization_id).push(" AND ").push(column).push(" = (SELECT j.").push(of_job);
        sql.push(" FROM import_job j WHERE ").equals("j.organization_id", tx.organization_id);
        sql.push(" AND ").equals("j.id", job.id).push(")");
    };
    sql.push("DELETE FROM ").push(table).push(" WHERE ");
    of_this_job(&mut sql);
    sql.push(" AND line IN (SELECT line FROM ").push(table).push(" WHERE ");
    of_this_job(&mut sql);
    sql.push(" ORDER BY line LIMIT ").bind(ROWS).push(")");
    let deleted = tx.execute(sql).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Deletes files that have no import, or whose import is done with them. Files of other organisations than this
/// database's are not ours.
async fn orphans(services: &Services, until: Time, stop: &CancellationToken) -> Result<()> {
    let mut files = services.files.list(Some(&Path::from("imports")));
    let mut found = Vec::new();
    while !stop.is_cancelled() {
        let file = files.try_next().await?;
        let is_last = file.is_none();
        found.extend(file.filter(|file| file.last_modified < until).and_then(|file| ids(&file.location)));
        if found.len() >= BATCH || is_last {
            for (organization_id, id) in without_import(services, &found).await? {
                upload::discard(services, &upload::key(organization_id, id)).await?;
                tracing::info!(import = %id.0, "a file that is no import's is deleted");
            }
            found.clear();
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// The ids in a file's key.
fn ids(key: &Path) -> Option<(OrganizationId, ImportJobId)> {
    let mut parts = key.as_ref().strip_prefix("imports/")?.strip_suffix(".csv")?.split('/');
    let ids = (parts.next()?.parse::<Uuid>().ok()?, parts.next()?.parse::<Uuid>().ok()?);
    parts.next().is_none().then_some((OrganizationId(ids.0), ImportJobId(ids.1)))
}

#[derive(FromQueryResult)]
struct Orphan {
    organization_id: OrganizationId,
    id: ImportJobId,
}

async fn without_import(
    services: &Services,
    found: &[(OrganizationId, ImportJobId)],
) -> Result<Vec<(OrganizationId, ImportJobId)>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Rows::new(&[("organization_id", Kind::Uuid), ("id", Kind::Uuid)]);
    for (organization_id, id) in found {
        rows.add(&[organization_id, id]);
    }
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT f.organization_id, f.id FROM ").rows(rows).push(" AS f JOIN organization o ");
    sql.push("ON o.id = f.organization_id LEFT JOIN import_job j ON j.organization_id = f.organization_id ");
    sql.push("AND j.id = f.id WHERE j.id IS NULL OR j.file_deleted_at IS NOT NULL");
    let orphans: Vec<Orphan> = sql.all(services.db.reader()).await?;
    Ok(orphans.into_iter().map(|orphan| (orphan.organization_id, orphan.id)).collect())
}
