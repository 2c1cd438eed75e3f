//! Receipts of CRM users.

use async_graphql::{Context, Enum, ID, Object, Subscription};
use entity::sync_run;
use futures::{FutureExt, Stream};

use super::{
    error::{Failure, Result},
    id,
    integration::Integration,
    loaders,
    page::shown,
    session,
    user::User,
    watch::{Look, watch},
};
use crate::service::{clock::Time, sync_run::query};

shown! {
    /// A receipt of CRM users.
    SyncRun(sync_run::Model),
}

/// What set off a receipt of CRM users.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::SyncTrigger")]
pub enum SyncTrigger {
    /// The integration's schedule.
    Schedule,
    /// An administrator asked for a pull.
    Request,
    /// CRM users were pushed.
    Push,
    /// A file of CRM users was imported.
    Import,
}

/// Where a receipt of CRM users stands.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::SyncStatus")]
pub enum SyncStatus {
    /// It waits for its turn.
    Queued,
    /// It is under way.
    Running,
    /// All is received and linked.
    Completed,
    /// It was stopped by an error; nothing was changed.
    Failed,
    /// Stopped by massChangeLimitPercent; nothing was changed.
    Halted,
}

/// A receipt of CRM users (a pull, a push, a file) and the linking that followed.
#[Object(crate = "crate::graphql::executor")]
impl SyncRun {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// The integration.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Integration> {
        let found = loaders(ctx)?.integrations.load(self.0.integration_id).await?;
        found.ok_or_else(|| Failure::internal("a sync run's integration is gone"))
    }

    /// Where it stands.
    async fn status(&self) -> SyncStatus {
        self.0.status.into()
    }

    /// What set it off.
    async fn trigger(&self) -> SyncTrigger {
        self.0.trigger.into()
    }

    /// The person who set it off, where one did.
    async fn triggered_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.triggered_by {
            Some(user_id) => loaders(ctx)?.users.load(user_id).await,
            None => Ok(None),
        }
    }

    /// When work on it began.
    async fn started_at(&self) -> Option<Time> {
        self.0.started_at
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<Time> {
        self.0.finished_at
    }

    /// CRM users received.
    async fn received(&self) -> i64 {
        self.0.received
    }

    /// Users made for CRM users that had none.
    async fn users_created(&self) -> i64 {
        self.0.users_created
    }

    /// Users who were linked to a CRM user and had none before.
    async fn linked(&self) -> i64 {
        self.0.linked
    }

    /// Mappings that moved to another CRM user.
    async fn remapped(&self) -> i64 {
        self.0.remapped
    }

    /// CRM users that became inactive.
    async fn deactivated(&self) -> i64 {
        self.0.deactivated
    }

    /// What should have been done and could not: an email in use, a target taken, an ambiguous match.
    async fn left_alone(&self) -> i64 {
        self.0.left_alone
    }

    /// What stopped the run, for a person.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
}

#[derive(Default)]
pub struct SyncRunSubscription;

#[Subscription]
impl SyncRunSubscription {
    /// The sync run at each change, the last time when it ends.
    async fn sync_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sync run's id.")] id: ID,
    ) -> Result<impl Stream<Item = Result<SyncRun>> + use<>> {
        let id = id::read(&id);
        let session = session(ctx)?.clone();
        session.admin()?;
        let look: Look<SyncRun> = Box::new(move || {
            let session = session.clone();
            async move { Ok(query::watched(&session, id).await?.map(|run| SyncRun(run.into()))) }.boxed()
        });
        watch("There is no sync run with this id.", look, |run| {
            use entity::SyncStatus::{Completed, Failed, Halted};
            matches!(run.status, Completed | Failed | Halted)
        })
        .await
    }
}
