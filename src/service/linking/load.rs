//! What linking decides over, read for a chunk of users at once.

use std::collections::{BTreeSet, HashMap};

use entity::{CrmUserId, Email, ExternalId, IntegrationId, LinkState, MappingId, MappingSource, UserId, UserStatus};
use serde::Deserialize;

use super::{CHUNK, Touched, full_name};
use crate::service::{
    clock::Time,
    db::{Tx, sql::Kind},
    error::Result,
    link::{self, Mapped, Match, Rules, Subject},
};

/// A user, its mapping with the CRM user that it leads to, and how it stands: the columns of [`USER`].
#[derive(Deserialize)]
pub(super) struct UserRow {
    pub id: UserId,
    pub email: Email,
    first_name: Option<String>,
    last_name: Option<String>,
    status: UserStatus,
    pub mapping_id: Option<MappingId>,
    source: Option<MappingSource>,
    pub warnings: Option<i32>,
    pub crm_user_id: Option<CrmUserId>,
    crm_email: Option<Email>,
    crm_name: Option<String>,
    crm_is_active: Option<bool>,
    pub state: Option<LinkState>,
}

const USER: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("email", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("status", Kind::Text),
    ("mapping_id", Kind::Uuid),
    ("source", Kind::Text),
    ("warnings", Kind::Int),
    ("crm_user_id", Kind::Uuid),
    ("crm_email", Kind::Text),
    ("crm_name", Kind::Text),
    ("crm_is_active", Kind::Bool),
    ("state", Kind::Text),
];

/// A CRM user, and who is mapped to it: the columns of [`MATCH`].
#[derive(Deserialize)]
pub(super) struct MatchRow {
    pub id: CrmUserId,
    email: Email,
    pub external_id: ExternalId,
    pub name: Option<String>,
    pub is_active: bool,
    crm_created_at: Option<Time>,
    holder: Option<UserId>,
}

const MATCH: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("email", Kind::Text),
    ("external_id", Kind::Text),
    ("name", Kind::Text),
    ("is_active", Kind::Bool),
    ("crm_created_at", Kind::Time),
    ("holder", Kind::Uuid),
];

impl UserRow {
    /// The user as the rules see it. Which matches an administrator has removed is not known yet.
    pub fn subject(&self, found: &[MatchRow]) -> Subject {
        Subject {
            email: self.email.clone(),
            name: full_name(self.first_name.as_deref(), self.last_name.as_deref()),
            status: self.status,
            mapping: self.source.map(|source| Mapped {
                source,
                crm_email: self.crm_email.clone(),
                crm_name: self.crm_name.clone().unwrap_or_default(),
                crm_is_active: self.crm_is_active.unwrap_or_default(),
            }),
            matches: found
                .iter()
                .map(|row| Match {
                    crm_user_id: row.id,
                    external_id: row.external_id.clone(),
                    is_active: row.is_active,
                    created_at: row.crm_created_at,
                    holder: row.holder.filter(|holder| *holder != self.id),
                    removed: false,
                })
                .collect(),
        }
    }
}

/// Marks the matches that an administrator has removed, of the subjects whom that may keep from being mapped.
pub(super) async fn mark_removed(
    tx: &Tx,
    integration: IntegrationId,
    rules: Rules,
    subjects: &mut [(&UserRow, Subject)],
) -> Result<()> {
    let open: Vec<UserId> = subjects
        .iter()
        .filter(|(_, subject)| match &subject.mapping {
            _ if subject.matches.is_empty() => false,
            Some(mapped) => link::may_move(subject, mapped, rules),
            None => true,
        })
        .map(|(user, _)| user.id)
        .collect();
    let removed = removed(tx, integration, &open).await?;
    if !removed.is_empty() {
        for (user, subject) in subjects {
            for found in &mut subject.matches {
                found.removed = removed.contains(&(user.id, found.crm_user_id));
            }
        }
    }
    Ok(())
}

