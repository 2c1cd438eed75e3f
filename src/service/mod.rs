//! The rules, each written once, one file a noun. Knows nothing of GraphQL or HTTP.

pub mod api_token;
pub mod beside;
pub mod candidate;
pub mod catalogue;
pub mod clock;
pub mod connection;
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
pub mod queue;
pub mod scope;
pub mod seal;
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

use crate::crm::Network;

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
    /// How CRMs are reached.
    pub crm: Network,
    /// Seals the credentials of connections.
    pub seal: seal::Seal,
    /// Wakes the worker of pulls when there is something to do.
    pub syncs: Notify,
    /// The imports that this process works on.
    pub imports: import::UnderWay,
    pub limits: Limits,
}

impl Services {
    /// On a database, with nothing under way.
    pub fn new(
        db: db::Db,
        clock: clock::Clock,
        files: Arc<dyn ObjectStore>,
        links: links::Links,
        crm: Network,
        seal: seal::Seal,
        limits: Limits,
    ) -> Self {
        let (work, syncs, imports) = (Notify::new(), Notify::new(), import::UnderWay::default());
        Self { db, clock, files, links, work, crm, seal, syncs, imports, limits }
    }
}

/// How much is taken at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Size of an uploaded file, in bytes.
    pub upload_bytes: u64,
    /// How much of its time an import works, in percent from 1 to 100; the rest it leaves to others.
    pub import_pace: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { upload_bytes: 512 * 1024 * 1024, import_pace: 100 }
    }
}
