//! What SQLite's planner is told of the tables.
//!
//! Without statistics it takes an organisation for a handful of rows, and walks through all of it where there is a better
//! index; statistics that it gathers are old after the first import, and connections that are open do not see new ones.
//! So it is told once what holds in every organisation that is large enough to matter: that there are many rows, and
//! how many of them have the same value of a column. PostgreSQL keeps its own.

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement},
};

/// Rows of a table.
const MANY: u32 = 100_000;
/// Rows of an index that leaves most of its table out.
const FEW: u32 = 100;

/// Indexes that leave most of their table out.
const SPARSE: [&str; 5] =
    ["app_user_admin", "team_root_name_key", "mapping_warned", "mapping_removed", "team_crm_role_key"];

/// Rows of an organisation that have the same value of a column. Of another column: one.
fn alike(column: &str) -> u32 {
    match column {
        "organization_id" => MANY,
        "integration_id" | "configuration_profile_id" | "license_id" | "status" => 50_000,
        "role_external_id" => 100,
        "state" => 20_000,
        "import_job_id" | "sync_run_id" => 5_000,
        "outcome" => 1_000,
        "team_id" => 100,
        "word" => 20,
        "parent_id" => 5,
        _ => 1,
    }
}

/// The statistics of an index: its rows, then how many are alike in the first column, in the first two, and so on.
fn of_index(name: &str, is_unique: bool, columns: &[String]) -> String {
    let mut rows = vec![if SPARSE.contains(&name) { FEW } else { MANY }];
    for (i, column) in columns.iter().enumerate() {
        let before = rows.last().copied().unwrap_or(1);
        let is_whole_key = is_unique && i + 1 == columns.len();
        rows.push(if is_whole_key { 1 } else { alike(column).min(before) });
    }
    rows.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// Tells SQLite.
pub async fn tell(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    // This makes the table of the statistics, with what is known of the tables as they are.
    db.execute_unprepared("ANALYZE").await?;
    db.execute_unprepared("DELETE FROM sqlite_stat1").await?;
    let indexes = "SELECT t.name AS tab, x.name AS idx, x.\"unique\" AS is_unique, \
         group_concat(c.name ORDER BY c.seqno) AS columns \
         FROM sqlite_schema t JOIN pragma_index_list(t.name) x JOIN pragma_index_info(x.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'seaql_migrations' \
         GROUP BY t.name, x.name, x.\"unique\"";
    for row in db.query_all_raw(Statement::from_string(DbBackend::Sqlite, indexes)).await? {
        let (table, index): (String, String) = (row.try_get("", "tab")?, row.try_get("", "idx")?);
        let columns: Vec<String> = row.try_get::<String>("", "columns")?.split(',').map(str::to_owned).collect();
        let statistics = of_index(&index, row.try_get("", "is_unique")?, &columns);
        let insert = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)";
        let values = [table.into(), index.into(), statistics.into()];
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, insert, values)).await?;
    }
    // It has read the statistics when it made their table, and reads them again for this.
    db.execute_unprepared("ANALYZE sqlite_schema").await?;
    Ok(())
}
