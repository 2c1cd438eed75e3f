//! What may be done to users, and how: one mutation or a thousand rows of a file, in their order, with a fixed number of
//! statements.
//!
//! [`World`] is read first; each change is then decided in memory, sees what those before it did, and fails alone; what
//! came out is written last.

mod decide;
mod world;
mod write;

use entity::UserId;

use super::{Attributes, UserRef};
use crate::service::{
    db::Tx,
    error::{Faults, Result},
};

use world::World;

/// What is to be done to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Edit,
    Suspend,
    Reactivate,
    Delete,
}

/// One change of one user. For [`Operation::Add`] the email is among the attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub user: UserRef,
    pub operation: Operation,
    pub attributes: Attributes,
    /// Something is wrong with it already: it is not carried out, but all else that is wrong with it is said.
    pub flawed: bool,
}

/// How changes are carried out.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Who asked.
    pub actor: UserId,
    /// Make teams that a path names and that are not there, with all their parents.
    pub create_missing_teams: bool,
}

/// What was done to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub user: UserId,
    pub outcome: Outcome,
    /// What a change or a deletion changed.
    pub changes: Vec<FieldChange>,
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    Deleted,
}

/// One attribute before and after, for a person.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldChange {
    /// The API's name of the field.
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Carries out the changes in their order; each that can't be carried out says why, and the others go on.
pub async fn apply(tx: &Tx, changes: &[Change], options: &Options) -> Result<Vec<Result<Applied, Faults>>> {
    let mut world = World::load(tx, changes).await?;
    let done: Vec<Result<Applied, Faults>> =
        changes.iter().map(|change| decide::decide(tx, &mut world, change, options)).collect();
    write::write(tx, &world, options).await?;
    Ok(done)
}
