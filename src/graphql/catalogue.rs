//! Licences and configuration profiles.

use async_graphql::{ID, Object, OneofObject};
use entity::{configuration_profile, license};

use super::{id, page::shown};
use crate::service::catalogue;

shown! {
    /// A licence.
    License(license::Model),
    /// A configuration profile.
    ConfigurationProfile(configuration_profile::Model),
}

/// A licence of the organisation's catalogue, which users can hold.
#[Object]
impl License {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the licence is called; unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }
}

/// A configuration profile of the organisation's catalogue; each user has one.
#[Object]
impl ConfigurationProfile {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the profile is called; unique in the organisation.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether new users get it unless another is named.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }
}

/// A licence by id or by name.
#[derive(Debug, Clone, OneofObject)]
pub enum LicenseRef {
    /// The global id.
    Id(ID),
    /// The name.
    Name(String),
}

impl From<LicenseRef> for catalogue::LicenseRef {
    fn from(by: LicenseRef) -> Self {
        match by {
            LicenseRef::Id(id) => Self::Id(id::read(&id)),
            LicenseRef::Name(name) => Self::Name(name),
        }
    }
}

/// A configuration profile by id or by name.
#[derive(Debug, Clone, OneofObject)]
pub enum ConfigurationProfileRef {
    /// The global id.
    Id(ID),
    /// The name.
    Name(String),
}

impl From<ConfigurationProfileRef> for catalogue::ProfileRef {
    fn from(by: ConfigurationProfileRef) -> Self {
        match by {
            ConfigurationProfileRef::Id(id) => Self::Id(id::read(&id)),
            ConfigurationProfileRef::Name(name) => Self::Name(name),
        }
    }
}
