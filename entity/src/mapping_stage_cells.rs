//! The cells of the rows of a mappings file, beside its stage.

use sea_orm::entity::prelude::*;

use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mapping_stage_cells")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_job_id: ImportJobId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i64,
    /// As they stand in the file, as a JSON array.
    pub cells: String,
}

impl ActiveModelBehavior for ActiveModel {}
