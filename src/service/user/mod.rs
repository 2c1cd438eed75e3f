//! Users: who they are, where they stand in the hierarchy, what they may do.

pub mod apply;
pub mod change;
pub mod locate;
pub mod query;
pub mod standing;

use entity::{ObjectVisibility, UserId, UserRole};

use super::{
    catalogue::{LicenseRef, ProfileRef},
    team::TeamRef,
};

/// A user as an input names it. The email is as it came; looking up normalises it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRef {
    Id(UserId),
    Email(String),
}

/// What an update says of a field: left out, null, or a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// The value, where one is set.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

/// A user's attributes as an input gives them, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub email: Patch<String>,
    pub first_name: Patch<String>,
    pub last_name: Patch<String>,
    pub title: Patch<String>,
    pub team: Patch<TeamRef>,
    pub role: Patch<UserRole>,
    pub object_visibility: Patch<ObjectVisibility>,
    pub configuration_profile: Patch<ProfileRef>,
    pub manager_of: Patch<Vec<TeamRef>>,
    pub licenses: Patch<Vec<LicenseRef>>,
}
