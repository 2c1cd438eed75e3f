//! The CRMs as fakes, over real HTTP: for tests, and for developers who have no CRM at hand (`counterpart fake-crm`).
//!
//! One [`Fake`] is all four, each with people of its own; their paths don't meet, so one address serves them all. They check
//! credentials, page as the real ones do, and understand exactly what the connectors send. A fault can be had on demand.
//!
//! What a test does by calling [`Fake`], another program does over `/control`, in JSON. `{crm}` is `salesforce`,
//! `oracle-sales`, `dynamics-365` or `hubspot`:
//!
//! | request | what it does |
//! | --- | --- |
//! | `GET /control/{crm}/users?limit=100&after=ID` | the users after one, by id |
//! | `GET /control/{crm}/users/{id}` | a user |
//! | `PUT /control/{crm}/users/{id}` | adds or replaces one: a [`FakeUser`] without its id |
//! | `PATCH /control/{crm}/users/{id}` | changes what is named: `{"isActive": false}` |
//! | `GET`, `PUT` and `PATCH` of `/control/{crm}/roles[/{id}]` | the same for [`FakeRole`]s |
//! | `PUT /control/{crm}/page-sizes` | how many records pages have, in turn: `[3, 0, 1]`; `[]` is as many as are asked for |
//! | `POST /control/{crm}/faults` | the [`Fault`] of the next requests: `{"fault": "HANG", "skip": 1, "times": 2, "signIn": false}` |
//! | `DELETE /control/{crm}/faults` | no more faults |
//! | `POST /control/{crm}/sign-outs` | forgets every token |
//! | `POST /control/{crm}/cursors` | forgets every cursor |
//!
//! Changing a user or role moves its `modifiedAt` to now, unless the change says another.

mod control;
mod dynamics_365;
mod fault;
mod guide;
mod hubspot;
mod oracle_sales;
mod salesforce;
mod server;
mod state;
mod table;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use fault::Fault;
pub use guide::guide;
pub use server::serve;
pub use state::Fake;

/// The client id that the fakes know.
pub const CLIENT_ID: &str = "fake-client";
/// The secret that goes with it, and the password of [`USERNAME`].
pub const CLIENT_SECRET: &str = "fake-client-secret";
/// Who signs in with a password or an assertion.
pub const USERNAME: &str = "counterpart@acme.example";
/// The token of HubSpot's private app.
pub const ACCESS_TOKEN: &str = "fake-access-token";
/// The tenant of Dynamics 365.
pub const TENANT: &str = "acme.example";
/// The audience of Salesforce's assertions.
pub const AUDIENCE: &str = "https://login.salesforce.com";
/// A throwaway key: it opens the fakes and nothing else.
pub const FAKE_PRIVATE_KEY: &str = include_str!("throwaway-private-key.pem");
/// What the fakes check assertions with.
const FAKE_PUBLIC_KEY: &str = include_str!("throwaway-public-key.pem");

/// A user of a fake. What a CRM has no place for is left out of its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FakeUser {
    pub id: String,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// The name to sign in with.
    pub username: Option<String>,
    pub title: Option<String>,
    /// The id of a [`FakeRole`].
    pub role: Option<String>,
    pub is_active: bool,
    /// Whether it is an account that stands for a person: else a queue, an integration or the like.
    pub is_person: bool,
    /// Default: when it was added.
    pub created_at: Option<DateTime<Utc>>,
    /// Default: when it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

impl Default for FakeUser {
    fn default() -> Self {
        Self {
            id: String::new(),
            email: None,
            first_name: None,
            last_name: None,
            username: None,
            title: None,
            role: None,
            is_active: true,
            is_person: true,
            created_at: None,
            modified_at: None,
        }
    }
}

impl FakeUser {
    /// An active person.
    pub fn new(id: impl Into<String>, email: impl Into<String>) -> Self {
        Self { id: id.into(), email: Some(email.into()), ..Self::default() }
    }

    /// With a first and a last name.
    #[must_use]
    pub fn named(self, first: &str, last: &str) -> Self {
        Self { first_name: Some(first.to_owned()), last_name: Some(last.to_owned()), ..self }
    }

    fn name(&self) -> Option<String> {
        super::text::full_name(self.first_name.as_deref(), self.last_name.as_deref())
    }
}

/// A role of the fake Salesforce. Its parent may be missing, or below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FakeRole {
    pub id: String,
    pub name: String,
    pub parent: Option<String>,
    /// Default: when it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}
