//! Integrations: the CRMs that users are matched with, and how.

pub mod query;

use entity::IntegrationId;

/// An integration as an input names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum IntegrationRef {
    Id(IntegrationId),
    Name(String),
}
