//! Any object by its global id.

use async_graphql::{Context, ID, Interface, Object};
use futures::future::try_join_all;

use super::{
    api_token::ApiToken,
    catalogue::{ConfigurationProfile, License},
    crm_user::CrmUser,
    error::{Failure, Result},
    id::Any,
    import::ImportJob,
    integration::Integration,
    loaders,
    mapping::Mapping,
    organization::{self, Organization},
    session,
    sync_run::SyncRun,
    team::Team,
    user::User,
};
use crate::service::page::MAX_SIZE;

/// An object with a global id.
#[derive(Debug, Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The global id: opaque, and good for `node`."))]
pub enum Node {
    Organization(Organization),
    User(User),
    Team(Team),
    License(License),
    ConfigurationProfile(ConfigurationProfile),
    Integration(Integration),
    CrmUser(CrmUser),
    Mapping(Mapping),
    ImportJob(ImportJob),
    SyncRun(SyncRun),
    ApiToken(ApiToken),
}

/// The object, if there is one that the viewer may see. What is deleted is found through history only.
async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let loaders = loaders(ctx)?;
    let Some(id) = Any::read(id) else {
        return Ok(None);
    };
    Ok(match id {
        Any::OrganizationId(id) if id == session(ctx)?.organization_id() => {
            Some(Node::Organization(organization::current(ctx).await?))
        }
        Any::OrganizationId(_) => None,
        Any::UserId(id) => {
            let user = loaders.users.load(id).await?;
            user.filter(|user| user.0.deleted_at.is_none()).map(Node::User)
        }
        Any::TeamId(id) => loaders.teams.load(id).await?.map(Node::Team),
        Any::LicenseId(id) => loaders.licenses.load(id).await?.map(Node::License),
        Any::ConfigurationProfileId(id) => loaders.profiles.load(id).await?.map(Node::ConfigurationProfile),
        Any::IntegrationId(id) => {
            let integration = loaders.integrations.load(id).await?;
            integration.filter(|integration| integration.0.deleted_at.is_none()).map(Node::Integration)
        }
        Any::CrmUserId(id) => {
            let crm_user = loaders.crm_users.load(id).await?;
            match crm_user {
                // CRM users are an administrator's; others see those that users whom they see are mapped to.
                Some(crm_user) if !session(ctx)?.is_admin() => {
                    let mapping = loaders.mapping_to.load((crm_user.0.integration_id, crm_user.0.id)).await?;
                    mapping.map(|_| Node::CrmUser(crm_user))
                }
                crm_user => crm_user.map(Node::CrmUser),
            }
        }
        Any::MappingId(id) => loaders.mappings.load(id).await?.map(Node::Mapping),
        Any::ImportJobId(id) => loaders.import_jobs.load(id).await?.map(Node::ImportJob),
        Any::SyncRunId(id) => loaders.sync_runs.load(id).await?.map(Node::SyncRun),
        Any::ApiTokenId(id) => loaders.api_tokens.load(id).await?.map(Node::ApiToken),
    })
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its global id; null when there is none that the viewer may see.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The global id.")] id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several objects by their global ids, in the order of the ids: null where there is none that the viewer may see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids; 200 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if u64::try_from(ids.len()).is_ok_and(|n| n > MAX_SIZE) {
            let message = format!("{} ids came; a call takes {MAX_SIZE} at most.", ids.len());
            return Err(Failure::limit_exceeded(message));
        }
        try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}
