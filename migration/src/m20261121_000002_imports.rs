//! Imports that are planned, undone, canceled, sent twice and cleaned up.
//!
//! What was only created is known by its import and line; these columns have no foreign key, which would be checked at
//! every one of a million rows for a job that is never deleted.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // Every row is written twice, the second time beside the first and without touching an index.
            manager.get_connection().execute_unprepared("ALTER TABLE mapping_stage SET (fillfactor = 50)").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared("ALTER TABLE mapping_stage RESET (fillfactor)").await?;
        }
        dialect::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE import_job ADD COLUMN phase {text} NOT NULL DEFAULT 'ROWS'",
    "ALTER TABLE import_job ADD COLUMN planned_at {time}",
    "ALTER TABLE import_job ADD COLUMN stale_rows {int} NOT NULL DEFAULT 0",
    "ALTER TABLE import_job ADD COLUMN stale_line {int}",
    "ALTER TABLE import_job ADD COLUMN idempotency_key {text}",
    "ALTER TABLE import_job ADD COLUMN content_hash {text}",
    "ALTER TABLE import_job ADD COLUMN revert_status {text}",
    "ALTER TABLE import_job ADD COLUMN revert_cursor {text}",
    "ALTER TABLE import_job ADD COLUMN reverted_rows {int} NOT NULL DEFAULT 0",
    "ALTER TABLE import_job ADD COLUMN left_alone_rows {int} NOT NULL DEFAULT 0",
    "ALTER TABLE import_job ADD COLUMN file_deleted_at {time}",
    "ALTER TABLE import_job ADD COLUMN rows_deleted_at {time}",
    "CREATE UNIQUE INDEX import_job_idempotency_key ON import_job (organization_id, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX import_job_reverting ON import_job (revert_status, created_at) WHERE revert_status IN ('QUEUED', 'RUNNING')",
    "CREATE INDEX import_job_file ON import_job (created_at) WHERE file_deleted_at IS NULL",
    "ALTER TABLE import_row ADD COLUMN undo {text}",
    "ALTER TABLE import_row ADD COLUMN revert_error {text}",
    "ALTER TABLE app_user ADD COLUMN import_job_id {uuid}",
    "ALTER TABLE app_user ADD COLUMN import_line {int}",
    "ALTER TABLE team ADD COLUMN import_job_id {uuid}",
    "ALTER TABLE mapping ADD COLUMN import_line {int}",
    "ALTER TABLE mapping_stage ADD COLUMN verdict {text}",
    "ALTER TABLE mapping_stage ADD COLUMN current_id {uuid}",
    "ALTER TABLE mapping_stage ADD COLUMN other_id {uuid}",
    "ALTER TABLE mapping_stage ADD COLUMN source {text}",
    "ALTER TABLE crm_user ADD COLUMN sync_run_id {uuid}",
    "ALTER TABLE crm_user ADD COLUMN import_line {int}",
];

const DOWN: &[&str] = &[
    "ALTER TABLE crm_user DROP COLUMN import_line",
    "ALTER TABLE crm_user DROP COLUMN sync_run_id",
    "ALTER TABLE mapping_stage DROP COLUMN source",
    "ALTER TABLE mapping_stage DROP COLUMN other_id",
    "ALTER TABLE mapping_stage DROP COLUMN current_id",
    "ALTER TABLE mapping_stage DROP COLUMN verdict",
    "ALTER TABLE mapping DROP COLUMN import_line",
    "ALTER TABLE team DROP COLUMN import_job_id",
    "ALTER TABLE app_user DROP COLUMN import_line",
    "ALTER TABLE app_user DROP COLUMN import_job_id",
    "ALTER TABLE import_row DROP COLUMN revert_error",
    "ALTER TABLE import_row DROP COLUMN undo",
    "DROP INDEX import_job_reverting",
    "DROP INDEX import_job_file",
    "DROP INDEX import_job_idempotency_key",
    "ALTER TABLE import_job DROP COLUMN rows_deleted_at",
    "ALTER TABLE import_job DROP COLUMN file_deleted_at",
    "ALTER TABLE import_job DROP COLUMN left_alone_rows",
    "ALTER TABLE import_job DROP COLUMN reverted_rows",
    "ALTER TABLE import_job DROP COLUMN revert_cursor",
    "ALTER TABLE import_job DROP COLUMN revert_status",
    "ALTER TABLE import_job DROP COLUMN content_hash",
    "ALTER TABLE import_job DROP COLUMN idempotency_key",
    "ALTER TABLE import_job DROP COLUMN stale_line",
    "ALTER TABLE import_job DROP COLUMN stale_rows",
    "ALTER TABLE import_job DROP COLUMN planned_at",
    "ALTER TABLE import_job DROP COLUMN phase",
];
