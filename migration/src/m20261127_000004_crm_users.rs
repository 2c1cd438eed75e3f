//! CRM users can be deleted without going through all that may name them, for each.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::{dialect, statistics};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, &["CREATE INDEX mapping_crm_user ON mapping (organization_id, crm_user_id)"]).await?;
        // An index for it would be larger than the words.
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                dialect::run(manager, &[&format!("ALTER TABLE crm_user_word DROP CONSTRAINT {POSTGRES_NAME}")]).await?;
            }
            _ => rebuild(manager, "").await?,
        }
        statistics::tell(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                let sql = format!("ALTER TABLE crm_user_word ADD CONSTRAINT {POSTGRES_NAME} {KEY}");
                dialect::run(manager, &[&sql]).await?;
            }
            _ => rebuild(manager, &format!(", {KEY}")).await?,
        }
        dialect::run(manager, &["DROP INDEX mapping_crm_user"]).await?;
        statistics::tell(manager).await
    }
}

const KEY: &str = "FOREIGN KEY (organization_id, crm_user_id) REFERENCES crm_user (organization_id, id)";
const POSTGRES_NAME: &str = "crm_user_word_organization_id_crm_user_id_fkey";

/// SQLite takes no foreign key from a table: it is made anew, with `key` or without.
async fn rebuild(manager: &SchemaManager<'_>, key: &str) -> Result<(), DbErr> {
    let table = format!(
        "CREATE TABLE crm_user_word_anew (
            organization_id {{uuid}} NOT NULL REFERENCES organization (id),
            integration_id {{uuid}} NOT NULL,
            word {{text}} NOT NULL,
            crm_user_id {{uuid}} NOT NULL,
            PRIMARY KEY (organization_id, integration_id, word, crm_user_id),
            FOREIGN KEY (organization_id, integration_id) REFERENCES integration (organization_id, id){key}
        ) {{keyed}}"
    );
    let statements = [
        &table,
        "INSERT INTO crm_user_word_anew SELECT organization_id, integration_id, word, crm_user_id FROM crm_user_word",
        "DROP TABLE crm_user_word",
        "ALTER TABLE crm_user_word_anew RENAME TO crm_user_word",
    ];
    dialect::run(manager, &statements).await
}
