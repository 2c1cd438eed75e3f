//! Linking carried out: brings [`link`] the values it decides over, and writes the decisions, in a fixed number of
//! statements for a chunk of users and an integration.
//!
//! Whoever changes a user, a CRM user, a mapping or a setting calls [`run`] in the same transaction with what was
//! touched; states, warnings and automatic mappings are then as the rules say.

use std::collections::{BTreeSet, HashMap};

use entity::{CrmUserId, Email, IntegrationId, LinkState, MappingId, MappingSource, SyncRunId, UserId, UserStatus};
use sea_orm::FromQueryResult;

use super::{
    db::{Rows, Tx, sql::Kind},
    error::Result,
    link::{self, Decision, Mapped, Match, Subject},
};

/// Users are looked at in chunks of this size.
const CHUNK: usize = 2_000;

/// What has changed: whoever may stand differently because of it is looked at again.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    pub users: Vec<UserId>,
    /// Whoever is mapped to one of these, or has its email.
    pub crm_users: Vec<CrmUserId>,
    /// Whoever has one of these emails: those that a CRM user carried before.
    pub emails: Vec<Email>,
}

/// What linking did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Linked {
    /// Mappings made.
    pub linked: u64,
    /// Users looked at who have active matches and could not be linked: ambiguous, or taken.
    pub left_alone: u64,
}

#[derive(FromQueryResult)]
struct IntegrationRow {
    id: IntegrationId,
    auto_link_by_email: bool,
}

#[derive(FromQueryResult)]
struct UserRow {
    id: UserId,
    email: Email,
    first_name: Option<String>,
    last_name: Option<String>,
    status: UserStatus,
    mapping_id: Option<MappingId>,
    source: Option<MappingSource>,
    warnings: Option<i32>,
    crm_email: Option<Email>,
    crm_name: Option<String>,
    crm_is_active: Option<bool>,
    state: Option<LinkState>,
}

#[derive(FromQueryResult)]
struct MatchRow {
    id: CrmUserId,
    email: Email,
    name: Option<String>,
    is_active: bool,
    holder: Option<UserId>,
}

/// Looks again at all that `touched` may concern, in one integration or in all of the organisation.
pub async fn run(
    tx: &Tx,
    integration: Option<IntegrationId>,
    touched: &Touched,
    sync_run: Option<SyncRunId>,
) -> Result<Linked> {
    let mut sql = tx.sql();
    sql.push("SELECT id, auto_link_by_email FROM integration WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND deleted_at IS NULL");
    if let Some(id) = integration {
        sql.push(" AND ").equals("id", id);
    }
    let integrations: Vec<IntegrationRow> = sql.all(tx.connection()).await?;
    if integrations.is_empty() {
        return Ok(Linked::default());
    }
    let mut users: BTreeSet<UserId> = touched.users.iter().copied().collect();
    users.extend(concerned(tx, touched).await?);
    let users: Vec<UserId> = users.into_iter().collect();
    let mut total = Linked::default();
    for integration in &integrations {
        for chunk in users.chunks(CHUNK) {
            let done = link_chunk(tx, integration, chunk, sync_run).await?;
            total.linked += done.linked;
            total.left_alone += done.left_alone;
        }
    }
    Ok(total)
}

