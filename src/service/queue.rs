//! How much work waits: what an operator watches, over all organisations.

use super::{Services, db::Sql, error::Result};

/// The jobs that wait or are at work, by kind and status; zeros too, so that a graph falls back to them.
pub async fn lengths(services: &Services) -> Result<Vec<(&'static str, &'static str, i64)>> {
    let mut lengths = Vec::with_capacity(6);
    for (kind, table, column) in
        [("import", "import_job", "status"), ("undo", "import_job", "revert_status"), ("pull", "sync_run", "status")]
    {
        for (name, status) in [("queued", "QUEUED"), ("running", "RUNNING")] {
            let mut sql = Sql::new(services.db.backend());
            sql.push("SELECT COUNT(*) AS n FROM ")
                .push(table)
                .push(" WHERE ")
                .push(column)
                .push(" = '")
                .push(status)
                .push("'");
            lengths.push((kind, name, sql.number(services.db.reader()).await?));
        }
    }
    Ok(lengths)
}
