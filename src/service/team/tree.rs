//! The whole forest of an organisation's teams in memory: paths to teams and back.

use std::collections::{HashMap, HashSet};

use entity::{OrganizationId, TeamId};
use sea_orm::{ConnectionTrait, DbErr};

use super::TeamRef;
use crate::service::{
    db::{Sql, sql::Kind},
    error::{ErrorCode, Fault},
    value::team_path,
};

/// A team as the tree keeps it.
#[derive(Debug, Clone)]
struct Node {
    parent: Option<TeamId>,
    name: String,
}

/// All teams of an organisation.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: HashMap<TeamId, Node>,
    children: HashMap<(Option<TeamId>, String), TeamId>,
}

impl Tree {
    /// Reads all teams, in one statement.
    pub async fn load(db: &impl ConnectionTrait, organization_id: OrganizationId) -> Result<Self, DbErr> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT id, parent_id, name FROM team WHERE ").equals("organization_id", organization_id);
        let columns = [("id", Kind::Uuid), ("parent_id", Kind::Uuid), ("name", Kind::Text)];
        let teams: Vec<(TeamId, Option<TeamId>, String)> = sql.gathered_rows(&columns, db).await?;
        let mut tree = Self::default();
        for (id, parent, name) in teams {
            tree.insert(id, parent, name);
        }
        Ok(tree)
    }

    /// Adds a team.
    pub fn insert(&mut self, id: TeamId, parent: Option<TeamId>, name: String) {
        self.children.insert((parent, name.clone()), id);
        self.nodes.insert(id, Node { parent, name });
    }

    /// Gives a team that is there another place and name.
    pub fn place(&mut self, id: TeamId, parent: Option<TeamId>, name: String) {
        if let Some(before) = self.nodes.get(&id) {
            self.children.remove(&(before.parent, before.name.clone()));
        }
        self.insert(id, parent, name);
    }

    pub fn contains(&self, id: TeamId) -> bool {
        self.nodes.contains_key(&id)
    }

    pub fn name(&self, id: TeamId) -> Option<&str> {
        self.nodes.get(&id).map(|node| node.name.as_str())
    }

    pub fn parent(&self, id: TeamId) -> Option<TeamId> {
        self.nodes.get(&id)?.parent
    }

    /// The child of `parent`, or the root, of this name.
    pub fn child(&self, parent: Option<TeamId>, name: &str) -> Option<TeamId> {
        self.children.get(&(parent, name.to_owned())).copied()
    }

    /// Whether `id` is `ancestor` or lies below it.
    pub fn is_within(&self, id: TeamId, ancestor: TeamId) -> bool {
        let mut seen = HashSet::new();
        let mut at = Some(id);
        while let Some(team) = at {
            if team == ancestor {
                return true;
            }
            if !seen.insert(team) {
                return false;
            }
            at = self.parent(team);
        }
        false
    }

    /// The path of a team, as `value::team_path` writes it.
    pub fn path(&self, id: TeamId) -> String {
        let mut names = Vec::new();
        let mut at = Some(id);
        while let Some(node) = at.and_then(|team| self.nodes.get(&team)) {
            names.push(node.name.as_str());
            at = node.parent;
        }
        names.reverse();
        team_path::format(&names)
    }

    /// The paths of all teams.
    pub fn paths(&self) -> HashMap<TeamId, String> {
        self.nodes.keys().map(|id| (*id, self.path(*id))).collect()
    }

    /// The team at this path, where there is one.
    pub fn at(&self, path: &str) -> Option<TeamId> {
        self.walk(&team_path::parse(path).ok()?)
    }

    fn walk(&self, names: &[String]) -> Option<TeamId> {
        names.iter().try_fold(None, |parent, name| self.child(parent, name).map(Some)).flatten()
    }

    /// The team that an input names.
    ///
    /// # Errors
    /// `TEAM_NOT_FOUND` for a path, with the nearest one as a hint; `NOT_FOUND` for an id.
    pub fn find(&self, team: &TeamRef, field: &'static str) -> Result<TeamId, Fault> {
        match team {
            TeamRef::Id(id) if self.contains(*id) => Ok(*id),
            TeamRef::Id(_) => Err(Fault::at(ErrorCode::NotFound, field, "There is no team with this id.")),
            TeamRef::Path(path) => {
                let names = team_path::parse(path).map_err(|why| Fault::at(ErrorCode::TeamNotFound, field, why))?;
                self.walk(&names).ok_or_else(|| {
                    let hint = self.nearest(path).map(|near| format!(" Did you mean {near:?}?")).unwrap_or_default();
                    Fault::at(ErrorCode::TeamNotFound, field, format!("There is no team {path:?}.{hint}"))
                })
            }
        }
    }

    /// The path that is spelled most like this one.
    fn nearest(&self, path: &str) -> Option<String> {
        let folded = path.to_lowercase();
        self.nodes
            .keys()
            .map(|id| self.path(*id))
            .map(|near| (strsim::jaro_winkler(&folded, &near.to_lowercase()), near))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
            .map(|(_, near)| near)
    }
}
