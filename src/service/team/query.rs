//! Finding and listing teams. Every team of the organisation is visible to everybody in it.

use std::collections::HashMap;

use entity::{TeamId, UserId, team::Model};

use super::TeamRef;
use crate::service::{
    Session,
    db::{Rows, Sql, sql::Kind},
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::{self, How},
    value::team_path,
};

/// The teams of the organisation, by name.
#[derive(Debug, Clone, Default)]
pub struct Teams {
    /// Every word must be the beginning of a word of the name.
    pub search: Option<String>,
    pub roots_only: bool,
}

/// The teams right below a team, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Children;

const ORDER: Order =
    Order { tag: "team", columns: &[("x.name", KeyKind::Text), ("x.id", KeyKind::Id)], descending: false };

fn keys(team: &Model) -> Vec<Key> {
    vec![Key::Text(team.name.clone()), Key::Id(team.id.0)]
}

impl List for Teams {
    type Row = Model;

    fn order(&self) -> Order {
        ORDER
    }

    fn keys(&self, team: &Model) -> Vec<Key> {
        keys(team)
    }

    async fn how(&self, session: &Session) -> Result<How> {
        search::how(session, search::TEAMS, self.search.as_deref(), |_| ()).await
    }

    fn from(&self, session: &Session, sql: &mut Sql, how: How) {
        let query = (self.search.as_deref(), how);
        search::from(sql, "team", search::TEAMS, session.organization_id(), query, |_| ());
        if self.roots_only {
            sql.push(" AND x.parent_id IS NULL");
        }
    }
}

impl List for Children {
    type Row = Model;

    fn order(&self) -> Order {
        ORDER
    }

    fn keys(&self, team: &Model) -> Vec<Key> {
        keys(team)
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM team x WHERE ").equals("x.organization_id", session.organization_id());
        sql.push(" AND x.parent_id = p.parent");
    }
}

impl Below for Children {
    const TABLE: Table = Table::with_id("team");
}

/// Adds a statement for the ids of a team and all the teams below it; `root` adds the team's id.
pub fn with_subteams(session: &Session, sql: &mut Sql, root: impl FnOnce(&mut Sql)) {
    sql.push("WITH RECURSIVE below (id) AS (SELECT ");
    root(sql);
    sql.push(" UNION SELECT t.id FROM below JOIN team t ON t.parent_id = below.id AND ");
    sql.equals("t.organization_id", session.organization_id()).push(") SELECT below.id FROM below");
}

pub async fn by_id(session: &Session, ids: &[TeamId]) -> Result<HashMap<TeamId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM team x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").any_id("x.id", ids);
    list::keyed(session, sql, |team: &Model| team.id).await
}

/// The team that the reference names.
pub async fn find(session: &Session, team: &TeamRef) -> Result<Option<Model>> {
    match team {
        TeamRef::Id(id) => Ok(by_id(session, &[*id]).await?.remove(id)),
        TeamRef::Path(path) => match team_path::parse(path) {
            Ok(names) => at_path(session, &names).await,
            Err(_) => Ok(None),
        },
    }
}

/// The team at the end of a path of names from the root.
async fn at_path(session: &Session, names: &[String]) -> Result<Option<Model>> {
    let mut steps = Rows::new(&[("depth", Kind::Int), ("name", Kind::Text)]);
    for (depth, name) in (1_i64..).zip(names) {
        steps.add(&[&depth, name]);
    }
    let depth = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let mut sql = session.sql();
    sql.push("WITH RECURSIVE step AS (SELECT * FROM ").rows(steps).push(" AS s), walk (id, depth) AS (");
    sql.push("SELECT t.id, step.depth FROM step JOIN team t ON t.name = step.name AND t.parent_id IS NULL AND ");
    sql.equals("t.organization_id", session.organization_id()).push(" WHERE step.depth = 1 ");
    sql.push("UNION ALL SELECT t.id, step.depth FROM walk JOIN step ON step.depth = walk.depth + 1 ");
    sql.push("JOIN team t ON t.parent_id = walk.id AND t.name = step.name AND ");
    sql.equals("t.organization_id", session.organization_id());
    sql.push(") SELECT x.* FROM walk JOIN team x ON x.id = walk.id AND ");
    sql.equals("x.organization_id", session.organization_id()).push(" WHERE ").equals("walk.depth", depth);
    Ok(sql.one(session.reader()).await?)
}

/// The teams above each team, from the parent up to the root. Roots are not in the answer.
pub async fn ancestors(session: &Session, ids: &[TeamId]) -> Result<HashMap<TeamId, Vec<Model>>> {
    let mut sql = session.sql();
    sql.push("WITH RECURSIVE up (start, id, depth) AS (SELECT t.id, t.parent_id, 1 FROM team t WHERE ");
    sql.equals("t.organization_id", session.organization_id()).push(" AND ").any_id("t.id", ids);
    sql.push(" AND t.parent_id IS NOT NULL UNION ALL SELECT up.start, t.parent_id, up.depth + 1 FROM up ");
    sql.push("JOIN team t ON t.id = up.id AND t.parent_id IS NOT NULL AND ");
    sql.equals("t.organization_id", session.organization_id());
    sql.push(") SELECT up.start AS parent_key, x.* FROM up JOIN team x ON x.id = up.id AND ");
    sql.equals("x.organization_id", session.organization_id()).push(" ORDER BY up.start, up.depth");
    list::grouped(session, sql).await
}

/// The teams that each user manages, by name. Users who manage none are not in the answer.
pub async fn managed_by(session: &Session, users: &[UserId]) -> Result<HashMap<UserId, Vec<Model>>> {
    let mut sql = session.sql();
    sql.push(
        "SELECT m.user_id AS parent_key, x.* FROM team_manager m \
         JOIN team x ON x.organization_id = m.organization_id AND x.id = m.team_id WHERE ",
    );
    sql.equals("m.organization_id", session.organization_id()).push(" AND ").any_id("m.user_id", users);
    sql.push(" ORDER BY x.name, x.id");
    list::grouped(session, sql).await
}
