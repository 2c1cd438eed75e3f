//! Changing the hierarchy. What no constraint can say (no cycles, nothing below or in a team that goes) is checked under
//! the organisation's lock.

use entity::{ImportJobId, ManageMode, TeamId, team};
use sea_orm::{ActiveModelTrait, Set};

use super::{TeamRef, Tree};
use crate::service::{
    Session,
    db::Tx,
    error::{Error, ErrorCode, Fault, Result},
    organization,
    value::team_path,
    words::{self, Changed, Words},
};

fn name(name: &str) -> Result<String> {
    team_path::check_name(name).map_err(|why| Fault::at(ErrorCode::Invalid, "name", why).into())
}

fn taken(tree: &Tree, parent: Option<TeamId>, name: &str, field: &'static str) -> Error {
    let place = match parent {
        Some(parent) => format!("{:?} already has a sub-team", tree.path(parent)),
        None => "There already is a root team".to_owned(),
    };
    Fault::at(ErrorCode::AlreadyExists, field, format!("{place} named {name:?}. Choose another name.")).into()
}

/// # Errors
/// `LOCKED_BY_CRM` in manage mode AUTO, where the hierarchy is the CRM's.
async fn unlocked(tx: &Tx, field: &'static str) -> Result<()> {
    match organization::manage_mode(tx).await? {
        ManageMode::Manual => Ok(()),
        ManageMode::Auto => Err(Fault::at(
            ErrorCode::LockedByCrm,
            field,
            "Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.",
        )
        .into()),
    }
}

/// Inserts a team whose name and place have been checked.
pub(crate) async fn insert(tx: &Tx, tree: &mut Tree, parent: Option<TeamId>, name: String) -> Result<TeamId> {
    let id: TeamId = tx.clock.id();
    team::ActiveModel {
        organization_id: Set(tx.organization_id),
        id: Set(id),
        parent_id: Set(parent),
        name: Set(name.clone()),
        created_at: Set(tx.now),
        updated_at: Set(tx.now),
        crm_role: Set(None),
        import_job_id: Set(None),
    }
    .insert(tx.connection())
    .await?;
    words::update(tx, Words::Team, None, &[Changed::new(id, &[], &[Some(&name)])]).await?;
    tree.insert(id, parent, name);
    Ok(id)
}

/// Makes a team below `parent`, or a root.
///
/// # Errors
/// `INVALID` for the name, `ALREADY_EXISTS`, `NOT_FOUND` or `TEAM_NOT_FOUND` for the parent, `LOCKED_BY_CRM`.
pub async fn create(session: &Session, name: String, parent: Option<TeamRef>) -> Result<TeamId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let mut tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let parent = parent.map(|parent| tree.find(&parent, "parent")).transpose()?;
    unlocked(&tx, "name").await?;
    let name = self::name(&name)?;
    if tree.child(parent, &name).is_some() {
        return Err(taken(&tree, parent, &name, "name"));
    }
    let id = insert(&tx, &mut tree, parent, name).await?;
    tx.commit().await?;
    Ok(id)
}

async fn set(tx: &Tx, id: TeamId, change: team::ActiveModel) -> Result<()> {
    let change =
        team::ActiveModel { organization_id: Set(tx.organization_id), id: Set(id), updated_at: Set(tx.now), ..change };
    change.update(tx.connection()).await?;
    Ok(())
}

