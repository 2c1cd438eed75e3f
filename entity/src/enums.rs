//! The closed lists of the columns; stored as the names that the API shows.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "Text")]
        pub enum $name {
            $(
                #[sea_orm(string_value = $text)]
                #[serde(rename = $text)]
                $variant,
            )*
        }

        impl $name {
            /// The name in the database and in the API.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    )*};
}

names! {
    /// Who owns the organisation's users and teams.
    ManageMode { Manual = "MANUAL", Auto = "AUTO" }

    /// What a user may do.
    UserRole { Admin = "ADMIN", Manager = "MANAGER", Member = "MEMBER", Data = "DATA" }

    /// Whose data a user sees.
    ObjectVisibility { Full = "FULL", Team = "TEAM" }

    /// Whether a user can work; a deleted user has `deleted_at`.
    UserStatus { Active = "ACTIVE", Suspended = "SUSPENDED" }

    /// The CRM products.
    CrmKind { Salesforce = "SALESFORCE", OracleSales = "ORACLE_SALES", Dynamics365 = "DYNAMICS_365", Hubspot = "HUBSPOT", Other = "OTHER" }

    /// In which direction an email on both sides makes two records one.
    EmailDedupe { Never = "NEVER", Inbound = "INBOUND", Outbound = "OUTBOUND", Both = "BOTH" }

    /// Who made a mapping: linking, or a person.
    MappingSource { Automatic = "AUTOMATIC", Manual = "MANUAL" }

    /// Why a mapping no longer holds.
    MappingEndReason { Removed = "REMOVED", Replaced = "REPLACED", Relinked = "RELINKED", AutoRemapped = "AUTO_REMAPPED", UserDeleted = "USER_DELETED", IntegrationDeleted = "INTEGRATION_DELETED", Reverted = "REVERTED" }

    /// How a user stands towards an integration.
    LinkState { Mapped = "MAPPED", MatchAvailable = "MATCH_AVAILABLE", NoMatch = "NO_MATCH", Ambiguous = "AMBIGUOUS", MatchInactive = "MATCH_INACTIVE", MatchTaken = "MATCH_TAKEN" }

    /// The two steps of an import: its rows go by in chunks; what was resolved is carried out at once.
    ImportPhase { Rows = "ROWS", Publish = "PUBLISH" }

    /// What a file holds.
    ImportKind { Users = "USERS", Mappings = "MAPPINGS", CrmUsers = "CRM_USERS" }

    /// Where an import stands.
    ImportStatus { Queued = "QUEUED", Running = "RUNNING", Planned = "PLANNED", Completed = "COMPLETED", Failed = "FAILED", Canceled = "CANCELED", Reverted = "REVERTED" }

    /// Whether an import changes anything.
    ImportMode { Apply = "APPLY", Plan = "PLAN" }

    /// What one failed row means for the others.
    ImportErrorPolicy { SkipFailedRows = "SKIP_FAILED_ROWS", RejectFile = "REJECT_FILE" }

    /// How strictly a header is read.
    HeaderMode { Exact = "EXACT", ByName = "BY_NAME" }

    /// What to do about a mapping that is there already.
    OnExistingMapping { Error = "ERROR", OverrideAutomatic = "OVERRIDE_AUTOMATIC", Replace = "REPLACE" }

    /// What became of a row of a file.
    RowOutcome { Created = "CREATED", Updated = "UPDATED", Unchanged = "UNCHANGED", Deleted = "DELETED", Skipped = "SKIPPED", Failed = "FAILED" }

    /// What set off a receipt of CRM users.
    SyncTrigger { Schedule = "SCHEDULE", Request = "REQUEST", Push = "PUSH", Import = "IMPORT" }

    /// Where a receipt of CRM users stands.
    SyncStatus { Queued = "QUEUED", Running = "RUNNING", Completed = "COMPLETED", Failed = "FAILED", Halted = "HALTED" }

    /// The two steps of a pull: the CRM's answer is staged piece by piece; what has come is carried out at once.
    SyncPhase { Pull = "PULL", Publish = "PUBLISH" }

    /// What a receipt of CRM users did, or left alone.
    SyncChangeKind {
        Created = "CREATED",
        Linked = "LINKED",
        Relinked = "RELINKED",
        Remapped = "REMAPPED",
        Deactivated = "DEACTIVATED",
        UserUpdated = "USER_UPDATED",
        Ambiguous = "AMBIGUOUS",
        Taken = "TAKEN",
        EmailInUse = "EMAIL_IN_USE",
        RoleNotFollowed = "ROLE_NOT_FOLLOWED",
        Invalid = "INVALID",
    }

    /// What a row of a mappings file asks for.
    MappingOperation { Add = "ADD", Replace = "REPLACE", Remove = "REMOVE" }

    /// What a staged row of a mappings file comes to: one of the first four, or why it fails.
    MappingVerdict {
        Created = "CREATED",
        Updated = "UPDATED",
        Unchanged = "UNCHANGED",
        Deleted = "DELETED",
        UserDeleted = "USER_DELETED",
        Duplicate = "DUPLICATE",
        Exists = "EXISTS",
        Missing = "MISSING",
        Mismatch = "MISMATCH",
        Held = "HELD",
        Claimed = "CLAIMED",
    }

}
