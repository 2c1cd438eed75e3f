//! The viewer's organisation.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::organization;

use super::{
    catalogue::{ConfigurationProfile, License},
    error::{Failure, Result, UserError, outcome},
    id,
    integration::{Integration, IntegrationRef},
    loaders, page,
    page::Shown,
    session,
    user::patch,
};
use crate::service::{catalogue, organization::change};

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
    #[graphql(complexity = "page::several(child_complexity)")]
    async fn licenses(&self, ctx: &Context<'_>) -> Result<Vec<License>> {
        let licenses = catalogue::query::licenses(session(ctx)?).await?;
        Ok(licenses.into_iter().map(|license| License::of(Arc::new(license))).collect())
    }

    /// The configuration profiles that users can have, by name.
    #[graphql(complexity = "page::several(child_complexity)")]
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
}
