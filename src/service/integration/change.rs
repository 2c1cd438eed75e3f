//! Making, changing and deleting integrations, and the rules of their settings.

use std::str::FromStr;

use croner::Cron;
use entity::{CrmKind, CrmUserId, EmailDedupe, IntegrationId, SyncStatus, SyncTrigger, UserId, integration};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use super::{IntegrationRef, SettingsPatch, locate};
use crate::service::{
    Session,
    db::Tx,
    error::{Error, ErrorCode, Fault, Faults, Result, Step, none},
    linking::{self, Touched, create::create_users, receipt::Receipt},
    mapping::Warning,
    sync_run::{self, publish::Published, schedule},
    user::Patch,
    value,
};

/// After as many hours a scheduled pull asks for every CRM user again, where no setting says.
const FULL_SYNC_HOURS: i32 = 24;
/// A year.
const MOST_HOURS: i32 = 24 * 366;

fn name(name: &str, faults: &mut Faults) -> String {
    value::name::check("integration", name).unwrap_or_else(|why| {
        faults.push(Fault::at(ErrorCode::Invalid, "name", why));
        String::new()
    })
}

fn taken(name: &str) -> Error {
    Fault::at(
        ErrorCode::AlreadyExists,
        "name",
        format!("There already is an integration named {name:?}. Choose another name."),
    )
    .into()
}

/// One setting that can't be empty.
fn settle_one<T: Clone>(value: &mut T, patch: &Patch<T>, empty: impl FnOnce()) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => empty(),
        Patch::Set(new) => *value = new.clone(),
    }
}

/// Settings, applied to a model; all that is wrong with them is said.
fn settle(model: &mut integration::Model, patch: &SettingsPatch, faults: &mut Faults) {
    let mut fault = |code, field, message: String| {
        faults.push(Fault::at(code, field, message).under([Step::Name("settings")]));
    };
    let mut empty =
        |field| fault(ErrorCode::Invalid, field, format!("{field} can't be empty: leave it out, or set it."));
    settle_one(&mut model.auto_link_by_email, &patch.auto_link_by_email, || empty("autoLinkByEmail"));
    settle_one(&mut model.inbound_create, &patch.inbound_create, || empty("inboundCreate"));
    settle_one(&mut model.email_dedupe, &patch.email_dedupe, || empty("emailDedupe"));
    settle_one(&mut model.auto_remap_inactive, &patch.auto_remap_inactive, || empty("autoRemapInactive"));
    settle_one(&mut model.strip_invalid_suffix, &patch.strip_invalid_suffix, || empty("stripInvalidSuffix"));
    let mut percent = model.mass_change_limit_percent;
    settle_one(&mut percent, &patch.mass_change_limit_percent, || empty("massChangeLimitPercent"));
    let mut hours = model.full_sync_hours;
    settle_one(&mut hours, &patch.full_sync_interval_hours, || empty("fullSyncIntervalHours"));
    match &patch.sync_schedule {
        Patch::Keep => {}
        Patch::Clear => model.sync_schedule = None,
        Patch::Set(schedule) => match Cron::from_str(schedule) {
            Ok(_) => model.sync_schedule = Some(schedule.clone()),
            Err(why) => fault(
                ErrorCode::Invalid,
                "syncSchedule",
                format!("{schedule:?} is not a cron expression ({why}). Write, for example, `*/15 * * * *`, in UTC."),
            ),
        },
    }
    if (1..=MOST_HOURS).contains(&hours) {
        model.full_sync_hours = hours;
    } else {
        let message = format!("{hours} is not a number of hours from 1 to {MOST_HOURS}.");
        fault(ErrorCode::Invalid, "fullSyncIntervalHours", message);
    }
    if (0..=100).contains(&percent) {
        model.mass_change_limit_percent = percent;
    } else {
        fault(ErrorCode::Invalid, "massChangeLimitPercent", format!("{percent} is not a share from 0 to 100."));
    }
    if model.auto_remap_inactive && !model.inbound_create {
        fault(
            ErrorCode::RemapNeedsInboundCreate,
            "autoRemapInactive",
            "Remapping to a new CRM user needs inboundCreate to be on.".into(),
        );
    }
    if model.auto_remap_inactive && model.email_dedupe != EmailDedupe::Both {
        fault(
            ErrorCode::RemapNeedsDedupeBoth,
            "autoRemapInactive",
            "Remapping to a new CRM user needs emailDedupe to be BOTH.".into(),
        );
    }
}

