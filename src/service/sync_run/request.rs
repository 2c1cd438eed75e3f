//! What an administrator does about pulls: asks for one, has one worked out, lets one go on that was halted.

use entity::{SyncRunId, SyncStatus, SyncTrigger, sync_run};
use sea_orm::EntityTrait;

use super::queue;
use crate::service::{
    Session, connection,
    error::{ErrorCode, Fault, Result},
    integration::{self, IntegrationRef},
};

/// Asks for a pull from the CRM, now. One that waits already is the one.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where the integration has no connection to pull from.
pub async fn request(session: &Session, integration: IntegrationRef) -> Result<SyncRunId> {
    ask(session, integration, false).await
}

/// Asks for what a pull would do now; it changes nothing.
///
/// # Errors
/// As [`request`].
pub async fn simulate(session: &Session, integration: IntegrationRef) -> Result<SyncRunId> {
    ask(session, integration, true).await
}

async fn ask(session: &Session, integration: IntegrationRef, is_simulation: bool) -> Result<SyncRunId> {
    session.admin()?;
    let services = &session.services;
    let tx = services.db.write(session.organization_id()).await?;
    let found = integration::locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    connection::open(services, &found)?;
    let waiting = if is_simulation { None } else { queue::pending(&tx, found.id).await? };
    let id = match waiting {
        Some(id) => id,
        None => {
            let by = Some(session.viewer.user_id);
            queue::enqueue(&tx, found.id, SyncTrigger::Request, by, is_simulation).await?
        }
    };
    tx.commit().await?;
    services.syncs.notify_one();
    Ok(id)
}

/// Lets a pull that the mass-change limit halted go on with what it had brought in, whatever the limit says.
///
/// # Errors
/// `NOT_FOUND`; `WRONG_STATE` where it was not halted, was a simulation, or another pull has begun since.
pub async fn go_on(session: &Session, id: SyncRunId) -> Result<SyncRunId> {
    session.admin()?;
    let services = &session.services;
    let tx = services.db.write(session.organization_id()).await?;
    let not_found = || Fault::at(ErrorCode::NotFound, "id", "There is no sync run with this id.");
    let run = sync_run::Entity::find_by_id((tx.organization_id, id)).one(tx.connection()).await?;
    let run = run.ok_or_else(not_found)?;
    let refused = |message: &str| Fault::at(ErrorCode::WrongState, "id", message);
    if run.status != SyncStatus::Halted {
        return Err(refused("This sync run was not halted: there is nothing to go on with.").into());
    }
    if run.is_simulation || matches!(run.trigger, SyncTrigger::Push | SyncTrigger::Import) {
        let message = "What this sync run brought in was not kept. Raise massChangeLimitPercent, and send it again.";
        return Err(refused(message).into());
    }
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM sync_run r WHERE ").equals("r.organization_id", tx.organization_id);
    sql.push(" AND ").equals("r.integration_id", run.integration_id).push(" AND r.id > ").bind(id);
    sql.push(" AND NOT r.is_simulation AND r.status <> 'QUEUED'");
    if sql.number(tx.connection()).await? > 0 {
        return Err(
            refused("Another sync run has come since: what this one brought in is old. Look at that one.").into()
        );
    }
    let mut sql = tx.sql();
    // What it would have done is worked out anew.
    sql.push("DELETE FROM sync_change WHERE kind <> 'INVALID' AND ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", id);
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET ").equals("status", SyncStatus::Queued).push(", is_accepted = true, ");
    sql.push("finished_at = NULL, error = NULL WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("id", id);
    tx.execute(sql).await?;
    tx.commit().await?;
    services.syncs.notify_one();
    Ok(id)
}
