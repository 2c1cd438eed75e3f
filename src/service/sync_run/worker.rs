//! The worker of pulls: makes the runs that are due, claims them, and brings in what the CRM answers, a piece a
//! transaction; what has come is then carried out in one. A process that dies loses at most the piece it was at.

use std::{sync::Arc, time::Duration};

use entity::{SyncPhase, SyncStatus, integration, sync_run::Model};
use sea_orm::EntityTrait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    publish::{Options, Staged, clear, publish, stage},
    queue::{self, Piece},
    schedule,
};
use crate::{
    crm::{CrmClient, CrmError, CrmRole, CrmUser, Page, Problem},
    service::{
        Services,
        clock::Time,
        connection,
        crm_user::{Incoming, incoming::normalize},
        db::Tx,
        error::{Error, Fault, Result},
        import::worker::{PUBLISHED, pause},
        linking::receipt::{self, Change},
    },
};

/// How often the schedule and the queue are looked at when nobody wakes the worker.
const IDLE: Duration = Duration::from_secs(5);
/// How often it is measured how old each integration's last good pull is.
const MEASURED: Duration = Duration::from_secs(60);
/// Pulls look as far back behind the last change that came: the CRM's clock and its transactions take their time.
const OVERLAP: chrono::Duration = chrono::Duration::minutes(5);
/// How often a pull is begun again because the CRM no longer knew where it stood.
const ATTEMPTS: i32 = 3;
/// How often a piece may begin where the one before it did.
const STALLED: usize = 20;
/// The CRM's clock is not wrong by more than this.
const SKEW: chrono::Duration = chrono::Duration::hours(1);
/// More roles than any CRM lets one make.
const MOST_ROLES: usize = 100_000;

/// Pulls what is due until `stop`; then finishes the piece at hand.
pub async fn run(services: Arc<Services>, stop: CancellationToken) {
    let owner = services.clock.id::<Uuid>();
    let mut measured: Option<Instant> = None;
    while !stop.is_cancelled() {
        if measured.is_none_or(|at| at.elapsed() >= MEASURED) {
            measured = Some(Instant::now());
            super::metrics::tell_ages(&services).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "how old the syncs are could not be measured");
            });
        }
        match step(&services, owner, &stop).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the sync worker met an error"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = services.syncs.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}

/// Makes the runs that are due, claims one and works it off; whether there was one.
pub async fn step(services: &Services, owner: Uuid, stop: &CancellationToken) -> Result<bool> {
    schedule::tick(services).await?;
    let Some(run) = queue::claim(services, owner).await? else { return Ok(false) };
    tracing::info!(sync_run = %run.id.0, integration = %run.integration_id.0, "a pull starts");
    let begun = Instant::now();
    let done = tokio::select! {
        done = work(services, &run, stop) => done,
        error = stay_alive(services, &run) => Err(error),
    };
    match done {
        Ok(status) => {
            super::metrics::ended(&run, status, begun.elapsed());
            Ok(true)
        }
        Err(error) if error.is_superseded() => {
            tracing::info!(sync_run = %run.id.0, "a pull was taken over");
            Ok(true)
        }
        // The database will be back, and the lease is ours until it runs out.
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            let message = match &error {
                Error::Faults(faults) => faults.iter().map(Fault::to_string).collect::<Vec<_>>().join(" "),
                error => {
                    tracing::error!(%error, sync_run = %run.id.0, "a pull failed");
                    format!("An internal error stopped the pull; the log names {}.", run.id.0)
                }
            };
            let tx = services.db.write(run.organization_id).await?;
            queue::fail(&tx, &run, message).await?;
            tx.commit().await?;
            super::metrics::ended(&run, Some(SyncStatus::Failed), begun.elapsed());
            Ok(true)
        }
    }
}

/// Gives signs of life until the run is no longer this worker's; the error that says so.
async fn stay_alive(services: &Services, run: &Model) -> Error {
    loop {
        tokio::time::sleep(services.db.lease() / 3).await;
        match queue::renew(services, run).await {
            Err(error) if error.is_superseded() => return error,
            Err(error) => tracing::warn!(%error, sync_run = %run.id.0, "a pull could not give a sign of life"),
            Ok(()) => {}
        }
    }
}

/// How the run ended; `None` when it was stopped and is to go on.
async fn work(services: &Services, run: &Model, stop: &CancellationToken) -> Result<Option<SyncStatus>> {
    let Some(integration) =
        integration::Entity::find_by_id((run.organization_id, run.integration_id)).one(services.db.writer()).await?
    else {
        return Err(Error::internal("a pull's integration is gone"));
    };
    let pull = Pull { services, run, integration };
    match pull.pull(stop).await {
        Ok(status) => Ok(status),
        Err(Failed::Crm(error)) => {
            tracing::warn!(sync_run = %run.id.0, problem = ?error.problem, "the CRM could not be pulled from");
            Err(connection::fault(&error))
        }
        Err(Failed::Service(error)) => Err(error),
    }
}

