//! Making, changing and deleting integrations, and pushing CRM users to them.

use async_graphql::{Context, InputObject, MaybeUndefined, Object};

use super::{
    CrmKind, EmailDedupe, Integration, IntegrationRef,
    connection::{ConnectIntegrationInput, ConnectionPayload, TestConnectionInput, TestConnectionPayload},
};
use crate::{
    graphql::{
        error::{Failure, Result, UserError, outcome},
        id, loaders,
        payload::{DeletePayload, IdInput, inputs, payloads},
        session,
        sync_run::SyncRun,
        user::patch,
    },
    service::{
        clock::Time,
        connection,
        crm_user::Incoming,
        integration::{SettingsPatch, change},
        sync_run,
    },
};

payloads! {
    /// What a mutation of an integration answers.
    IntegrationPayload {
        /// The integration as it is now.
        integration: Integration
    }
    /// What asking for a pull answers.
    SyncPayload {
        /// The run that was begun.
        sync_run: SyncRun
    }
}

inputs! {
    /// Names an integration.
    IntegrationInput {
        /// Which integration.
        integration: IntegrationRef
    }
}

/// What a push answers.
#[derive(async_graphql::SimpleObject)]
pub struct PushCrmUsersPayload {
    /// The receipt and what came of it; with MASS_CHANGE_LIMIT it is HALTED.
    sync_run: Option<SyncRun>,
    /// What is wrong with the CRM users, or what stopped the receipt; nothing was changed then.
    user_errors: Vec<UserError>,
}

/// An integration to be made.
#[derive(Debug, Clone, InputObject)]
pub struct CreateIntegrationInput {
    /// What it is called; unique in the organisation.
    name: String,
    /// The CRM product.
    kind: CrmKind,
    /// Settings other than the defaults.
    settings: Option<IntegrationSettingsInput>,
}

/// What is to change of an integration; what is left out stays.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateIntegrationInput {
    /// Which integration.
    integration: IntegrationRef,
    /// What it is to be called.
    name: MaybeUndefined<String>,
    /// Settings to change.
    settings: Option<IntegrationSettingsInput>,
}

/// Settings of an integration; what is left out stays as it is, or has its default.
#[derive(Debug, Clone, InputObject)]
pub struct IntegrationSettingsInput {
    /// Link a user and a CRM user whose emails match. Default: true.
    auto_link_by_email: MaybeUndefined<bool>,
    /// Create a user for an active CRM user that has none. Default: false.
    inbound_create: MaybeUndefined<bool>,
    /// In which direction an email that exists on both sides makes the two records one. Default: NEVER.
    email_dedupe: MaybeUndefined<EmailDedupe>,
    /// Move a mapping from an inactive CRM user to an active one with the same email. Needs inboundCreate and
    /// emailDedupe BOTH. Default: false.
    auto_remap_inactive: MaybeUndefined<bool>,
    /// A cron expression in UTC; null for no schedule.
    sync_schedule: MaybeUndefined<String>,
    /// From 0 to 100: a receipt that takes the target from more than this share of the mappings is stopped. Default: 20.
    mass_change_limit_percent: MaybeUndefined<i32>,
    /// After as many hours a pull asks for every CRM user again, not only for those that have changed. Default: 24.
    full_sync_interval_hours: MaybeUndefined<i32>,
    /// Take `.invalid` off the end of CRM emails that come in from now on. Default: false.
    strip_invalid_suffix: MaybeUndefined<bool>,
}

/// CRM users to be upserted.
#[derive(Debug, Clone, InputObject)]
pub struct PushCrmUsersInput {
    /// Whose CRM users they are.
    integration: IntegrationRef,
    /// The CRM users: 1,000 at most, each once.
    crm_users: Vec<CrmUserInput>,
}

/// A CRM user, as its CRM describes it. What is left out is empty.
#[derive(Debug, Clone, InputObject)]
pub struct CrmUserInput {
    /// The id in the CRM.
    external_id: String,
    /// The email that users are matched by.
    email: Option<String>,
    /// The full name.
    name: Option<String>,
    /// The name to sign in to the CRM with.
    username: Option<String>,
    /// The job title.
    title: Option<String>,
    /// Where the CRM's hierarchy places them, as a team path.
    team: Option<String>,
    /// Whether they can sign in to the CRM.
    #[graphql(default = true)]
    is_active: bool,
    /// When the CRM says it was created there.
    created_at: Option<Time>,
}

fn settings(input: Option<IntegrationSettingsInput>) -> SettingsPatch {
    input.map_or_else(SettingsPatch::default, |input| SettingsPatch {
        auto_link_by_email: patch(input.auto_link_by_email),
        inbound_create: patch(input.inbound_create),
        email_dedupe: patch(input.email_dedupe),
        auto_remap_inactive: patch(input.auto_remap_inactive),
        sync_schedule: patch(input.sync_schedule),
        mass_change_limit_percent: patch(input.mass_change_limit_percent),
        full_sync_interval_hours: patch(input.full_sync_interval_hours),
        strip_invalid_suffix: patch(input.strip_invalid_suffix),
    })
}

