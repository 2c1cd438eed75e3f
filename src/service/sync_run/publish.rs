//! A receipt of CRM users carried out in one step: staged first, in whatever pieces it came, then published and linked.
//! However it was cut and ordered, the outcome is the same.

use entity::{CrmUserId, RowOutcome, SyncRunId, import_job, integration};

use super::pair::{Pair, load};
use crate::service::{
    crm_user::incoming::Normalized,
    db::{Rows, Tx, sql::Kind},
    error::{ErrorCode, Fault, Result},
    import::{
        job::{Stale, Task},
        rows::{Logged, keep},
    },
    linking::{self, Touched},
    words::{self, Changed, Words},
};

/// The mass-change limit lets this many mappings go whatever their share.
const ALWAYS_ALLOWED: i64 = 10;

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
    /// CRM users that became inactive.
    pub deactivated: i64,
    pub linked: i64,
    pub left_alone: i64,
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
    /// Work out what it comes to, and change nothing.
    pub dry: bool,
}

/// Adds CRM users to a receipt: one statement.
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
            &crm_user.is_active,
            &crm_user.crm_created_at,
            cells,
        ]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO crm_user_stage (organization_id, sync_run_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(run).push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

/// Carries out a receipt that has come in whole, and links whomever it touches; what was staged is gone then.
///
/// The fault is `MASS_CHANGE_LIMIT` (DESIGN.md, linking, rule 6): the receipt was stopped and changed nothing.
pub async fn publish(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    options: Options<'_>,
) -> Result<(Published, Option<Fault>)> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM crm_user_stage WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", run);
    if options.import.is_some() {
        tx.plan_by_index().await?;
    }
    let mut done = Published { received: sql.number(tx.connection()).await?, ..Published::default() };
    if let Some(fault) = mass_change(tx, integration, run, options.is_complete).await? {
        clear(tx, run).await?;
        return Ok((done, Some(fault)));
    }
    let mut touched = Touched::default();
    let mut after = i64::MIN;
    loop {
        let pairs = load(tx, integration, run, after, options.absent).await?;
        let Some(last) = pairs.last() else { break };
        after = last.line;
        upsert(tx, integration, run, &pairs, &mut done, &mut touched, options).await?;
    }
    if options.dry {
        clear(tx, run).await?;
        return Ok((done, None));
    }
    if options.is_complete {
        let mut sql = tx.sql();
        sql.push("UPDATE crm_user SET import_line = NULL, ").equals("sync_run_id", run).push(", ");
        sql.equals("is_active", false);
        missing(sql.push(" WHERE "), "crm_user", tx, integration, run);
        sql.push(" RETURNING id");
        let gone = sql.map(tx.connection(), |row| row.try_get::<CrmUserId>("", "id")).await?;
        done.deactivated += i64::try_from(gone.len()).unwrap_or(i64::MAX);
        touched.crm_users.extend(gone);
    }
    clear(tx, run).await?;
    let linked = linking::run(tx, Some(integration.id), &touched, Some(run)).await?;
    done.linked = i64::try_from(linked.linked).unwrap_or(i64::MAX);
    done.left_alone = i64::try_from(linked.left_alone).unwrap_or(i64::MAX);
    Ok((done, None))
}

/// Adds the condition that an active CRM user is not in the receipt.
fn missing(sql: &mut crate::service::db::Sql, alias: &str, tx: &Tx, integration: &integration::Model, run: SyncRunId) {
    sql.equals(&format!("{alias}.organization_id"), tx.organization_id).push(" AND ");
    sql.equals(&format!("{alias}.integration_id"), integration.id).push(" AND ").push(alias).push(".is_active");
    sql.push(" AND NOT EXISTS (SELECT 1 FROM crm_user_stage s WHERE ").equals("s.organization_id", tx.organization_id);
    sql.push(" AND ").equals("s.sync_run_id", run).push(" AND s.external_id = ").push(alias).push(".external_id)");
}

/// Rule 6: whether the receipt takes the target from too many mappings.
async fn mass_change(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    is_complete: bool,
) -> Result<Option<Fault>> {
    let live = |sql: &mut crate::service::db::Sql| {
        sql.push("m.ended_at IS NULL AND ").equals("m.organization_id", tx.organization_id).push(" AND ");
        sql.equals("m.integration_id", integration.id);
    };
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM mapping m WHERE ");
    live(&mut sql);
    let mappings = sql.number(tx.connection()).await?;
    let mut sql = tx.sql();
    sql.push(
        "SELECT COUNT(*) AS n FROM crm_user_stage s JOIN crm_user c ON c.organization_id = s.organization_id AND ",
    );
    sql.equals("c.integration_id", integration.id).push(" AND c.external_id = s.external_id AND c.is_active ");
    sql.push("JOIN mapping m ON m.organization_id = c.organization_id AND m.crm_user_id = c.id WHERE ");
    live(&mut sql);
    sql.push(" AND NOT s.is_active AND ").equals("s.organization_id", tx.organization_id);
    sql.push(" AND ").equals("s.sync_run_id", run);
    let mut hit = sql.number(tx.connection()).await?;
    if is_complete {
        let mut sql = tx.sql();
        sql.push("SELECT COUNT(*) AS n FROM mapping m JOIN crm_user c ON c.organization_id = m.organization_id ");
        sql.push("AND c.id = m.crm_user_id WHERE ");
        live(&mut sql);
        missing(sql.push(" AND "), "c", tx, integration, run);
        hit += sql.number(tx.connection()).await?;
    }
    let limit = i64::from(integration.mass_change_limit_percent);
    Ok((hit > ALWAYS_ALLOWED && hit * 100 > limit * mappings).then(|| {
        Fault::new(
            ErrorCode::MassChangeLimit,
            format!(
                "This would make the CRM users of {hit} of {mappings} mappings inactive, more than the {limit}% that \
                 massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the \
                 limit of {:?} and send it again.",
                integration.name
            ),
        )
    }))
}

const CRM_USER: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("external_id", Kind::Text),
    ("email", Kind::Text),
    ("name", Kind::Text),
    ("username", Kind::Text),
    ("title", Kind::Text),
    ("team", Kind::Text),
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
        let (id, changes) = (pair.id, pair.differences());
        let outcome = match pair.old {
            None => RowOutcome::Created,
            Some(_) if changes.is_empty() => RowOutcome::Unchanged,
            Some(_) => RowOutcome::Updated,
        };
        if let (Some(import), Some(cells)) = (options.import, &pair.cells)
            && Task::of(import).keeps(outcome)
        {
            logged.push(Logged::changed(pair.line, outcome, cells.clone(), &changes)?);
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
                seen.push(id);
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
            &pair.new.is_active,
            &pair.new.crm_created_at,
            &pair.cells.as_ref().map(|_| pair.line),
        ]);
        if let Some(old) = &pair.old {
            if old.is_active && !pair.new.is_active {
                done.deactivated += 1;
            }
            if old.email != pair.new.email {
                touched.emails.extend(old.email.clone());
            }
        }
        touched.crm_users.push(id);
        let (before, after) = pair.texts();
        if before != after {
            words.push(Changed { id: id.0, before, after });
        }
    }
    if let Some(import) = options.import {
        done.stale.join(keep(tx, import, &logged).await?);
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
        sql.push("UPDATE crm_user SET ").equals("sync_run_id", run);
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
