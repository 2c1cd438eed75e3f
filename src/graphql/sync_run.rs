//! Receipts of CRM users.

use async_graphql::{Context, Enum, ID, Object, Subscription};
use entity::{sync_change, sync_run};
use futures::{FutureExt, Stream};

use super::{
    crm_user::CrmUser,
    error::{Failure, Result},
    id,
    integration::Integration,
    loaders,
    page::{Connection, shown},
    session,
    user::User,
    watches,
};
use crate::service::{
    clock::Time,
    page::PageArgs,
    sync_run::{change, query},
};

shown! {
    /// A receipt of CRM users.
    SyncRun(sync_run::Model),
    /// What a receipt did.
    SyncChange(sync_change::Model),
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

    /// Whether it works out what it would do, and changes nothing.
    async fn is_simulation(&self) -> bool {
        self.0.is_simulation
    }

    /// Whether it lists every CRM user, so that those it leaves out become inactive.
    async fn is_complete(&self) -> bool {
        self.0.is_complete
    }

    /// When `changes` was deleted, at the end of its life.
    async fn changes_deleted_at(&self) -> Option<Time> {
        self.0.changes_deleted_at
    }

    /// What it did, and what it left alone and why, in the order in which it did. Of a simulation, and of a run that was
    /// halted: what it would have done.
    async fn changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only changes of one of these kinds.")] kind: Option<Vec<SyncChangeKind>>,
    ) -> Result<Connection<SyncChange>> {
        session(ctx)?.admin()?;
        let list = change::OfRun { kind: kind.map(|kinds| kinds.into_iter().map(Into::into).collect()) };
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.sync_changes, list, self.0.id, args).await
    }
}

/// The kinds of what a receipt does and leaves alone.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::SyncChangeKind")]
pub enum SyncChangeKind {
    /// A user was made for a CRM user that had none, and mapped to it.
    Created,
    /// A user who had no mapping was mapped.
    Linked,
    /// A mapping moved: its CRM user no longer carried the email.
    Relinked,
    /// A mapping moved: its CRM user had become inactive.
    Remapped,
    /// A CRM user became inactive.
    Deactivated,
    /// A user's title or team followed the CRM (manage mode AUTO).
    UserUpdated,
    /// A user was not mapped: several active CRM users carry the email.
    Ambiguous,
    /// A user was not mapped: another user has the CRM user.
    Taken,
    /// No user was made for a CRM user: its email is in use, and emailDedupe does not make the two one.
    EmailInUse,
    /// A role of the CRM lies in a circle or below one that is not there; no team follows it.
    RoleNotFollowed,
    /// A CRM user was left out: what the CRM says of it can't be used.
    Invalid,
}

/// What a receipt did, or left alone.
#[Object(crate = "crate::graphql::executor")]
impl SyncChange {
    /// What kind of change it is.
    async fn kind(&self) -> SyncChangeKind {
        self.0.kind.into()
    }

    /// What was done, or why it was not, in a sentence for a person.
    async fn message(&self) -> String {
        change::sentence(&self.0)
    }

    /// The user; null where none is concerned, and for one that a simulation would have made.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.user_id {
            Some(user_id) => loaders(ctx)?.users.load(user_id).await,
            None => Ok(None),
        }
    }

    /// The CRM user; null where none is concerned, and for one that a simulation would have taken in.
    async fn crm_user(&self, ctx: &Context<'_>) -> Result<Option<CrmUser>> {
        match self.0.crm_user_id {
            Some(crm_user_id) => loaders(ctx)?.crm_users.load(crm_user_id).await,
            None => Ok(None),
        }
    }

    /// The email of the user, or of the CRM user where no user is concerned.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_ref().map(entity::Email::as_str)
    }

    /// The CRM user's id in the CRM, or the role's.
    async fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
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
        let id: entity::SyncRunId = id::read(&id);
        let session = session(ctx)?.clone();
        session.admin()?;
        let (key, missing) = ((session.organization_id(), id.0), "There is no sync run with this id.");
        let look = Box::new(move || {
            let session = session.clone();
            async move { Ok(query::watched(&session, id).await?) }.boxed()
        });
        let watches = watches(ctx)?;
        watches
            .sync_runs
            .follow(key, missing, look, |run| {
                use entity::SyncStatus::{Completed, Failed, Halted};
                matches!(run.status, Completed | Failed | Halted)
            })
            .await
    }
}