#[derive(Default)]
pub struct IntegrationMutation;

#[Object]
impl IntegrationMutation {
    /// Make an integration.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration to be made.")] input: CreateIntegrationInput,
    ) -> Result<IntegrationPayload> {
        let done = change::create(session(ctx)?, input.name, input.kind.into(), settings(input.settings)).await;
        IntegrationPayload::of(ctx, done, |l| &l.integrations).await
    }

    /// Change an integration's name or settings.
    async fn update_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration, and what is to change.")] input: UpdateIntegrationInput,
    ) -> Result<IntegrationPayload> {
        let integration = input.integration.into();
        let done = change::update(session(ctx)?, integration, patch(input.name), settings(input.settings)).await;
        IntegrationPayload::of(ctx, done, |l| &l.integrations).await
    }

    /// Ends its mappings; history stays.
    async fn delete_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: IntegrationInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::delete(session(ctx)?, input.integration.into()).await)
    }

    /// Upsert CRM users by external id (1,000 a call at most) and link what can be linked.
    async fn push_crm_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The CRM users.")] input: PushCrmUsersInput,
    ) -> Result<PushCrmUsersPayload> {
        let crm_users = input
            .crm_users
            .into_iter()
            .map(|crm_user| Incoming {
                external_id: crm_user.external_id,
                email: crm_user.email,
                name: crm_user.name,
                username: crm_user.username,
                title: crm_user.title,
                team: crm_user.team,
                role: None,
                is_active: crm_user.is_active,
                created_at: crm_user.created_at,
            })
            .collect();
        let done = sync_run::push(session(ctx)?, input.integration.into(), crm_users).await;
        let (done, mut user_errors) = outcome(done)?;
        let sync_run = match done {
            Some((id, faults)) => {
                user_errors.extend(faults.into_iter().map(UserError::from));
                loaders(ctx)?.sync_runs.load(id).await?
            }
            None => None,
        };
        Ok(PushCrmUsersPayload { sync_run, user_errors })
    }

    /// Pull from the CRM now.
    async fn sync_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: IntegrationInput,
    ) -> Result<SyncPayload> {
        let done = sync_run::request(session(ctx)?, input.integration.into()).await;
        SyncPayload::of(ctx, done, |l| &l.sync_runs).await
    }
    /// Work out what a pull would do now, and change nothing: a sync run like another, with its changes.
    async fn simulate_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: IntegrationInput,
    ) -> Result<SyncPayload> {
        let done = sync_run::request::simulate(session(ctx)?, input.integration.into()).await;
        SyncPayload::of(ctx, done, |l| &l.sync_runs).await
    }

    /// Let a pull go on that massChangeLimitPercent has halted, after a look at its changes.
    async fn continue_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sync run.")] input: IdInput,
    ) -> Result<SyncPayload> {
        let done = sync_run::request::go_on(session(ctx)?, id::read(&input.id)).await;
        SyncPayload::of(ctx, done, |l| &l.sync_runs).await
    }

    /// Connect an integration with its CRM, in the place of a connection that it has. The credentials are write-only; the
    /// next pull asks for every CRM user.
    async fn connect_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration, and its connection.")] input: ConnectIntegrationInput,
    ) -> Result<ConnectionPayload> {
        let connection = input.connection.try_into().map_err(not_an_address)?;
        let done = connection::set(session(ctx)?, input.integration.into(), connection).await;
        ConnectionPayload::of(ctx, done, |l| &l.integrations).await
    }

    /// Take an integration's connection away, and forget its credentials. CRM users and mappings stay.
    async fn disconnect_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] input: IntegrationInput,
    ) -> Result<ConnectionPayload> {
        let done = connection::remove(session(ctx)?, input.integration.into()).await;
        ConnectionPayload::of(ctx, done, |l| &l.integrations).await
    }

    /// Sign in to the CRM and read one user, to tell whether pulls will work, and what is wrong where they won't.
    async fn test_connection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration, and a connection to try.")] input: TestConnectionInput,
    ) -> Result<TestConnectionPayload> {
        let connection = input.connection.map(TryInto::try_into).transpose().map_err(not_an_address)?;
        let done = connection::test(session(ctx)?, input.integration.into(), connection).await;
        let (tested, user_errors) = outcome(done)?;
        Ok(TestConnectionPayload::of(tested, user_errors))
    }
}

fn not_an_address(error: url::ParseError) -> Failure {
    Failure::internal(format!("an address of the program is none: {error}"))
}
