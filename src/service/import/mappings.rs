//! Rows of a mappings file (`contract/csv.md`, "Mappings"): resolved chunk by chunk, then carried out in one step, since
//! what one row frees another may use, wherever in the file it stands.

use std::collections::HashMap;

use entity::{
    CrmUserId, Email, MappingOperation, MappingSource, OnExistingMapping, RowOutcome, UserId, integration as entities,
};
use sea_orm::FromQueryResult;

use super::{
    job::{self, Counts},
    rows::{Logged, keep as keep_rows},
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
        carry_out::{Author, Change, Done, Wanted, carry_out},
        change,
    },
    user::{UserRef, apply::FieldChange, locate as users},
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
    keep_rows(&tx, work.job, &failed).await?;
    job::advance(&tx, work.job, counts, Some(cursor)).await?;
    tx.commit().await
}

/// The integration went while its import waited.
async fn fail(work: &Work<'_>, tx: Tx, faults: Vec<Fault>) -> Result<()> {
    clear(work, &tx).await?;
    job::finish(&tx, work.job, faults.first()).await?;
    tx.commit().await
}

#[derive(FromQueryResult)]
struct Staged {
    line: i64,
    operation: MappingOperation,
    user_id: UserId,
    crm_user_id: Option<CrmUserId>,
    alias_email: Option<Email>,
    is_gone: bool,
}

/// Carries out all that was resolved, in one transaction.
pub(super) async fn finish(work: &Work<'_>) -> Result<()> {
    let tx = work.services.db.write(work.job.organization_id).await?;
    let integration = match integration(work, &tx).await {
        Err(Error::Faults(faults)) => return fail(work, tx, faults).await,
        found => found?,
    };
    let mut sql = tx.sql();
    sql.push("SELECT s.line, s.operation, s.user_id, s.crm_user_id, s.alias_email, ");
    sql.push("u.deleted_at IS NOT NULL AS is_gone FROM mapping_stage s JOIN app_user u ");
    sql.push("ON u.organization_id = s.organization_id AND u.id = s.user_id WHERE ");
    sql.equals("s.organization_id", tx.organization_id).push(" AND ").equals("s.import_job_id", work.job.id);
    sql.push(" ORDER BY s.line");
    let staged: Vec<Staged> = sql.all(tx.connection()).await?;
    let (gone, staged): (Vec<Staged>, Vec<Staged>) = staged.into_iter().partition(|row| row.is_gone);
    let wanted: Vec<Wanted> = staged
        .iter()
        .map(|row| Wanted {
            user: row.user_id,
            target: row.crm_user_id,
            alias_email: row.alias_email.clone(),
            on_existing: match row.operation {
                MappingOperation::Add => Some(work.job.on_existing),
                MappingOperation::Replace => Some(OnExistingMapping::Replace),
                MappingOperation::Remove => None,
            },
        })
        .collect();
    let author = Author { user: work.job.created_by, import_job: Some(work.job.id) };
    let done = carry_out(&tx, &integration, &wanted, author).await?;

    let processed = i64::try_from(gone.len() + staged.len()).unwrap_or(i64::MAX);
    let mut counts = Counts { processed, ..Counts::default() };
    let mut kept: Vec<Kept> = Vec::new();
    for row in gone {
        let message = "The user was deleted while the import ran.";
        kept.push(Kept::Failed(row.line, RowFault::at(ErrorCode::UserNotFound, "email", message)));
        counts.failed += 1;
    }
    for ((row, wanted), done) in staged.iter().zip(&wanted).zip(done) {
        match done {
            Err(fault) => {
                counts.failed += 1;
                kept.push(Kept::Failed(row.line, row_fault(fault)));
            }
            Ok(done) => match done.change {
                Change::Created => counts.created += 1,
                Change::Unchanged => counts.unchanged += 1,
                Change::Replaced => {
                    counts.updated += 1;
                    kept.push(Kept::Changed(row.line, RowOutcome::Updated, done, wanted.clone()));
                }
                Change::Removed => {
                    counts.deleted += 1;
                    let nothing = Wanted { target: None, alias_email: None, ..wanted.clone() };
                    kept.push(Kept::Changed(row.line, RowOutcome::Deleted, done, nothing));
                }
            },
        }
    }
    keep(work, &tx, &kept).await?;
    clear(work, &tx).await?;
    job::advance(&tx, work.job, counts, None).await?;
    job::finish(&tx, work.job, None).await?;
    tx.commit().await
}

