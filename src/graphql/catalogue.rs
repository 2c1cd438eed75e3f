//! Licences and configuration profiles.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use entity::{configuration_profile, license};

use super::{
    error::Result,
    id,
    page::shown,
    payload::{DeletePayload, inputs, payloads},
    session,
};
use crate::service::catalogue::{self, change};

shown! {
    /// A licence.
    License(license::Model),
    /// A configuration profile.
    ConfigurationProfile(configuration_profile::Model),
}

/// A licence of the organisation's catalogue, which users can hold.
#[Object(crate = "crate::graphql::executor")]
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
#[Object(crate = "crate::graphql::executor")]
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

payloads! {
    /// What a mutation of a licence answers.
    LicensePayload {
        /// The licence as it is now.
        license: License
    }
    /// What a mutation of a configuration profile answers.
    ConfigurationProfilePayload {
        /// The configuration profile as it is now.
        configuration_profile: ConfigurationProfile
    }
}

inputs! {
    /// A licence to be added.
    CreateLicenseInput {
        /// What it is called; unique in the organisation.
        name: String
    }
    /// Names a licence.
    LicenseInput {
        /// Which licence.
        license: LicenseRef
    }
    /// A configuration profile to be added.
    CreateConfigurationProfileInput {
        /// What it is called; unique in the organisation.
        name: String
    }
    /// Names a configuration profile.
    ConfigurationProfileInput {
        /// Which configuration profile.
        configuration_profile: ConfigurationProfileRef
    }
}

/// A licence's new name.
#[derive(Debug, Clone, InputObject)]
pub struct RenameLicenseInput {
    /// Which licence.
    license: LicenseRef,
    /// What it is to be called; unique in the organisation.
    name: String,
}

/// A configuration profile's new name.
#[derive(Debug, Clone, InputObject)]
pub struct RenameConfigurationProfileInput {
    /// Which configuration profile.
    configuration_profile: ConfigurationProfileRef,
    /// What it is to be called; unique in the organisation.
    name: String,
}

#[derive(Default)]
pub struct CatalogueMutation;

#[Object]
impl CatalogueMutation {
    /// Add a licence to the catalogue.
    async fn create_license(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence.")] input: CreateLicenseInput,
    ) -> Result<LicensePayload> {
        LicensePayload::of(ctx, change::create_license(session(ctx)?, input.name).await, |l| &l.licenses).await
    }

    /// Give a licence another name.
    async fn rename_license(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence and its new name.")] input: RenameLicenseInput,
    ) -> Result<LicensePayload> {
        let done = change::rename_license(session(ctx)?, input.license.into(), input.name).await;
        LicensePayload::of(ctx, done, |l| &l.licenses).await
    }

    /// Take a licence that nobody holds out of the catalogue.
    async fn delete_license(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The licence.")] input: LicenseInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::delete_license(session(ctx)?, input.license.into()).await)
    }

    /// Add a configuration profile to the catalogue.
    async fn create_configuration_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The configuration profile.")] input: CreateConfigurationProfileInput,
    ) -> Result<ConfigurationProfilePayload> {
        let done = change::create_profile(session(ctx)?, input.name).await;
        ConfigurationProfilePayload::of(ctx, done, |l| &l.profiles).await
    }

    /// Give a configuration profile another name.
    async fn rename_configuration_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The configuration profile and its new name.")] input: RenameConfigurationProfileInput,
    ) -> Result<ConfigurationProfilePayload> {
        let done = change::rename_profile(session(ctx)?, input.configuration_profile.into(), input.name).await;
        ConfigurationProfilePayload::of(ctx, done, |l| &l.profiles).await
    }

    /// Take a configuration profile that nobody has out of the catalogue; the default one stays.
    async fn delete_configuration_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The configuration profile.")] input: ConfigurationProfileInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::delete_profile(session(ctx)?, input.configuration_profile.into()).await)
    }
}
