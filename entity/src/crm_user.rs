//! What a CRM last said of one of its users, normalised.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CrmUserId,
    pub integration_id: IntegrationId,
    /// Unique in the integration.
    pub external_id: ExternalId,
    pub email: Option<Email>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    /// Where the CRM's hierarchy places them, as a team path.
    pub team: Option<String>,
    /// The role that it has in the CRM; its path is the team.
    pub role_external_id: Option<String>,
    pub is_active: bool,
    /// When the CRM says it was created there.
    pub crm_created_at: Option<DateTimeUtc>,
    /// When a receipt last named it.
    pub last_seen_at: DateTimeUtc,
    /// The receipt that last changed it.
    pub sync_run_id: Option<SyncRunId>,
    /// The line of that receipt's file.
    pub import_line: Option<i64>,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

crate::rows::read_by_place!(Model {
    organization_id,
    id,
    integration_id,
    external_id,
    email,
    name,
    username,
    title,
    team,
    role_external_id,
    is_active,
    crm_created_at,
    last_seen_at,
    sync_run_id,
    import_line,
});
