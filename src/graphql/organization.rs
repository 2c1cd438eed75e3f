//! The viewer's organisation.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::{UserId, organization};

use super::{
    catalogue::{ConfigurationProfile, License},
    error::{Failure, Result, UserError, outcome},
    id,
    import::FieldChange,
    integration::{Integration, IntegrationRef},
    loaders,
    page::Shown,
    session,
    user::{User, patch},
};
use crate::service::{
    catalogue,
    organization::{change, switch},
    user::{Patch, apply},
};

/// Who owns the organisation's users and teams.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ManageMode")]
pub enum ManageMode {
    /// Administrators do, here.
    Manual,
    /// The CRM does: teams follow its role hierarchy, and users' titles and teams its users.
    Auto,
}

/// An organisation.
#[derive(Debug, Clone)]
pub struct Organization(pub Arc<organization::Model>);

/// A tenant: its users, teams and integrations, apart from every other's.
#[Object(crate = "crate::graphql::executor")]
impl Organization {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the organisation is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Who owns users and teams.
    async fn manage_mode(&self) -> ManageMode {
        self.0.manage_mode.into()
    }

    /// The integration that users and teams follow in manage mode AUTO.
    async fn managed_by(&self, ctx: &Context<'_>) -> Result<Option<Integration>> {
        if self.0.manage_mode == entity::ManageMode::Manual {
            return Ok(None);
        }
        loaders(ctx)?.managing.load(()).await
    }

    /// The licences that users can hold, by name.
    async fn licenses(&self, ctx: &Context<'_>) -> Result<Vec<License>> {
        let licenses = catalogue::query::licenses(session(ctx)?).await?;
        Ok(licenses.into_iter().map(|license| License::of(Arc::new(license))).collect())
    }

    /// The configuration profiles that users can have, by name.
    async fn configuration_profiles(&self, ctx: &Context<'_>) -> Result<Vec<ConfigurationProfile>> {
        let profiles = catalogue::query::profiles(session(ctx)?).await?;
        Ok(profiles.into_iter().map(|profile| ConfigurationProfile::of(Arc::new(profile))).collect())
    }
}

/// The viewer's organisation, read once for all who ask at the same time.
pub async fn current(ctx: &Context<'_>) -> Result<Organization> {
    let found = loaders(ctx)?.organization.load(()).await?;
    found.map(Organization).ok_or_else(|| Failure::internal("the viewer's organisation is gone"))
}

#[derive(Default)]
pub struct OrganizationQuery;

#[Object]
impl OrganizationQuery {
    /// The organisation of the signed-in user.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        current(ctx).await
    }
}

/// What is to change of the organisation; what is left out stays.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateOrganizationInput {
    /// What it is to be called.
    name: MaybeUndefined<String>,
    /// Who is to own users and teams.
    manage_mode: MaybeUndefined<ManageMode>,
    /// Required with AUTO, unless the organisation has exactly one integration.
    managed_by: MaybeUndefined<IntegrationRef>,
}

/// What a mutation of the organisation answers.
#[derive(SimpleObject)]
pub struct OrganizationPayload {
    /// The organisation as it is now.
    organization: Option<Organization>,
    /// What is wrong with the input, or with the state it met; empty when all went well.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub struct OrganizationMutation;

#[Object]
impl OrganizationMutation {
    /// Change the organisation's name, or who owns its users and teams.
    async fn update_organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UpdateOrganizationInput,
    ) -> Result<OrganizationPayload> {
        let update = change::Update {
            name: patch(input.name),
            manage_mode: patch(input.manage_mode),
            managed_by: patch(input.managed_by),
        };
        let (done, user_errors) = outcome(change::update(session(ctx)?, update).await)?;
        let organization = match done {
            Some(_) => Some(current(ctx).await?),
            None => None,
        };
        Ok(OrganizationPayload { organization, user_errors })
    }

    /// Work out what switching the manage mode would change of users and teams, and change nothing.
    async fn simulate_manage_mode(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The mode to switch to.")] input: SimulateManageModeInput,
    ) -> Result<SimulateManageModePayload> {
        let managed_by = input.managed_by.map_or(Patch::Keep, |by| Patch::Set(by.into()));
        let update =
            change::Update { manage_mode: Patch::Set(input.manage_mode.into()), managed_by, ..Default::default() };
        let (done, user_errors) = outcome(change::simulate(session(ctx)?, update).await)?;
        Ok(SimulateManageModePayload { simulation: done.map(ManageModeSimulation), user_errors })
    }
}

/// A manage mode to be tried.
#[derive(Debug, Clone, InputObject)]
pub struct SimulateManageModeInput {
    /// Who is to own users and teams.
    manage_mode: ManageMode,
    /// Required with AUTO, unless the organisation has exactly one integration.
    managed_by: Option<IntegrationRef>,
}

/// What a simulation of a manage mode answers.
#[derive(SimpleObject)]
pub struct SimulateManageModePayload {
    /// What would change.
    simulation: Option<ManageModeSimulation>,
    /// Why it could not be worked out; empty when it could.
    user_errors: Vec<UserError>,
}

/// What a switch of the manage mode would change.
pub struct ManageModeSimulation(switch::Switched);

/// What a switch of the manage mode would change of users and teams.
#[Object]
impl ManageModeSimulation {
    /// Users whose title or team would change.
    async fn users_changed(&self) -> i64 {
        self.0.users
    }

    /// The first 200 of them, and how each would change.
    async fn user_changes(&self) -> Vec<ManagedUserChange> {
        self.0.changes.iter().map(|(user, fields)| ManagedUserChange { user: *user, fields: fields.clone() }).collect()
    }

    /// The paths of teams that would be made.
    async fn teams_created(&self) -> &[String] {
        &self.0.teams_created
    }

    /// Teams that would get another name or place.
    async fn teams_moved(&self) -> Vec<TeamMove> {
        let moved = self.0.teams_moved.iter();
        moved.map(|(before, after)| TeamMove { before: before.clone(), after: after.clone() }).collect()
    }
}

/// A team that would get another name or place.
#[derive(SimpleObject)]
pub struct TeamMove {
    /// Its path now.
    before: String,
    /// Its path then.
    after: String,
}

/// How a user would change.
pub struct ManagedUserChange {
    user: UserId,
    fields: Vec<apply::FieldChange>,
}

/// How a user would change with the manage mode.
#[Object]
impl ManagedUserChange {
    /// The user as it is now.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        loaders(ctx)?.users.load(self.user).await
    }

    /// The fields that would change.
    async fn changes(&self) -> Vec<FieldChange> {
        self.fields.iter().cloned().map(FieldChange::from).collect()
    }
}
