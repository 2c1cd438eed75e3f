//! What the changes came to, written: a fixed number of statements, whatever the number of users.

use std::collections::BTreeSet;

use entity::{CrmUserId, MappingId, UserId};
use sea_orm::ConnectionTrait;

use super::{
    Options,
    world::{Person, World},
};
use crate::service::{
    beside::Beside,
    clock::Time,
    db::{Rows, Tx, sql::Kind},
    error::Result,
    linking::{self, Touched, full_name},
    value::text,
    words::{self, Changed, Difference, Words},
};

const PERSON: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("email", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("title", Kind::Text),
    ("sort_name", Kind::Text),
    ("team_id", Kind::Uuid),
    ("role", Kind::Text),
    ("object_visibility", Kind::Text),
    ("configuration_profile_id", Kind::Uuid),
    ("status", Kind::Text),
    ("suspended_at", Kind::Time),
    ("import_line", Kind::Int),
];

/// What lists by name are ordered by: the folded name, or the email of a user without one.
pub(crate) fn sort_name(first: Option<&str>, last: Option<&str>, email: &str) -> String {
    let name = full_name(first, last);
    text::fold(if name.is_empty() { email } else { &name })
}

fn add(rows: &mut Rows, person: &Person) {
    let sort_name = sort_name(person.first_name.as_deref(), person.last_name.as_deref(), person.email.as_str());
    rows.add(&[
        &person.id,
        &person.email,
        &person.first_name,
        &person.last_name,
        &person.title,
        &sort_name,
        &person.team,
        &person.role,
        &person.object_visibility,
        &person.profile,
        &person.status,
        &person.suspended_at,
        &person.import_line,
    ]);
}

/// The columns of [`PERSON`] that differ. Only these are set: an index whose columns an update names is written anew, were
/// they what they are to be.
fn differing(before: &Person, after: &Person) -> impl Iterator<Item = &'static str> {
    let named = (&before.first_name, &before.last_name) != (&after.first_name, &after.last_name);
    [
        ("email", before.email != after.email),
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("title", before.title != after.title),
        ("sort_name", named || before.email != after.email),
        ("team_id", before.team != after.team),
        ("role", before.role != after.role),
        ("object_visibility", before.object_visibility != after.object_visibility),
        ("configuration_profile_id", before.profile != after.profile),
        ("status", before.status != after.status),
        ("suspended_at", before.suspended_at != after.suspended_at),
    ]
    .into_iter()
    .filter_map(|(column, differs)| differs.then_some(column))
}

/// The texts that a search finds a user by.
fn texts(person: Option<&Person>) -> Vec<String> {
    person.map_or_else(Vec::new, |person| {
        let names = [&person.first_name, &person.last_name, &person.title].into_iter().flatten().cloned();
        std::iter::once(person.email.0.clone()).chain(names).collect()
    })
}

/// Whether linking has to look again: what it decides by has changed.
fn concerns_linking(before: Option<&Person>, after: &Person) -> bool {
    before.is_none_or(|before| {
        (&before.email, &before.first_name, &before.last_name, before.status)
            != (&after.email, &after.first_name, &after.last_name, after.status)
    })
}

pub(super) async fn write(tx: &Tx, world: &World, options: &Options) -> Result<()> {
    write_teams(tx, world, options).await?;
    let (mut new, mut changed) = (Rows::new(PERSON), Rows::new(PERSON));
    let mut columns: BTreeSet<&str> = BTreeSet::new();
    let mut gone: Vec<UserId> = Vec::new();
    let mut words: Vec<Changed> = Vec::new();
    let mut touched = Touched::default();
    let courses = || world.order.iter().filter_map(|id| Some((*id, world.users.get(id)?)));
    for (id, course) in courses() {
        match (&course.before, &course.now) {
            // As it was when it went.
            (None, Some(after)) if world.revived.contains(&id) => add(&mut changed, after),
            (None, Some(after)) => add(&mut new, after),
            (Some(before), Some(after)) if before != after => {
                columns.extend(differing(before, after));
                add(&mut changed, after);
            }
            (Some(_), None) => gone.push(id),
            _ => continue,
        }
        let (before, after) = (texts(course.before.as_deref()), texts(course.now.as_deref()));
        if before != after {
            words.push(Changed { id: id.0, before, after });
        }
        if let Some(after) = &course.now
            && concerns_linking(course.before.as_deref(), after)
        {
            touched.users.push(id);
        }
    }
    let words = Beside::start(move || Difference::of(&words));
    // Whoever is gone frees an email that somebody new may use in the same step.
    touched.crm_users = delete(tx, &gone, options).await?;
    insert(tx, new, options).await?;
    revive(tx, world).await?;
    update(tx, changed, &columns).await?;
    let managed = |person: &Person| person.managed.iter().map(|team| team.0).collect::<Vec<_>>();
    pairs(tx, world, "team_manager", "team_id", managed).await?;
    let licenses = |person: &Person| person.licenses.iter().map(|license| license.0).collect::<Vec<_>>();
    pairs(tx, world, "user_license", "license_id", licenses).await?;
    words.done().await?.write(tx, Words::User, None).await?;
    remap(tx, world, options).await?;
    linking::run(tx, None, &touched, None).await?;
    Ok(())
}

