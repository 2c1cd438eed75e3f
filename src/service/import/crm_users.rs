//! Rows of a CRM users file (`contract/csv.md`, "CRM users"): staged chunk by chunk, published in one step as a receipt,
//! and linked exactly as after a sync.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime};
use entity::{ImportErrorPolicy, RowOutcome, SyncRunId, SyncStatus, SyncTrigger, import_job, integration as entities};
use sea_orm::EntityTrait;

use super::{
    job::{self, Counts, Stale, Task},
    revert::{self, LeftAlone},
    rows::{Logged, keep},
    users::line,
    worker::{AskedRow, Work, cells},
};
use crate::service::{
    Services,
    clock::Time,
    crm_user::{Incoming, incoming::normalize},
    csv::{Position, Row, RowFault, crm_users as column},
    db::Tx,
    error::{Error, ErrorCode, Fault, Result, Step},
    integration::{self, IntegrationRef},
    sync_run::{
        self,
        publish::{Options, Published, Staged, publish, stage},
        undo::undo,
    },
};

fn column_of(field: &str) -> &'static str {
    match field {
        "externalId" => "external_id",
        "email" => "email",
        "name" => "name",
        "username" => "username",
        "title" => "title",
        "team" => "team",
        "createdAt" => "created_at",
        _ => "is_active",
    }
}

fn row_fault(fault: Fault) -> RowFault {
    match fault.path.first() {
        Some(Step::Name(field)) => RowFault::at(fault.code, column_of(field), fault.message),
        _ => RowFault::new(fault.code, fault.message),
    }
}

/// RFC 3339, or a date: midnight in UTC.
fn moment(text: &str) -> Option<Time> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .ok()
        .or_else(|| NaiveDate::from_str(text).ok().map(|date| date.and_time(NaiveTime::MIN).and_utc()))
}

fn parse(row: &Row) -> (Incoming, Vec<RowFault>) {
    let mut faults = row.faults.clone();
    let text = |column: usize| row.get(column).filter(|text| !text.is_empty()).map(str::to_owned);
    let is_active = match row.get(column::IS_ACTIVE).unwrap_or_default().to_lowercase().as_str() {
        "" | "true" | "1" | "yes" => true,
        "false" | "0" | "no" => false,
        other => {
            let message = format!("{other:?} is not one of true, false, 1, 0, yes and no.");
            faults.push(RowFault::at(ErrorCode::Invalid, "is_active", message));
            true
        }
    };
    let created_at = text(column::CREATED_AT).and_then(|text| {
        let time = moment(&text);
        if time.is_none() {
            let message = format!("{text:?} is not a time. Write 2026-01-31 or 2026-01-31T09:30:00Z.");
            faults.push(RowFault::at(ErrorCode::Invalid, "created_at", message));
        }
        time
    });
    let incoming = Incoming {
        external_id: text(column::EXTERNAL_ID).unwrap_or_default(),
        email: text(column::EMAIL),
        name: text(column::NAME),
        username: text(column::USERNAME),
        title: text(column::TITLE),
        team: text(column::TEAM),
        role: None,
        is_active,
        created_at,
    };
    (incoming, faults)
}

async fn integration(work: &Work<'_>, tx: &Tx) -> Result<entities::Model> {
    let id = work.job.integration_id.ok_or_else(|| Error::internal("an import of CRM users without an integration"))?;
    integration::locate(tx.connection(), tx.organization_id, &IntegrationRef::Id(id), "integration").await
}

/// The integration went while its import waited.
async fn fail(work: &Work<'_>, tx: Tx, faults: Vec<Fault>) -> Result<()> {
    job::finish(&tx, work.job, faults.first()).await?;
    tx.commit().await
}

/// The job as the transaction sees it: its receipt is opened with the first chunk.
async fn receipt(work: &Work<'_>, tx: &Tx, integration: &entities::Model) -> Result<SyncRunId> {
    let job = import_job::Entity::find_by_id((tx.organization_id, work.job.id)).one(tx.connection()).await?;
    match job.and_then(|job| job.sync_run_id) {
        Some(run) => Ok(run),
        None => {
            let run = sync_run::open(tx, integration.id, SyncTrigger::Import, Some(work.job.created_by)).await?;
            job::set_sync_run(tx, work.job, run).await?;
            Ok(run)
        }
    }
}

/// A row of a file of CRM users.
pub(super) struct Asked {
    row: Row,
    cells: String,
    incoming: Incoming,
    faults: Vec<RowFault>,
    /// The line of an earlier row with the same key.
    first: Option<u64>,
}

impl AskedRow for Asked {
    fn read(row: Row, first: Option<u64>) -> serde_json::Result<Self> {
        let (incoming, faults) = parse(&row);
        Ok(Self { cells: cells(&row)?, row, incoming, faults, first })
    }

    async fn take(work: &mut Work<'_>, rows: Vec<Self>, cursor: Position) -> Result<()> {
        chunk(work, rows, cursor).await
    }
}

