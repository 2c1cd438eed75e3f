//! Undoing a receipt: what it changed is as before, what it made is gone, in one step. What has changed since is left
//! alone.

use std::collections::HashMap;

use entity::{CrmUserId, Email, ExternalId, ImportJobId, IntegrationId, MappingSource, SyncRunId, UserId, crm_user};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::service::{
    clock::Time,
    db::{Rows, Tx, sql::Kind},
    error::Result,
    linking::{self, Touched},
    user::apply::FieldChange,
    words::{self, Changed, Words},
};

/// CRM users are looked at in pieces of this size.
const CHUNK: i64 = 5_000;

/// What undoing did.
#[derive(Debug, Default)]
pub struct Undone {
    /// Rows that were undone.
    pub restored: i64,
    /// The lines of those that were left alone, as far as they are known.
    pub left_alone: Vec<i64>,
}

/// A mapping of a CRM user.
#[derive(FromQueryResult)]
struct Held {
    crm_user_id: CrmUserId,
    is_live: bool,
    source: MappingSource,
}

/// How a CRM user that the receipt made is mapped.
#[derive(Debug, Clone, Copy, Default)]
struct Mapped {
    by_hand: bool,
    ever: bool,
}

#[derive(FromQueryResult)]
struct Row {
    line: i64,
    changes: String,
}

/// Undoes the receipt `run`, the import `job` of which kept what it changed.
pub async fn undo(
    tx: &Tx,
    integration: IntegrationId,
    run: SyncRunId,
    job: ImportJobId,
    actor: UserId,
) -> Result<Undone> {
    let mut done = Undone::default();
    let mut touched = Touched::default();
    let mut after = Uuid::nil();
    loop {
        let found = load(tx, integration, run, after).await?;
        let Some(last) = found.last() else { break };
        after = last.id.0;
        undo_chunk(tx, integration, job, actor, found, &mut done, &mut touched).await?;
    }
    linking::run(tx, Some(integration), &touched, None).await?;
    Ok(done)
}

/// The CRM users that the receipt was the last to change.
async fn load(tx: &Tx, integration: IntegrationId, run: SyncRunId, after: Uuid) -> Result<Vec<crm_user::Model>> {
    let mut sql = tx.sql();
    sql.push("SELECT c.* FROM crm_user c WHERE ").equals("c.organization_id", tx.organization_id);
    sql.push(" AND ").equals("c.integration_id", integration).push(" AND ").equals("c.sync_run_id", run);
    sql.push(" AND c.id > ").bind(after).push(" ORDER BY c.id LIMIT ").bind(CHUNK);
    Ok(sql.all(tx.connection()).await?)
}

