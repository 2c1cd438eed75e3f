//! The rules, each written once, one file a noun. Knows nothing of GraphQL or HTTP.

pub mod api_token;
pub mod candidate;
pub mod catalogue;
pub mod clock;
pub mod crm_user;
pub mod csv;
pub mod db;
pub mod download;
pub mod error;
pub mod export;
pub mod import;
pub mod integration;
pub mod link;
pub mod linking;
pub mod links;
pub mod list;
pub mod mapping;
pub mod organization;
pub mod page;
pub mod search;
pub mod session;
pub mod sync_run;
pub mod team;
pub mod user;
pub mod value;
pub mod words;

use std::sync::Arc;

use object_store::ObjectStore;
use tokio::sync::Notify;

pub use self::{
    error::{Error, ErrorCode, Fault, Faults, Result, Step},
    session::{Scope, Session, Viewer},
};

/// What the rules work with; one a process.
#[derive(Debug)]
pub struct Services {
    pub db: db::Db,
    pub clock: clock::Clock,
    /// Where uploaded files lie.
    pub files: Arc<dyn ObjectStore>,
    pub links: links::Links,
    /// Wakes the worker when there is something to do.
    pub work: Notify,
    /// The imports that this process works on.
    pub imports: import::UnderWay,
    pub limits: Limits,
}

/// How much is taken at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Size of an uploaded file, in bytes.
    pub upload_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { upload_bytes: 512 * 1024 * 1024 }
    }
}
