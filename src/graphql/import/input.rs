//! The closed lists of imports.

use async_graphql::Enum;

/// What a file holds.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ImportKind")]
pub enum ImportKind {
    /// Users of the organisation.
    Users,
    /// Mappings of users to CRM users.
    Mappings,
    /// CRM users, as a CRM's report lists them.
    CrmUsers,
}

/// Where an import stands.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ImportStatus")]
pub enum ImportStatus {
    /// It waits for its turn.
    Queued,
    /// It is under way.
    Running,
    /// Every row's outcome is worked out, and nothing is changed; applyImport carries it out.
    Planned,
    /// Every row is done.
    Completed,
    /// An error stopped it as a whole.
    Failed,
    /// An administrator canceled it; what was done until then stays.
    Canceled,
    /// What it changed has been undone.
    Reverted,
}

/// Whether an import changes anything.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ImportMode")]
pub enum ImportMode {
    /// Carry the rows out.
    Apply,
    /// Work out every row's outcome and change nothing.
    Plan,
}

/// What one failed row means for the others.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ImportErrorPolicy")]
pub enum ImportErrorPolicy {
    /// Rows that fail are logged; the others go in.
    SkipFailedRows,
    /// One failed row, and nothing goes in.
    RejectFile,
}

/// How strictly a header is read.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::HeaderMode")]
pub enum HeaderMode {
    /// Every column, spelled and ordered as in the template.
    Exact,
    /// Columns found by name, in any order and case; an unknown one is an error.
    ByName,
}

/// What to do about a mapping that a user has already.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::OnExistingMapping")]
pub enum OnExistingMapping {
    /// Fail if the user has any mapping.
    Error,
    /// Replace an automatic mapping; fail on a manual one.
    OverrideAutomatic,
    /// Replace whatever is there.
    Replace,
}

/// What became of a row of a file.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::RowOutcome")]
pub enum RowOutcome {
    /// It created something.
    Created,
    /// It changed something.
    Updated,
    /// Everything was as it asks for already.
    Unchanged,
    /// It deleted something, or ended a mapping.
    Deleted,
    /// It asks for nothing.
    Skipped,
    /// It failed; its errors say why.
    Failed,
}