async fn undo_chunk(
    tx: &Tx,
    integration: IntegrationId,
    job: ImportJobId,
    actor: UserId,
    found: Vec<crm_user::Model>,
    done: &mut Undone,
    touched: &mut Touched,
) -> Result<()> {
    let kept = kept(tx, job, &found).await?;
    let mapped = mapped(tx, &found).await?;
    let mut changed = Vec::new();
    let mut words = Vec::new();
    let (mut gone, mut ended) = (Vec::new(), Vec::new());
    for before in found {
        let after = match before.import_line {
            // The list left it out.
            None => crm_user::Model { is_active: true, ..before.clone() },
            Some(line) => match kept.get(&line) {
                Some(changes) => {
                    done.restored += 1;
                    restored(&before, changes)
                }
                None => {
                    let mapped = mapped.get(&before.id).copied().unwrap_or_default();
                    if mapped.by_hand {
                        done.left_alone.push(line);
                        continue;
                    }
                    done.restored += 1;
                    touched.emails.extend(before.email.clone());
                    if !mapped.ever {
                        words.push(Changed { id: before.id.0, before: texts(&before), after: Vec::new() });
                        gone.push(before.id);
                        continue;
                    }
                    ended.push(before.id);
                    // History names it: it stays, as one that its CRM no longer has.
                    crm_user::Model { is_active: false, ..before.clone() }
                }
            },
        };
        touched.emails.extend(before.email.clone());
        touched.crm_users.push(before.id);
        let (texts_before, texts_after) = (texts(&before), texts(&after));
        if texts_before != texts_after {
            words.push(Changed { id: before.id.0, before: texts_before, after: texts_after });
        }
        changed.push(after);
    }
    touched.users.extend(end(tx, &ended, actor).await?);
    update(tx, &changed).await?;
    words::update(tx, Words::CrmUser, Some(integration.0), &words).await?;
    if !gone.is_empty() {
        let mut sql = tx.sql();
        sql.push("DELETE FROM crm_user WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").any_id("id", &gone);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// The CRM user with what it was before.
fn restored(now: &crm_user::Model, changes: &[FieldChange]) -> crm_user::Model {
    let mut before = now.clone();
    for FieldChange { field, before: value, .. } in changes {
        let value = value.clone();
        match field.as_str() {
            "email" => before.email = value.map(Email),
            "name" => before.name = value,
            "username" => before.username = value,
            "title" => before.title = value,
            "team" => before.team = value,
            "isActive" => before.is_active = value.as_deref() == Some("true"),
            "createdAt" => before.crm_created_at = value.and_then(|time| time.parse::<Time>().ok()),
            _ => {}
        }
    }
    before
}

/// What the rows of these CRM users changed, by line.
async fn kept(tx: &Tx, job: ImportJobId, found: &[crm_user::Model]) -> Result<HashMap<i64, Vec<FieldChange>>> {
    let mut lines = Rows::new(&[("line", Kind::Int)]);
    found.iter().filter_map(|row| row.import_line).for_each(|line| lines.add(&[&line]));
    let mut sql = tx.sql();
    sql.push("SELECT line, changes FROM import_row WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("import_job_id", job).push(" AND outcome = 'UPDATED' AND line IN (SELECT line FROM ");
    sql.rows(lines).push(" AS r)");
    let rows: Vec<Row> = sql.all(tx.connection()).await?;
    rows.into_iter().map(|row| Ok((row.line, serde_json::from_str(&row.changes)?))).collect()
}

async fn mapped(tx: &Tx, found: &[crm_user::Model]) -> Result<HashMap<CrmUserId, Mapped>> {
    let ids: Vec<CrmUserId> = found.iter().map(|row| row.id).collect();
    let mut sql = tx.sql();
    sql.push("SELECT crm_user_id, ended_at IS NULL AS is_live, source FROM mapping WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").any_id("crm_user_id", &ids);
    let mut mapped: HashMap<CrmUserId, Mapped> = HashMap::new();
    for held in sql.all::<Held>(tx.connection()).await? {
        let mapped = mapped.entry(held.crm_user_id).or_default();
        mapped.ever = true;
        mapped.by_hand |= held.is_live && held.source == MappingSource::Manual;
    }
    Ok(mapped)
}

/// Ends the mappings of CRM users; the users who had them.
async fn end(tx: &Tx, crm_users: &[CrmUserId], actor: UserId) -> Result<Vec<UserId>> {
    if crm_users.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET end_reason = 'REVERTED', ").equals("ended_at", tx.now).push(", ");
    sql.equals("ended_by", actor).push(" WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ended_at IS NULL AND ").any_id("crm_user_id", crm_users).push(" RETURNING user_id");
    Ok(sql.map(tx.connection(), |row| row.try_get("", "user_id")).await?)
}

async fn update(tx: &Tx, changed: &[crm_user::Model]) -> Result<()> {
    const COLUMNS: &[(&str, Kind)] = &[
        ("id", Kind::Uuid),
        ("email", Kind::Text),
        ("name", Kind::Text),
        ("username", Kind::Text),
        ("title", Kind::Text),
        ("team", Kind::Text),
        ("is_active", Kind::Bool),
        ("crm_created_at", Kind::Time),
    ];
    if changed.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(COLUMNS);
    for row in changed {
        rows.add(&[
            &row.id,
            &row.email,
            &row.name,
            &row.username,
            &row.title,
            &row.team,
            &row.is_active,
            &row.crm_created_at,
        ]);
    }
    let mut sql = tx.sql();
    // The receipt is no longer what it says.
    sql.push("UPDATE crm_user SET sync_run_id = NULL, import_line = NULL");
    for (name, _) in COLUMNS.iter().skip(1) {
        sql.push(", ").push(name).push(" = r.").push(name);
    }
    sql.push(" FROM ").rows(rows).push(" AS r WHERE ").equals("crm_user.organization_id", tx.organization_id);
    sql.push(" AND crm_user.id = r.id");
    tx.execute(sql).await?;
    Ok(())
}

/// The texts that a search finds a CRM user by.
fn texts(row: &crm_user::Model) -> Vec<String> {
    let ExternalId(external_id) = &row.external_id;
    let email = row.email.as_ref().map(|email| email.0.clone());
    std::iter::once(external_id.clone())
        .chain([email, row.name.clone(), row.username.clone()].into_iter().flatten())
        .collect()
}