/// What stops a pull.
enum Failed {
    Crm(CrmError),
    Service(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

struct Pull<'a> {
    services: &'a Services,
    run: &'a Model,
    integration: integration::Model,
}

impl Pull<'_> {
    async fn pull(&self, stop: &CancellationToken) -> Result<Option<SyncStatus>, Failed> {
        if self.integration.deleted_at.is_some() {
            return Err(Error::internal("the integration was deleted").into());
        }
        let mut run = self.run.clone();
        let is_fresh = run.phase == SyncPhase::Pull && run.attempts == 0;
        let connection = connection::open(self.services, &self.integration)?;
        let client = self.services.crm.client(&connection).map_err(Failed::Crm)?;
        if is_fresh {
            run = self.begin(client.as_ref(), run).await?;
        }
        let mut stalled = 0;
        // What an administrator lets go on has been pulled already.
        while run.phase == SyncPhase::Pull {
            if stop.is_cancelled() {
                let tx = self.services.db.write(run.organization_id).await?;
                queue::release(&tx, self.run).await?;
                tx.commit().await?;
                return Ok(None);
            }
            let begun = Instant::now();
            let before = run.cursor.clone();
            run = self.piece(client.as_ref(), run).await?;
            // A piece may be empty, and the next one begin where it did; not for ever.
            stalled = if run.cursor.is_some() && run.cursor == before { stalled + 1 } else { 0 };
            if stalled >= STALLED {
                let message = "The CRM's answer does not come to an end: nothing was changed.";
                return Err(Failed::Crm(CrmError::new(Problem::Malformed, message)));
            }
            pause(self.services, begun, stop).await;
        }
        let roles = match client.has_roles() {
            true => Some(all_roles(client.as_ref()).await.map_err(Failed::Crm)?),
            false => None,
        };
        self.services.db.look_again(&PUBLISHED).await?;
        Ok(Some(self.publish(roles.as_deref()).await?))
    }

