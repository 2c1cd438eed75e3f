//! What a receipt does and leaves alone, written down beside what it does.

use entity::{CrmUserId, Email, SyncChangeKind, SyncRunId, UserId};

use crate::service::{
    db::{Rows, Tx, sql::Kind},
    error::Result,
};

/// As many changes are written in one statement.
const BATCH: usize = 2_000;

/// One thing that a receipt did, or left alone.
#[derive(Debug, Clone)]
pub struct Change {
    pub kind: SyncChangeKind,
    pub user: Option<UserId>,
    pub crm_user: Option<CrmUserId>,
    /// The user's email, or the CRM user's.
    pub email: Option<Email>,
    /// The CRM user's id in the CRM.
    pub external_id: Option<String>,
    /// What else there is to say.
    pub detail: Option<String>,
}

impl Change {
    /// With nothing but its kind.
    pub fn of(kind: SyncChangeKind) -> Self {
        Self { kind, user: None, crm_user: None, email: None, external_id: None, detail: None }
    }
}

/// What a receipt came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub users_created: i64,
    pub linked: i64,
    /// Mappings that moved to another CRM user.
    pub remapped: i64,
    /// CRM users that became inactive.
    pub deactivated: i64,
    /// What should have been done and could not.
    pub left_alone: i64,
}

/// The receipt that is being carried out.
#[derive(Debug)]
pub struct Receipt {
    pub run: SyncRunId,
    pub counts: Counts,
    /// The CRM users that mappings moved away from.
    pub left: Vec<CrmUserId>,
    position: i64,
    waiting: Vec<Change>,
}

impl Receipt {
    pub fn new(run: SyncRunId) -> Self {
        Self { run, counts: Counts::default(), left: Vec::new(), position: 0, waiting: Vec::new() }
    }

    /// As one that has written down so many changes before.
    pub fn behind(run: SyncRunId, position: i64) -> Self {
        Self { position, ..Self::new(run) }
    }

    /// Counts a change and writes it down.
    pub async fn note(&mut self, tx: &Tx, change: Change) -> Result<()> {
        let counts = &mut self.counts;
        let counted = match change.kind {
            SyncChangeKind::Created => Some(&mut counts.users_created),
            SyncChangeKind::Linked => Some(&mut counts.linked),
            SyncChangeKind::Relinked | SyncChangeKind::Remapped => Some(&mut counts.remapped),
            SyncChangeKind::Deactivated => Some(&mut counts.deactivated),
            SyncChangeKind::Ambiguous
            | SyncChangeKind::Taken
            | SyncChangeKind::EmailInUse
            | SyncChangeKind::Invalid
            | SyncChangeKind::RoleNotFollowed => Some(&mut counts.left_alone),
            SyncChangeKind::UserUpdated => None,
        };
        if let Some(counted) = counted {
            *counted += 1;
        }
        self.waiting.push(change);
        if self.waiting.len() >= BATCH { self.flush(tx).await } else { Ok(()) }
    }

    /// Writes down what waits for it.
    pub async fn flush(&mut self, tx: &Tx) -> Result<()> {
        let changes = std::mem::take(&mut self.waiting);
        let first = self.position;
        self.position += i64::try_from(changes.len()).unwrap_or(i64::MAX);
        write(tx, self.run, first, &changes).await
    }
}

/// Writes changes behind those that a receipt has.
pub async fn write(tx: &Tx, run: SyncRunId, first: i64, changes: &[Change]) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(&[
        ("position", Kind::Int),
        ("kind", Kind::Text),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("email", Kind::Text),
        ("external_id", Kind::Text),
        ("detail", Kind::Text),
    ]);
    for (position, change) in (first..).zip(changes) {
        let Change { kind, user, crm_user, email, external_id, detail } = change;
        rows.add(&[&position, kind, user, crm_user, email, external_id, detail]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO sync_change (organization_id, sync_run_id, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(run).push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}
