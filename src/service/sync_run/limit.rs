//! The mass-change limit (DESIGN.md, linking, rule 6): a truncated answer from a CRM must not unlink a company.

use entity::{SyncRunId, integration};

use super::publish::Options;
use crate::service::{
    db::{Sql, Tx},
    error::{ErrorCode, Fault, Result},
};

/// The mass-change limit lets this many mappings go whatever their share.
const ALWAYS_ALLOWED: i64 = 10;

/// Adds the condition that an active CRM user is not in the receipt.
pub(super) fn missing(sql: &mut Sql, alias: &str, tx: &Tx, integration: &integration::Model, run: SyncRunId) {
    sql.equals(&format!("{alias}.organization_id"), tx.organization_id).push(" AND ");
    sql.equals(&format!("{alias}.integration_id"), integration.id).push(" AND ").push(alias).push(".is_active");
    sql.push(" AND NOT EXISTS (SELECT 1 FROM crm_user_stage s WHERE ").equals("s.organization_id", tx.organization_id);
    sql.push(" AND ").equals("s.sync_run_id", run).push(" AND s.external_id = ").push(alias).push(".external_id)");
}

/// Adds the condition that mapping `m` of the integration holds.
fn live(sql: &mut Sql, tx: &Tx, integration: &integration::Model) {
    sql.push("m.ended_at IS NULL AND ").equals("m.organization_id", tx.organization_id).push(" AND ");
    sql.equals("m.integration_id", integration.id);
}

pub(super) async fn live_mappings(tx: &Tx, integration: &integration::Model) -> Result<i64> {
    let mut sql = tx.sql();
    sql.push("SELECT COUNT(*) AS n FROM mapping m WHERE ");
    live(&mut sql, tx, integration);
    Ok(sql.number(tx.connection()).await?)
}

/// The mappings whose CRM user the receipt makes inactive.
pub(super) async fn lost_targets(
    tx: &Tx,
    integration: &integration::Model,
    run: SyncRunId,
    is_complete: bool,
) -> Result<i64> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT COUNT(*) AS n FROM crm_user_stage s JOIN crm_user c ON c.organization_id = s.organization_id AND ",
    );
    sql.equals("c.integration_id", integration.id).push(" AND c.external_id = s.external_id AND c.is_active ");
    sql.push("JOIN mapping m ON m.organization_id = c.organization_id AND m.crm_user_id = c.id WHERE ");
    live(&mut sql, tx, integration);
    sql.push(" AND NOT s.is_active AND ").equals("s.organization_id", tx.organization_id);
    sql.push(" AND ").equals("s.sync_run_id", run);
    let mut lost = sql.number(tx.connection()).await?;
    if is_complete {
        let mut sql = tx.sql();
        sql.push("SELECT COUNT(*) AS n FROM mapping m JOIN crm_user c ON c.organization_id = m.organization_id ");
        sql.push("AND c.id = m.crm_user_id WHERE ");
        live(&mut sql, tx, integration);
        missing(sql.push(" AND "), "c", tx, integration, run);
        lost += sql.number(tx.connection()).await?;
    }
    Ok(lost)
}

/// Rule 6: whether the receipt takes the target from too many mappings: `lost` have it made inactive, `moved` ones would
/// have another.
pub(super) fn over_limit(
    integration: &integration::Model,
    options: &Options<'_>,
    (lost, moved): (i64, i64),
    mappings: i64,
) -> Option<Fault> {
    let limit = i64::from(integration.mass_change_limit_percent);
    let hit = lost + moved;
    if options.accepted || hit <= ALWAYS_ALLOWED || hit * 100 <= limit * mappings {
        return None;
    }
    let what = match (lost, moved) {
        (_, 0) => format!("make the CRM users of {lost} of {mappings} mappings inactive"),
        (0, _) => format!("move {moved} of {mappings} mappings to other CRM users"),
        _ => format!("make the CRM users of {lost} of {mappings} mappings inactive and move {moved} mappings"),
    };
    let name = &integration.name;
    let go_on = if options.pulled {
        format!(
            "Look at its changes; if they are right, let it go on with continueSync, or raise the limit of {name:?}."
        )
    } else {
        format!("Is the list complete? If it is right, raise the limit of {name:?} and send it again.")
    };
    Some(Fault::new(
        ErrorCode::MassChangeLimit,
        format!(
            "This would {what}, more than the {limit}% that massChangeLimitPercent allows, so nothing was changed. {go_on}"
        ),
    ))
}