    /// Decides what to ask for: what has changed, or everything where that was long ago.
    async fn begin(&self, client: &dyn CrmClient, run: Model) -> Result<Model> {
        let integration = &self.integration;
        let tx = self.services.db.write(run.organization_id).await?;
        let every = chrono::Duration::hours(integration.full_sync_hours.into());
        let is_recent = integration.full_synced_at.is_some_and(|at| tx.now - at < every);
        let since = integration.synced_until.filter(|_| client.is_incremental() && is_recent).map(|at| at - OVERLAP);
        clear(&tx, run.id).await?;
        if !run.is_simulation {
            clear_halted(&tx, &run).await?;
        }
        queue::begin(&tx, &run, since).await?;
        let run = queue::reload(&tx, &run).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Brings in the next piece.
    async fn piece(&self, client: &dyn CrmClient, run: Model) -> Result<Model, Failed> {
        let page = match client.users(run.changed_since, run.cursor.as_deref()).await {
            Err(error) if error.problem == Problem::CursorExpired && run.attempts < ATTEMPTS => {
                tracing::warn!(sync_run = %run.id.0, "the CRM no longer knows where the pull stood: it begins again");
                return Ok(self.begin(client, run).await?);
            }
            page => page.map_err(Failed::Crm)?,
        };
        let records = run.records + i64::try_from(page.records).unwrap_or(i64::MAX);
        if let (None, Some(total)) = (&page.next, page.total)
            && records < i64::try_from(total).unwrap_or(i64::MAX)
        {
            let message = format!(
                "The CRM said that there are {total} records, and sent {records}: the answer is not complete, and \
                 nothing was changed."
            );
            return Err(Failed::Crm(CrmError::new(Problem::Malformed, message)));
        }
        Ok(self.take(run, page).await?)
    }

    async fn take(&self, run: Model, page: Page<CrmUser>) -> Result<Model> {
        let tx = self.services.db.write(run.organization_id).await?;
        let modified_until = page.rows.iter().filter_map(|user| user.modified_at).max().max(run.modified_until);
        let mut staged: Vec<Staged> = Vec::with_capacity(page.rows.len());
        let mut invalid = Vec::new();
        // Of one that comes twice in a piece, the last counts.
        let mut places = std::collections::HashMap::new();
        for (line, user) in (run.records..).zip(page.rows) {
            match normalized(&self.integration, user) {
                Ok(crm_user) => {
                    let one = Staged { line, crm_user, cells: None };
                    match places.get(&one.crm_user.external_id) {
                        Some(&place) => staged[place] = one,
                        None => {
                            places.insert(one.crm_user.external_id.clone(), staged.len());
                            staged.push(one);
                        }
                    }
                }
                Err(change) => invalid.push(change),
            }
        }
        stage(&tx, run.id, &staged).await?;
        note(&tx, &run, &invalid).await?;
        let piece = Piece {
            records: i64::try_from(page.records).unwrap_or(i64::MAX),
            received: i64::try_from(staged.len()).unwrap_or(i64::MAX),
            modified_until,
            next: page.next,
        };
        queue::advance(&tx, &run, piece).await?;
        let run = queue::reload(&tx, &run).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Carries out what has come, in one transaction.
    async fn publish(&self, roles: Option<&[CrmRole]>) -> Result<SyncStatus> {
        let tx = self.services.db.write(self.run.organization_id).await?;
        let run = queue::reload(&tx, self.run).await?;
        let integration = integration::Entity::find_by_id((run.organization_id, run.integration_id))
            .one(tx.connection())
            .await?
            .ok_or_else(|| Error::internal("a pull's integration is gone"))?;
        let options = Options {
            is_complete: run.is_complete,
            pulled: true,
            roles,
            simulate: run.is_simulation,
            accepted: run.is_accepted,
            actor: run.triggered_by,
            ..Options::default()
        };
        let (published, halted) = publish(&tx, &integration, run.id, options).await?;
        let (status, published, error) = match halted {
            None => (SyncStatus::Completed, published, None),
            Some(fault) => {
                // What it would have done is there to be looked at.
                let look = Options { accepted: true, simulate: true, ..options };
                let (would, _) = publish(&tx, &integration, run.id, look).await?;
                (SyncStatus::Halted, would, Some(fault.message))
            }
        };
        if run.is_simulation {
            clear(&tx, run.id).await?;
        } else if status == SyncStatus::Completed {
            remember(&tx, &run, &integration).await?;
        }
        queue::finish(&tx, &run, status, &published, error).await?;
        tx.commit().await?;
        let counts = &published.counts;
        tracing::info!(sync_run = %run.id.0, ?status, received = published.received, ?counts, "a pull ended");
        if status == SyncStatus::Completed && !run.is_simulation {
            super::metrics::changed(counts);
        }
        Ok(status)
    }
}

/// A CRM user as it is stored; or that it is left out, and why.
fn normalized(
    integration: &integration::Model,
    user: CrmUser,
) -> Result<crate::service::crm_user::incoming::Normalized, Change> {
    let CrmUser { external_id, email, name, username, title, role, is_active, created_at, modified_at: _ } = user;
    let some = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let incoming = Incoming {
        external_id: external_id.trim().to_owned(),
        email: some(email),
        name: some(name),
        username: some(username),
        title: some(title),
        team: None,
        role: some(role),
        is_active,
        created_at,
    };
    normalize(integration, &incoming).map_err(|faults| Change {
        external_id: Some(incoming.external_id),
        detail: Some(faults.iter().map(Fault::to_string).collect::<Vec<_>>().join(" ")),
        ..Change::of(entity::SyncChangeKind::Invalid)
    })
}

/// Writes down what a piece had that was left out.
async fn note(tx: &Tx, run: &Model, invalid: &[Change]) -> Result<()> {
    if invalid.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM sync_change WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("sync_run_id", run.id);
    let first = sql.number(tx.connection()).await?;
    receipt::write(tx, run.id, first, invalid).await
}

/// Another pull begins: those that were halted before can't go on, since what they brought in is old.
async fn clear_halted(tx: &Tx, run: &Model) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("DELETE FROM crm_user_stage WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND sync_run_id IN (SELECT id FROM sync_run WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").equals("integration_id", run.integration_id).push(" AND status = 'HALTED')");
    tx.execute(sql).await?;
    Ok(())
}

/// A pull went well: the next one asks for what has changed since the last change that came, by the CRM's clock. Where
/// that is long ago, since this pull began, by ours, which may differ.
async fn remember(tx: &Tx, run: &Model, integration: &integration::Model) -> Result<()> {
    let begun = run.started_at.unwrap_or(tx.now);
    let until = integration.synced_until.max(run.modified_until).max(Some(begun - SKEW));
    let full: Option<Time> = run.is_complete.then_some(begun);
    let mut sql = tx.sql();
    sql.push("UPDATE integration SET ").equals("synced_at", tx.now).push(", ").equals("synced_until", until);
    sql.push(", full_synced_at = COALESCE(").bind(full).push(", full_synced_at) WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", run.integration_id);
    tx.execute(sql).await?;
    Ok(())
}

/// The whole hierarchy; there are far fewer roles than users.
async fn all_roles(client: &dyn CrmClient) -> Result<Vec<CrmRole>, CrmError> {
    let mut roles = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.roles(cursor.as_deref()).await?;
        roles.extend(page.rows);
        if roles.len() > MOST_ROLES || page.next.is_some() && page.next == cursor {
            return Err(CrmError::new(Problem::Malformed, "The CRM's list of roles does not come to an end."));
        }
        match page.next {
            None if page.total.is_some_and(|total| (roles.len() as u64) < total) => {
                return Err(CrmError::new(Problem::Malformed, "The CRM's list of roles is not complete."));
            }
            None => return Ok(roles),
            next => cursor = next,
        }
    }
}
