//! What a receipt did, or left alone and why: listed, put into sentences, and kept beyond a simulation's end.

use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use entity::{CrmUserId, Email, SyncChangeKind, SyncRunId, UserId, sync_change::Model};
use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use crate::service::{
    Session,
    db::{Sql, Tx},
    error::Result,
    linking::receipt::{self, Change},
    list::{Below, List},
    page::{Key, KeyKind, Order, Table},
    search::How,
};

/// Changes are read and written in pieces of this size.
const PIECE: i64 = 5_000;
/// Changes up to this size, in bytes, are kept in memory while they are taken back.
const IN_MEMORY: usize = 4 * 1024 * 1024;

/// What a receipt did and left alone, in the order in which it did; only of a kind in the list, where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OfRun {
    pub kind: Option<Vec<SyncChangeKind>>,
}

impl List for OfRun {
    type Row = Model;

    fn order(&self) -> Order {
        Order { tag: "sync_change", columns: &[("x.position", KeyKind::Number)], descending: false }
    }

    fn keys(&self, change: &Model) -> Vec<Key> {
        vec![Key::Number(change.position)]
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM sync_change x WHERE ").equals("x.organization_id", session.organization_id());
        sql.push(" AND x.sync_run_id = p.parent");
        if let Some(kind) = &self.kind {
            sql.push(" AND ").any_name("x.kind", kind);
        }
    }
}

impl Below for OfRun {
    const TABLE: Table = Table { name: "sync_change", key: "x.organization_id, x.sync_run_id, x.position" };
}

/// What was done, or why it was not, in a sentence for a person.
pub fn sentence(change: &Model) -> String {
    let email = change.email.as_ref().map_or("a user", Email::as_str);
    let crm_user = change.external_id.as_deref().unwrap_or("a CRM user");
    let detail = change.detail.as_deref().unwrap_or_default();
    match change.kind {
        SyncChangeKind::Created => format!("The CRM user {crm_user} had no user: {email} was made, and mapped to it."),
        SyncChangeKind::Linked => format!("{email} was mapped to the CRM user {crm_user}, which carries that email."),
        SyncChangeKind::Relinked => {
            format!("{email} moved to the CRM user {crm_user}: the one before no longer carried that email.")
        }
        SyncChangeKind::Remapped => {
            format!("{email} moved to the CRM user {crm_user}: the one before had become inactive.")
        }
        SyncChangeKind::Deactivated => {
            let why = if detail.is_empty() { String::new() } else { format!(" {detail}") };
            match &change.email {
                Some(email) => format!("The CRM user {crm_user} ({email}) became inactive.{why}"),
                None => format!("The CRM user {crm_user} became inactive.{why}"),
            }
        }
        SyncChangeKind::UserUpdated => format!("{email} followed the CRM: {detail}."),
        SyncChangeKind::Ambiguous => {
            format!("{email} was not mapped: several active CRM users carry that email ({detail}).")
        }
        SyncChangeKind::Taken => {
            format!("{email} was not mapped: the CRM user {crm_user} carries that email, but another user has it.")
        }
        SyncChangeKind::EmailInUse => format!(
            "No user was made for the CRM user {crm_user}: {email} is a user's already, and emailDedupe does not make \
             the two one."
        ),
        SyncChangeKind::RoleNotFollowed => detail.to_owned(),
        SyncChangeKind::Invalid => format!("The CRM user {crm_user} was left out. {detail}"),
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    kind: SyncChangeKind,
    user: Option<UserId>,
    crm_user: Option<CrmUserId>,
    email: Option<Email>,
    external_id: Option<String>,
    detail: Option<String>,
}

impl From<Model> for Kept {
    fn from(row: Model) -> Self {
        let Model { kind, user_id, crm_user_id, email, external_id, detail, .. } = row;
        Self { kind, user: user_id, crm_user: crm_user_id, email, external_id, detail }
    }
}

impl From<Kept> for Change {
    fn from(kept: Kept) -> Self {
        let Kept { kind, user, crm_user, email, external_id, detail } = kept;
        Self { kind, user, crm_user, email, external_id, detail }
    }
}

/// Reads the changes from `first` on out of the transaction: what happens in it is about to be taken back. Memory does
/// not grow with their number.
pub(super) async fn spool(tx: &Tx, run: SyncRunId, first: i64) -> Result<SpooledTempFile> {
    let mut file = BufWriter::new(SpooledTempFile::new(IN_MEMORY));
    let mut from = first;
    loop {
        let mut sql = tx.sql();
        sql.push("SELECT * FROM sync_change WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
        sql.equals("sync_run_id", run).push(" AND position >= ").bind(from).push(" ORDER BY position LIMIT ");
        let rows: Vec<Model> = {
            sql.bind(PIECE);
            sql.all(tx.connection()).await?
        };
        let Some(last) = rows.last() else { break };
        from = last.position + 1;
        for row in rows {
            serde_json::to_writer(&mut file, &Kept::from(row))?;
            file.write_all(b"\n")?;
        }
    }
    Ok(file.into_inner().map_err(std::io::IntoInnerError::into_error)?)
}

/// Writes them again.
pub(super) async fn unspool(tx: &Tx, run: SyncRunId, first: i64, mut spooled: SpooledTempFile) -> Result<()> {
    spooled.rewind()?;
    let mut lines = BufReader::new(spooled).lines();
    let mut at = first;
    loop {
        let mut changes: Vec<Change> = Vec::new();
        for line in lines.by_ref().take(PIECE as usize) {
            changes.push(serde_json::from_str::<Kept>(&line?)?.into());
        }
        if changes.is_empty() {
            return Ok(());
        }
        receipt::write(tx, run, at, &changes).await?;
        at += i64::try_from(changes.len()).unwrap_or(i64::MAX);
    }
}
