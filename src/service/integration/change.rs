//! Making, changing and deleting integrations, and the rules of their settings.

use std::str::FromStr;

use croner::Cron;
use entity::{CrmKind, EmailDedupe, IntegrationId, integration};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use super::{IntegrationRef, SettingsPatch, locate};
use crate::service::{
    Session,
    db::Tx,
    error::{Error, ErrorCode, Fault, Faults, Result, Step, none},
    linking::{self, Touched},
    user::Patch,
    value,
};

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
        sync_schedule: None,
        mass_change_limit_percent: 20,
        strip_invalid_suffix: false,
        manages_users: false,
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
    let (id, name) = (model.id, model.name.clone());
    save(&tx, model.clone()).await.map_err(|e| if e.is_unique_violation() { taken(&name) } else { e })?;
    if model.auto_link_by_email != before.auto_link_by_email {
        relink_open(&tx, id).await?;
    }
    tx.commit().await?;
    Ok(id)
}

async fn save(tx: &Tx, model: integration::Model) -> Result<()> {
    model.into_active_model().reset_all().update(tx.connection()).await?;
    Ok(())
}

/// Looks again at the users whom the setting of linking concerns: those with a match that is theirs to have.
async fn relink_open(tx: &Tx, id: IntegrationId) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("SELECT user_id FROM user_link WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("integration_id", id).push(" AND state = 'MATCH_AVAILABLE'");
    let users = sql.map(tx.connection(), |row| row.try_get("", "user_id")).await?;
    linking::run(tx, Some(id), &Touched { users, ..Touched::default() }, None).await?;
    Ok(())
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
        ..model.into_active_model()
    };
    gone.update(tx.connection()).await?;
    tx.commit().await?;
    Ok(id)
}
