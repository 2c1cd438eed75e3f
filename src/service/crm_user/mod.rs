//! CRM users: what a CRM last said of its users.

pub mod candidates;
pub mod incoming;
pub mod locate;
pub mod query;

use entity::{CrmKind, CrmUserId};

use super::{clock::Time, value::external_id::IdKind};

/// A CRM user of the integration at hand, as an input names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CrmUserRef {
    Id(CrmUserId),
    ExternalId(String),
    /// Must belong to exactly one CRM user.
    Email(String),
}

/// A CRM user as a receipt gives it, not yet normalised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incoming {
    pub external_id: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    /// A path in the CRM's hierarchy, as `value::team_path`.
    pub team: Option<String>,
    /// The id of its role in the CRM.
    pub role: Option<String>,
    pub is_active: bool,
    pub created_at: Option<Time>,
}

/// How the external ids of a CRM are read.
pub fn id_kind(kind: CrmKind) -> IdKind {
    if kind == CrmKind::Salesforce { IdKind::Salesforce } else { IdKind::Other }
}
