//! An import: its file, what was asked for, how far it is, who works on it.

use sea_orm::entity::prelude::*;

use crate::enums::*;
use crate::ids::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrganizationId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ImportJobId,
    pub kind: ImportKind,
    pub status: ImportStatus,
    pub mode: ImportMode,
    pub error_policy: ImportErrorPolicy,
    pub header_mode: HeaderMode,
    pub create_missing_teams: bool,
    pub on_existing: OnExistingMapping,
    /// A list of CRM users that names them all.
    pub is_complete: bool,
    pub file_name: Option<String>,
    /// Where the file lies in the object store.
    pub file_key: String,
    /// Which column stands where in the file, as JSON.
    pub layout: String,
    pub integration_id: Option<IntegrationId>,
    pub created_by: UserId,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    pub total_rows: i64,
    pub processed_rows: i64,
    pub created_rows: i64,
    pub updated_rows: i64,
    pub unchanged_rows: i64,
    pub deleted_rows: i64,
    pub skipped_rows: i64,
    pub failed_rows: i64,
    /// The byte of the file that the next chunk starts at; 0 before the first.
    pub cursor_offset: i64,
    pub cursor_line: i64,
    /// The worker that has claimed it.
    pub lease_owner: Option<Uuid>,
    pub lease_until: Option<DateTimeUtc>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    /// The linking that followed an import of CRM users.
    pub sync_run_id: Option<SyncRunId>,
    /// Which of its two steps the work is in.
    pub phase: ImportPhase,
    /// When the plan was complete; an import that is not planned first has none.
    pub planned_at: Option<DateTimeUtc>,
    /// Rows that come out differently from what the plan says, so far.
    pub stale_rows: i64,
    /// The line of the first of them.
    pub stale_line: Option<i64>,
    /// The client's own name for the request; the same name again is the same import.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the file and of what was asked for, in hexadecimal digits; only beside a key.
    pub content_hash: Option<String>,
    /// How far undoing it is; nothing before that is asked for.
    pub revert_status: Option<ImportStatus>,
    /// Where undoing goes on.
    pub revert_cursor: Option<String>,
    pub reverted_rows: i64,
    /// Rows that were not undone.
    pub left_alone_rows: i64,
    /// When the uploaded file's life ended.
    pub file_deleted_at: Option<DateTimeUtc>,
    /// When the life of its rows and its log ended.
    pub rows_deleted_at: Option<DateTimeUtc>,
    #[sea_orm(belongs_to, from = "(organization_id, integration_id)", to = "(organization_id, id)")]
    pub integration: BelongsTo<Option<super::integration::Entity>>,
    #[sea_orm(belongs_to, from = "(organization_id, created_by)", to = "(organization_id, id)")]
    pub creator: BelongsTo<super::app_user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl crate::FromRows for Model {}
