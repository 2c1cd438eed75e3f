//! The rows of a mappings file, resolved, until the import carries them out in one step.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mapping_stage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_job_id: ImportJobId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i64,
    pub operation: MappingOperation,
    pub user_id: UserId,
    /// None for a removal that names no target.
    pub crm_user_id: Option<CrmUserId>,
    pub alias_email: Option<Email>,
    /// What the row comes to; none until all are settled together.
    pub verdict: Option<MappingVerdict>,
    /// The mapping that the user has.
    pub current_id: Option<MappingId>,
    /// Who is mapped to the target, be it the user; of a row whose target an earlier one takes, that one's user.
    pub other_id: Option<UserId>,
    /// Whose doing the mapping is to be; a person's where nothing is said.
    pub source: Option<MappingSource>,
    #[sea_orm(belongs_to, from = "(organization_id, import_job_id)", to = "(organization_id, id)")]
    pub import_job: BelongsTo<super::import_job::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
