//! Users.

mod input;
mod mutation;

use async_graphql::{Context, ID, Object};
use entity::app_user;

use super::{
    api_token::ApiToken,
    catalogue::{ConfigurationProfile, License},
    error::{Failure, Result},
    id, input as inputs,
    integration::IntegrationRef,
    link::Link,
    loaders,
    mapping::Mapping,
    organization,
    page::{Connection, shown},
    session,
    team::Team,
};
use crate::service::{
    clock::Time,
    mapping::query::History,
    page::PageArgs,
    user::query::{self, OrderBy},
};

pub use input::{LinkState, ObjectVisibility, UserFilter, UserOrder, UserRef, UserRole, UserStatus};
pub use mutation::{UserMutation, patch};

shown! {
    /// A user.
    User(app_user::Model),
}

/// A user of the revenue application.
#[Object(crate = "crate::graphql::executor")]
impl User {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// The email, normalised; unique among the users who are not deleted.
    async fn email(&self) -> &str {
        self.0.email.as_str()
    }

    /// The first name.
    async fn first_name(&self) -> Option<&str> {
        self.0.first_name.as_deref()
    }

    /// The last name.
    async fn last_name(&self) -> Option<&str> {
        self.0.last_name.as_deref()
    }

    /// The job title.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// The team that the user is a member of.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        match self.0.team_id {
            Some(team_id) => loaders(ctx)?.teams.load(team_id).await,
            None => Ok(None),
        }
    }

    /// What the user may do.
    async fn role(&self) -> UserRole {
        self.0.role.into()
    }

    /// Whom the user sees.
    async fn object_visibility(&self) -> ObjectVisibility {
        self.0.object_visibility.into()
    }

    /// How the application is set up for the user.
    async fn configuration_profile(&self, ctx: &Context<'_>) -> Result<ConfigurationProfile> {
        let profile = loaders(ctx)?.profiles.load(self.0.configuration_profile_id).await?;
        profile.ok_or_else(|| Failure::internal("a user's configuration profile is gone"))
    }

    /// The teams that the user manages, by name.
    async fn manager_of(&self, ctx: &Context<'_>) -> Result<Vec<Team>> {
        Ok(loaders(ctx)?.managed.load(self.0.id).await?.unwrap_or_default())
    }

    /// The licences that the user holds, by name.
    async fn licenses(&self, ctx: &Context<'_>) -> Result<Vec<License>> {
        Ok(loaders(ctx)?.licenses_of.load(self.0.id).await?.unwrap_or_default())
    }

    /// Whether the user can work.
    async fn status(&self) -> UserStatus {
        match self.0.status {
            _ if self.0.deleted_at.is_some() => UserStatus::Deleted,
            entity::UserStatus::Active => UserStatus::Active,
            entity::UserStatus::Suspended => UserStatus::Suspended,
        }
    }

    /// Since when the user is suspended.
    async fn suspended_at(&self) -> Option<Time> {
        self.0.suspended_at
    }

    /// When the user was created.
    async fn created_at(&self) -> Time {
        self.0.created_at
    }

    /// When the user was last changed.
    async fn updated_at(&self) -> Time {
        self.0.updated_at
    }

    /// Attributes that the CRM owns and that can't be edited here (manage mode AUTO).
    async fn locked_fields(&self, ctx: &Context<'_>) -> Result<Vec<&'static str>> {
        Ok(match organization::current(ctx).await?.0.manage_mode {
            entity::ManageMode::Auto => vec!["title", "team"],
            entity::ManageMode::Manual => Vec::new(),
        })
    }

    /// The mappings that hold now, one an integration at most.
    async fn mappings(&self, ctx: &Context<'_>) -> Result<Vec<Mapping>> {
        Ok(loaders(ctx)?.mappings_of.load(self.0.id).await?.unwrap_or_default())
    }

    /// Every mapping this user ever had, newest first.
    async fn mapping_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only mappings in this integration.")] integration: Option<IntegrationRef>,
    ) -> Result<Connection<Mapping>> {
        let integration_id = match integration {
            Some(by) => Some(by.resolve(ctx).await?.0.id),
            None => None,
        };
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.history, History { integration_id }, self.0.id, args).await
    }

    /// How the user stands towards one integration, and why.
    async fn link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration.")] integration: IntegrationRef,
    ) -> Result<Link> {
        Ok(Link::new(self.clone(), integration.resolve(ctx).await?))
    }

    /// Their live tokens: for administrators, and for the user itself; empty for others.
    async fn api_tokens(&self, ctx: &Context<'_>) -> Result<Vec<ApiToken>> {
        Ok(loaders(ctx)?.api_tokens_of.load(self.0.id).await?.unwrap_or_default())
    }
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// The signed-in user.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<User> {
        let viewer = loaders(ctx)?.users.load(session(ctx)?.viewer.user_id).await?;
        // Deleted since the request was let in.
        viewer.filter(|viewer| viewer.0.deleted_at.is_none()).ok_or_else(Failure::unauthenticated)
    }

    /// A user; null when there is none that the viewer may see.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "Which user.")] by: UserRef) -> Result<Option<User>> {
        Ok(query::find(session(ctx)?, &by.into()).await?.map(|user| User(user.into())))
    }

    /// The users that the viewer sees; deleted ones are in no list.
    #[expect(clippy::too_many_arguments, reason = "they are the field's in the schema")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only users who meet this.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; by email when left out.")] order_by: Option<UserOrder>,
    ) -> Result<Connection<User>> {
        let filter = match filter {
            Some(filter) => filter.resolve(ctx).await??,
            None => query::Filter::default(),
        };
        let by = order_by.as_ref().map_or(OrderBy::Email, |order| order.field.into());
        let descending = order_by.is_some_and(|order| order.direction == inputs::OrderDirection::Desc);
        Connection::of(ctx, query::Users { filter, by, descending }, PageArgs { first, after, last, before }).await
    }
}