/// The users that the touched CRM users and emails concern.
async fn concerned(tx: &Tx, touched: &Touched) -> Result<Vec<UserId>> {
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

async fn link_chunk(
    tx: &Tx,
    integration: &IntegrationRow,
    users: &[UserId],
    sync_run: Option<SyncRunId>,
) -> Result<Linked> {
    let users = load_users(tx, integration.id, users).await?;
    let matches = load_matches(tx, integration.id, &users).await?;
    let removed = load_removed(tx, integration.id, &users, &matches).await?;
    let mut done = Linked::default();
    let mut new =
        Rows::new(&[("id", Kind::Uuid), ("user_id", Kind::Uuid), ("crm_user_id", Kind::Uuid), ("warnings", Kind::Int)]);
    let mut states = Rows::new(&[("user_id", Kind::Uuid), ("state", Kind::Text)]);
    let mut warnings = Rows::new(&[("id", Kind::Uuid), ("warnings", Kind::Int)]);
    for user in &users {
        let found = matches.get(&user.email).map(Vec::as_slice).unwrap_or_default();
        let subject = Subject {
            email: user.email.clone(),
            name: full_name(user.first_name.as_deref(), user.last_name.as_deref()),
            status: user.status,
            mapping: user.source.map(|source| Mapped {
                source,
                crm_email: user.crm_email.clone(),
                crm_name: user.crm_name.clone().unwrap_or_default(),
                crm_is_active: user.crm_is_active.unwrap_or_default(),
            }),
            matches: found
                .iter()
                .map(|row| Match {
                    crm_user_id: row.id,
                    is_active: row.is_active,
                    holder: row.holder.filter(|holder| *holder != user.id),
                    removed: removed.contains(&(user.id, row.id)),
                })
                .collect(),
        };
        let state = match link::decide(&subject, integration.auto_link_by_email) {
            Decision::Link(crm_user_id) => {
                let target = found.iter().find(|row| row.id == crm_user_id);
                let mapped = Mapped {
                    source: MappingSource::Automatic,
                    crm_email: Some(user.email.clone()),
                    crm_name: target.and_then(|row| row.name.clone()).unwrap_or_default(),
                    crm_is_active: true,
                };
                let id: MappingId = tx.clock.id();
                new.add(&[&id, &user.id, &crm_user_id, &link::warnings(&subject, &mapped)]);
                done.linked += 1;
                LinkState::Mapped
            }
            Decision::Stay(state) => {
                if let (Some(mapped), Some(id)) = (&subject.mapping, user.mapping_id) {
                    let bits = link::warnings(&subject, mapped);
                    if user.warnings != Some(bits) {
                        warnings.add(&[&id, &bits]);
                    }
                }
                if matches!(state, LinkState::Ambiguous | LinkState::MatchTaken) {
                    done.left_alone += 1;
                }
                state
            }
        };
        if user.state != Some(state) {
            states.add(&[&user.id, &state]);
        }
    }
    write(tx, integration.id, new, states, warnings, sync_run).await?;
    Ok(done)
}

/// First and last name as one text, or nothing.
pub fn full_name(first: Option<&str>, last: Option<&str>) -> String {
    [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

async fn load_users(tx: &Tx, integration: IntegrationId, users: &[UserId]) -> Result<Vec<UserRow>> {
    let mut sql = tx.sql();
    sql.push(
        "SELECT u.id, u.email, u.first_name, u.last_name, u.status, m.id AS mapping_id, m.source, m.warnings, \
         c.email AS crm_email, c.name AS crm_name, c.is_active AS crm_is_active, l.state FROM app_user u \
         LEFT JOIN mapping m ON m.organization_id = u.organization_id AND m.user_id = u.id AND m.ended_at IS NULL AND ",
    );
    sql.equals("m.integration_id", integration);
    sql.push(" LEFT JOIN crm_user c ON c.organization_id = m.organization_id AND c.id = m.crm_user_id");
    sql.push(" LEFT JOIN user_link l ON l.organization_id = u.organization_id AND l.user_id = u.id AND ");
    sql.equals("l.integration_id", integration);
    sql.push(" WHERE u.deleted_at IS NULL AND ").equals("u.organization_id", tx.organization_id);
    sql.push(" AND ").any_id("u.id", users);
    Ok(sql.all(tx.connection()).await?)
}

/// The CRM users that carry the users' emails, by email.
async fn load_matches(tx: &Tx, integration: IntegrationId, users: &[UserRow]) -> Result<HashMap<Email, Vec<MatchRow>>> {
    let emails: Vec<&str> = users.iter().map(|user| user.email.as_str()).collect();
    let mut sql = tx.sql();
    sql.push("SELECT c.id, c.email, c.name, c.is_active, m.user_id AS holder FROM crm_user c LEFT JOIN mapping m ");
    sql.push("ON m.organization_id = c.organization_id AND m.integration_id = c.integration_id ");
    sql.push("AND m.crm_user_id = c.id AND m.ended_at IS NULL WHERE ").equals("c.organization_id", tx.organization_id);
    sql.push(" AND ").equals("c.integration_id", integration).push(" AND ").any_text("c.email", &emails);
    let mut found: HashMap<Email, Vec<MatchRow>> = HashMap::new();
    for row in sql.all::<MatchRow>(tx.connection()).await? {
        found.entry(row.email.clone()).or_default().push(row);
    }
    Ok(found)
}

/// The pairs that an administrator took apart while both had the emails that they still have.
async fn load_removed(
    tx: &Tx,
    integration: IntegrationId,
    users: &[UserRow],
    matches: &HashMap<Email, Vec<MatchRow>>,
) -> Result<BTreeSet<(UserId, CrmUserId)>> {
    let open: Vec<UserId> = users
        .iter()
        .filter(|user| user.mapping_id.is_none() && matches.contains_key(&user.email))
        .map(|user| user.id)
        .collect();
    if open.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut sql = tx.sql();
    sql.push(
        "SELECT m.user_id, m.crm_user_id FROM mapping m JOIN app_user u ON u.organization_id = m.organization_id ",
    );
    sql.push("AND u.id = m.user_id AND u.email = m.ended_user_email JOIN crm_user c ");
    sql.push("ON c.organization_id = m.organization_id AND c.id = m.crm_user_id AND c.email = m.ended_crm_email ");
    sql.push("WHERE m.end_reason = 'REMOVED' AND ").equals("m.organization_id", tx.organization_id);
    sql.push(" AND ").equals("m.integration_id", integration).push(" AND ").any_id("m.user_id", &open);
    let pairs =
        sql.map(tx.connection(), |row| Ok((row.try_get("", "user_id")?, row.try_get("", "crm_user_id")?))).await?;
    Ok(pairs.into_iter().collect())
}

async fn write(
    tx: &Tx,
    integration: IntegrationId,
    new: Rows,
    states: Rows,
    warnings: Rows,
    sync_run: Option<SyncRunId>,
) -> Result<()> {
    if !new.is_empty() {
        let mut sql = tx.sql();
        sql.push("INSERT INTO mapping (organization_id, integration_id, source, created_at, sync_run_id, ");
        sql.push(&new.names()).push(") SELECT ").bind(tx.organization_id).push(", ").bind(integration).push(", ");
        sql.bind(MappingSource::Automatic).push(", ").bind(tx.now).push(", ").bind(sync_run).push(", ");
        let names = new.names();
        sql.push(&names).push(" FROM ").rows(new).push(" AS r");
        tx.execute(sql).await?;
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
