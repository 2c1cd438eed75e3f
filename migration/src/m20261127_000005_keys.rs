//! What foreign keys cost, and wide rows.
//!
//! The stage of a file of mappings has no foreign keys: they would be checked at every one of a million rows, and again where
//! the mappings are made; and SQLite empties a table at once only where there are none. It is kept as one tree there, and
//! without the cells of the file, which lie beside it: it is gone over again and again, and they are read once.
//!
//! Teams can be deleted without going through all users, those who are gone among them, for each.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::{dialect, statistics};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                for (name, _) in KEYS {
                    dialect::run(manager, &[&format!("ALTER TABLE mapping_stage DROP CONSTRAINT {name}")]).await?;
                }
                dialect::run(manager, &["ALTER TABLE mapping_stage DROP COLUMN cells"]).await?;
            }
            _ => rebuild(manager, "", "", "{keyed}").await?,
        }
        statistics::tell(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                dialect::run(manager, POSTGRES_CELLS).await?;
                for (name, key) in KEYS {
                    dialect::run(manager, &[&format!("ALTER TABLE mapping_stage ADD CONSTRAINT {name} {key}")]).await?;
                }
            }
            _ => {
                let keys: String = KEYS.iter().map(|(_, key)| format!(", {key}")).collect();
                rebuild(manager, ", cells {text} NOT NULL DEFAULT '[]'", &keys, "").await?;
                dialect::run(manager, &[CELLS_BACK]).await?;
            }
        }
        dialect::run(manager, DOWN).await?;
        statistics::tell(manager).await
    }
}

const UP: &[&str] = &[
    "DROP INDEX app_user_team",
    "CREATE INDEX app_user_team ON app_user (organization_id, team_id, email, id, deleted_at)",
    "CREATE INDEX manual_attributes_team ON manual_attributes (organization_id, team_id) WHERE team_id IS NOT NULL",
    "CREATE TABLE mapping_stage_cells (
        organization_id {uuid} NOT NULL,
        import_job_id {uuid} NOT NULL,
        line {int} NOT NULL,
        cells {text} NOT NULL,
        PRIMARY KEY (organization_id, import_job_id, line)
    ) {keyed}",
    "INSERT INTO mapping_stage_cells SELECT organization_id, import_job_id, line, cells FROM mapping_stage",
];

const DOWN: &[&str] = &[
    "DROP TABLE mapping_stage_cells",
    "DROP INDEX manual_attributes_team",
    "DROP INDEX app_user_team",
    "CREATE INDEX app_user_team ON app_user (organization_id, team_id, email, id) WHERE deleted_at IS NULL",
];

const CELLS_BACK: &str = "UPDATE mapping_stage SET cells = c.cells FROM mapping_stage_cells c \
     WHERE c.organization_id = mapping_stage.organization_id AND c.import_job_id = mapping_stage.import_job_id \
     AND c.line = mapping_stage.line";

const POSTGRES_CELLS: &[&str] = &[
    "ALTER TABLE mapping_stage ADD COLUMN cells {text} NOT NULL DEFAULT '[]'",
    CELLS_BACK,
    "ALTER TABLE mapping_stage ALTER COLUMN cells DROP DEFAULT",
];

/// The stage's foreign keys, by their names on PostgreSQL.
const KEYS: [(&str, &str); 4] = [
    ("mapping_stage_organization_id_fkey", "FOREIGN KEY (organization_id) REFERENCES organization (id)"),
    (
        "mapping_stage_organization_id_import_job_id_fkey",
        "FOREIGN KEY (organization_id, import_job_id) REFERENCES import_job (organization_id, id)",
    ),
    (
        "mapping_stage_organization_id_user_id_fkey",
        "FOREIGN KEY (organization_id, user_id) REFERENCES app_user (organization_id, id)",
    ),
    (
        "mapping_stage_organization_id_crm_user_id_fkey",
        "FOREIGN KEY (organization_id, crm_user_id) REFERENCES crm_user (organization_id, id)",
    ),
];

const COLUMNS: &str = "organization_id, import_job_id, line, operation, user_id, crm_user_id, alias_email, verdict, \
     current_id, other_id, source";

/// SQLite takes no foreign key from a table: it is made anew, with this column, these keys, and kept so.
async fn rebuild(manager: &SchemaManager<'_>, column: &str, keys: &str, kept: &str) -> Result<(), DbErr> {
    let table = format!(
        "CREATE TABLE mapping_stage_anew (
            organization_id {{uuid}} NOT NULL,
            import_job_id {{uuid}} NOT NULL,
            line {{int}} NOT NULL,
            operation {{text}} NOT NULL,
            user_id {{uuid}} NOT NULL,
            crm_user_id {{uuid}},
            alias_email {{text}},
            verdict {{text}},
            current_id {{uuid}},
            other_id {{uuid}},
            source {{text}}{column},
            PRIMARY KEY (organization_id, import_job_id, line){keys}
        ) {kept}"
    );
    let statements = [
        &table,
        &format!("INSERT INTO mapping_stage_anew ({COLUMNS}) SELECT {COLUMNS} FROM mapping_stage"),
        "DROP TABLE mapping_stage",
        "ALTER TABLE mapping_stage_anew RENAME TO mapping_stage",
        "CREATE INDEX mapping_stage_user ON mapping_stage (organization_id, import_job_id, user_id, line)",
        "CREATE INDEX mapping_stage_crm_user ON mapping_stage (organization_id, import_job_id, crm_user_id)",
    ];
    dialect::run(manager, &statements).await
}