/// What is to be kept of a staged row; a changed one with what it is to be.
enum Kept {
    Failed(i64, RowFault),
    Changed(i64, RowOutcome, Done, Wanted),
}

impl Kept {
    fn line(&self) -> i64 {
        match self {
            Self::Failed(line, _) | Self::Changed(line, ..) => *line,
        }
    }

    /// The CRM users before and after.
    fn crm_users(&self) -> impl Iterator<Item = CrmUserId> {
        let (before, after) = match self {
            Self::Failed(..) => (None, None),
            Self::Changed(_, _, done, wanted) => (done.before.as_ref().map(|before| before.crm_user), wanted.target),
        };
        before.into_iter().chain(after)
    }
}

/// Keeps rows with their cells, which the stage has: three statements for a chunk.
async fn keep(work: &Work<'_>, tx: &Tx, kept: &[Kept]) -> Result<()> {
    for kept in kept.chunks(2_000) {
        let mut lines = Rows::new(&[("line", Kind::Int)]);
        kept.iter().for_each(|kept| lines.add(&[&kept.line()]));
        let mut sql = tx.sql();
        sql.push("SELECT line, cells FROM mapping_stage WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").equals("import_job_id", work.job.id).push(" AND line IN (SELECT line FROM ");
        sql.rows(lines).push(" AS r)");
        let cells: HashMap<i64, String> = sql
            .map(tx.connection(), |row| Ok((row.try_get("", "line")?, row.try_get("", "cells")?)))
            .await?
            .into_iter()
            .collect();
        let ids: Vec<CrmUserId> = kept.iter().flat_map(Kept::crm_users).collect();
        let mut sql = tx.sql();
        sql.push("SELECT id, external_id FROM crm_user WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").any_id("id", &ids);
        let names: HashMap<CrmUserId, String> = sql
            .map(tx.connection(), |row| Ok((row.try_get("", "id")?, row.try_get("", "external_id")?)))
            .await?
            .into_iter()
            .collect();
        let logged = kept
            .iter()
            .map(|kept| {
                let cells = cells.get(&kept.line()).cloned().unwrap_or_else(|| "[]".into());
                match kept {
                    Kept::Failed(line, fault) => Logged::failed(*line, cells, std::slice::from_ref(fault)),
                    Kept::Changed(line, outcome, done, wanted) => {
                        Logged::changed(*line, *outcome, cells, &differences(done, wanted, &names))
                    }
                }
            })
            .collect::<Result<Vec<_>>>()?;
        keep_rows(tx, work.job, &logged).await?;
    }
    Ok(())
}

fn differences(done: &Done, wanted: &Wanted, names: &HashMap<CrmUserId, String>) -> Vec<FieldChange> {
    let before = done.before.as_ref();
    let source = |source: MappingSource| Some(source.as_str().to_owned());
    let fields = [
        (
            "externalId",
            before.and_then(|before| names.get(&before.crm_user).cloned()),
            wanted.target.and_then(|target| names.get(&target).cloned()),
        ),
        (
            "aliasEmail",
            before.and_then(|before| before.alias_email.clone()),
            wanted.alias_email.as_ref().map(|alias| alias.0.clone()),
        ),
        (
            "source",
            before.and_then(|before| source(before.source)),
            wanted.target.and_then(|_| source(MappingSource::Manual)),
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| FieldChange { field: field.to_owned(), before, after })
        .collect()
}

/// What was staged has been carried out, or will not be.
async fn clear(work: &Work<'_>, tx: &Tx) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM mapping_stage WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("import_job_id", work.job.id);
    tx.execute(sql).await?;
    Ok(())
}
