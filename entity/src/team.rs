//! A team; the teams of an organisation form a forest by `parent_id`.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "team")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TeamId,
    pub parent_id: Option<TeamId>,
    /// Unique among siblings; the roots are siblings.
    pub name: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// The CRM's role that the team follows in manage mode AUTO.
    pub crm_role: Option<String>,
    /// The import that made it.
    pub import_job_id: Option<ImportJobId>,
    #[sea_orm(self_ref, relation_enum = "Parent", from = "(organization_id, parent_id)", to = "(organization_id, id)")]
    pub parent: BelongsTo<Option<Entity>>,
}

impl ActiveModelBehavior for ActiveModel {}

crate::rows::read_by_place!(Model {
    organization_id,
    id,
    parent_id,
    name,
    created_at,
    updated_at,
    crm_role,
    import_job_id
});
