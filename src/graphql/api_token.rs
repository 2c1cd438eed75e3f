//! API tokens.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::api_token;

use super::{
    error::{Failure, Result, UserError, outcome},
    id, loaders,
    page::shown,
    payload::{DeletePayload, IdInput},
    session,
    user::{User, UserRef},
};
use crate::service::{api_token::change, clock::Time};

shown! {
    /// A token.
    ApiToken(api_token::Model),
}

/// A token that signs a user in; its text is shown once, when it is made.
#[Object(crate = "crate::graphql::executor")]
impl ApiToken {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What it is for, in its maker's words.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whom it signs in.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let found = loaders(ctx)?.users.load(self.0.user_id).await?;
        found.ok_or_else(|| Failure::internal("a visible token's user can't be seen"))
    }

    /// When it was made.
    async fn created_at(&self) -> Time {
        self.0.created_at
    }

    /// Up to when it can be used; null for no end.
    async fn expires_at(&self) -> Option<Time> {
        self.0.expires_at
    }

    /// When it was last used, to the minute.
    async fn last_used_at(&self) -> Option<Time> {
        self.0.last_used_at
    }
}

/// A token to be made.
#[derive(Debug, Clone, InputObject)]
pub struct CreateApiTokenInput {
    /// What it is for.
    name: String,
    /// Whom it signs in; oneself when left out.
    user: Option<UserRef>,
    /// Up to when it can be used; without an end when left out.
    expires_at: Option<Time>,
}

/// What making a token answers.
#[derive(SimpleObject)]
pub struct CreateApiTokenPayload {
    /// The token, without its text.
    api_token: Option<ApiToken>,
    /// The token itself, shown this once.
    secret: Option<String>,
    /// What is wrong with the input, or with the state it met; empty when all went well.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// A token for oneself or, as an administrator, for another user.
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to be made.")] input: CreateApiTokenInput,
    ) -> Result<CreateApiTokenPayload> {
        let user = input.user.map(Into::into);
        let (made, user_errors) = outcome(change::create(session(ctx)?, input.name, user, input.expires_at).await)?;
        let (api_token, secret) = match made {
            Some((id, secret)) => (loaders(ctx)?.api_tokens.load(id).await?, Some(secret)),
            None => (None, None),
        };
        Ok(CreateApiTokenPayload { api_token, secret, user_errors })
    }

    /// Revoke a token of one's own or, as an administrator, anybody's: it stops working at once.
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: IdInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::revoke(session(ctx)?, id::read(&input.id)).await)
    }
}
