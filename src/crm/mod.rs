//! The CRMs that users are pulled from: what a CRM says of its users and roles, behind one trait, a file a CRM.
//!
//! `service::sync` decides when to pull and what to make of it. Nothing here knows the database.

mod connection;
mod dynamics_365;
mod error;
pub mod fake;
mod hosts;
mod http;
mod hubspot;
mod network;
mod oracle_sales;
mod salesforce;
mod session;
mod text;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use connection::{
    Connection, Dynamics365, HubSpot, OracleSales, OracleSignIn, Salesforce, SalesforceSignIn, Secret,
};
pub use error::{CrmError, Problem};
pub use hosts::ExtraHost;
pub use network::{Network, Patience};

/// A user as the CRM describes it, not yet normalised. Accounts that are no people (queues, integrations) are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrmUser {
    /// The id in the CRM, as the CRM writes it.
    pub external_id: String,
    pub email: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// The name to sign in to the CRM with.
    pub username: Option<String>,
    pub title: Option<String>,
    /// The [`CrmRole`] it has in the CRM's hierarchy.
    pub role: Option<String>,
    pub is_active: bool,
    pub created_at: Option<DateTime<Utc>>,
    /// When the CRM last changed it; `None` where the CRM doesn't say.
    pub modified_at: Option<DateTime<Utc>>,
}

/// A place in the CRM's role hierarchy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrmRole {
    /// The id in the CRM.
    pub external_id: String,
    pub name: String,
    /// The role above it, which may be missing, or below it.
    pub parent: Option<String>,
}

/// A piece of an answer. Pieces may be short, uneven or empty, and the same row may come in two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Records that the CRM sent in this piece, those that are no people included.
    pub records: u64,
    /// Records that the CRM says the whole answer has, where it says so.
    pub total: Option<u64>,
    /// Where the next piece begins, in the CRM's own terms; `None` after the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page with what this makes of its rows; that records were left out stays to be seen.
    fn filter_map<U>(self, make: impl FnMut(T) -> Option<U>) -> Page<U> {
        let Self { rows, records, total, next } = self;
        Page { rows: rows.into_iter().filter_map(make).collect(), records, total, next }
    }
}

/// A connection to one CRM, signed in when it is first needed, and again when the CRM has forgotten it.
///
/// Each call tries again what may go well a moment later (backoff with jitter, `Retry-After`), and ends in bounded time.
#[async_trait]
pub trait CrmClient: Send + Sync {
    /// Whether [`users`](Self::users) can be asked for only those that changed since a time.
    fn is_incremental(&self) -> bool;

    /// Whether the CRM has a hierarchy of [`roles`](Self::roles).
    fn has_roles(&self) -> bool;

    /// Signs in and reads one user, as a pull would.
    async fn test(&self) -> Result<(), CrmError>;

    /// The users from `cursor` on, active and inactive ones. With `since` only those that changed then or later; a client
    /// that is not incremental is not asked for that.
    ///
    /// # Errors
    /// [`Problem::CursorExpired`] when the CRM no longer knows the cursor: begin again without one.
    async fn users(&self, since: Option<DateTime<Utc>>, cursor: Option<&str>) -> Result<Page<CrmUser>, CrmError>;

    /// The roles from `cursor` on; always all of them.
    async fn roles(&self, cursor: Option<&str>) -> Result<Page<CrmRole>, CrmError>;
}
