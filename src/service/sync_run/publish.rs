//! A receipt of CRM users carried out in one step: staged first, in whatever pieces it came, then published and linked.
//! However it was cut and ordered, the outcome is the same.

use std::collections::HashSet;

use chrono::Duration;
use entity::{CrmUserId, ManageMode, RowOutcome, SyncChangeKind, SyncRunId, UserId, import_job, integration};

use super::{
    limit::{live_mappings, lost_targets, missing, over_limit},
    pair::{Pair, Places, load},
    roles,
};
use crate::{
    crm::CrmRole,
    service::{
        crm_user::incoming::Normalized,
        db::{Rows, Tx, sql::Kind},
        error::{Fault, Result},
        import::{
            job::{Stale, Task},
            rows::{Logged, keep},
        },
        linking::{
            self, Touched,
            create::create_users,
            receipt::{Change, Counts, Receipt},
        },
        organization,
        words::{self, Changed, Words},
    },
};

/// When a receipt last named a CRM user is written no more often than this, where nothing else changes.
const SEEN: Duration = Duration::hours(1);

/// A CRM user of a receipt and its place in it.
#[derive(Debug, Clone)]
pub struct Staged {
    /// Its line in the file, or its place in the push; unique in the receipt.
    pub line: i64,
    pub crm_user: Normalized,
    /// The cells as they stand in the file, as a JSON array.
    pub cells: Option<String>,
}

/// What a receipt came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Published {
    pub received: i64,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub counts: Counts,
    /// Rows of a file that differ from its plan.
    pub stale: Stale,
}

/// How a receipt is carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// It lists every CRM user: those it leaves out become inactive.
    pub is_complete: bool,
    /// The columns of `csv::crm_users` that it does not have: those attributes of a CRM user that is there already stay
    /// as they are.
    pub absent: &'a [usize],
    /// The import that it is, which keeps rows.
    pub import: Option<&'a import_job::Model>,
    /// Work out what the rows come to, and change nothing.
    pub dry: bool,
    /// It was pulled: what is staged may stay until somebody has looked at it.
    pub pulled: bool,
    /// The CRM's roles, all of them, where the receipt has any.
    pub roles: Option<&'a [CrmRole]>,
    /// Take back all that was done, but for the list of it.
    pub simulate: bool,
    /// The mass-change limit does not stop it.
    pub accepted: bool,
    /// Who asked for it.
    pub actor: Option<UserId>,
}

