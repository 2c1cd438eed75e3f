//! Receipts of CRM users: pushes, files and pulls, and the linking that follows.

pub mod change;
mod limit;
mod metrics;
mod pair;
pub mod publish;
pub mod push;
pub mod query;
mod queue;
pub mod request;
pub mod retention;
pub mod roles;
pub mod schedule;
pub(crate) mod undo;
pub mod worker;

use entity::{IntegrationId, SyncPhase, SyncRunId, SyncStatus, SyncTrigger, UserId, sync_run};
use sea_orm::{ActiveModelTrait, Set};

use super::{db::Tx, error::Result};
use publish::Published;

pub use push::push;
pub use request::request;

/// Opens a receipt that is about to be carried out.
pub(crate) async fn open(
    tx: &Tx,
    integration_id: IntegrationId,
    trigger: SyncTrigger,
    triggered_by: Option<UserId>,
) -> Result<SyncRunId> {
    insert(tx, integration_id, trigger, triggered_by, |_| {}).await
}

/// A new receipt, as `change` has it.
async fn insert(
    tx: &Tx,
    integration_id: IntegrationId,
    trigger: SyncTrigger,
    triggered_by: Option<UserId>,
    change: impl FnOnce(&mut sync_run::ActiveModel),
) -> Result<SyncRunId> {
    let id: SyncRunId = tx.clock.id();
    let mut run = sync_run::ActiveModel {
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
        phase: Set(SyncPhase::Publish),
        is_complete: Set(false),
        is_simulation: Set(false),
        is_accepted: Set(false),
        changed_since: Set(None),
        modified_until: Set(None),
        cursor: Set(None),
        records: Set(0),
        attempts: Set(0),
        lease_owner: Set(None),
        lease_until: Set(None),
        changes_deleted_at: Set(None),
    };
    change(&mut run);
    run.insert(tx.connection()).await?;
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
    let counts = &published.counts;
    sync_run::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        status: Set(status),
        finished_at: Set(Some(tx.now)),
        received: Set(published.received),
        users_created: Set(counts.users_created),
        linked: Set(counts.linked),
        remapped: Set(counts.remapped),
        deactivated: Set(counts.deactivated),
        left_alone: Set(counts.left_alone),
        error: Set(error),
        ..Default::default()
    }
    .update(tx.connection())
    .await?;
    Ok(())
}
