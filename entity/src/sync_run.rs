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
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
