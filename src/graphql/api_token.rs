//! API tokens.

use async_graphql::{Context, ID, Object};
use entity::api_token;

use super::{
    error::{Failure, Result},
    id, loaders,
    page::shown,
    user::User,
};
use crate::service::clock::Time;

shown! {
    /// A token.
    ApiToken(api_token::Model),
}

/// A token that signs a user in; its text is shown once, when it is made.
#[Object]
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
