//! Rule 5: users for CRM users that have none.

use std::collections::BTreeMap;

use entity::{CrmUserId, Email, EmailDedupe, ExternalId, MappingId, SyncChangeKind, UserId, integration};
use sea_orm::FromQueryResult;

use super::{
    done,
    receipt::{Change, Receipt},
    write::{MAPPING, insert},
};
use crate::service::{
    clock::Time,
    db::{Rows, Sql, Tx},
    error::Result,
    user::{
        Attributes, Patch, UserRef,
        apply::{self, Operation, Options, apply},
    },
};

/// CRM users are looked at in chunks of this size.
const CHUNK: usize = 1_000;

#[derive(FromQueryResult)]
struct Candidate {
    id: CrmUserId,
    external_id: ExternalId,
    email: Email,
    name: Option<String>,
    title: Option<String>,
    crm_created_at: Option<Time>,
}

#[derive(FromQueryResult)]
struct InUse {
    id: CrmUserId,
    external_id: ExternalId,
    email: Email,
    user_id: UserId,
}

/// Makes users of the CRM users among these that are active, that nobody is mapped to, and whose email no user has; each
/// is mapped to the CRM user that it was made for, the oldest where several share the email. Whose email is in use, and
/// may not make the two one, is written down.
pub async fn create_users(
    tx: &Tx,
    integration: &integration::Model,
    crm_users: &[CrmUserId],
    actor: Option<UserId>,
    receipt: &mut Receipt,
) -> Result<()> {
    for chunk in crm_users.chunks(CHUNK) {
        if matches!(integration.email_dedupe, EmailDedupe::Never | EmailDedupe::Outbound) {
            for InUse { id, external_id, email, user_id } in in_use(tx, integration, chunk).await? {
                receipt.note(tx, done(SyncChangeKind::EmailInUse, user_id, id, &email, external_id.as_str())).await?;
            }
        }
        let oldest = without_user(tx, integration, chunk).await?;
        if !oldest.is_empty() {
            create(tx, integration, oldest, actor, receipt).await?;
        }
    }
    Ok(())
}

/// Adds that CRM user `c` of the integration is active, has an email, and nobody is mapped to it.
fn open(sql: &mut Sql, tx: &Tx, integration: &integration::Model) {
    sql.equals("c.organization_id", tx.organization_id).push(" AND ").equals("c.integration_id", integration.id);
    sql.push(" AND c.is_active AND c.email IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mapping m ");
    sql.push("WHERE m.organization_id = c.organization_id AND m.integration_id = c.integration_id ");
    sql.push("AND m.crm_user_id = c.id AND m.ended_at IS NULL)");
}

async fn in_use(tx: &Tx, integration: &integration::Model, crm_users: &[CrmUserId]) -> Result<Vec<InUse>> {
    let mut sql = tx.sql();
    sql.push("SELECT c.id, c.external_id, c.email, u.id AS user_id FROM crm_user c JOIN app_user u ");
    sql.push("ON u.organization_id = c.organization_id AND u.email = c.email AND u.deleted_at IS NULL WHERE ");
    open(&mut sql, tx, integration);
    sql.push(" AND ").any_id("c.id", crm_users).push(" ORDER BY c.external_id");
    Ok(sql.all(tx.connection()).await?)
}

/// The CRM users to make users of: of those with an email of these, without a user, the oldest each.
async fn without_user(tx: &Tx, integration: &integration::Model, crm_users: &[CrmUserId]) -> Result<Vec<Candidate>> {
    let mut sql = tx.sql();
    sql.push("SELECT c.id, c.external_id, c.email, c.name, c.title, c.crm_created_at FROM crm_user c WHERE ");
    open(&mut sql, tx, integration);
    sql.push(" AND c.email IN (SELECT t.email FROM crm_user t WHERE ");
    sql.equals("t.organization_id", tx.organization_id).push(" AND ").any_id("t.id", crm_users);
    sql.push(" AND t.email IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM app_user u ");
    sql.push("WHERE u.organization_id = c.organization_id AND u.email = c.email AND u.deleted_at IS NULL)");
    let mut oldest: BTreeMap<Email, Candidate> = BTreeMap::new();
    let age = |found: &Candidate| (found.crm_created_at.is_none(), found.crm_created_at, found.external_id.clone());
    for found in sql.all::<Candidate>(tx.connection()).await? {
        match oldest.get(&found.email) {
            Some(other) if age(other) <= age(&found) => {}
            _ => _ = oldest.insert(found.email.clone(), found),
        }
    }
    Ok(oldest.into_values().collect())
}

