//! Mapping by hand.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use super::Mapping;
use crate::{
    graphql::{
        crm_user::CrmUserRef,
        error::{Failure, Result, UserError, outcome},
        id,
        import::OnExistingMapping,
        integration::IntegrationRef,
        loaders,
        payload::{IdInput, payloads},
        session,
        user::UserRef,
    },
    service::mapping::change::{self, SetMapping},
};

payloads! {
    /// What a mutation of a mapping answers.
    MappingPayload {
        /// The mapping that holds now, or, when it was removed, the one that has ended.
        mapping: Mapping
    }
}

/// All of the items or, with userErrors, none.
#[derive(SimpleObject)]
pub struct RemapUsersPayload {
    /// The mappings that hold now, in the order of the items.
    mappings: Vec<Mapping>,
    /// Why nothing was changed.
    user_errors: Vec<UserError>,
}

/// One user to be mapped to one CRM user.
#[derive(Debug, Clone, InputObject)]
pub struct SetMappingInput {
    /// Which user.
    user: UserRef,
    /// The integration.
    integration: IntegrationRef,
    /// The CRM user to map to.
    crm_user: CrmUserRef,
    /// The address to sync this user's data under, where it differs from the user's email.
    alias_email: Option<String>,
    /// What to do about a mapping that the user has.
    #[graphql(default_with = "OnExistingMapping::Replace")]
    on_existing: OnExistingMapping,
}

/// Several users to be mapped to other CRM users in one step.
#[derive(Debug, Clone, InputObject)]
pub struct RemapUsersInput {
    /// The integration.
    integration: IntegrationRef,
    /// Who is to be mapped to whom: 1,000 at most, each user once.
    items: Vec<RemapItem>,
}

/// One of the users to be remapped.
#[derive(Debug, Clone, InputObject)]
pub struct RemapItem {
    /// Which user.
    user: UserRef,
    /// The CRM user to map to.
    crm_user: CrmUserRef,
}

#[derive(Default)]
pub struct MappingMutation;

#[Object]
impl MappingMutation {
    /// Edit External ID: map one user by hand. Overrides an automatic mapping; syncs leave it alone.
    async fn set_mapping(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user and the CRM user.")] input: SetMappingInput,
    ) -> Result<MappingPayload> {
        let wanted = SetMapping {
            user: input.user.into(),
            integration: input.integration.into(),
            crm_user: input.crm_user.into(),
            alias_email: input.alias_email,
            on_existing: input.on_existing.into(),
        };
        MappingPayload::of(ctx, change::set(session(ctx)?, wanted).await, |l| &l.mappings).await
    }

    /// Linking does not make a removed mapping again while both emails stay as they are.
    async fn remove_mapping(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The mapping.")] input: IdInput,
    ) -> Result<MappingPayload> {
        let done = change::remove(session(ctx)?, id::read(&input.id)).await;
        MappingPayload::of(ctx, done, |l| &l.mappings).await
    }

    /// Move several users to other CRM users in one step; targets may be swapped among them.
    async fn remap_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The users and their new CRM users.")] input: RemapUsersInput,
    ) -> Result<RemapUsersPayload> {
        let items = input.items.into_iter().map(|item| (item.user.into(), item.crm_user.into())).collect();
        let (made, user_errors) = outcome(change::remap(session(ctx)?, input.integration.into(), items).await)?;
        let loaded = futures::future::try_join_all(
            made.unwrap_or_default().into_iter().map(async |id| loaders(ctx)?.mappings.load(id).await),
        )
        .await?;
        let mappings: Option<Vec<Mapping>> = loaded.into_iter().collect();
        let mappings = mappings.ok_or_else(|| Failure::internal("a mapping that was made can't be found"))?;
        Ok(RemapUsersPayload { mappings, user_errors })
    }
}
