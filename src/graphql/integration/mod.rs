//! Integrations: their settings, CRM users, mappings and coverage.

mod connection;
mod mutation;

use async_graphql::{Context, Enum, ID, Object, OneofObject};
use entity::integration;

use super::{
    crm_user::{CrmUser, CrmUserFilter},
    error::{Failure, Result},
    id, input, loaders,
    mapping::{Mapping, MappingFilter},
    page::{Connection, Shown, shown},
    session,
    sync_run::SyncRun,
    user::LinkState,
};
use crate::service::{
    self,
    clock::Time,
    integration::{IntegrationRef as Ref, query},
    mapping,
    page::PageArgs,
    sync_run,
};

pub use connection::ConnectionDetails;
pub use mutation::IntegrationMutation;

shown! {
    /// An integration.
    Integration(integration::Model),
    /// An integration's settings.
    IntegrationSettings(integration::Model),
}

/// The CRM products.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::CrmKind")]
pub enum CrmKind {
    /// Salesforce Sales Cloud.
    Salesforce,
    /// Oracle Sales.
    OracleSales,
    /// Microsoft Dynamics 365 Sales.
    #[graphql(name = "DYNAMICS_365")]
    Dynamics365,
    /// HubSpot.
    Hubspot,
    /// Fed by imports and pushes only.
    Other,
}

/// In which direction an email that exists on both sides makes the two records one.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::EmailDedupe")]
pub enum EmailDedupe {
    /// In neither.
    Never,
    /// When records come in from the CRM.
    Inbound,
    /// When records go out to the CRM.
    Outbound,
    /// In both.
    Both,
}

/// A CRM that the organisation's users are matched with.
#[Object(crate = "crate::graphql::executor")]
impl Integration {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the integration is called; unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Which product the CRM is.
    async fn kind(&self) -> CrmKind {
        self.0.kind.into()
    }

    /// How users are matched.
    async fn settings(&self) -> IntegrationSettings {
        IntegrationSettings(self.0.clone())
    }

    /// The CRM's users, by external id; for administrators.
    async fn crm_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only CRM users that meet this.")] filter: Option<CrmUserFilter>,
    ) -> Result<Connection<CrmUser>> {
        session(ctx)?.admin()?;
        let list = filter.unwrap_or_default().resolve()?;
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.crm_users_of, list, self.0.id, args).await
    }

    /// The mappings in this integration that the viewer sees, oldest first.
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
            None => mapping::query::Filter::default(),
        };
        let args = PageArgs { first, after, last, before };
        let list = mapping::query::OfIntegration { filter };
        Connection::below(&loaders(ctx)?.mappings_to, list, self.0.id, args).await
    }

    /// How many of the users that the viewer sees stand how towards the integration.
    async fn coverage(&self, ctx: &Context<'_>) -> Result<Coverage> {
        Ok(Coverage(loaders(ctx)?.coverage.load(self.0.id).await?.unwrap_or_default()))
    }

    /// The receipts of CRM users, newest first; for administrators.
    async fn sync_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
    ) -> Result<Connection<SyncRun>> {
        session(ctx)?.admin()?;
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.sync_runs_of, sync_run::query::OfIntegration, self.0.id, args).await
    }

    /// The newest receipt of CRM users; for administrators.
    async fn last_sync(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        session(ctx)?.admin()?;
        loaders(ctx)?.last_sync.load(self.0.id).await
    }

    /// When it is pulled from next; null without a schedule, and while there is no connection to pull from.
    async fn next_sync_at(&self) -> Option<Time> {
        self.0.next_sync_at
    }

    /// How it is connected with its CRM, for administrators; null while it is fed by pushes and files only.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Option<ConnectionDetails>> {
        session(ctx)?.admin()?;
        Ok(service::connection::summary(&self.0)?.map(ConnectionDetails))
    }
}

/// How an integration matches users.
#[Object(crate = "crate::graphql::executor")]
impl IntegrationSettings {
    /// Link a user and a CRM user whose emails match. Default: true.
    async fn auto_link_by_email(&self) -> bool {
        self.0.auto_link_by_email
    }

