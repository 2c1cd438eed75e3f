//! The schema's history, oldest first.
//!
//! The statements are SQL that SQLite and PostgreSQL share; the few words that differ are filled in by [`dialect`].

mod dialect;
mod m20261121_000001_initial;
mod m20261121_000002_imports;
mod m20261126_000003_sync;
mod m20261127_000004_crm_users;
mod m20261127_000005_keys;
mod statistics;

pub use sea_orm_migration::prelude::*;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_initial::Migration),
            Box::new(m20261121_000002_imports::Migration),
            Box::new(m20261126_000003_sync::Migration),
            Box::new(m20261127_000004_crm_users::Migration),
            Box::new(m20261127_000005_keys::Migration),
        ]
    }
}
