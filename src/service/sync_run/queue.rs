//! A pull in the queue: claimed under a lease, moved on piece by piece, ended. Whoever lost the lease changes nothing.

use chrono::Duration;
use entity::{IntegrationId, OrganizationId, SyncPhase, SyncRunId, SyncStatus, SyncTrigger, UserId, sync_run::Model};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{insert, publish::Published};
use crate::service::{
    Services,
    clock::Time,
    db::{Sql, Tx},
    error::{Error, Result},
};

/// What is pulled, as against what is pushed or imported.
const PULLED: &str = "trigger IN ('SCHEDULE', 'REQUEST')";

/// The pull of an integration that waits or is at work. A simulation is not one.
pub(super) async fn pending(tx: &Tx, integration: IntegrationId) -> Result<Option<SyncRunId>> {
    let mut sql = tx.sql();
    sql.push("SELECT id FROM sync_run WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
    sql.equals("integration_id", integration).push(" AND status IN ('QUEUED', 'RUNNING') AND NOT is_simulation AND ");
    sql.push(PULLED).push(" ORDER BY id LIMIT 1");
    Ok(sql.map(tx.connection(), |row| row.try_get("", "id")).await?.into_iter().next())
}

/// Puts a pull into the queue.
pub(super) async fn enqueue(
    tx: &Tx,
    integration: IntegrationId,
    trigger: SyncTrigger,
    by: Option<UserId>,
    is_simulation: bool,
) -> Result<SyncRunId> {
    insert(tx, integration, trigger, by, |run| {
        run.status = sea_orm::Set(SyncStatus::Queued);
        run.started_at = sea_orm::Set(None);
        run.phase = sea_orm::Set(SyncPhase::Pull);
        run.is_simulation = sea_orm::Set(is_simulation);
    })
    .await
}

#[derive(FromQueryResult)]
struct Waiting {
    organization_id: OrganizationId,
    id: SyncRunId,
}

/// Claims the oldest pull that nobody works on and that waits for no other of its integration.
pub(super) async fn claim(services: &Services, owner: Uuid) -> Result<Option<Model>> {
    let claimable = |sql: &mut Sql| {
        sql.push("r.").push(PULLED).push(" AND (r.status = 'QUEUED' OR (r.status = 'RUNNING' AND (r.lease_until < ");
        sql.bind(services.clock.now()).push(" OR ").equals("r.lease_owner", owner);
        sql.push("))) AND NOT EXISTS (SELECT 1 FROM sync_run o WHERE o.organization_id = r.organization_id ");
        sql.push("AND o.integration_id = r.integration_id AND o.id <> r.id AND o.status = 'RUNNING' AND o.");
        sql.push(PULLED).push(")");
    };
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT r.organization_id, r.id FROM sync_run r WHERE r.status IN ('QUEUED', 'RUNNING') AND ");
    claimable(&mut sql);
    sql.push(" ORDER BY r.created_at, r.id LIMIT 1");
    let Some(found): Option<Waiting> = sql.one(services.db.reader()).await? else { return Ok(None) };
    let tx = services.db.write(found.organization_id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run AS r SET ").equals("lease_owner", owner).push(", ");
    sql.equals("lease_until", tx.lease_until()).push(", started_at = COALESCE(r.started_at, ").bind(tx.now);
    sql.push("), status = 'RUNNING' WHERE ").equals("r.organization_id", found.organization_id).push(" AND ");
    sql.equals("r.id", found.id).push(" AND ");
    claimable(&mut sql);
    sql.push(" RETURNING *");
    let run = sql.one(tx.connection()).await?;
    tx.commit().await?;
    Ok(run)
}

/// Runs an update of the run, as long as it is this worker's.
async fn guarded(tx: &Tx, mut sql: Sql, run: &Model) -> Result<()> {
    sql.push(" WHERE ").equals("organization_id", run.organization_id).push(" AND ").equals("id", run.id);
    sql.push(" AND status = 'RUNNING' AND ").equals("lease_owner", run.lease_owner);
    if tx.execute(sql).await? == 1 { Ok(()) } else { Err(Error::superseded()) }
}

/// The run as it stands, which is still to be this worker's.
pub(super) async fn reload(tx: &Tx, run: &Model) -> Result<Model> {
    let mut sql = tx.sql();
    sql.push("SELECT * FROM sync_run WHERE ").equals("organization_id", run.organization_id).push(" AND ");
    sql.equals("id", run.id).push(" AND status = 'RUNNING' AND ").equals("lease_owner", run.lease_owner);
    sql.one(tx.connection()).await?.ok_or_else(Error::superseded)
}

/// A sign of life: the claim holds on.
pub(super) async fn renew(services: &Services, run: &Model) -> Result<()> {
    // Not under the organisation's lock: a transaction that has it may take longer than a lease.
    let tx = services.db.write_beside(run.organization_id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET ").equals("lease_until", tx.lease_until());
    guarded(&tx, sql, run).await?;
    tx.commit().await
}

/// Where a pull stands before its first piece: which CRM users it asks for.
pub(super) async fn begin(tx: &Tx, run: &Model, since: Option<Time>) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET ").equals("lease_until", tx.lease_until()).push(", ");
    sql.equals("is_complete", since.is_none()).push(", ").equals("changed_since", since);
    sql.push(", cursor = NULL, modified_until = NULL, records = 0, received = 0, attempts = attempts + 1");
    guarded(tx, sql, run).await
}

/// A piece that has come.
pub(super) struct Piece {
    pub records: i64,
    pub received: i64,
    /// The latest change of the records so far.
    pub modified_until: Option<Time>,
    /// Where the next piece begins; after the last, what has come is carried out.
    pub next: Option<String>,
}

/// Moves a pull on in the transaction that staged the piece.
pub(super) async fn advance(tx: &Tx, run: &Model, piece: Piece) -> Result<()> {
    let phase = if piece.next.is_some() { SyncPhase::Pull } else { SyncPhase::Publish };
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET ").equals("lease_until", tx.lease_until()).push(", records = records + ");
    sql.bind(piece.records).push(", received = received + ").bind(piece.received).push(", ");
    sql.equals("modified_until", piece.modified_until).push(", ").equals("cursor", piece.next).push(", ");
    sql.equals("phase", phase);
    guarded(tx, sql, run).await
}

/// Ends a run.
pub(super) async fn finish(
    tx: &Tx,
    run: &Model,
    status: SyncStatus,
    published: &Published,
    error: Option<String>,
) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET lease_owner = NULL, lease_until = NULL, ").equals("status", status).push(", ");
    sql.equals("finished_at", tx.now).push(", ").equals("error", error);
    let counts = &published.counts;
    for (column, count) in [
        ("received", published.received),
        ("users_created", counts.users_created),
        ("linked", counts.linked),
        ("remapped", counts.remapped),
        ("deactivated", counts.deactivated),
        ("left_alone", counts.left_alone),
    ] {
        sql.push(", ").equals(column, count);
    }
    guarded(tx, sql, run).await
}

/// Ends a run that an error stopped before it changed anything.
pub(super) async fn fail(tx: &Tx, run: &Model, error: String) -> Result<()> {
    super::publish::clear(tx, run.id).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET lease_owner = NULL, lease_until = NULL, ").equals("status", SyncStatus::Failed);
    sql.push(", ").equals("finished_at", tx.now).push(", ").equals("error", error);
    guarded(tx, sql, run).await
}

/// Gives a run back unfinished, so that the next worker need not wait for the lease to run out.
pub(super) async fn release(tx: &Tx, run: &Model) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE sync_run SET ").equals("lease_until", tx.now - Duration::seconds(1));
    guarded(tx, sql, run).await
}
