//! Imports: a file becomes a job, the worker carries it out in chunks, the log says what failed.
//!
//! [`create`](create::create) refuses what no row can mend and stores the file; [`worker`] claims the job and hands its
//! rows to [`users`], [`mappings`] or [`crm_users`]; [`log`] gives the failed rows back as CSV; [`retention`] deletes what
//! has been kept for long enough.

pub mod control;
pub mod create;
mod crm_users;
mod input;
pub(crate) mod job;
pub mod log;
mod mappings;
pub mod query;
mod repeat;
pub mod retention;
mod revert;
pub mod rows;
mod seen;
pub mod speed;
mod under_way;
mod upload;
mod users;
pub mod worker;

use entity::{HeaderMode, ImportErrorPolicy, ImportKind, ImportMode, OnExistingMapping};

use super::{csv, integration::IntegrationRef};

pub use control::{apply, cancel, revert};
pub use create::create;
pub use under_way::UnderWay;

/// An import that is asked for.
#[derive(Debug)]
pub struct NewImport {
    pub kind: ImportKind,
    /// Whose mappings or CRM users the file holds.
    pub integration: Option<IntegrationRef>,
    pub source: Source,
    pub mode: ImportMode,
    pub error_policy: ImportErrorPolicy,
    pub header_mode: HeaderMode,
    pub create_missing_teams: bool,
    pub on_existing: OnExistingMapping,
    pub is_complete: bool,
    pub idempotency_key: Option<String>,
}

/// Where the rows come from.
#[derive(Debug)]
pub enum Source {
    /// An upload, spooled to a file.
    File { name: Option<String>, file: std::fs::File },
    /// The CSV itself.
    Text(String),
}

/// The CSV table of an import's file.
pub(crate) fn table(kind: ImportKind) -> csv::Kind {
    match kind {
        ImportKind::Users => csv::Kind::Users,
        ImportKind::Mappings => csv::Kind::Mappings,
        ImportKind::CrmUsers => csv::Kind::CrmUsers,
    }
}