/// The users that the touched CRM users and emails concern.
pub(super) async fn concerned(tx: &Tx, touched: &Touched) -> Result<Vec<UserId>> {
    let mut found = Vec::new();
    for chunk in touched.crm_users.chunks(CHUNK * 5) {
        let mut sql = tx.sql();
        sql.push("SELECT u.id FROM crm_user c JOIN app_user u ON u.organization_id = c.organization_id AND u.email = c.email ");
        sql.push("WHERE u.deleted_at IS NULL AND ").equals("c.organization_id", tx.organization_id).push(" AND ");
        sql.any_id("c.id", chunk);
        sql.push(" UNION SELECT m.user_id FROM mapping m WHERE ").equals("m.organization_id", tx.organization_id);
        sql.push(" AND m.ended_at IS NULL AND ").any_id("m.crm_user_id", chunk);
        found.extend(sql.map(tx.connection(), |row| row.try_get::<UserId>("", "id")).await?);
    }
    for chunk in touched.emails.chunks(CHUNK * 5) {
        let emails: Vec<&str> = chunk.iter().map(Email::as_str).collect();
        let mut sql = tx.sql();
        sql.push("SELECT id FROM app_user WHERE deleted_at IS NULL AND ");
        sql.equals("organization_id", tx.organization_id).push(" AND ").any_text("email", &emails);
        found.extend(sql.map(tx.connection(), |row| row.try_get::<UserId>("", "id")).await?);
    }
    Ok(found)
}

pub(super) async fn users(tx: &Tx, integration: IntegrationId, users: &[UserId]) -> Result<Vec<UserRow>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT u.id, u.email, u.first_name, u.last_name, u.status, m.id AS mapping_id, m.source, m.warnings, \
         m.crm_user_id, c.email AS crm_email, c.name AS crm_name, c.is_active AS crm_is_active, l.state FROM app_user u \
         LEFT JOIN mapping m ON m.organization_id = u.organization_id AND m.user_id = u.id AND m.ended_at IS NULL AND ",
    );
    sql.equals("m.integration_id", integration);
    sql.push(" LEFT JOIN crm_user c ON c.organization_id = m.organization_id AND c.id = m.crm_user_id");
    sql.push(" LEFT JOIN user_link l ON l.organization_id = u.organization_id AND l.user_id = u.id AND ");
    sql.equals("l.integration_id", integration);
    sql.push(" WHERE u.deleted_at IS NULL AND ").equals("u.organization_id", tx.organization_id);
    sql.push(" AND ").any_id("u.id", users);
    Ok(sql.gathered_rows(USER, tx.connection()).await?)
}

/// The CRM users that carry the users' emails, by email.
pub(super) async fn matches(
    tx: &Tx,
    integration: IntegrationId,
    users: &[UserRow],
) -> Result<HashMap<Email, Vec<MatchRow>>> {
    let emails: Vec<&str> = users.iter().map(|user| user.email.as_str()).collect();
    let mut sql = tx.sql();
    sql.push("SELECT c.id, c.email, c.external_id, c.name, c.is_active, c.crm_created_at, m.user_id AS holder ");
    sql.push("FROM crm_user c LEFT JOIN mapping m ON m.organization_id = c.organization_id ");
    sql.push("AND m.integration_id = c.integration_id AND m.crm_user_id = c.id AND m.ended_at IS NULL WHERE ")
        .equals("c.organization_id", tx.organization_id);
    sql.push(" AND ").equals("c.integration_id", integration).push(" AND ").any_text("c.email", &emails);
    let mut found: HashMap<Email, Vec<MatchRow>> = HashMap::new();
    for row in sql.gathered_rows::<MatchRow>(MATCH, tx.connection()).await? {
        found.entry(row.email.clone()).or_default().push(row);
    }
    Ok(found)
}

/// The pairs that an administrator took apart while both had the emails that they still have.
async fn removed(tx: &Tx, integration: IntegrationId, users: &[UserId]) -> Result<BTreeSet<(UserId, CrmUserId)>> {
    if users.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut sql = tx.sql();
    sql.push(
        "SELECT m.user_id, m.crm_user_id FROM mapping m JOIN app_user u ON u.organization_id = m.organization_id ",
    );
    sql.push("AND u.id = m.user_id AND u.email = m.ended_user_email JOIN crm_user c ");
    sql.push("ON c.organization_id = m.organization_id AND c.id = m.crm_user_id AND c.email = m.ended_crm_email ");
    sql.push("WHERE m.end_reason = 'REMOVED' AND ").equals("m.organization_id", tx.organization_id);
    sql.push(" AND ").equals("m.integration_id", integration).push(" AND ").any_id("m.user_id", users);
    let pairs =
        sql.map(tx.connection(), |row| Ok((row.try_get("", "user_id")?, row.try_get("", "crm_user_id")?))).await?;
    Ok(pairs.into_iter().collect())
}
