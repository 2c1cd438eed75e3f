//! What is measured of pulls.

use std::time::Duration;

use entity::{IntegrationId, SyncStatus, sync_run::Model};
use metrics::{counter, gauge, histogram};

use crate::service::{Services, clock::Time, db::Sql, error::Result, linking::receipt::Counts};

/// A pull has ended.
pub(super) fn ended(run: &Model, status: Option<SyncStatus>, took: Duration) {
    let Some(status) = status.filter(|_| !run.is_simulation) else { return };
    counter!("counterpart_sync_runs_total", "status" => status.as_str()).increment(1);
    histogram!("counterpart_sync_run_seconds").record(took.as_secs_f64());
}

/// What a pull has changed.
pub(super) fn changed(counts: &Counts) {
    for (kind, count) in [
        ("user_created", counts.users_created),
        ("linked", counts.linked),
        ("remapped", counts.remapped),
        ("deactivated", counts.deactivated),
        ("left_alone", counts.left_alone),
    ] {
        counter!("counterpart_sync_changes_total", "kind" => kind).increment(u64::try_from(count).unwrap_or_default());
    }
}

/// Tells for each integration with a connection how long ago its last good pull was; since it was connected, where there
/// was none.
pub(super) async fn tell_ages(services: &Services) -> Result<()> {
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT id, COALESCE(synced_at, created_at) AS at FROM integration WHERE deleted_at IS NULL ");
    sql.push("AND connection IS NOT NULL");
    let found: Vec<(IntegrationId, Time)> =
        sql.map(services.db.reader(), |row| Ok((row.try_get("", "id")?, row.try_get("", "at")?))).await?;
    let now = services.clock.now();
    for (id, at) in found {
        let seconds = (now - at).num_milliseconds() as f64 / 1e3;
        gauge!("counterpart_sync_age_seconds", "integration" => id.0.to_string()).set(seconds);
    }
    Ok(())
}
