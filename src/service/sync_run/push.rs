//! CRM users pushed through the API: one receipt, all of it or, with faults, nothing.

use std::collections::HashMap;

use entity::{SyncRunId, SyncStatus, SyncTrigger};

use super::{
    close, open,
    publish::{Options, Staged, clear, publish, stage},
};
use crate::service::{
    Session,
    crm_user::{Incoming, incoming::normalize},
    error::{ErrorCode, Fault, Faults, Result, Step, none},
    integration::{self, IntegrationRef},
};

/// CRM users in one push, at most.
pub const MOST: usize = 1_000;

/// Upserts CRM users by external id, and links what can be linked. A receipt that the mass-change limit stops changes
/// nothing; its run is `HALTED`, and the fault comes with the run.
///
/// # Errors
/// `NOT_FOUND`, `TOO_MANY`, and for each entry under `crmUsers` and its place `INVALID_EXTERNAL_ID`, `INVALID_EMAIL`,
/// `INVALID` (also for an external id that stands twice).
pub async fn push(
    session: &Session,
    integration: IntegrationRef,
    crm_users: Vec<Incoming>,
) -> Result<(SyncRunId, Faults)> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let integration = integration::locate(tx.connection(), tx.organization_id, &integration, "integration").await?;
    if crm_users.len() > MOST {
        let message = format!("{} CRM users came; {MOST} a call at most. Send several calls.", crm_users.len());
        return Err(Fault::at(ErrorCode::TooMany, "crmUsers", message).into());
    }
    let mut faults = Faults::new();
    let mut staged = Vec::with_capacity(crm_users.len());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (i, incoming) in crm_users.iter().enumerate() {
        let mut fault = |fault: Fault| faults.push(fault.under([Step::Name("crmUsers"), Step::Index(i)]));
        match normalize(&integration, incoming) {
            Err(found) => found.into_iter().for_each(&mut fault),
            Ok(crm_user) => {
                if let Some(first) = seen.insert(crm_user.external_id.0.clone(), i) {
                    let message =
                        format!("{} stands at {first} already; send each CRM user once.", crm_user.external_id);
                    fault(Fault::at(ErrorCode::Invalid, "externalId", message));
                }
                staged.push(Staged { line: i64::try_from(i).unwrap_or(i64::MAX), crm_user, cells: None });
            }
        }
    }
    none(faults)?;
    let id = open(&tx, integration.id, SyncTrigger::Push, Some(session.viewer.user_id)).await?;
    stage(&tx, id, &staged).await?;
    let options = Options { actor: Some(session.viewer.user_id), ..Options::default() };
    let (published, halted) = publish(&tx, &integration, id, options).await?;
    if halted.is_some() {
        clear(&tx, id).await?;
    }
    let status = if halted.is_some() { SyncStatus::Halted } else { SyncStatus::Completed };
    close(&tx, id, status, &published, halted.as_ref().map(|fault| fault.message.clone())).await?;
    tx.commit().await?;
    Ok((id, halted.into_iter().collect()))
}
