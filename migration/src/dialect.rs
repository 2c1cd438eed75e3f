//! One statement, two databases: `{uuid}`, `{text}`, `{time}`, `{bool}`, `{int}`, `{bytes}` and `{keyed}` stand for what differs.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Runs each statement, its placeholders filled in for the database at hand.
///
/// - Text has the collation `C` on PostgreSQL, so that both databases order it by code point whatever the server's locale.
/// - `{keyed}` ends a table that is little more than its key; SQLite then keeps it as one tree.
pub async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let words: [(&str, &str); 7] = match manager.get_database_backend() {
        DbBackend::Postgres => [
            ("{uuid}", "uuid"),
            ("{text}", "text COLLATE \"C\""),
            ("{time}", "timestamptz"),
            ("{bool}", "boolean"),
            ("{int}", "bigint"),
            ("{bytes}", "bytea"),
            ("{keyed}", ""),
        ],
        _ => [
            ("{uuid}", "uuid_blob"),
            ("{text}", "text"),
            ("{time}", "timestamp_with_timezone_text"),
            ("{bool}", "boolean"),
            ("{int}", "bigint"),
            ("{bytes}", "blob"),
            ("{keyed}", "WITHOUT ROWID"),
        ],
    };
    for statement in statements {
        let mut sql = (*statement).to_owned();
        for (placeholder, word) in words {
            sql = sql.replace(placeholder, word);
        }
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
