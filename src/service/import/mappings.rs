//! Rows of a mappings file (`contract/csv.md`, "Mappings"): resolved chunk by chunk, then carried out in one step, since
//! what one row frees another may use, wherever in the file it stands.

use entity::{MappingId, MappingOperation, RowOutcome, integration as entities};

use super::{
    job::{self, Counts},
    rows::{Logged, log},
    users::line,
    worker::{Work, cells},
};
use crate::service::{
    crm_user::locate as crm_users,
    csv::{Position, Row, RowFault, mappings as column},
    db::{Rows, Tx, sql::Kind},
    error::{Error, ErrorCode, Fault, Result, Step},
    integration::{self, IntegrationRef},
    mapping::{
        carry_out::Author,
        change,
        publish::{self, Stage},
    },
    user::{UserRef, locate as users},
    value::email,
};

/// The normalised key of a row.
pub(super) fn key(row: &Row) -> Option<String> {
    row.get(column::EMAIL).and_then(|text| email::parse(text).ok())
}

fn row_fault(fault: Fault) -> RowFault {
    match fault.path.first() {
        Some(Step::Name(column)) => RowFault::at(fault.code, *column, fault.message),
        _ => RowFault::new(fault.code, fault.message),
    }
}

async fn integration(work: &Work<'_>, tx: &Tx) -> Result<entities::Model> {
    let id = work.job.integration_id.ok_or_else(|| Error::internal("an import of mappings without an integration"))?;
    integration::locate(tx.connection(), tx.organization_id, &IntegrationRef::Id(id), "integration").await
}

fn operation(row: &Row, faults: &mut Vec<RowFault>) -> Option<MappingOperation> {
    let text = row.get(column::OPERATION).unwrap_or_default();
    match text.to_lowercase().as_str() {
        "add" => Some(MappingOperation::Add),
        "replace" => Some(MappingOperation::Replace),
        "remove" => Some(MappingOperation::Remove),
        "" => None,
        _ => {
            let message = format!("{text:?} is not an operation. Write add, replace or remove.");
            faults.push(RowFault::at(ErrorCode::InvalidOperation, "operation", message));
            None
        }
    }
}

