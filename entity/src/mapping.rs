//! Who is whom, and who was: rows are ended, never deleted.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mapping")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MappingId,
    pub integration_id: IntegrationId,
    pub user_id: UserId,
    pub crm_user_id: CrmUserId,
    pub source: MappingSource,
    pub alias_email: Option<Email>,
    /// The warnings that hold, a bit each; see `service::mapping::Warning`.
    pub warnings: i32,
    pub created_at: DateTimeUtc,
    pub created_by: Option<UserId>,
    pub import_job_id: Option<ImportJobId>,
    /// The line of the import's file that made it.
    pub import_line: Option<i64>,
    pub sync_run_id: Option<SyncRunId>,
    pub replaces_id: Option<MappingId>,
    /// The mapping holds up to, not including, this moment.
    pub ended_at: Option<DateTimeUtc>,
    pub ended_by: Option<UserId>,
    pub end_reason: Option<MappingEndReason>,
    /// The user's email when an administrator removed the mapping: linking does not make it again while both emails stay.
    pub ended_user_email: Option<Email>,
    /// The CRM user's email at that moment.
    pub ended_crm_email: Option<Email>,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, user_id)", to = "(organization_id, id)")]
    pub user: BelongsTo<super::app_user::Entity>,
    #[sea_orm(belongs_to, from = "(organization_id, crm_user_id)", to = "(organization_id, id)")]
    pub crm_user: BelongsTo<super::crm_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

crate::rows::read_by_place!(Model {
    organization_id,
    id,
    integration_id,
    user_id,
    crm_user_id,
    source,
    alias_email,
    warnings,
    created_at,
    created_by,
    import_job_id,
    import_line,
    sync_run_id,
    replaces_id,
    ended_at,
    ended_by,
    end_reason,
    ended_user_email,
    ended_crm_email,
});
