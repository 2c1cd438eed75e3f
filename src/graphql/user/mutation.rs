//! Making, changing and deleting users.

use async_graphql::{Context, InputObject, MaybeUndefined, Object};

use super::{ObjectVisibility, User, UserRef, UserRole};
use crate::{
    graphql::{
        catalogue::{ConfigurationProfileRef, LicenseRef},
        error::Result,
        payload::{DeletePayload, inputs, payloads},
        session,
        team::TeamRef,
    },
    service::user::{Attributes, Patch, change},
};

payloads! {
    /// What a mutation of a user answers.
    UserPayload {
        /// The user as it is now.
        user: User
    }
}

inputs! {
    /// Names a user.
    UserInput {
        /// Which user.
        user: UserRef
    }
}

/// A user to be made.
#[derive(Debug, Clone, InputObject)]
pub struct CreateUserInput {
    /// The email; no other user of the organisation may have it.
    email: String,
    /// The first name.
    first_name: Option<String>,
    /// The last name.
    last_name: Option<String>,
    /// The job title.
    title: Option<String>,
    /// The team to be a member of.
    team: Option<TeamRef>,
    /// What the user may do.
    #[graphql(default_with = "UserRole::Member")]
    role: UserRole,
    /// Whom the user sees.
    #[graphql(default_with = "ObjectVisibility::Team")]
    object_visibility: ObjectVisibility,
    /// The configuration profile; the organisation's default when left out.
    configuration_profile: Option<ConfigurationProfileRef>,
    /// The teams to manage.
    manager_of: Option<Vec<TeamRef>>,
    /// The licences to hold.
    licenses: Option<Vec<LicenseRef>>,
}

/// A field left out stays as it is; null clears it.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateUserInput {
    /// Which user.
    user: UserRef,
    /// The email; it can't be cleared.
    email: MaybeUndefined<String>,
    /// The first name.
    first_name: MaybeUndefined<String>,
    /// The last name.
    last_name: MaybeUndefined<String>,
    /// The job title.
    title: MaybeUndefined<String>,
    /// The team to be a member of.
    team: MaybeUndefined<TeamRef>,
    /// What the user may do; it can't be cleared.
    role: MaybeUndefined<UserRole>,
    /// Whom the user sees; it can't be cleared.
    object_visibility: MaybeUndefined<ObjectVisibility>,
    /// The configuration profile; it can't be cleared.
    configuration_profile: MaybeUndefined<ConfigurationProfileRef>,
    /// All the teams to manage.
    manager_of: MaybeUndefined<Vec<TeamRef>>,
    /// All the licences to hold.
    licenses: MaybeUndefined<Vec<LicenseRef>>,
}

/// What an update says of a field.
pub fn patch<T, U: From<T>>(value: MaybeUndefined<T>) -> Patch<U> {
    match value {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(value) => Patch::Set(value.into()),
    }
}

fn patch_all<T, U: From<T>>(values: MaybeUndefined<Vec<T>>) -> Patch<Vec<U>> {
    match values {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Clear,
        MaybeUndefined::Value(values) => Patch::Set(values.into_iter().map(Into::into).collect()),
    }
}

fn given<T, U: From<T>>(value: Option<T>) -> Patch<U> {
    value.map_or(Patch::Keep, |value| Patch::Set(value.into()))
}

impl From<CreateUserInput> for Attributes {
    fn from(input: CreateUserInput) -> Self {
        Self {
            email: Patch::Set(input.email),
            first_name: given(input.first_name),
            last_name: given(input.last_name),
            title: given(input.title),
            team: given(input.team),
            role: Patch::Set(input.role.into()),
            object_visibility: Patch::Set(input.object_visibility.into()),
            configuration_profile: given(input.configuration_profile),
            manager_of: patch_all(all(input.manager_of)),
            licenses: patch_all(all(input.licenses)),
        }
    }
}

/// In a user to be made, null is as good as left out.
fn all<T>(values: Option<Vec<T>>) -> MaybeUndefined<Vec<T>> {
    values.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value)
}

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Make a user; it is linked at once where it can be.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to be made.")] input: CreateUserInput,
    ) -> Result<UserPayload> {
        UserPayload::of(ctx, change::create(session(ctx)?, input.into()).await, |l| &l.users).await
    }

    /// Change a user's attributes.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user, and what is to change.")] input: UpdateUserInput,
    ) -> Result<UserPayload> {
        let attributes = Attributes {
            email: patch(input.email),
            first_name: patch(input.first_name),
            last_name: patch(input.last_name),
            title: patch(input.title),
            team: patch(input.team),
            role: patch(input.role),
            object_visibility: patch(input.object_visibility),
            configuration_profile: patch(input.configuration_profile),
            manager_of: patch_all(input.manager_of),
            licenses: patch_all(input.licenses),
        };
        UserPayload::of(ctx, change::update(session(ctx)?, input.user.into(), attributes).await, |l| &l.users).await
    }

    /// Suspend a user: their tokens stop working at once, their mappings stay.
    async fn suspend_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<UserPayload> {
        UserPayload::of(ctx, change::suspend(session(ctx)?, input.user.into()).await, |l| &l.users).await
    }

    /// Undo a suspension.
    async fn reactivate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<UserPayload> {
        UserPayload::of(ctx, change::reactivate(session(ctx)?, input.user.into()).await, |l| &l.users).await
    }

    /// Delete a user: their mappings end, history still names them, and their email can be used again.
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::delete(session(ctx)?, input.user.into()).await)
    }
}