/// Adds CRM users to a receipt: one statement. One that has come before is as it now comes; none stands here twice.
pub async fn stage(tx: &Tx, run: SyncRunId, staged: &[Staged]) -> Result<()> {
    if staged.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(&[
        ("line", Kind::Int),
        ("new_id", Kind::Uuid),
        ("external_id", Kind::Text),
        ("email", Kind::Text),
        ("name", Kind::Text),
        ("username", Kind::Text),
        ("title", Kind::Text),
        ("team", Kind::Text),
        ("role_external_id", Kind::Text),
        ("is_active", Kind::Bool),
        ("crm_created_at", Kind::Time),
        ("cells", Kind::Text),
    ]);
    for Staged { line, crm_user, cells } in staged {
        let new_id: CrmUserId = tx.clock.id();
        rows.add(&[
            line,
            &new_id,
            &crm_user.external_id,
            &crm_user.email,
            &crm_user.name,
            &crm_user.username,
            &crm_user.title,
            &crm_user.team,
            &crm_user.role,
            &crm_user.is_active,
            &crm_user.crm_created_at,
            cells,
        ]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO crm_user_stage (organization_id, sync_run_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(run).push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    sql.push(" WHERE true ON CONFLICT (organization_id, sync_run_id, external_id) DO UPDATE SET ");
    for (i, name) in STAGED.iter().enumerate() {
        sql.push(if i == 0 { "" } else { ", " }).push(name).push(" = excluded.").push(name);
    }
    tx.execute(sql).await?;
    Ok(())
}

/// What a staged CRM user may have differently when it comes again.
const STAGED: [&str; 8] =
    ["email", "name", "username", "title", "team", "role_external_id", "is_active", "crm_created_at"];

/// Carries out a receipt that has come in whole, and links whomever it touches; what was staged is gone then.
///
/// The fault is `MASS_CHANGE_LIMIT` (DESIGN.md, linking, rule 6): the receipt was stopped and changed nothing. What was
/// staged is still there then, and after a simulation.
pub async fn publish(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    options: Options<'_>,
) -> Result<(Published, Option<Fault>)> {
    if options.import.is_some() || options.pulled {
        tx.plan_by_index().await?;
    }
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM crm_user_stage WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", run);
    let received = sql.number(tx.connection()).await?;
    let mappings = live_mappings(tx, integration).await?;
    let lost = lost_targets(tx, integration, run, options.is_complete).await?;
    if let Some(fault) = over_limit(integration, &options, (lost, 0), mappings) {
        return Ok((Published { received, ..Published::default() }, Some(fault)));
    }
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM sync_change WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", run);
    let noted = sql.number(tx.connection()).await?;
    let mut receipt = Receipt::behind(run, noted);
    receipt.counts.left_alone = noted;
    tx.savepoint().await?;
    let mut done = Published { received, ..Published::default() };
    let deactivated = carry_out(tx, integration, &mut receipt, options, &mut done).await?;
    done.counts = receipt.counts;
    if options.dry {
        tx.release().await?;
        clear(tx, run).await?;
        return Ok((done, None));
    }
    // A mapping that moves away from a CRM user that has just become inactive is counted once.
    let moved = receipt.left.iter().filter(|left| !deactivated.contains(left)).count();
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    if let Some(fault) = over_limit(integration, &options, (lost, moved), mappings) {
        tx.roll_back().await?;
        return Ok((Published { received, ..Published::default() }, Some(fault)));
    }
    if options.simulate {
        let changes = super::change::spool(tx, run, noted).await?;
        tx.roll_back().await?;
        super::change::unspool(tx, run, noted, changes).await?;
    } else {
        tx.release().await?;
        clear(tx, run).await?;
    }
    Ok((done, None))
}

/// Brings in what is staged, links, makes users, and has teams follow. The CRM users that became inactive.
async fn carry_out(
    tx: &Tx,
    integration: &integration::Model,
    receipt: &mut Receipt,
    options: Options<'_>,
    done: &mut Published,
) -> Result<HashSet<CrmUserId>> {
    let run = receipt.run;
    let mut touched = Touched::default();
    if let Some(roles) = options.roles {
        touched.crm_users.extend(roles::store(tx, integration.id, roles, receipt).await?);
    }
    let places = match options.roles {
        Some(_) => Places::Roles(roles::known_paths(tx, integration.id).await?),
        None => Places::Given,
    };
    let mut deactivated = HashSet::new();
    let mut after = i64::MIN;
    for chunk in 0_u32.. {
        linking::count_grown(tx, chunk, "crm_user").await?;
        let pairs = load(tx, integration, run, after, options.absent, &places).await?;
        let Some(last) = pairs.last() else { break };
        after = last.line;
        for pair in pairs.iter().filter(|pair| pair.is_deactivated()) {
            deactivated.insert(pair.id);
            if !options.dry {
                receipt.note(tx, pair.deactivation()).await?;
            }
        }
        upsert(tx, integration, run, &pairs, done, &mut touched, options).await?;
    }
    if options.dry {
        return Ok(deactivated);
    }
    if options.is_complete {
        for gone in deactivate_missing(tx, integration, run).await? {
            deactivated.insert(gone.id);
            touched.crm_users.push(gone.id);
            let change = Change {
                crm_user: Some(gone.id),
                email: gone.email,
                external_id: Some(gone.external_id.0),
                detail: Some("The CRM's list no longer has it.".to_owned()),
                ..Change::of(SyncChangeKind::Deactivated)
            };
            receipt.note(tx, change).await?;
        }
    }
    let is_followed = integration.manages_users && organization::manage_mode(tx).await? == ManageMode::Auto;
    if is_followed && options.roles.is_some() {
        roles::teams_follow(tx, integration.id).await?;
    }
    linking::run(tx, Some(integration.id), &touched, Some(receipt)).await?;
    if integration.inbound_create {
        create_users(tx, integration, &touched.crm_users, options.actor, receipt).await?;
    }
    receipt.flush(tx).await?;
    Ok(deactivated)
}

#[derive(sea_orm::FromQueryResult)]
struct Gone {
    id: CrmUserId,
    external_id: entity::ExternalId,
    email: Option<entity::Email>,
}

/// Makes the active CRM users inactive that a complete receipt does not have.
async fn deactivate_missing(tx: &Tx, integration: &integration::Model, run: SyncRunId) -> Result<Vec<Gone>> {
    let mut sql = tx.sql();
    sql.push("UPDATE crm_user SET import_line = NULL, ").equals("sync_run_id", run).push(", ");
    sql.equals("is_active", false);
    missing(sql.push(" WHERE "), "crm_user", tx, integration, run);
    sql.push(" RETURNING id, external_id, email");
    Ok(sql.all(tx.connection()).await?)
}

const CRM_USER: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("external_id", Kind::Text),
    ("email", Kind::Text),
    ("name", Kind::Text),
    ("username", Kind::Text),
    ("title", Kind::Text),
    ("team", Kind::Text),
    ("role_external_id", Kind::Text),
    ("is_active", Kind::Bool),
    ("crm_created_at", Kind::Time),
    ("import_line", Kind::Int),
];

async fn upsert(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    pairs: &[Pair],
    done: &mut Published,
    touched: &mut Touched,
    options: Options<'_>,
) -> Result<()> {
    let (mut new, mut changed) = (Rows::new(CRM_USER), Rows::new(CRM_USER));
    let mut seen: Vec<CrmUserId> = Vec::new();
    let mut words = Vec::new();
    let mut logged = Vec::new();
    for pair in pairs {
        let id = pair.id;
        let outcome = match &pair.old {
            None => RowOutcome::Created,
            Some(old) if *old == pair.new => RowOutcome::Unchanged,
            Some(_) => RowOutcome::Updated,
        };
        if let (Some(import), Some(cells)) = (options.import, &pair.cells)
            && Task::of(import).keeps(outcome)
        {
            logged.push(Logged::changed(pair.line, outcome, cells.clone(), &pair.differences())?);
        }
        let rows = match outcome {
            RowOutcome::Created => {
                done.created += 1;
                &mut new
            }
            RowOutcome::Unchanged => {
                done.unchanged += 1;
                seen.push(id);
                continue;
            }
            _ => {
                done.updated += 1;
                &mut changed
            }
        };
        rows.add(&[
            &id,
            &pair.external_id,
            &pair.new.email,
            &pair.new.name,
            &pair.new.username,
            &pair.new.title,
            &pair.new.team,
            &pair.new.role,
            &pair.new.is_active,
            &pair.new.crm_created_at,
            &pair.cells.as_ref().map(|_| pair.line),
        ]);
        if let Some(old) = &pair.old
            && old.email != pair.new.email
        {
            touched.emails.extend(old.email.clone());
        }
        touched.crm_users.push(id);
        let (before, after) = pair.texts();
        if before != after {
            words.push(Changed { id: id.0, before, after });
        }
    }
    if let Some(import) = options.import {
        done.stale.join(keep(tx, import, logged).await?);
    }
    if options.dry {
        return Ok(());
    }
    insert(tx, integration, run, new).await?;
    update(tx, run, changed, &seen).await?;
    words::update(tx, Words::CrmUser, Some(integration.id.0), &words).await
}

async fn insert(tx: &Tx, integration: &integration::Model, run: SyncRunId, rows: Rows) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO crm_user (organization_id, integration_id, last_seen_at, sync_run_id, ").push(&names);
    sql.push(") SELECT ").bind(tx.organization_id).push(", ").bind(integration.id).push(", ").bind(tx.now);
    sql.push(", ").bind(run).push(", ").push(&names);
    sql.push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

async fn update(tx: &Tx, run: SyncRunId, rows: Rows, seen: &[CrmUserId]) -> Result<()> {
    if !rows.is_empty() {
        let mut sql = tx.sql();
        sql.push("UPDATE crm_user SET ").equals("sync_run_id", run).push(", ").equals("last_seen_at", tx.now);
        for (name, _) in CRM_USER.iter().skip(2) {
            sql.push(", ").push(name).push(" = r.").push(name);
        }
        sql.push(" FROM ").rows(rows).push(" AS r WHERE ").equals("crm_user.organization_id", tx.organization_id);
        sql.push(" AND crm_user.id = r.id");
        tx.execute(sql).await?;
    }
    if !seen.is_empty() {
        let mut sql = tx.sql();
        sql.push("UPDATE crm_user SET ").equals("last_seen_at", tx.now).push(" WHERE ");
        sql.equals("organization_id", tx.organization_id).push(" AND ").any_id("id", seen);
        sql.push(" AND last_seen_at < ").bind(tx.now - SEEN);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// What was staged has been carried out, or will not be.
pub(crate) async fn clear(tx: &Tx, run: SyncRunId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM crm_user_stage WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", run);
    tx.execute(sql).await?;
    Ok(())
}
