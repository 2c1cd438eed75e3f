//! Pulls from the CRM: connections, schedules, runs that any process can pick up, what each run did, and what users had
//! before the CRM owned their title and team.

use sea_orm_migration::prelude::*;

use crate::{dialect, statistics};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        statistics::tell(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[
    "ALTER TABLE integration ADD COLUMN connection {bytes}",
    "ALTER TABLE integration ADD COLUMN connection_summary {text}",
    "ALTER TABLE integration ADD COLUMN full_sync_hours integer NOT NULL DEFAULT 24",
    "ALTER TABLE integration ADD COLUMN next_sync_at {time}",
    "ALTER TABLE integration ADD COLUMN synced_until {time}",
    "ALTER TABLE integration ADD COLUMN full_synced_at {time}",
    "ALTER TABLE integration ADD COLUMN synced_at {time}",
    "CREATE INDEX integration_due ON integration (next_sync_at) WHERE next_sync_at IS NOT NULL",
    "ALTER TABLE sync_run ADD COLUMN phase {text} NOT NULL DEFAULT 'PUBLISH'",
    "ALTER TABLE sync_run ADD COLUMN is_complete {bool} NOT NULL DEFAULT false",
    "ALTER TABLE sync_run ADD COLUMN is_simulation {bool} NOT NULL DEFAULT false",
    "ALTER TABLE sync_run ADD COLUMN is_accepted {bool} NOT NULL DEFAULT false",
    "ALTER TABLE sync_run ADD COLUMN changed_since {time}",
    "ALTER TABLE sync_run ADD COLUMN modified_until {time}",
    "ALTER TABLE sync_run ADD COLUMN cursor {text}",
    "ALTER TABLE sync_run ADD COLUMN records {int} NOT NULL DEFAULT 0",
    "ALTER TABLE sync_run ADD COLUMN attempts integer NOT NULL DEFAULT 0",
    "ALTER TABLE sync_run ADD COLUMN lease_owner {uuid}",
    "ALTER TABLE sync_run ADD COLUMN lease_until {time}",
    "ALTER TABLE sync_run ADD COLUMN changes_deleted_at {time}",
    "CREATE INDEX sync_run_waiting ON sync_run (status, created_at) WHERE status IN ('QUEUED', 'RUNNING')",
    "CREATE INDEX sync_run_kept ON sync_run (finished_at) WHERE changes_deleted_at IS NULL",
    r#"CREATE TABLE sync_change (
        organization_id {uuid} NOT NULL REFERENCES organization (id),
        sync_run_id {uuid} NOT NULL,
        position {int} NOT NULL,
        kind {text} NOT NULL,
        user_id {uuid},
        crm_user_id {uuid},
        email {text},
        external_id {text},
        detail {text},
        PRIMARY KEY (organization_id, sync_run_id, position),
        FOREIGN KEY (organization_id, sync_run_id) REFERENCES sync_run (organization_id, id)
    ) {keyed}"#,
    "ALTER TABLE crm_user ADD COLUMN role_external_id {text}",
    "ALTER TABLE crm_user_stage ADD COLUMN role_external_id {text}",
    "CREATE INDEX crm_user_role ON crm_user (organization_id, integration_id, role_external_id) WHERE role_external_id IS NOT NULL",
    "ALTER TABLE crm_role ADD COLUMN path {text}",
    "ALTER TABLE team ADD COLUMN crm_role {text}",
    "CREATE UNIQUE INDEX team_crm_role_key ON team (organization_id, crm_role) WHERE crm_role IS NOT NULL",
    r#"CREATE TABLE manual_attributes (
        organization_id {uuid} NOT NULL REFERENCES organization (id),
        user_id {uuid} NOT NULL,
        title {text},
        team_id {uuid},
        PRIMARY KEY (organization_id, user_id),
        FOREIGN KEY (organization_id, user_id) REFERENCES app_user (organization_id, id),
        FOREIGN KEY (organization_id, team_id) REFERENCES team (organization_id, id)
    )"#,
];

const DOWN: &[&str] = &[
    "DROP TABLE manual_attributes",
    "DROP INDEX team_crm_role_key",
    "ALTER TABLE team DROP COLUMN crm_role",
    "ALTER TABLE crm_role DROP COLUMN path",
    "DROP INDEX crm_user_role",
    "ALTER TABLE crm_user_stage DROP COLUMN role_external_id",
    "ALTER TABLE crm_user DROP COLUMN role_external_id",
    "DROP TABLE sync_change",
    "DROP INDEX sync_run_kept",
    "DROP INDEX sync_run_waiting",
    "ALTER TABLE sync_run DROP COLUMN changes_deleted_at",
    "ALTER TABLE sync_run DROP COLUMN lease_until",
    "ALTER TABLE sync_run DROP COLUMN lease_owner",
    "ALTER TABLE sync_run DROP COLUMN attempts",
    "ALTER TABLE sync_run DROP COLUMN records",
    "ALTER TABLE sync_run DROP COLUMN cursor",
    "ALTER TABLE sync_run DROP COLUMN modified_until",
    "ALTER TABLE sync_run DROP COLUMN changed_since",
    "ALTER TABLE sync_run DROP COLUMN is_accepted",
    "ALTER TABLE sync_run DROP COLUMN is_simulation",
    "ALTER TABLE sync_run DROP COLUMN is_complete",
    "ALTER TABLE sync_run DROP COLUMN phase",
    "DROP INDEX integration_due",
    "ALTER TABLE integration DROP COLUMN synced_at",
    "ALTER TABLE integration DROP COLUMN full_synced_at",
    "ALTER TABLE integration DROP COLUMN synced_until",
    "ALTER TABLE integration DROP COLUMN next_sync_at",
    "ALTER TABLE integration DROP COLUMN full_sync_hours",
    "ALTER TABLE integration DROP COLUMN connection_summary",
    "ALTER TABLE integration DROP COLUMN connection",
];
