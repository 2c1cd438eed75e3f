//! What linking decided, written: a fixed number of statements for a chunk of users.

use entity::{IntegrationId, MappingEndReason, MappingId, MappingSource, SyncRunId};

use crate::service::{
    db::{Rows, Tx, sql::Kind},
    error::Result,
};

/// The columns of new mappings.
pub(super) const MAPPING: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("user_id", Kind::Uuid),
    ("crm_user_id", Kind::Uuid),
    ("warnings", Kind::Int),
    ("replaces_id", Kind::Uuid),
];

/// Ends mappings that move to another CRM user, each for its reason.
pub(super) async fn end(tx: &Tx, moved: impl Iterator<Item = (MappingId, MappingEndReason)>) -> Result<()> {
    let mut ended = Rows::new(&[("id", Kind::Uuid), ("reason", Kind::Text)]);
    moved.for_each(|(id, reason)| ended.add(&[&id, &reason]));
    if ended.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET ").equals("ended_at", tx.now).push(", end_reason = r.reason FROM ").rows(ended);
    sql.push(" AS r WHERE ").equals("mapping.organization_id", tx.organization_id).push(" AND mapping.id = r.id");
    tx.execute(sql).await?;
    Ok(())
}

/// Makes automatic mappings.
pub(super) async fn insert(tx: &Tx, integration: IntegrationId, new: Rows, sync_run: Option<SyncRunId>) -> Result<()> {
    let names = new.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, integration_id, source, created_at, sync_run_id, ");
    sql.push(&names).push(") SELECT ").bind(tx.organization_id).push(", ").bind(integration).push(", ");
    sql.bind(MappingSource::Automatic).push(", ").bind(tx.now).push(", ").bind(sync_run).push(", ");
    sql.push(&names).push(" FROM ").rows(new).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

/// Writes what was decided of a chunk of users.
pub(super) async fn write(
    tx: &Tx,
    integration: IntegrationId,
    new: Rows,
    states: Rows,
    warnings: Rows,
    sync_run: Option<SyncRunId>,
) -> Result<()> {
    if !new.is_empty() {
        insert(tx, integration, new, sync_run).await?;
    }
    if !states.is_empty() {
        let mut sql = tx.sql();
        sql.push("INSERT INTO user_link (organization_id, integration_id, user_id, state) SELECT ");
        sql.bind(tx.organization_id).push(", ").bind(integration).push(", user_id, state FROM ").rows(states);
        sql.push(" AS r WHERE true ON CONFLICT (organization_id, integration_id, user_id) ");
        sql.push("DO UPDATE SET state = excluded.state");
        tx.execute(sql).await?;
    }
    if !warnings.is_empty() {
        let mut sql = tx.sql();
        sql.push("UPDATE mapping SET warnings = r.warnings FROM ").rows(warnings).push(" AS r WHERE ");
        sql.equals("mapping.organization_id", tx.organization_id).push(" AND mapping.id = r.id");
        tx.execute(sql).await?;
    }
    Ok(())
}
