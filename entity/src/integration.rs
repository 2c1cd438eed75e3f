//! A CRM that users are matched with, and how.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "integration")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntegrationId,
    /// Unique among the integrations that are not deleted.
    pub name: String,
    pub kind: CrmKind,
    pub auto_link_by_email: bool,
    pub inbound_create: bool,
    pub email_dedupe: EmailDedupe,
    pub auto_remap_inactive: bool,
    /// A cron expression in UTC.
    pub sync_schedule: Option<String>,
    pub mass_change_limit_percent: i32,
    pub strip_invalid_suffix: bool,
    /// The integration that users and teams follow in manage mode AUTO; one at most.
    pub manages_users: bool,
    /// How to sign in to the CRM, sealed; none for one that is fed by pushes and files.
    pub connection: Option<Vec<u8>>,
    /// What may be shown of the connection, as JSON.
    pub connection_summary: Option<String>,
    /// After as many hours a scheduled pull asks for every CRM user again, not only for those that changed.
    pub full_sync_hours: i32,
    /// When the schedule is due.
    pub next_sync_at: Option<DateTimeUtc>,
    /// Changes up to this time of the CRM's have been pulled.
    pub synced_until: Option<DateTimeUtc>,
    /// When the last complete pull that went well began.
    pub full_synced_at: Option<DateTimeUtc>,
    /// When the last pull that went well ended.
    pub synced_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
