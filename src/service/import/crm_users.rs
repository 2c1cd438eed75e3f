//! Rows of a CRM users file (`contract/csv.md`, "CRM users"): staged chunk by chunk, published in one step as a receipt,
//! and linked exactly as after a sync.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime};
use entity::{SyncStatus, SyncTrigger, import_job, integration as entities};
use sea_orm::EntityTrait;

use super::{
    job::{self, Counts},
    rows::{Logged, log},
    users::line,
    worker::{Work, cells},
};
use crate::service::{
    clock::Time,
    crm_user::{Incoming, incoming::normalize},
    csv::{Position, Row, RowFault, crm_users as column},
    db::Tx,
    error::{Error, ErrorCode, Fault, Result, Step},
    integration::{self, IntegrationRef},
    sync_run::{
        self,
        publish::{Published, Staged, publish, stage},
    },
    value::external_id::{self, IdKind},
};

/// The normalised key of a row: a Salesforce id of 15 characters and the same of 18 are one.
pub(super) fn key(row: &Row, ids: IdKind) -> Option<String> {
    external_id::parse(ids, row.get(column::EXTERNAL_ID)?).ok()
}

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
async fn receipt(work: &Work<'_>, tx: &Tx, integration: &entities::Model) -> Result<entity::SyncRunId> {
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

/// Stages a chunk of rows, in one transaction.
pub(super) async fn chunk(work: &mut Work<'_>, rows: Vec<Row>, cursor: Position) -> Result<()> {
    let tx = work.services.db.write(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let run = receipt(work, &tx, &integration).await?;
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    let mut staged = Vec::new();
    for row in &rows {
        if row.skipped {
            counts.skipped += 1;
            continue;
        }
        let (incoming, mut faults) = parse(row);
        let normalized =
            if row.cells.iter().all(Option::is_none) { Err(Vec::new()) } else { normalize(&integration, &incoming) };
        if let Some(first) = work.first_of_key(row)? {
            let message = format!("Line {first} has the same id. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "external_id", message));
        }
        match normalized {
            Ok(crm_user) if faults.is_empty() => {
                staged.push(Staged { line: line(row), crm_user, cells: Some(cells(row)?) });
            }
            normalized => {
                faults.extend(normalized.err().unwrap_or_default().into_iter().map(row_fault));
                failed.push(Logged::failed(line(row), cells(row)?, &faults)?);
            }
        }
    }
    counts.failed = i64::try_from(failed.len()).unwrap_or(i64::MAX);
    counts.processed = counts.skipped + counts.failed;
    stage(&tx, run, &staged).await?;
    log(&tx, work.job.id, &failed).await?;
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
    let job = import_job::Entity::find_by_id((tx.organization_id, work.job.id)).one(tx.connection()).await?;
    let failed = job.map_or(0, |job| job.failed_rows);
    if work.job.is_complete && failed > 0 {
        let fault = Fault::new(
            ErrorCode::RowsFailed,
            format!(
                "{failed} rows failed, so the list is not complete, and nothing was changed: CRM users that it leaves \
                 out would become inactive. Mend the rows, or import without isComplete."
            ),
        );
        sync_run::publish::clear(&tx, run).await?;
        let none = Published::default();
        sync_run::close(&tx, run, SyncStatus::Failed, &none, Some(fault.message.clone())).await?;
        job::finish(&tx, work.job, Some(&fault)).await?;
        return tx.commit().await;
    }
    let columns = work.layout.kind().table().columns.len();
    let absent: Vec<usize> = (0..columns).filter(|column| work.layout.place(*column).is_none()).collect();
    let (published, halted) = publish(&tx, &integration, run, work.job.is_complete, &absent, Some(work.job.id)).await?;
    let status = if halted.is_some() { SyncStatus::Halted } else { SyncStatus::Completed };
    sync_run::close(&tx, run, status, &published, halted.as_ref().map(|fault| fault.message.clone())).await?;
    let counts = Counts {
        processed: if halted.is_some() { 0 } else { published.received },
        created: published.created,
        updated: published.updated,
        unchanged: published.unchanged,
        ..Counts::default()
    };
    job::advance(&tx, work.job, counts, None).await?;
    job::finish(&tx, work.job, halted.as_ref()).await?;
    tx.commit().await
}
