//! What may be done to users, and how: one mutation or a thousand rows of a file, in their order, with a fixed number of
//! statements.
//!
//! [`World`] is read first; each change is then decided in memory, sees what those before it did, and fails alone; what
//! came out is written last.

mod decide;
mod restore;
mod world;
mod write;

use entity::{ImportJobId, UserId};

use super::{Attributes, UserRef};
use crate::service::{
    db::Tx,
    error::{Faults, Result},
};

pub use restore::{Restore, Undo, restore};
pub use world::Overlay;
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
    /// The line of the import's file that asks for it.
    pub line: Option<i64>,
}

/// How changes are carried out.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Who asked; nobody where the CRM did.
    pub actor: Option<UserId>,
    /// Make teams that a path names and that are not there, with all their parents.
    pub create_missing_teams: bool,
    /// The import that asks for it.
    pub import: Option<ImportJobId>,
    /// Say of a new user too what it is given.
    pub tells_new: bool,
    /// The CRM asked, which owns what is locked in manage mode AUTO.
    pub by_crm: bool,
}

impl Options {
    /// As a mutation does it.
    pub fn of(actor: impl Into<Option<UserId>>) -> Self {
        Self { actor: actor.into(), create_missing_teams: false, import: None, tells_new: false, by_crm: false }
    }
}

/// What was done to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub user: UserId,
    pub outcome: Outcome,
    /// What a change or a deletion changed.
    pub changes: Vec<FieldChange>,
    /// What it takes to undo a change or a deletion.
    pub undo: Option<Undo>,
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
    let (decided, done) = decide(tx, changes, options).await?;
    decided.write(tx, options).await?;
    Ok(done)
}

/// Changes that are decided and not written.
pub struct Decided(World);

impl Decided {
    pub async fn write(self, tx: &Tx, options: &Options) -> Result<()> {
        write::write(tx, &self.0, options).await
    }
}

/// The first half of [`apply`]: what is to be written, and what becomes of each change.
pub async fn decide(tx: &Tx, changes: &[Change], options: &Options) -> Result<(Decided, Vec<Result<Applied, Faults>>)> {
    let mut world = World::of_changes(tx, changes).await?;
    let done = changes.iter().map(|change| decide::decide(tx, &mut world, change, options)).collect();
    Ok((Decided(world), done))
}

/// What [`apply`] would do; nothing is written. `overlay` carries what earlier changes of the same plan would have done on
/// to the later ones.
pub async fn plan(
    tx: &Tx,
    changes: &[Change],
    options: &Options,
    overlay: &mut Overlay,
) -> Result<Vec<Result<Applied, Faults>>> {
    let mut world = World::of_changes(tx, changes).await?;
    overlay.lay_on(&mut world);
    let done = changes.iter().map(|change| decide::decide(tx, &mut world, change, options)).collect();
    overlay.take(&world);
    Ok(done)
}
