//! Typed ids and keys: what is a user's id can't be passed for a team's.

use sea_orm::{TryFromU64, entity::prelude::*};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

id! {
    /// A tenant.
    OrganizationId,
    /// A user of the revenue application.
    UserId,
    TeamId,
    LicenseId,
    ConfigurationProfileId,
    /// A connection to one CRM.
    IntegrationId,
    /// Our id of a CRM user; the CRM's own is [`ExternalId`].
    CrmUserId,
    CrmRoleId,
    MappingId,
    ImportJobId,
    SyncRunId,
    ApiTokenId,
}

macro_rules! text {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text! {
    /// An email address in the one form in which it is stored and compared: NFC, Unicode lower case.
    Email,
    /// A CRM user's id in its CRM, normalised; a Salesforce id has 18 characters.
    ExternalId,
}