/// Makes an integration; every user stands `NO_MATCH` towards it until CRM users come.
///
/// # Errors
/// `INVALID` for the name or a setting, `ALREADY_EXISTS`, `REMAP_NEEDS_…`.
pub async fn create(session: &Session, name: String, kind: CrmKind, patch: SettingsPatch) -> Result<IntegrationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let id = insert(&tx, name, kind, &patch).await?;
    tx.commit().await?;
    Ok(id)
}

/// [`create`] within a transaction.
pub(crate) async fn insert(tx: &Tx, name: String, kind: CrmKind, patch: &SettingsPatch) -> Result<IntegrationId> {
    let mut faults = Faults::new();
    let mut model = integration::Model {
        organization_id: tx.organization_id,
        id: tx.clock.id(),
        name: self::name(&name, &mut faults),
        kind,
        auto_link_by_email: true,
        inbound_create: false,
        email_dedupe: EmailDedupe::Never,
        auto_remap_inactive: false,
        sync_schedule: schedule::default_of(kind).map(str::to_owned),
        mass_change_limit_percent: 20,
        strip_invalid_suffix: false,
        manages_users: false,
        connection: None,
        connection_summary: None,
        full_sync_hours: FULL_SYNC_HOURS,
        next_sync_at: None,
        synced_until: None,
        full_synced_at: None,
        synced_at: None,
        created_at: tx.now,
        updated_at: tx.now,
        deleted_at: None,
    };
    settle(&mut model, patch, &mut faults);
    none(faults)?;
    let (id, name) = (model.id, model.name.clone());
    insert_model(tx, model).await.map_err(|e| if e.is_unique_violation() { taken(&name) } else { e })?;
    let mut sql = tx.sql();
    sql.push("INSERT INTO user_link (organization_id, integration_id, user_id, state) SELECT organization_id, ");
    sql.bind(id).push(", id, 'NO_MATCH' FROM app_user WHERE deleted_at IS NULL AND ");
    sql.equals("organization_id", tx.organization_id);
    tx.execute(sql).await?;
    Ok(id)
}

async fn insert_model(tx: &Tx, model: integration::Model) -> Result<()> {
    model.into_active_model().insert(tx.connection()).await?;
    Ok(())
}

/// Changes an integration's name or settings. What is left out stays.
///
/// # Errors
/// As [`create`], and `NOT_FOUND`.
pub async fn update(
    session: &Session,
    integration: IntegrationRef,
    new_name: Patch<String>,
    patch: SettingsPatch,
) -> Result<IntegrationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let before = locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    let mut faults = Faults::new();
    let mut model = before.clone();
    match new_name {
        Patch::Keep => {}
        Patch::Clear => faults.push(Fault::at(ErrorCode::Invalid, "name", "An integration can't be without a name.")),
        Patch::Set(new_name) => model.name = name(&new_name, &mut faults),
    }
    settle(&mut model, &patch, &mut faults);
    none(faults)?;
    model.updated_at = tx.now;
    if model.sync_schedule != before.sync_schedule {
        model.next_sync_at = schedule::next_of(&model, tx.now);
    }
    let (id, name) = (model.id, model.name.clone());
    save(&tx, model.clone()).await.map_err(|e| if e.is_unique_violation() { taken(&name) } else { e })?;
    relink(&tx, &before, &model, session.viewer.user_id).await?;
    tx.commit().await?;
    Ok(id)
}

async fn save(tx: &Tx, model: integration::Model) -> Result<()> {
    model.into_active_model().reset_all().update(tx.connection()).await?;
    Ok(())
}

