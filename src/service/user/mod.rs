//! Users: who they are, where they stand in the hierarchy, what they may do.

pub mod query;
pub mod standing;

use entity::UserId;

/// A user as an input names it. The email is as it came; looking up normalises it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRef {
    Id(UserId),
    Email(String),
}
