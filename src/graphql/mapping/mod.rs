//! Mappings: who is whom, and who was.

mod mutation;

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::mapping;

use super::{
    crm_user::CrmUser,
    error::{Failure, Result},
    id,
    import::ImportJob,
    input,
    integration::{Integration, IntegrationRef},
    loaders,
    page::{Connection, shown},
    session,
    sync_run::SyncRun,
    user::User,
};
use crate::service::{
    Fault, Step,
    clock::Time,
    integration,
    mapping::{
        Warning,
        query::{self, Mappings},
    },
    page::PageArgs,
};

pub use mutation::MappingMutation;

shown! {
    /// A mapping.
    Mapping(mapping::Model),
}

/// Who made a mapping.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::MappingSource")]
pub enum MappingSource {
    /// Linking did; syncs may move it.
    Automatic,
    /// A person or an import did; syncs leave it alone.
    Manual,
}

/// Why a mapping no longer holds.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::MappingEndReason")]
pub enum MappingEndReason {
    /// An administrator removed it.
    Removed,
    /// Another mapping took its place.
    Replaced,
    /// Linking moved it: the CRM user no longer carried the email.
    Relinked,
    /// Linking moved it: the CRM user had become inactive.
    AutoRemapped,
    /// The user was deleted.
    UserDeleted,
    /// The integration was deleted.
    IntegrationDeleted,
    /// The import that made it was reverted.
    Reverted,
}

/// What may be odd about a mapping.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "Warning")]
pub enum MappingWarningKind {
    /// The two names are surely two people's.
    NameMismatch,
    /// The CRM user does not carry the user's email.
    EmailMismatch,
    /// The CRM user is inactive.
    CrmUserInactive,
    /// The user is suspended.
    UserSuspended,
    /// Several active CRM users carry the user's email.
    EmailNowAmbiguous,
}

/// Who is whom in an integration, from when to when.
#[Object(crate = "crate::graphql::executor")]
impl Mapping {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// The integration.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Integration> {
        let found = loaders(ctx)?.integrations.load(self.0.integration_id).await?;
        found.ok_or_else(|| Failure::internal("a mapping's integration is gone"))
    }

    /// The user; possibly one who is deleted.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let found = loaders(ctx)?.users.load(self.0.user_id).await?;
        found.ok_or_else(|| Failure::internal("a visible mapping's user can't be seen"))
    }

    /// The CRM user.
    async fn crm_user(&self, ctx: &Context<'_>) -> Result<CrmUser> {
        let found = loaders(ctx)?.crm_users.load(self.0.crm_user_id).await?;
        found.ok_or_else(|| Failure::internal("a mapping's CRM user is gone"))
    }

    /// Who made it.
    async fn source(&self) -> MappingSource {
        self.0.source.into()
    }

    /// The address to sync this user's data under, where it differs from the user's email.
    async fn alias_email(&self) -> Option<&str> {
        self.0.alias_email.as_ref().map(entity::Email::as_str)
    }

    /// From when it holds.
    async fn created_at(&self) -> Time {
        self.0.created_at
    }

    /// The person who made it; null for linking, and when the viewer may not see them.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.created_by {
            Some(user_id) => loaders(ctx)?.users.load(user_id).await,
            None => Ok(None),
        }
    }

    /// The import that made it, where one did; for administrators.
    async fn import_job(&self, ctx: &Context<'_>) -> Result<Option<ImportJob>> {
        match self.0.import_job_id {
            Some(import_job_id) => loaders(ctx)?.import_jobs.load(import_job_id).await,
            None => Ok(None),
        }
    }

    /// The receipt of CRM users whose linking made it, where one did; for administrators.
    async fn sync_run(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        match self.0.sync_run_id {
            Some(sync_run_id) => loaders(ctx)?.sync_runs.load(sync_run_id).await,
            None => Ok(None),
        }
    }

    /// Up to when it held; null while it holds.
    async fn ended_at(&self) -> Option<Time> {
        self.0.ended_at
    }

    /// The person who ended it; null for linking, and when the viewer may not see them.
    async fn ended_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.ended_by {
            Some(user_id) => loaders(ctx)?.users.load(user_id).await,
            None => Ok(None),
        }
    }

    /// Why it ended.
    async fn end_reason(&self) -> Option<MappingEndReason> {
        self.0.end_reason.map(Into::into)
    }

    /// The mapping that this one took the place of.
    async fn replaces(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        match self.0.replaces_id {
            Some(mapping_id) => loaders(ctx)?.mappings.load(mapping_id).await,
            None => Ok(None),
        }
    }

    /// What may be odd about it.
    async fn warnings(&self) -> Vec<MappingWarning> {
        Warning::of(self.0.warnings).map(|warning| MappingWarning { warning, mapping: self.clone() }).collect()
    }
}