/// Looks again at those whom a setting concerns that has changed.
async fn relink(tx: &Tx, before: &integration::Model, now: &integration::Model, actor: UserId) -> Result<()> {
    let mut touched = Touched::default();
    if now.auto_link_by_email != before.auto_link_by_email {
        // Those with a match that is theirs to have, and those whose CRM user no longer carries their email.
        let mut sql = tx.sql();
        sql.push("SELECT user_id FROM user_link WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").equals("integration_id", now.id).push(" AND state IN ('MATCH_AVAILABLE', 'MATCH_TAKEN')");
        touched.users.extend(sql.map(tx.connection(), |row| row.try_get::<UserId>("", "user_id")).await?);
        touched.users.extend(warned(tx, now.id, Warning::EmailMismatch).await?);
    }
    if now.auto_remap_inactive && !before.auto_remap_inactive {
        touched.users.extend(warned(tx, now.id, Warning::CrmUserInactive).await?);
    }
    if !touched.users.is_empty() {
        linking::run(tx, Some(now.id), &touched, None).await?;
    }
    if now.inbound_create && !before.inbound_create {
        create_for_all(tx, now, actor).await?;
    }
    Ok(())
}

/// The users whose mapping has a warning.
async fn warned(tx: &Tx, id: IntegrationId, warning: Warning) -> Result<Vec<UserId>> {
    let mut sql = tx.sql();
    sql.push("SELECT user_id FROM mapping WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
    sql.equals("integration_id", id).push(" AND ended_at IS NULL AND warnings <> 0 AND (warnings & ");
    sql.bind(warning.bit()).push(") <> 0");
    Ok(sql.map(tx.connection(), |row| row.try_get("", "user_id")).await?)
}

/// Makes users of the CRM users that are there and have none, as a receipt of them would.
async fn create_for_all(tx: &Tx, integration: &integration::Model, actor: UserId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("SELECT c.id FROM crm_user c WHERE ").equals("c.organization_id", tx.organization_id).push(" AND ");
    sql.equals("c.integration_id", integration.id).push(" AND c.is_active AND NOT EXISTS (SELECT 1 FROM mapping m ");
    sql.push("WHERE m.organization_id = c.organization_id AND m.crm_user_id = c.id AND m.ended_at IS NULL ");
    sql.push("AND m.integration_id = c.integration_id) ORDER BY c.id");
    let crm_users: Vec<CrmUserId> = sql.map(tx.connection(), |row| row.try_get("", "id")).await?;
    if crm_users.is_empty() {
        return Ok(());
    }
    let run = sync_run::open(tx, integration.id, SyncTrigger::Request, Some(actor)).await?;
    let mut receipt = Receipt::new(run);
    create_users(tx, integration, &crm_users, Some(actor), &mut receipt).await?;
    receipt.flush(tx).await?;
    let published = Published { counts: receipt.counts, ..Published::default() };
    sync_run::close(tx, run, SyncStatus::Completed, &published, None).await
}

/// Deletes an integration: its mappings end, its history stays.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` while users and teams follow it (manage mode AUTO).
pub async fn delete(session: &Session, integration: IntegrationRef) -> Result<IntegrationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let model = locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    if model.manages_users && crate::service::organization::manage_mode(&tx).await? == entity::ManageMode::Auto {
        return Err(Fault::at(
            ErrorCode::WrongState,
            "integration",
            "Users and teams follow this integration. Switch the manage mode to MANUAL or name another one first.",
        )
        .into());
    }
    let id = model.id;
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET end_reason = 'INTEGRATION_DELETED', ").equals("ended_at", tx.now).push(", ");
    sql.equals("ended_by", session.viewer.user_id).push(" WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("integration_id", id).push(" AND ended_at IS NULL");
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("DELETE FROM user_link WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("integration_id", id);
    tx.execute(sql).await?;
    let gone = integration::ActiveModel {
        deleted_at: Set(Some(tx.now)),
        manages_users: Set(false),
        next_sync_at: Set(None),
        // Nobody signs in there any more.
        connection: Set(None),
        connection_summary: Set(None),
        ..model.into_active_model()
    };
    gone.update(tx.connection()).await?;
    tx.commit().await?;
    Ok(id)
}
