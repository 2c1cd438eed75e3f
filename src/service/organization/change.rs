//! Changing the organisation: its name, and who owns its users.

use entity::{ManageMode, OrganizationId, integration, organization};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::service::{
    Session,
    db::Tx,
    error::{Error, ErrorCode, Fault, Faults, Result, none},
    integration::{self as integrations, IntegrationRef},
    user::Patch,
    value::name,
};

use super::switch::{self, Switched};

/// What is to change; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    pub name: Patch<String>,
    pub manage_mode: Patch<ManageMode>,
    /// The integration that users and teams follow in manage mode AUTO.
    pub managed_by: Patch<IntegrationRef>,
}

/// Changes the organisation. Who comes to own its users and teams brings them in line at once.
///
/// # Errors
/// `INVALID` or `ALREADY_EXISTS` for the name; at `managedBy`: `NOT_FOUND`, and `REQUIRED` where AUTO needs one and it is
/// not clear which.
pub async fn update(session: &Session, update: Update) -> Result<OrganizationId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    carry_out(&tx, &update).await?;
    tx.commit().await?;
    Ok(session.organization_id())
}

/// What [`update`] would change of users and teams; it changes nothing.
///
/// # Errors
/// As [`update`].
pub async fn simulate(session: &Session, update: Update) -> Result<Switched> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    // The transaction is dropped, and all that was done in it with it.
    carry_out(&tx, &update).await
}

async fn carry_out(tx: &Tx, update: &Update) -> Result<Switched> {
    let managed_by = match &update.managed_by {
        Patch::Set(named) => Some(integrations::locate(tx.connection(), tx.organization_id, named, "managedBy").await?),
        Patch::Keep | Patch::Clear => None,
    };
    let mut faults = Faults::new();
    let mut fault = |code, field, message: String| faults.push(Fault::at(code, field, message));
    let name = match &update.name {
        Patch::Keep => None,
        Patch::Clear => {
            fault(ErrorCode::Invalid, "name", "An organisation can't be without a name.".into());
            None
        }
        Patch::Set(text) => {
            name::check("organisation", text).map_err(|why| fault(ErrorCode::Invalid, "name", why)).ok()
        }
    };
    let before = super::manage_mode(tx).await?;
    let mode = match update.manage_mode {
        Patch::Set(mode) => mode,
        Patch::Keep => before,
        Patch::Clear => {
            fault(ErrorCode::Invalid, "manageMode", "manageMode can't be empty: set MANUAL or AUTO.".into());
            ManageMode::Manual
        }
    };
    let managed_by = match (managed_by, mode) {
        (Some(integration), _) => Some(integration),
        (None, ManageMode::Manual) => None,
        (None, ManageMode::Auto) if update.managed_by == Patch::Clear => {
            fault(
                ErrorCode::Invalid,
                "managedBy",
                "In manage mode AUTO there must be an integration to follow.".into(),
            );
            None
        }
        (None, ManageMode::Auto) => leading(tx, &mut faults).await?,
    };
    none(faults)?;
    let mut is_other = false;
    match managed_by.clone() {
        Some(integration) => is_other = follow(tx, integration).await?,
        None if update.managed_by == Patch::Clear => follow_nobody(tx).await?,
        None => {}
    }
    let taken = |error: Error| {
        if error.is_unique_violation() {
            let message = "There already is an organisation of this name on this server. Choose another name.";
            Fault::at(ErrorCode::AlreadyExists, "name", message).into()
        } else {
            error
        }
    };
    let model = organization::ActiveModel {
        id: Set(tx.organization_id),
        name: name.map_or(sea_orm::NotSet, Set),
        manage_mode: Set(mode),
        updated_at: Set(tx.now),
        ..Default::default()
    };
    model.update(tx.connection()).await.map_err(|error| taken(error.into()))?;
    match (before, mode, managed_by) {
        (_, ManageMode::Auto, Some(integration)) if before == ManageMode::Manual || is_other => {
            switch::to_auto(tx, integration.id, before).await
        }
        (ManageMode::Auto, ManageMode::Manual, _) => switch::to_manual(tx).await,
        _ => Ok(Switched::default()),
    }
}

/// The integration that is followed when none is named: the one that was, or the only one there is.
async fn leading(tx: &Tx, faults: &mut Faults) -> Result<Option<integration::Model>> {
    let mut all = integration::Entity::find()
        .filter(integration::Column::OrganizationId.eq(tx.organization_id))
        .filter(integration::Column::DeletedAt.is_null())
        .all(tx.connection())
        .await?;
    if let Some(followed) = all.iter().position(|integration| integration.manages_users) {
        return Ok(Some(all.swap_remove(followed)));
    }
    if all.len() > 1 || all.is_empty() {
        let message = "AUTO follows an integration: name it, unless the organisation has exactly one.";
        faults.push(Fault::at(ErrorCode::Required, "managedBy", message));
        return Ok(None);
    }
    Ok(all.pop())
}

/// Makes this integration the one that is followed; whether it was not before.
async fn follow(tx: &Tx, integration: integration::Model) -> Result<bool> {
    if integration.manages_users {
        return Ok(false);
    }
    follow_nobody(tx).await?;
    let model = integration::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(integration.id),
        manages_users: Set(true),
        updated_at: Set(tx.now),
        ..Default::default()
    };
    model.update(tx.connection()).await?;
    Ok(true)
}

/// Makes no integration the one that is followed.
async fn follow_nobody(tx: &Tx) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE integration SET ").equals("manages_users", false).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND manages_users");
    tx.execute(sql).await?;
    Ok(())
}