/// Stages a chunk of rows, in one transaction.
async fn chunk(work: &Work<'_>, rows: Vec<Asked>, cursor: Position) -> Result<()> {
    let tx = work.services.db.write_chunk(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let run = receipt(work, &tx, &integration).await?;
    let mut counts = Counts::default();
    let mut kept = Vec::new();
    let mut staged = Vec::new();
    for Asked { row, cells, incoming, mut faults, first } in rows {
        if row.skipped {
            counts.add(RowOutcome::Skipped, 1);
            kept.push(Logged::plain(line(&row), RowOutcome::Skipped, cells));
            continue;
        }
        let normalized = if !row.has_cells() { Err(Vec::new()) } else { normalize(&integration, &incoming) };
        if let Some(first) = first {
            let message = format!("Line {first} has the same id. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "external_id", message));
        }
        match normalized {
            Ok(crm_user) if faults.is_empty() => {
                staged.push(Staged { line: line(&row), crm_user, cells: Some(cells) });
            }
            normalized => {
                faults.extend(normalized.err().unwrap_or_default().into_iter().map(row_fault));
                counts.add(RowOutcome::Failed, 1);
                kept.push(Logged::failed(line(&row), cells, &faults)?);
            }
        }
    }
    stage(&tx, run, &staged).await?;
    counts.stale = keep(&tx, work.job, kept).await?;
    job::advance(&tx, work.job, counts, Some(cursor)).await?;
    tx.commit().await
}

/// Publishes the receipt and links, in one transaction. A complete list with failed rows is not complete: it is refused.
pub(super) async fn finish(work: &Work<'_>) -> Result<()> {
    let tx = work.services.db.write(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let run = receipt(work, &tx, &integration).await?;
    let job = job::reload(&tx, work.job).await?;
    let failed = job.failed_rows;
    let dry = Task::of(work.job) == Task::Plan;
    if failed > 0 && !dry {
        let fault = if work.job.is_complete {
            Fault::new(
                ErrorCode::RowsFailed,
                format!(
                    "{failed} rows failed, so the list is not complete, and nothing was changed: CRM users that it leaves \
                     out would become inactive. Mend the rows, or import without isComplete."
                ),
            )
        } else {
            job::rejected(failed)
        };
        if work.job.is_complete || work.job.error_policy == ImportErrorPolicy::RejectFile {
            return refuse(work, tx, run, &fault, failed).await;
        }
    }
    let columns = work.layout.kind().table().columns.len();
    let absent: Vec<usize> = (0..columns).filter(|column| work.layout.place(*column).is_none()).collect();
    let options = Options {
        is_complete: work.job.is_complete,
        absent: &absent,
        import: Some(work.job),
        dry,
        actor: Some(work.job.created_by),
        ..Options::default()
    };
    let (published, halted) = publish(&tx, &integration, run, options).await?;
    let mut stale = Stale { rows: job.stale_rows, first: job.stale_line };
    stale.join(published.stale);
    if let Some(fault) = stale.fault() {
        // What was carried out is taken back with the transaction.
        drop(tx);
        let tx = work.services.db.write(work.job.organization_id).await?;
        return refuse(work, tx, run, &fault, 0).await;
    }
    if halted.is_some() {
        sync_run::publish::clear(&tx, run).await?;
    }
    if dry {
        forget(&tx, work.job, run).await?;
    } else {
        let status = if halted.is_some() { SyncStatus::Halted } else { SyncStatus::Completed };
        sync_run::close(&tx, run, status, &published, halted.as_ref().map(|fault| fault.message.clone())).await?;
    }
    let mut counts = Counts::default();
    if halted.is_none() {
        counts.add(RowOutcome::Created, published.created);
        counts.add(RowOutcome::Updated, published.updated);
        counts.add(RowOutcome::Unchanged, published.unchanged);
    }
    job::advance(&tx, work.job, counts, None).await?;
    job::finish(&tx, work.job, halted.as_ref()).await?;
    tx.commit().await
}

/// Ends an import that changed nothing.
async fn refuse(work: &Work<'_>, tx: Tx, run: SyncRunId, fault: &Fault, failed: i64) -> Result<()> {
    sync_run::publish::clear(&tx, run).await?;
    sync_run::close(&tx, run, SyncStatus::Failed, &Published::default(), Some(fault.message.clone())).await?;
    job::refuse(&tx, work.job, fault, failed).await?;
    tx.commit().await
}

/// A plan receives nothing: the receipt that its rows were staged in is not kept.
async fn forget(tx: &Tx, job: &import_job::Model, run: SyncRunId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET sync_run_id = NULL WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("id", job.id);
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("DELETE FROM sync_run WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
    sql.equals("id", run);
    tx.execute(sql).await?;
    Ok(())
}

/// Undoes an import, in one transaction.
pub(super) async fn revert(services: &Services, job: &import_job::Model) -> Result<()> {
    let (Some(integration), Some(run)) = (job.integration_id, job.sync_run_id) else {
        return Err(Error::internal("an import of CRM users that changed something has no receipt"));
    };
    let tx = services.db.write(job.organization_id).await?;
    let fault = RowFault::new(ErrorCode::WrongState, "The CRM user has changed since, and was left as it is.");
    // Those that another receipt has changed since are known by what this one kept of them.
    let mut sql = tx.sql();
    sql.push("UPDATE import_row SET ").equals("revert_error", serde_json::to_string(&fault)?).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("import_job_id", job.id);
    sql.push(" AND outcome = 'UPDATED' AND line NOT IN (SELECT import_line FROM crm_user WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("integration_id", integration);
    sql.push(" AND ").equals("sync_run_id", run).push(" AND import_line IS NOT NULL)");
    tx.execute(sql).await?;
    let done = undo(&tx, integration, run, job.id, job.created_by).await?;
    let rows: Vec<LeftAlone> = done
        .left_alone
        .iter()
        .map(|line| LeftAlone { line: *line, outcome: RowOutcome::Created, fault: fault.clone() })
        .collect();
    revert::keep(&tx, job, &rows).await?;
    let left_alone = job.created_rows + job.updated_rows - done.restored;
    job::reverted(&tx, job, done.restored, left_alone, "null").await?;
    job::finish(&tx, job, None).await?;
    tx.commit().await
}
