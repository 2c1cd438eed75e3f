//! A node of the CRM's role hierarchy.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "crm_role")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CrmRoleId,
    pub integration_id: IntegrationId,
    /// Unique in the integration.
    pub external_id: String,
    pub name: String,
    /// The parent's external id; it may name a role that never came.
    pub parent_external_id: Option<String>,
    /// Names from the top role down, as a team path; none for a role in a circle or below one that never came.
    pub path: Option<String>,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<super::integration::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
