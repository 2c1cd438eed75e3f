//! Undoing what [`apply`](super::apply) did: a user who was made goes, one who was changed or deleted is as before. What
//! has changed since is left alone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entity::{CrmUserId, ManageMode, UserId, mapping};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Options,
    decide::{Draft, settle},
    world::{Person, World},
    write,
};
use crate::service::{
    clock::Time,
    db::Tx,
    error::{ErrorCode, Fault, Faults, Result},
};

/// What it takes to undo the change, or the deletion, of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    user: UserId,
    /// When it was made; a user who has changed since has another time.
    at: Time,
    deleted: bool,
    /// The attributes as they were: those that changed, or all of a deleted user.
    before: Map<String, Value>,
}

fn attributes(person: &Person) -> Map<String, Value> {
    match serde_json::to_value(person) {
        Ok(Value::Object(attributes)) => attributes,
        _ => Map::new(),
    }
}

/// Those attributes of `before` that `after` has otherwise.
fn differing(before: &Person, after: &Person) -> Map<String, Value> {
    let mut differing = Map::new();
    // With all names, so that none can be forgotten.
    macro_rules! keep {
        ($($attribute:ident),+; not: $($other:ident),+) => {
            let Person { $($attribute,)+ $($other: _),+ } = before;
            $(if *$attribute != after.$attribute {
                differing.insert(stringify!($attribute).to_owned(), json!($attribute));
            })+
        };
    }
    keep!(
        email, first_name, last_name, title, team, role, object_visibility, profile, status, suspended_at, managed,
        licenses; not: id, import_line, updated_at
    );
    differing
}

impl Undo {
    pub(super) fn of(tx: &Tx, before: &Person, after: Option<&Person>) -> Self {
        let attributes = after.map_or_else(|| attributes(before), |after| differing(before, after));
        Self { user: before.id, at: tx.now, deleted: after.is_none(), before: attributes }
    }
}

/// What is to be undone.
#[derive(Debug, Clone)]
pub enum Restore {
    /// The user was made, and has not changed since.
    Made(UserId),
    Changed(Undo),
}

#[derive(FromQueryResult)]
struct Gone {
    id: UserId,
    deleted_at: Option<Time>,
}

/// What the undoing of deletions depends on.
struct Past {
    deleted_at: HashMap<UserId, Option<Time>>,
    /// The mappings that ended with the users.
    ended: Vec<mapping::Model>,
    /// CRM users that somebody is mapped to now.
    taken: HashSet<CrmUserId>,
}

/// Undoes, in the order given, what can be undone, and says of the rest why not.
pub async fn restore(tx: &Tx, rows: &[Restore], options: &Options) -> Result<Vec<Result<(), Faults>>> {
    let mut ids = Vec::new();
    let mut deleted = Vec::new();
    let mut emails = Vec::new();
    for row in rows {
        match row {
            Restore::Made(user) => ids.push(*user),
            Restore::Changed(undo) => {
                if undo.deleted {
                    deleted.push(undo.user)
                } else {
                    ids.push(undo.user)
                }
                emails.extend(undo.before.get("email").and_then(Value::as_str).map(str::to_owned));
            }
        }
    }
    let mut world = World::load(tx, &ids, &emails, &[]).await?;
    let past = Past::load(tx, &deleted).await?;
    let done = rows.iter().map(|row| undo(tx, &mut world, &past, row, options)).collect();
    write::write(tx, &world, options).await?;
    Ok(done)
}

impl Past {
    async fn load(tx: &Tx, deleted: &[UserId]) -> Result<Self> {
        if deleted.is_empty() {
            return Ok(Self { deleted_at: HashMap::new(), ended: Vec::new(), taken: HashSet::new() });
        }
        let mut sql = tx.sql();
        sql.push("SELECT id, deleted_at FROM app_user WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").any_id("id", deleted);
        let deleted_at = sql.all::<Gone>(tx.connection()).await?.into_iter().map(|row| (row.id, row.deleted_at));
        let mut sql = tx.sql();
        sql.push("SELECT m.* FROM mapping m JOIN integration i ON i.organization_id = m.organization_id AND ");
        sql.push("i.id = m.integration_id AND i.deleted_at IS NULL WHERE ");
        sql.equals("m.organization_id", tx.organization_id);
        sql.push(" AND m.end_reason = 'USER_DELETED' AND ").any_id("m.user_id", deleted);
        let ended: Vec<mapping::Model> = sql.all(tx.connection()).await?;
        let targets: Vec<CrmUserId> = ended.iter().map(|mapping| mapping.crm_user_id).collect();
        let mut sql = tx.sql();
        sql.push("SELECT crm_user_id FROM mapping WHERE ended_at IS NULL AND ");
        sql.equals("organization_id", tx.organization_id).push(" AND ").any_id("crm_user_id", &targets);
        let taken = sql.map(tx.connection(), |row| row.try_get("", "crm_user_id")).await?;
        Ok(Self { deleted_at: deleted_at.collect(), ended, taken: taken.into_iter().collect() })
    }
}