/// Resolves a chunk of rows into the stage, in one transaction.
pub(super) async fn chunk(work: &mut Work<'_>, rows: Vec<Row>, cursor: Position) -> Result<()> {
    let tx = work.services.db.write(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let rows_in: Vec<&Row> = rows.iter().filter(|row| !row.skipped).collect();
    let skipped = i64::try_from(rows.len() - rows_in.len()).unwrap_or(i64::MAX);

    let user_refs: Vec<UserRef> =
        rows_in.iter().map(|row| UserRef::Email(row.get(column::EMAIL).unwrap_or_default().to_owned())).collect();
    let users = users::locate(tx.connection(), tx.organization_id, &user_refs, "email").await?;
    let named: Vec<&str> = rows_in.iter().map(|row| row.get(column::EXTERNAL_ID).unwrap_or_default()).collect();
    let refs: Vec<_> = named.iter().map(|text| crm_users::by_text(text)).collect();
    let targets = crm_users::locate(tx.connection(), &integration, &refs, "external_id").await?;

    let mut staged = Rows::new(&[
        ("line", Kind::Int),
        ("operation", Kind::Text),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("alias_email", Kind::Text),
        ("cells", Kind::Text),
    ]);
    let mut failed = Vec::new();
    for (((row, user), target), named) in rows_in.into_iter().zip(users).zip(targets).zip(named) {
        let mut faults = row.faults.clone();
        let has_cells = row.cells.iter().any(Option::is_some);
        let operation = operation(row, &mut faults);
        let (mut user_id, mut crm_user_id, mut alias_email) = (None, None, None);
        if has_cells {
            match user {
                Ok(user) => user_id = Some(user.id),
                Err(fault) => faults.push(row_fault(fault)),
            }
            match target {
                _ if named.is_empty() && operation == Some(MappingOperation::Remove) => {}
                Ok(target) => crm_user_id = Some(target.id),
                Err(_) if named.is_empty() => faults.push(RowFault::at(
                    ErrorCode::Required,
                    "external_id",
                    "The CRM user's id or email is needed; this is empty.",
                )),
                Err(fault) => faults.push(row_fault(fault)),
            }
            match change::alias(row.get(column::ALIAS_EMAIL), "alias_email") {
                Ok(alias) => alias_email = alias,
                Err(fault) => faults.push(row_fault(fault)),
            }
        }
        if let Some(first) = work.first_of_key(row)? {
            let message =
                format!("Line {first} has the same email; a file can map a user once. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "email", message));
        }
        match (operation, user_id) {
            (Some(operation), Some(user_id)) if faults.is_empty() => {
                staged.add(&[&line(row), &operation, &user_id, &crm_user_id, &alias_email, &cells(row)?]);
            }
            _ => failed.push(Logged::failed(line(row), cells(row)?, &faults)?),
        }
    }
    let failures = i64::try_from(failed.len()).unwrap_or(i64::MAX);
    let counts = Counts { processed: skipped + failures, skipped, failed: failures, ..Counts::default() };
    if !staged.is_empty() {
        let names = staged.names();
        let mut sql = tx.sql();
        sql.push("INSERT INTO mapping_stage (organization_id, import_job_id, ").push(&names).push(") SELECT ");
        sql.bind(tx.organization_id).push(", ").bind(work.job.id).push(", ").push(&names).push(" FROM ");
        sql.rows(staged).push(" AS r");
        tx.execute(sql).await?;
    }
    log(&tx, work.job.id, &failed).await?;
    job::advance(&tx, work.job, counts, Some(cursor)).await?;
    tx.commit().await
}

/// The integration went while its import waited.
async fn fail(work: &Work<'_>, tx: Tx, faults: Vec<Fault>) -> Result<()> {
    publish::clear(&tx, work.job.id).await?;
    job::finish(&tx, work.job, faults.first()).await?;
    tx.commit().await
}

/// Carries out all that was resolved, in one transaction.
pub(super) async fn finish(work: &Work<'_>) -> Result<()> {
    publish::prepare(&work.services.db, work.job.total_rows).await?;
    let tx = work.services.db.write(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let stage = Stage::new(&tx, &integration, work.job.id);
    stage.settle(work.job.on_existing).await?;
    stage.carry_out(Author { user: work.job.created_by, import_job: Some(work.job.id) }).await?;
    keep(&stage).await?;
    let counts = counts(&stage).await?;
    stage.clear().await?;
    job::advance(&tx, work.job, counts, None).await?;
    job::finish(&tx, work.job, None).await?;
    tx.commit().await
}

async fn counts(stage: &Stage<'_>) -> Result<Counts> {
    let mut counts = Counts::default();
    for (outcome, rows) in stage.counts().await? {
        counts.processed += rows;
        match outcome {
            RowOutcome::Created => counts.created += rows,
            RowOutcome::Updated => counts.updated += rows,
            RowOutcome::Unchanged => counts.unchanged += rows,
            RowOutcome::Deleted => counts.deleted += rows,
            RowOutcome::Skipped => counts.skipped += rows,
            RowOutcome::Failed => counts.failed += rows,
        }
    }
    Ok(counts)
}

/// Keeps the rows that failed, and those that changed or deleted something.
async fn keep(stage: &Stage<'_>) -> Result<()> {
    let mut pages = stage.changed_rows();
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(());
        }
        let kept = page.into_iter().map(|row| logged(row.into())).collect::<Result<Vec<_>>>()?;
        log(stage.tx, stage.job, &kept).await?;
    }
}

/// What takes a row back: the mapping that holds again. What a row made is known by its import and line.
#[derive(serde::Serialize)]
struct Undo {
    mapping: MappingId,
}

fn logged(row: publish::Row) -> Result<Logged> {
    if let Some(fault) = row.fault {
        return Logged::failed(row.line, row.cells, &[row_fault(fault)]);
    }
    let logged = Logged::changed(row.line, row.outcome, row.cells, &row.changes)?;
    Ok(match row.ends {
        Some(mapping) => logged.with_undo(serde_json::to_string(&Undo { mapping })?),
        None => logged,
    })
}
