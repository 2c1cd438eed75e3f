//! Receipts of CRM users: pushes, files and pulls, and the linking that follows.

mod pair;
pub mod publish;
pub mod push;
pub mod query;
pub(crate) mod undo;

use entity::{IntegrationId, SyncRunId, SyncStatus, SyncTrigger, UserId, sync_run};
use sea_orm::{ActiveModelTrait, Set};

use super::{
    Session,
    db::Tx,
    error::{ErrorCode, Fault, Result},
    integration::{self, IntegrationRef},
};
use publish::Published;

pub use push::push;

/// Asks for a pull from the CRM.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE`, as this server has no connection to a CRM to pull from.
pub async fn request(session: &Session, integration: IntegrationRef) -> Result<SyncRunId> {
    session.admin()?;
    let found = integration::locate(session.reader(), session.organization_id(), &integration, "integration").await?;
    let message = format!(
        "{:?} has no connection to pull from: push its CRM users with pushCrmUsers, or import them.",
        found.name
    );
    Err(Fault::at(ErrorCode::WrongState, "integration", message).into())
}

/// Opens a receipt that is about to be carried out.
pub(crate) async fn open(
    tx: &Tx,
    integration_id: IntegrationId,
    trigger: SyncTrigger,
    triggered_by: Option<UserId>,
) -> Result<SyncRunId> {
    let id: SyncRunId = tx.clock.id();
    sync_run::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        integration_id: Set(integration_id),
        status: Set(SyncStatus::Running),
        trigger: Set(trigger),
        triggered_by: Set(triggered_by),
        created_at: Set(tx.now),
        started_at: Set(Some(tx.now)),
        finished_at: Set(None),
        received: Set(0),
        users_created: Set(0),
        linked: Set(0),
        remapped: Set(0),
        deactivated: Set(0),
        left_alone: Set(0),
        error: Set(None),
    }
    .insert(tx.connection())
    .await?;
    Ok(id)
}

/// Closes a receipt with what came of it.
pub(crate) async fn close(
    tx: &Tx,
    id: SyncRunId,
    status: SyncStatus,
    published: &Published,
    error: Option<String>,
) -> Result<()> {
    sync_run::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        status: Set(status),
        finished_at: Set(Some(tx.now)),
        received: Set(published.received),
        linked: Set(published.linked),
        deactivated: Set(published.deactivated),
        left_alone: Set(published.left_alone),
        error: Set(error),
        ..Default::default()
    }
    .update(tx.connection())
    .await?;
    Ok(())
}
