//! Rows of a mappings file (`contract/csv.md`, "Mappings"): resolved chunk by chunk, then carried out in one step, since
//! what one row frees another may use, wherever in the file it stands.

use entity::{ImportErrorPolicy, MappingId, MappingOperation, RowOutcome, import_job, integration as entities};

use super::{
    job::{self, Counts, Stale, Task},
    revert::{self, LeftAlone},
    rows::{Keeping, Logged, keep},
    users::line,
    worker::{AskedRow, Work, cells},
};
use crate::service::{
    Services,
    beside::Beside,
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
};

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

/// A row of a file of mappings.
pub(super) struct Asked {
    row: Row,
    cells: String,
    operation: Option<MappingOperation>,
    faults: Vec<RowFault>,
    /// The line of an earlier row with the same key.
    first: Option<u64>,
}

impl AskedRow for Asked {
    fn read(row: Row, first: Option<u64>) -> serde_json::Result<Self> {
        let mut faults = row.faults.clone();
        let operation = operation(&row, &mut faults);
        Ok(Self { cells: cells(&row)?, row, operation, faults, first })
    }

    async fn take(work: &mut Work<'_>, rows: Vec<Self>, cursor: Position) -> Result<()> {
        chunk(work, rows, cursor).await
    }
}

/// Resolves a chunk of rows into the stage, in one transaction.
async fn chunk(work: &Work<'_>, rows: Vec<Asked>, cursor: Position) -> Result<()> {
    let tx = work.services.db.write_chunk(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let mut counts = Counts::default();
    let mut kept = Vec::new();
    let mut asked: Vec<Asked> = Vec::new();
    for row in rows {
        if row.row.skipped {
            counts.add(RowOutcome::Skipped, 1);
            kept.push(Logged::plain(line(&row.row), RowOutcome::Skipped, row.cells));
        } else {
            asked.push(row);
        }
    }

    let email = |asked: &Asked| asked.row.get(column::EMAIL).unwrap_or_default().to_owned();
    let user_refs: Vec<UserRef> = asked.iter().map(|asked| UserRef::Email(email(asked))).collect();
    let users = users::locate(tx.connection(), tx.organization_id, &user_refs, "email").await?;
    let named = |asked: &Asked| asked.row.get(column::EXTERNAL_ID).unwrap_or_default().to_owned();
    let refs: Vec<_> = asked.iter().map(|asked| crm_users::by_text(&named(asked))).collect();
    let targets = crm_users::locate(tx.connection(), &integration, &refs, "external_id").await?;

    let mut staged = Rows::new(&[
        ("line", Kind::Int),
        ("operation", Kind::Text),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("alias_email", Kind::Text),
    ]);
    let mut beside = Rows::new(&[("line", Kind::Int), ("cells", Kind::Text)]);
    for ((Asked { row, cells, operation, mut faults, first }, user), target) in
        asked.into_iter().zip(users).zip(targets)
    {
        let named = row.get(column::EXTERNAL_ID).unwrap_or_default();
        let has_cells = row.has_cells();
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
        if let Some(first) = first {
            let message =
                format!("Line {first} has the same email; a file can map a user once. This row was left out.");
            faults.push(RowFault::at(ErrorCode::DuplicateInFile, "email", message));
        }
        match (operation, user_id) {
            (Some(operation), Some(user_id)) if faults.is_empty() => {
                staged.add(&[&line(&row), &operation, &user_id, &crm_user_id, &alias_email]);
                beside.add(&[&line(&row), &cells]);
            }
            _ => {
                counts.add(RowOutcome::Failed, 1);
                kept.push(Logged::failed(line(&row), cells, &faults)?);
            }
        }
    }
    for (table, rows) in [("mapping_stage", staged), ("mapping_stage_cells", beside)] {
        if !rows.is_empty() {
            let names = rows.names();
            let mut sql = tx.sql();
            sql.push("INSERT INTO ").push(table).push(" (organization_id, import_job_id, ").push(&names);
            sql.push(") SELECT ").bind(tx.organization_id).push(", ").bind(work.job.id).push(", ").push(&names);
            sql.push(" FROM ").rows(rows).push(" AS r");
            tx.execute(sql).await?;
        }
    }
    counts.stale = keep(&tx, work.job, kept).await?;
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
    let job = job::reload(&tx, work.job).await?;
    let task = Task::of(&job);
    let mut stage = Stage::new(&tx, &integration, job.id);
    stage.keeps_aliases = work.layout.place(column::ALIAS_EMAIL).is_none();
    stage.settle(job.on_existing).await?;
    let mut counts = counts(&stage).await?;
    let failed = job.failed_rows + counts.failed;
    let rejected = task != Task::Plan && job.error_policy == ImportErrorPolicy::RejectFile && failed > 0;
    counts.stale = keep_rows(&stage, &job, rejected).await?;
    let mut stale = Stale { rows: job.stale_rows, first: job.stale_line };
    stale.join(counts.stale);
    let fault = stale.fault().map(|fault| (fault, 0)).or_else(|| rejected.then(|| (job::rejected(failed), failed)));
    if let Some((fault, failed)) = fault {
        stage.clear().await?;
        job::refuse(&tx, &job, &fault, failed).await?;
        return tx.commit().await;
    }
    if task != Task::Plan {
        let author = Author { user: job.created_by, import_job: Some(job.id) };
        stage.carry_out(author, counts.created + counts.updated).await?;
    }
    stage.clear().await?;
    // The row of the job is touched last, so that an import can be canceled until here.
    job::advance(&tx, &job, counts, None).await?;
    job::finish(&tx, &job, None).await?;
    tx.commit().await
}

async fn counts(stage: &Stage<'_>) -> Result<Counts> {
    let mut counts = Counts::default();
    for (outcome, rows) in stage.counts().await? {
        counts.add(outcome, rows);
    }
    Ok(counts)
}

/// Keeps of the staged rows what the task wants kept; of a file that is rejected, those that failed.
async fn keep_rows(stage: &Stage<'_>, job: &import_job::Model, rejected: bool) -> Result<Stale> {
    let task = Task::of(job);
    let mut stale = Stale::default();
    let mut pages = if task == Task::Apply { stage.changed_rows() } else { stage.all_rows() };
    let mut page = pages.next().await?;
    while !page.is_empty() {
        // The database reads the next ones meanwhile.
        let keeping = Beside::start(move || {
            let mut kept = page.into_iter().map(|row| logged(row.into())).collect::<Result<Vec<_>>>()?;
            if rejected && task == Task::Apply {
                kept.retain(|row| row.outcome == RowOutcome::Failed);
            }
            Ok::<_, Error>(Keeping::new(task, kept))
        });
        page = pages.next().await?;
        stale.join(keeping.done().await??.keep(stage.tx, job.id).await?);
    }
    Ok(stale)
}

/// What takes a row back: the mapping that holds again. What a row made is known by its import and line.
#[derive(serde::Serialize, serde::Deserialize)]
struct Undo {
    mapping: MappingId,
}

fn logged(row: publish::Row) -> Result<Logged> {
    if let Some(fault) = row.fault {
        return Logged::failed(row.line, row.cells, &[row_fault(fault)]);
    }
    let logged = Logged::changed(row.line, row.outcome, row.cells, &row.changes)?;
    let undo = row.ends.map(|mapping| serde_json::to_string(&Undo { mapping })).transpose()?;
    Ok(logged.with_undo(undo))
}

/// Undoes an import, in one transaction: what it mapped is mapped as before, what it removed holds again, as far as all
/// that is free. Its inverse is staged and carried out as a file is.
pub(super) async fn revert(services: &Services, job: &import_job::Model) -> Result<()> {
    let id = job.integration_id.ok_or_else(|| Error::internal("an import of mappings without an integration"))?;
    let tx = services.db.write(job.organization_id).await?;
    let found = integration::locate(tx.connection(), tx.organization_id, &IntegrationRef::Id(id), "integration").await;
    let integration = match found {
        Err(Error::Faults(faults)) => {
            job::finish(&tx, job, faults.first()).await?;
            return tx.commit().await;
        }
        found => found?,
    };
    let mut stage = Stage::new(&tx, &integration, job.id);
    stage.reverts = true;
    stage.clear().await?;
    let mut left_alone = stage.fill_with_inverse(revert::first_id(job)).await?;
    let mut after = i64::MIN;
    loop {
        let removed = removed(&tx, job, after).await?;
        let Some((last, _)) = removed.last() else { break };
        after = *last;
        stage.fill_with_ended(&removed).await?;
    }
    stage.settle(entity::OnExistingMapping::Error).await?;
    let since = RowFault::new(ErrorCode::WrongState, "The mapping has changed since, and was left as it is.");
    for lines in left_alone.chunks_mut(publish::PAGE) {
        let rows =
            lines.iter().map(|line| LeftAlone { line: *line, outcome: RowOutcome::Created, fault: since.clone() });
        revert::keep(&tx, job, &rows.collect::<Vec<_>>()).await?;
    }
    let mut alone = i64::try_from(left_alone.len()).unwrap_or(i64::MAX);
    let mut pages = stage.all_rows();
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        let rows: Vec<publish::Row> = page.into_iter().map(Into::into).collect();
        let failed = rows.into_iter().filter_map(|row| {
            let fault = row_fault(row.fault?);
            Some(LeftAlone { line: row.line, outcome: RowOutcome::Created, fault })
        });
        let failed: Vec<LeftAlone> = failed.collect();
        alone += i64::try_from(failed.len()).unwrap_or(i64::MAX);
        revert::keep(&tx, job, &failed).await?;
    }
    let counts = counts(&stage).await?;
    let author = Author { user: job.created_by, import_job: None };
    stage.carry_out(author, counts.created + counts.updated).await?;
    stage.clear().await?;
    job::reverted(&tx, job, counts.processed - counts.failed, alone, "null").await?;
    job::finish(&tx, job, None).await?;
    tx.commit().await
}

/// The mappings that rows of the import removed, by line.
async fn removed(tx: &Tx, job: &import_job::Model, after: i64) -> Result<Vec<(i64, MappingId)>> {
    let mut sql = tx.sql();
    sql.push("SELECT line, undo FROM import_row WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("import_job_id", job.id).push(" AND outcome = 'DELETED' AND undo IS NOT NULL AND line > ");
    sql.bind(after).push(" ORDER BY line LIMIT ").bind(i64::try_from(publish::PAGE).unwrap_or(i64::MAX));
    let rows: Vec<(i64, String)> =
        sql.map(tx.connection(), |row| Ok((row.try_get("", "line")?, row.try_get("", "undo")?))).await?;
    rows.into_iter().map(|(line, undo)| Ok((line, serde_json::from_str::<Undo>(&undo)?.mapping))).collect()
}