    /// Create a user for an active CRM user that has none. Default: false.
    async fn inbound_create(&self) -> bool {
        self.0.inbound_create
    }

    /// In which direction an email that exists on both sides makes the two records one (the source's Record Deduping).
    /// Default: NEVER.
    async fn email_dedupe(&self) -> EmailDedupe {
        self.0.email_dedupe.into()
    }

    /// Move a mapping from an inactive CRM user to an active one with the same email. Needs inboundCreate and
    /// emailDedupe BOTH. Default: false.
    async fn auto_remap_inactive(&self) -> bool {
        self.0.auto_remap_inactive
    }

    /// A cron expression in UTC, or null for no schedule.
    async fn sync_schedule(&self) -> Option<&str> {
        self.0.sync_schedule.as_deref()
    }

    /// A receipt of CRM users that would end, move or deactivate the target of more than this share of the mappings,
    /// and of more than ten, stops before it changes anything. Default: 20.
    async fn mass_change_limit_percent(&self) -> i32 {
        self.0.mass_change_limit_percent
    }

    /// A pull asks only for CRM users that have changed, where the CRM can tell; after as many hours it asks for all of
    /// them again. Default: 24.
    async fn full_sync_interval_hours(&self) -> i32 {
        self.0.full_sync_hours
    }

    /// Take `.invalid` off the end of CRM emails, as a sandbox puts it there. Default: false.
    async fn strip_invalid_suffix(&self) -> bool {
        self.0.strip_invalid_suffix
    }
}

/// What is counted of an integration.
pub struct Coverage(query::Coverage);

/// How many users stand how towards the integration.
#[Object(crate = "crate::graphql::executor")]
impl Coverage {
    /// All users that the viewer sees.
    async fn users(&self) -> i64 {
        self.0.users()
    }

    /// Users with a mapping.
    async fn mapped(&self) -> i64 {
        self.0.of(entity::LinkState::Mapped)
    }

    /// Users whose mapping was made by linking.
    async fn mapped_automatically(&self) -> i64 {
        self.0.automatic
    }

    /// Users whose mapping was made by hand or by an import.
    async fn mapped_manually(&self) -> i64 {
        self.0.manual
    }

    /// Every state, those with none included; the counts add up to `users`.
    async fn by_state(&self) -> Vec<LinkStateCount> {
        let counts = query::STATES.into_iter().zip(self.0.by_state);
        counts.map(|(state, users)| LinkStateCount { state: state.into(), users }).collect()
    }

    /// Users whose mapping has a warning.
    async fn with_warnings(&self) -> i64 {
        self.0.with_warnings
    }
}

/// How many users are in one state.
#[derive(async_graphql::SimpleObject)]
pub struct LinkStateCount {
    /// The state.
    state: LinkState,
    /// How many users are in it.
    users: i64,
}

/// An integration by id or by name.
#[derive(Debug, Clone, OneofObject)]
pub enum IntegrationRef {
    /// The global id.
    Id(ID),
    /// The name.
    Name(String),
}

impl From<IntegrationRef> for Ref {
    fn from(by: IntegrationRef) -> Self {
        match by {
            IntegrationRef::Id(id) => Self::Id(id::read(&id)),
            IntegrationRef::Name(name) => Self::Name(name),
        }
    }
}

impl IntegrationRef {
    /// The integration that an argument needs.
    pub async fn resolve(self, ctx: &Context<'_>) -> Result<Integration> {
        let by = Ref::from(self);
        let found = loaders(ctx)?.integration_refs.load(by.clone()).await?;
        found.ok_or_else(|| Failure::from(input::no_integration(&by)))
    }
}

#[derive(Default)]
pub struct IntegrationQuery;

#[Object]
impl IntegrationQuery {
    /// An integration; null when there is none.
    async fn integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which integration.")] by: IntegrationRef,
    ) -> Result<Option<Integration>> {
        loaders(ctx)?.integration_refs.load(by.into()).await
    }

    /// The organisation's integrations, by name.
    async fn integrations(&self, ctx: &Context<'_>) -> Result<Vec<Integration>> {
        let all = query::all(session(ctx)?).await?;
        Ok(all.into_iter().map(|integration| Integration::of(integration.into())).collect())
    }
}