/// A warning of a mapping.
pub struct MappingWarning {
    warning: Warning,
    mapping: Mapping,
}

/// Something that may be odd about a mapping.
#[Object(crate = "crate::graphql::executor")]
impl MappingWarning {
    /// What kind of oddity it is.
    async fn kind(&self) -> MappingWarningKind {
        self.warning.into()
    }

    /// One sentence for a person, with what is on both sides.
    async fn message(&self, ctx: &Context<'_>) -> Result<String> {
        let (user, crm_user) = futures::try_join!(self.mapping.user(ctx), self.mapping.crm_user(ctx))?;
        let (user, crm_user) = (&user.0, &crm_user.0);
        let external_id = &crm_user.external_id;
        Ok(match self.warning {
            Warning::NameMismatch => {
                let name = [user.first_name.as_deref(), user.last_name.as_deref()];
                let name = name.into_iter().flatten().collect::<Vec<_>>().join(" ");
                let crm_name = crm_user.name.as_deref().unwrap_or_default();
                format!("The user is called {name}, the CRM user {crm_name}.")
            }
            Warning::EmailMismatch => match &crm_user.email {
                Some(email) => format!("The user's email is {}, the CRM user's {email}.", user.email),
                None => format!("The user's email is {}; the CRM user has none.", user.email),
            },
            Warning::CrmUserInactive => format!("The CRM user {external_id} is inactive."),
            Warning::UserSuspended => format!("The user {} is suspended.", user.email),
            Warning::EmailNowAmbiguous => {
                format!("Several active CRM users carry {}; this is one of them: {external_id}.", user.email)
            }
        })
    }
}

/// Which mappings a list has; every condition must hold. An empty list of choices finds none.
#[derive(Debug, Clone, Default, InputObject)]
pub struct MappingFilter {
    /// Only mappings in this integration.
    integration: Option<IntegrationRef>,
    /// Only mappings that were made in one of these ways.
    source: Option<Vec<MappingSource>>,
    /// An external id, an email or a name on either side.
    search: Option<String>,
    /// Only mappings with at least one of these warnings.
    warning: Option<Vec<MappingWarningKind>>,
    /// The mappings that held at this moment. Default: now.
    as_of: Option<Time>,
}

impl MappingFilter {
    /// The filter with its references resolved.
    ///
    /// # Errors
    /// `NOT_FOUND` with the path below the filter where one names nothing.
    pub async fn resolve(self, ctx: &Context<'_>) -> Result<Result<query::Filter, Fault>> {
        let integration_id = match self.integration {
            None => None,
            Some(by) => {
                let by = by.into();
                match integration::query::find(session(ctx)?, &by).await? {
                    Some(found) => Some(found.id),
                    None => return Ok(Err(input::no_integration(&by).under([Step::Name("integration")]))),
                }
            }
        };
        Ok(input::search(self.search).map(|search| query::Filter {
            integration_id,
            source: self.source.map(|source| source.into_iter().map(Into::into).collect()),
            search,
            warnings: self.warning.map(|warnings| query::bits(warnings.into_iter().map(Into::into))),
            as_of: self.as_of,
        }))
    }
}

#[derive(Default)]
pub struct MappingQuery;

#[Object]
impl MappingQuery {
    /// The mappings that the viewer sees, oldest first: those that hold now, or held at another moment.
    async fn mappings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only mappings that meet this.")] filter: Option<MappingFilter>,
    ) -> Result<Connection<Mapping>> {
        let filter = match filter {
            Some(filter) => filter.resolve(ctx).await??,
            None => query::Filter::default(),
        };
        Connection::of(ctx, Mappings { filter }, PageArgs { first, after, last, before }).await
    }
}