/// Gives a team another name; the paths of all below it change with it.
///
/// # Errors
/// As [`create`].
pub async fn rename(session: &Session, team: TeamRef, name: String) -> Result<TeamId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let id = tree.find(&team, "team")?;
    unlocked(&tx, "name").await?;
    let name = self::name(&name)?;
    match tree.child(tree.parent(id), &name) {
        Some(other) if other != id => return Err(taken(&tree, tree.parent(id), &name, "name")),
        _ => {}
    }
    set(&tx, id, team::ActiveModel { name: Set(name.clone()), ..Default::default() }).await?;
    words::update(&tx, Words::Team, None, &[Changed::new(id, &[tree.name(id)], &[Some(&name)])]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Hangs a team, with all below it, under another parent; `None` makes it a root.
///
/// # Errors
/// `TEAM_CYCLE` below itself; `ALREADY_EXISTS` where the parent has a team of this name; as [`create`].
pub async fn move_to(session: &Session, team: TeamRef, parent: Option<TeamRef>) -> Result<TeamId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let id = tree.find(&team, "team")?;
    let parent = parent.map(|parent| tree.find(&parent, "destination")).transpose()?;
    unlocked(&tx, "destination").await?;
    if let Some(parent) = parent
        && tree.is_within(parent, id)
    {
        return Err(Fault::at(
            ErrorCode::TeamCycle,
            "destination",
            format!(
                "{:?} can't hang under {:?}: that is the team itself or lies below it.",
                tree.path(id),
                tree.path(parent)
            ),
        )
        .into());
    }
    let name = tree.name(id).unwrap_or_default();
    match tree.child(parent, name) {
        Some(other) if other != id => return Err(taken(&tree, parent, name, "destination")),
        _ => {}
    }
    set(&tx, id, team::ActiveModel { parent_id: Set(parent), ..Default::default() }).await?;
    tx.commit().await?;
    Ok(id)
}

/// Deletes a team that has neither members nor sub-teams; who managed it manages it no more.
///
/// # Errors
/// `TEAM_NOT_EMPTY`, saying what is in it; `NOT_FOUND` or `TEAM_NOT_FOUND`; `LOCKED_BY_CRM`.
pub async fn delete(session: &Session, team: TeamRef) -> Result<TeamId> {
    session.admin()?;
    let tx = session.services.db.write(session.organization_id()).await?;
    let tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let id = tree.find(&team, "team")?;
    unlocked(&tx, "team").await?;
    let count = |table: &str, column: &str, live: &str| {
        let mut sql = tx.sql();
        sql.push("SELECT COUNT(*) AS n FROM ")
            .push(table)
            .push(" WHERE ")
            .equals("organization_id", tx.organization_id);
        sql.push(" AND ").equals(column, id).push(live);
        sql
    };
    let members = count("app_user", "team_id", " AND deleted_at IS NULL").number(tx.connection()).await?;
    let below = count("team", "parent_id", "").number(tx.connection()).await?;
    if members + below > 0 {
        return Err(Fault::at(
            ErrorCode::TeamNotEmpty,
            "team",
            format!("{:?} is not empty (members: {members}, sub-teams: {below}). Move them first.", tree.path(id)),
        )
        .into());
    }
    remove(&tx, &[id]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Removes teams without members and sub-teams.
async fn remove(tx: &Tx, ids: &[TeamId]) -> Result<()> {
    // Users who are gone may still name the team; history does not need it of them.
    let mut sql = tx.sql();
    sql.push("UPDATE app_user SET team_id = NULL WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").any_id("team_id", ids);
    tx.execute(sql).await?;
    let mut sql = tx.sql();
    sql.push("UPDATE manual_attributes SET team_id = NULL WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND ").any_id("team_id", ids);
    tx.execute(sql).await?;
    for (table, column) in [("team_manager", "team_id"), ("team_word", "team_id"), ("team", "id")] {
        let mut sql = tx.sql();
        sql.push("DELETE FROM ").push(table).push(" WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND ").any_id(column, ids);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Removes the teams that an import made, as far as they are empty and nobody manages them; from the leaves up.
pub(crate) async fn remove_empty(tx: &Tx, import: ImportJobId) -> Result<()> {
    loop {
        let mut sql = tx.sql();
        sql.push("SELECT t.id FROM team t WHERE ").equals("t.organization_id", tx.organization_id);
        sql.push(" AND ").equals("t.import_job_id", import);
        sql.push(
            " AND NOT EXISTS (SELECT 1 FROM team b WHERE b.organization_id = t.organization_id AND b.parent_id = t.id)",
        );
        sql.push(" AND NOT EXISTS (SELECT 1 FROM app_user u WHERE u.organization_id = t.organization_id ");
        sql.push("AND u.team_id = t.id AND u.deleted_at IS NULL) AND NOT EXISTS (SELECT 1 FROM team_manager m ");
        sql.push("WHERE m.organization_id = t.organization_id AND m.team_id = t.id)");
        let empty: Vec<TeamId> = sql.map(tx.connection(), |row| row.try_get("", "id")).await?;
        if empty.is_empty() {
            return Ok(());
        }
        remove(tx, &empty).await?;
    }
}