/// A full name as first and last name: the last word is the last name.
fn names(name: Option<&str>) -> (Patch<String>, Patch<String>) {
    let name = name.unwrap_or_default().trim();
    match name.rsplit_once(char::is_whitespace) {
        Some((first, last)) => (Patch::Set(first.trim_end().to_owned()), Patch::Set(last.to_owned())),
        None if name.is_empty() => (Patch::Keep, Patch::Keep),
        None => (Patch::Keep, Patch::Set(name.to_owned())),
    }
}

async fn create(
    tx: &Tx,
    integration: &integration::Model,
    found: Vec<Candidate>,
    actor: Option<UserId>,
    receipt: &mut Receipt,
) -> Result<()> {
    let changes: Vec<apply::Change> = found
        .iter()
        .map(|crm_user| {
            let (first_name, last_name) = names(crm_user.name.as_deref());
            apply::Change {
                user: UserRef::Email(crm_user.email.0.clone()),
                operation: Operation::Add,
                attributes: Attributes {
                    email: Patch::Set(crm_user.email.0.clone()),
                    first_name,
                    last_name,
                    title: crm_user.title.clone().map_or(Patch::Keep, Patch::Set),
                    ..Attributes::default()
                },
                flawed: false,
                line: None,
            }
        })
        .collect();
    let options = Options { by_crm: true, ..Options::of(actor) };
    let mut made = Vec::new();
    // Boxed: making a user links it, and linking may lead here.
    for (crm_user, outcome) in found.iter().zip(Box::pin(apply(tx, &changes, &options)).await?) {
        match outcome {
            Ok(applied) => {
                made.push((applied.user, crm_user));
                let id = crm_user.external_id.as_str();
                receipt.note(tx, done(SyncChangeKind::Created, applied.user, crm_user.id, &crm_user.email, id)).await?;
            }
            Err(faults) => {
                let why: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
                let change = Change {
                    crm_user: Some(crm_user.id),
                    email: Some(crm_user.email.clone()),
                    external_id: Some(crm_user.external_id.0.clone()),
                    detail: Some(why.join(" ")),
                    ..Change::of(SyncChangeKind::Invalid)
                };
                receipt.note(tx, change).await?;
            }
        }
    }
    let users: Vec<UserId> = made.iter().map(|(user, _)| *user).collect();
    // Whom linking has linked already, it has linked in this receipt; the others had several to choose from.
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET ").equals("sync_run_id", receipt.run).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("integration_id", integration.id);
    sql.push(" AND ended_at IS NULL AND ").any_id("user_id", &users).push(" RETURNING user_id");
    let linked: Vec<UserId> = sql.map(tx.connection(), |row| row.try_get("", "user_id")).await?;
    let mut new = Rows::new(MAPPING);
    let mut open = Vec::new();
    for (user, crm_user) in made.iter().filter(|(user, _)| !linked.contains(user)) {
        let id: MappingId = tx.clock.id();
        new.add(&[&id, user, &crm_user.id, &0_i32, &None::<MappingId>]);
        open.push(*user);
    }
    if !open.is_empty() {
        insert(tx, integration.id, new, Some(receipt.run)).await?;
        super::run(tx, Some(integration.id), &super::Touched { users: open, ..Default::default() }, None).await?;
    }
    Ok(())
}
