//! What receipts did is kept for a time, as the rows of imports are; the receipts themselves stay, with their counts.

use entity::{OrganizationId, SyncRunId};
use sea_orm::FromQueryResult;
use tokio_util::sync::CancellationToken;

use crate::service::{Services, clock::Time, db::Sql, error::Result};

/// Receipts that are looked at in one statement.
const BATCH: i64 = 500;
/// Changes that are deleted in one transaction.
const ROWS: i64 = 5_000;

#[derive(FromQueryResult)]
struct Due {
    organization_id: OrganizationId,
    id: SyncRunId,
}

/// Deletes what receipts did that ended before `until`, and what of them was never carried out. Two processes may do so at
/// once, and one that dies leaves only work for the next.
pub async fn sweep(services: &Services, until: Time, stop: &CancellationToken) -> Result<()> {
    while !stop.is_cancelled() {
        let mut sql = Sql::new(services.db.backend());
        sql.push("SELECT organization_id, id FROM sync_run WHERE changes_deleted_at IS NULL AND finished_at < ");
        sql.bind(until).push(" ORDER BY finished_at LIMIT ").bind(BATCH);
        let due: Vec<Due> = sql.all(services.db.reader()).await?;
        let is_last = i64::try_from(due.len()).is_ok_and(|n| n < BATCH);
        for run in due {
            while !stop.is_cancelled() && !delete_some(services, &run).await? {}
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// Deletes some of what a receipt did, and marks it when nothing is left; whether nothing is.
async fn delete_some(services: &Services, run: &Due) -> Result<bool> {
    let tx = services.db.write(run.organization_id).await?;
    let mut deleted = 0;
    for (table, place) in [("sync_change", "position"), ("crm_user_stage", "line")] {
        let of_run = |sql: &mut Sql| {
            sql.equals("organization_id", run.organization_id).push(" AND ").equals("sync_run_id", run.id);
        };
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table).push(" WHERE ");
        of_run(&mut sql);
        sql.push(" AND ").push(place).push(" IN (SELECT ").push(place).push(" FROM ").push(table).push(" WHERE ");
        of_run(&mut sql);
        sql.push(" ORDER BY ").push(place).push(" LIMIT ").bind(ROWS).push(")");
        deleted += tx.execute(sql).await?;
    }
    if deleted == 0 {
        let mut sql = tx.sql();
        sql.push("UPDATE sync_run SET ").equals("changes_deleted_at", tx.now).push(" WHERE ");
        sql.equals("organization_id", run.organization_id).push(" AND ").equals("id", run.id);
        tx.execute(sql).await?;
    }
    tx.commit().await?;
    Ok(deleted == 0)
}