fn changed_since() -> Faults {
    vec![Fault::new(ErrorCode::WrongState, "The user has changed since, and was left as it is.")]
}

fn undo(tx: &Tx, world: &mut World, past: &Past, row: &Restore, options: &Options) -> Result<(), Faults> {
    let undo = match row {
        Restore::Made(user) => {
            let person = now(world, *user).cloned().ok_or_else(changed_since)?;
            let mut draft = Draft::new(tx, world, options);
            draft.keep_an_admin(&person, None, "user");
            draft.finish(false)?;
            settle(tx, world, &person, None, Vec::new());
            return Ok(());
        }
        Restore::Changed(undo) => undo,
    };
    if undo.deleted {
        return revive(tx, world, past, undo, options);
    }
    let person = now(world, undo.user).filter(|person| person.updated_at == Some(undo.at)).cloned();
    let person = person.ok_or_else(changed_since)?;
    let after = with(&person, undo)?;
    let mut draft = Draft::new(tx, world, options);
    draft.keep_an_admin(&person, Some(&after), "role");
    if world.manage_mode == ManageMode::Auto && (person.title != after.title || person.team != after.team) {
        draft.fault(ErrorCode::LockedByCrm, "team", "In manage mode AUTO the CRM owns the title and the team.");
    }
    check(world, &mut draft, &after);
    draft.finish(false)?;
    settle(tx, world, &person, Some(after), Vec::new());
    Ok(())
}

fn now(world: &World, user: UserId) -> Option<&Arc<Person>> {
    world.users.get(&user).and_then(|course| course.now.as_ref())
}

/// The person with the attributes as they were.
fn with(person: &Person, undo: &Undo) -> Result<Person, Faults> {
    let mut merged = attributes(person);
    merged.extend(undo.before.clone());
    let read = serde_json::from_value::<Person>(Value::Object(merged)).map_err(|error| {
        vec![Fault::new(ErrorCode::Internal, format!("What the user was before can't be read: {error}."))]
    })?;
    Ok(Person { import_line: person.import_line, updated_at: person.updated_at, ..read })
}

/// What the user had may be gone by now.
fn check(world: &World, draft: &mut Draft, person: &Person) {
    if person.team.iter().chain(&person.managed).any(|team| !world.tree.contains(*team)) {
        draft.fault(ErrorCode::TeamNotFound, "team", "A team that the user had before is gone.");
    }
    if !world.profiles.contains_key(&person.profile) {
        draft.fault(ErrorCode::NotFound, "configurationProfile", "The configuration profile it had before is gone.");
    }
    if person.licenses.iter().any(|license| !world.licenses.contains_key(license)) {
        draft.fault(ErrorCode::NotFound, "licenses", "A licence that the user had before is gone.");
    }
}

/// A deleted user comes back, with its mappings.
fn revive(tx: &Tx, world: &mut World, past: &Past, undo: &Undo, options: &Options) -> Result<(), Faults> {
    if past.deleted_at.get(&undo.user) != Some(&Some(undo.at)) {
        return Err(changed_since());
    }
    let person = serde_json::from_value::<Person>(Value::Object(undo.before.clone())).map_err(|error| {
        vec![Fault::new(ErrorCode::Internal, format!("What the user was before can't be read: {error}."))]
    })?;
    let mappings: Vec<&mapping::Model> =
        past.ended.iter().filter(|mapping| mapping.user_id == undo.user && mapping.ended_at == Some(undo.at)).collect();
    let mut draft = Draft::new(tx, world, options);
    if world.by_email.contains_key(person.email.as_str()) {
        let message = format!("There is another user with the email {} by now.", person.email);
        draft.fault(ErrorCode::AlreadyExists, "email", message);
    }
    if mappings.iter().any(|mapping| past.taken.contains(&mapping.crm_user_id)) {
        let message = "Another user is mapped by now to a CRM user that this one was mapped to.";
        draft.fault(ErrorCode::CrmUserTaken, "user", message);
    }
    check(world, &mut draft, &person);
    draft.finish(false)?;
    world.remapped.extend(mappings.into_iter().cloned());
    world.revived.insert(undo.user);
    world.put(undo.user, Some(person));
    Ok(())
}
