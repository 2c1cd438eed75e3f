//! The organisation's catalogues: licences and configuration profiles.

pub mod change;
pub mod query;

use entity::{ConfigurationProfileId, LicenseId};

/// A licence as an input names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LicenseRef {
    Id(LicenseId),
    Name(String),
}

/// A configuration profile as an input names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileRef {
    Id(ConfigurationProfileId),
    Name(String),
    /// The organisation's default profile.
    Default,
}