async fn write_teams(tx: &Tx, world: &World, options: &Options) -> Result<()> {
    if world.new_teams.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(&[("id", Kind::Uuid), ("parent_id", Kind::Uuid), ("name", Kind::Text)]);
    let mut words = Vec::new();
    for team in &world.new_teams {
        rows.add(&[&team.id, &team.parent, &team.name]);
        words.push(Changed::new(team.id, &[], &[Some(&team.name)]));
    }
    let mut sql = tx.sql();
    sql.push("INSERT INTO team (organization_id, created_at, updated_at, import_job_id, id, parent_id, name) SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(tx.now).push(", ").bind(tx.now).push(", ").bind(options.import);
    sql.push(", id, parent_id, name FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    words::update(tx, Words::Team, None, &words).await
}

async fn insert(tx: &Tx, rows: Rows, options: &Options) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO app_user (organization_id, created_at, updated_at, import_job_id, ").push(&names);
    sql.push(") SELECT ").bind(tx.organization_id).push(", ").bind(tx.now).push(", ").bind(tx.now).push(", ");
    sql.bind(options.import).push(", ").push(&names);
    sql.push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

async fn update(tx: &Tx, rows: Rows, columns: &BTreeSet<&str>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE app_user SET ").equals("updated_at", tx.now);
    for name in columns {
        sql.push(", ").push(name).push(" = r.").push(name);
    }
    sql.push(" FROM ").rows(rows).push(" AS r WHERE ").equals("app_user.organization_id", tx.organization_id);
    sql.push(" AND app_user.id = r.id");
    tx.execute(sql).await?;
    Ok(())
}

/// Users that were deleted are there again.
async fn revive(tx: &Tx, world: &World) -> Result<()> {
    if world.revived.is_empty() {
        return Ok(());
    }
    let revived: Vec<UserId> = world.revived.iter().copied().collect();
    let mut sql = tx.sql();
    sql.push("UPDATE app_user SET deleted_at = NULL WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").any_id("id", &revived);
    tx.execute(sql).await?;
    Ok(())
}

/// Makes again the mappings that had ended with their user, each in the place of the one that ended.
async fn remap(tx: &Tx, world: &World, options: &Options) -> Result<()> {
    if world.remapped.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(&[
        ("id", Kind::Uuid),
        ("integration_id", Kind::Uuid),
        ("user_id", Kind::Uuid),
        ("crm_user_id", Kind::Uuid),
        ("source", Kind::Text),
        ("alias_email", Kind::Text),
        ("replaces_id", Kind::Uuid),
    ]);
    for ended in &world.remapped {
        let id: MappingId = tx.clock.id();
        rows.add(&[
            &id,
            &ended.integration_id,
            &ended.user_id,
            &ended.crm_user_id,
            &ended.source,
            &ended.alias_email,
            &ended.id,
        ]);
    }
    let names = rows.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO mapping (organization_id, warnings, created_at, created_by, ").push(&names);
    sql.push(") SELECT ").bind(tx.organization_id).push(", 0, ").bind(tx.now).push(", ").bind(options.actor);
    sql.push(", ").push(&names).push(" FROM ").rows(rows).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

/// Deletes users; the CRM users that become free by it.
async fn delete(tx: &Tx, gone: &[UserId], options: &Options) -> Result<Vec<CrmUserId>> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = tx.sql();
    sql.push("UPDATE mapping SET end_reason = 'USER_DELETED', ").equals("ended_at", tx.now).push(", ");
    sql.equals("ended_by", options.actor).push(" WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ended_at IS NULL AND ").any_id("user_id", gone).push(" RETURNING crm_user_id");
    let freed = sql.map(tx.connection(), |row| row.try_get("", "crm_user_id")).await?;
    for table in ["user_link", "api_token"] {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table).push(" WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").any_id("user_id", gone);
        tx.execute(sql).await?;
    }
    let mut sql = tx.sql();
    let deleted_at: Option<Time> = Some(tx.now);
    sql.push("UPDATE app_user SET ").equals("deleted_at", deleted_at).push(", ").equals("updated_at", tx.now);
    sql.push(" WHERE ").equals("organization_id", tx.organization_id).push(" AND ").any_id("id", gone);
    tx.connection().execute_raw(sql.statement()).await?;
    Ok(freed)
}

/// Brings a table of pairs to what the users now have.
async fn pairs(
    tx: &Tx,
    world: &World,
    table: &str,
    column: &str,
    of: impl Fn(&Person) -> Vec<uuid::Uuid>,
) -> Result<()> {
    const COLUMNS: &[(&str, Kind)] = &[("user_id", Kind::Uuid), ("other", Kind::Uuid)];
    let (mut gone, mut new) = (Rows::new(COLUMNS), Rows::new(COLUMNS));
    for course in world.order.iter().filter_map(|id| world.users.get(id)) {
        let before = course.before.as_deref().map(&of).unwrap_or_default();
        let after = course.now.as_deref().map(&of).unwrap_or_default();
        let Some(id) = course.before.as_ref().or(course.now.as_ref()).map(|person| person.id) else { continue };
        for other in before.iter().filter(|other| !after.contains(other)) {
            gone.add(&[&id, other]);
        }
        for other in after.iter().filter(|other| !before.contains(other)) {
            new.add(&[&id, other]);
        }
    }
    if !gone.is_empty() {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table).push(" WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND (user_id, ").push(column).push(") IN (SELECT user_id, other FROM ").rows(gone).push(" AS r)");
        tx.execute(sql).await?;
    }
    if !new.is_empty() {
        let mut sql = tx.sql();
        sql.push("INSERT INTO ").push(table).push(" (organization_id, user_id, ").push(column).push(") SELECT ");
        sql.bind(tx.organization_id).push(", user_id, other FROM ").rows(new).push(" AS r");
        tx.execute(sql).await?;
    }
    Ok(())
}
