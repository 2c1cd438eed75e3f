//! A receipt of CRM users (a pull, a push, a file) and the linking that followed.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SyncRunId,
    pub integration_id: IntegrationId,
    pub status: SyncStatus,
    pub trigger: SyncTrigger,
    pub triggered_by: Option<UserId>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub received: i64,
    pub users_created: i64,
    pub linked: i64,
    pub remapped: i64,
    pub deactivated: i64,
    pub left_alone: i64,
    pub error: Option<String>,
    pub phase: SyncPhase,
    /// It lists every CRM user: those that it leaves out become inactive.
    pub is_complete: bool,
    /// It works out what it would do, and changes nothing.
    pub is_simulation: bool,
    /// An administrator has looked at it: the mass-change limit does not stop it.
    pub is_accepted: bool,
    /// Only CRM users that changed at this time or later are asked for.
    pub changed_since: Option<DateTimeUtc>,
    /// The latest change among the records that have come.
    pub modified_until: Option<DateTimeUtc>,
    /// Where the CRM's answer goes on.
    pub cursor: Option<String>,
    /// Records that the CRM has sent, those that are no people included.
    pub records: i64,
    /// How often the pull was begun.
    pub attempts: i32,
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<DateTimeUtc>,
    /// What it did was kept for its time, and is gone.
    pub changes_deleted_at: Option<DateTimeUtc>,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
