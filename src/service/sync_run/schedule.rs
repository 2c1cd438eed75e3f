//! When an integration is pulled from: a cron expression in UTC. The time of the next pull stands in the database, so
//! that whichever process comes first makes the run, and a time that nobody was there for is made up once.

use std::str::FromStr;

use croner::Cron;
use entity::{CrmKind, IntegrationId, OrganizationId, SyncTrigger, integration};
use sea_orm::FromQueryResult;

use super::queue;
use crate::service::{
    Services,
    clock::Time,
    db::{Sql, Tx},
    error::Result,
};

/// Integrations that are due are looked at in one statement, as many at most.
const BATCH: i64 = 100;

/// The schedule of a new integration: the source's own for Oracle, and what keeps up with people's changes elsewhere.
pub fn default_of(kind: CrmKind) -> Option<&'static str> {
    match kind {
        CrmKind::Salesforce => Some("*/15 * * * *"),
        CrmKind::OracleSales | CrmKind::Dynamics365 | CrmKind::Hubspot => Some("0 * * * *"),
        CrmKind::Other => None,
    }
}

/// The first time of a schedule after `now`; none for one that has no more.
pub fn next(schedule: &str, now: Time) -> Option<Time> {
    Cron::from_str(schedule).ok()?.find_next_occurrence(&now, false).ok()
}

/// When an integration is due next: it needs a schedule, and a connection to pull from.
pub(crate) fn next_of(integration: &integration::Model, now: Time) -> Option<Time> {
    let is_live = integration.connection.is_some() && integration.deleted_at.is_none();
    integration.sync_schedule.as_deref().filter(|_| is_live).and_then(|schedule| next(schedule, now))
}

#[derive(FromQueryResult)]
struct Due {
    organization_id: OrganizationId,
    id: IntegrationId,
}

/// Makes a run for each integration that is due; whether there was one.
pub async fn tick(services: &Services) -> Result<bool> {
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT organization_id, id FROM integration WHERE next_sync_at <= ").bind(services.clock.now());
    sql.push(" ORDER BY next_sync_at LIMIT ").bind(BATCH);
    let due: Vec<Due> = sql.all(services.db.reader()).await?;
    let mut made = false;
    for Due { organization_id, id } in due {
        let tx = services.db.write(organization_id).await?;
        made |= make_due(&tx, id).await?;
        tx.commit().await?;
    }
    Ok(made)
}

/// Under the lock: another process may have been faster.
async fn make_due(tx: &Tx, id: IntegrationId) -> Result<bool> {
    let mut sql = tx.sql();
    sql.push("SELECT * FROM integration WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
    sql.equals("id", id).push(" AND next_sync_at <= ").bind(tx.now);
    let Some(found): Option<integration::Model> = sql.one(tx.connection()).await? else { return Ok(false) };
    let mut sql = tx.sql();
    sql.push("UPDATE integration SET ").equals("next_sync_at", next_of(&found, tx.now)).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", id);
    tx.execute(sql).await?;
    // One that waits, or is at work, is enough.
    if queue::pending(tx, id).await?.is_some() || found.connection.is_none() || found.deleted_at.is_some() {
        return Ok(false);
    }
    queue::enqueue(tx, id, SyncTrigger::Schedule, None, false).await?;
    Ok(true)
}
