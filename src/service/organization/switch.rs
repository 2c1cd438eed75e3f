//! Switching the manage mode: what users and teams become when the CRM comes to own them, and what they get back when it
//! no longer does.
//!
//! Before the first change by the CRM each user's title and team are kept as they were set by hand (`manual_attributes`);
//! switching back restores them. Teams are never deleted by a switch: those made by hand stay, those of the CRM too.

use entity::{IntegrationId, ManageMode, TeamId, UserId};
use sea_orm::FromQueryResult;

use crate::service::{
    db::Tx,
    error::Result,
    linking::follow,
    sync_run::roles,
    team::{TeamRef, Tree},
    user::{
        Patch,
        apply::{self, Applied, FieldChange},
    },
};

/// Users are changed in chunks of this size.
const CHUNK: i64 = 1_000;
/// As many users are told of one by one.
const SHOWN: usize = 200;

/// What a switch changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// Users whose title or team changes.
    pub users: i64,
    /// The first 200 of them, by id, and how each changes.
    pub changes: Vec<(UserId, Vec<FieldChange>)>,
    /// The paths of teams that are made, in order.
    pub teams_created: Vec<String>,
    /// Teams that get another name or place: their paths before and after.
    pub teams_moved: Vec<(String, String)>,
}

impl Switched {
    fn take(&mut self, applied: impl Iterator<Item = Applied>) {
        for applied in applied.filter(|applied| !applied.changes.is_empty()) {
            self.users += 1;
            if self.changes.len() < SHOWN {
                self.changes.push((applied.user, applied.changes));
            }
        }
    }
}

/// The CRM comes to own titles and teams.
pub(super) async fn to_auto(tx: &Tx, integration: IntegrationId, mode: ManageMode) -> Result<Switched> {
    if mode == ManageMode::Manual {
        let mut sql = tx.sql();
        sql.push("DELETE FROM manual_attributes WHERE ").equals("organization_id", tx.organization_id);
        tx.execute(sql).await?;
        let mut sql = tx.sql();
        sql.push("INSERT INTO manual_attributes (organization_id, user_id, title, team_id) ");
        sql.push("SELECT organization_id, id, title, team_id FROM app_user WHERE deleted_at IS NULL AND ");
        sql.equals("organization_id", tx.organization_id);
        tx.execute(sql).await?;
    } else {
        // The roles of another CRM were followed.
        let mut sql = tx.sql();
        sql.push("UPDATE team SET crm_role = NULL WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND crm_role IS NOT NULL");
        tx.execute(sql).await?;
    }
    let before = Tree::load(tx.connection(), tx.organization_id).await?;
    let moved = roles::teams_follow(tx, integration).await?;
    let mut switched = Switched { teams_moved: moved, ..Switched::default() };
    let mut after = UserId(uuid::Uuid::nil());
    loop {
        let mut sql = tx.sql();
        sql.push("SELECT user_id FROM mapping WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
        sql.equals("integration_id", integration).push(" AND ended_at IS NULL AND user_id > ").bind(after);
        sql.push(" ORDER BY user_id LIMIT ").bind(CHUNK);
        let users: Vec<UserId> = sql.map(tx.connection(), |row| row.try_get("", "user_id")).await?;
        let Some(last) = users.last() else { break };
        after = *last;
        switched.take(follow::bring_in_line(tx, integration, &users).await?.into_iter().map(|(applied, _)| applied));
    }
    // Those that roles have, and those that paths name.
    let after = Tree::load(tx.connection(), tx.organization_id).await?;
    let created = after.paths().into_iter().filter(|(id, _)| !before.contains(*id));
    switched.teams_created = created.map(|(_, path)| path).collect();
    switched.teams_created.sort_unstable();
    Ok(switched)
}

#[derive(FromQueryResult)]
struct Kept {
    user_id: UserId,
    title: Option<String>,
    team_id: Option<TeamId>,
    has_title: bool,
    has_team: bool,
}

/// Titles and teams are set by hand again, as they were.
pub(super) async fn to_manual(tx: &Tx) -> Result<Switched> {
    let mut switched = Switched::default();
    let mut after = UserId(uuid::Uuid::nil());
    loop {
        let mut sql = tx.sql();
        sql.push("SELECT k.user_id, k.title, k.team_id, COALESCE(k.title, '') = COALESCE(u.title, '') AS has_title, ");
        sql.push("(k.team_id = u.team_id OR (k.team_id IS NULL AND u.team_id IS NULL)) IS TRUE AS has_team ");
        sql.push(
            "FROM manual_attributes k JOIN app_user u ON u.organization_id = k.organization_id AND u.id = k.user_id ",
        );
        sql.push("AND u.deleted_at IS NULL WHERE ").equals("k.organization_id", tx.organization_id);
        sql.push(" AND k.user_id > ").bind(after).push(" ORDER BY k.user_id LIMIT ").bind(CHUNK);
        let kept: Vec<Kept> = sql.all(tx.connection()).await?;
        let Some(last) = kept.last() else { break };
        after = last.user_id;
        let changes: Vec<apply::Change> =
            kept.into_iter().filter(|kept| !(kept.has_title && kept.has_team)).map(restore).collect();
        if !changes.is_empty() {
            switched.take(follow::carry_out(tx, &changes).await?.into_iter().flatten());
        }
    }
    let mut sql = tx.sql();
    sql.push("DELETE FROM manual_attributes WHERE ").equals("organization_id", tx.organization_id);
    tx.execute(sql).await?;
    Ok(switched)
}

fn restore(kept: Kept) -> apply::Change {
    let title = match kept.title {
        _ if kept.has_title => Patch::Keep,
        Some(title) => Patch::Set(title),
        None => Patch::Clear,
    };
    let team = match kept.team_id {
        _ if kept.has_team => Patch::Keep,
        Some(team) => Patch::Set(TeamRef::Id(team)),
        None => Patch::Clear,
    };
    follow::edit(kept.user_id, title, team)
}
