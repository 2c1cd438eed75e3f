//! The CRM users of a receipt, until it is complete and carried out in one step.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_user_stage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sync_run_id: SyncRunId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i64,
    /// The id that the CRM user gets if it is new.
    pub new_id: CrmUserId,
    pub external_id: ExternalId,
    pub email: Option<Email>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    pub team: Option<String>,
    pub role_external_id: Option<String>,
    pub is_active: bool,
    pub crm_created_at: Option<DateTimeUtc>,
    /// The cells as they stand in the file, as a JSON array; none for what came without a file.
    pub cells: Option<String>,
    #[sea_orm(belongs_to, from = "(organization_id, sync_run_id)", to = "(organization_id, id)")]
    pub sync_run: BelongsTo<super::sync_run::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
