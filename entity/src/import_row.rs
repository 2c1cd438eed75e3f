//! A row of a file that failed, or that changed or deleted something.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_row")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_job_id: ImportJobId,
    /// The line of the file that the row starts on; the header is line 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i64,
    pub outcome: RowOutcome,
    /// The cells as they stand in the file, as a JSON array of strings.
    pub cells: String,
    /// A JSON array of {code, column, message}.
    pub errors: String,
    /// A JSON array of {field, before, after}.
    pub changes: String,
    /// What it takes to undo the row, as JSON; its form is its kind's.
    pub undo: Option<String>,
    /// Why undoing left the row alone: {code, column, message} as JSON.
    pub revert_error: Option<String>,
    #[sea_orm(belongs_to, from = "(organization_id, import_job_id)", to = "(organization_id, id)")]
    pub import_job: BelongsTo<super::import_job::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
