//! CRM users: what a CRM last said of its users.

pub mod query;

use entity::CrmUserId;

/// A CRM user of the integration at hand, as an input names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CrmUserRef {
    Id(CrmUserId),
    ExternalId(String),
    /// Must belong to exactly one CRM user.
    Email(String),
}
