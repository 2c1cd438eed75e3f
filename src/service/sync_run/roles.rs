//! A CRM's role hierarchy: kept as the CRM gives it, each role with its path, and in manage mode AUTO followed by teams.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::{CrmRoleId, CrmUserId, IntegrationId, SyncChangeKind, TeamId};
use sea_orm::FromQueryResult;

use crate::{
    crm::CrmRole,
    service::{
        db::{Rows, Tx, sql::Kind},
        error::Result,
        linking::receipt::{Change, Receipt},
        team::Tree,
        value::team_path,
        words::{self, Changed, Words},
    },
};

/// Why a role has no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It lies below itself.
    Circle,
    /// A role above it never came.
    Orphan,
    /// Its name can't be a team's.
    Name,
    /// A role above it has no path.
    Above,
}

impl Problem {
    fn sentence(self, role: &CrmRole) -> String {
        let name = &role.name;
        match self {
            Self::Circle => format!("The role {name:?} lies below itself in the CRM; it is not followed."),
            Self::Orphan => {
                let parent = role.parent.as_deref().unwrap_or_default();
                format!("The role {name:?} lies below {parent}, which the CRM does not have; it is not followed.")
            }
            Self::Name => format!("{name:?} can't be the name of a team; the role is not followed."),
            Self::Above => format!("A role above {name:?} is not followed, so that it is not either."),
        }
    }
}

/// The names from the top role down to each role; or why it has none.
pub fn paths(roles: &[CrmRole]) -> BTreeMap<&str, Result<Vec<String>, Problem>> {
    let by_id: HashMap<&str, &CrmRole> = roles.iter().map(|role| (role.external_id.as_str(), role)).collect();
    let mut paths: BTreeMap<&str, Result<Vec<String>, Problem>> = BTreeMap::new();
    for role in roles {
        // From the role up to one that is known already, then back down.
        let mut chain: Vec<&CrmRole> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = Some(role);
        let mut above: Result<Vec<String>, Problem> = loop {
            let Some(here) = at else { break Ok(Vec::new()) };
            if let Some(known) = paths.get(here.external_id.as_str()) {
                break match known {
                    Ok(names) => Ok(names.clone()),
                    Err(_) if chain.is_empty() => known.clone(),
                    Err(_) => Err(Problem::Above),
                };
            }
            if !seen.insert(here.external_id.as_str()) {
                // What leads into the circle is not in it.
                let first = chain.iter().position(|role| role.external_id == here.external_id).unwrap_or_default();
                for inside in chain.drain(first..) {
                    paths.insert(&inside.external_id, Err(Problem::Circle));
                }
                break Err(Problem::Above);
            }
            chain.push(here);
            at = match &here.parent {
                None => None,
                Some(parent) => match by_id.get(parent.as_str()) {
                    Some(parent) => Some(*parent),
                    None => {
                        paths.insert(&here.external_id, Err(Problem::Orphan));
                        chain.pop();
                        break Err(Problem::Above);
                    }
                },
            };
        };
        for role in chain.into_iter().rev() {
            above = match above {
                Err(problem) => Err(problem),
                Ok(mut names) => match team_path::check_name(role.name.trim()) {
                    Ok(name) => {
                        names.push(name);
                        Ok(names)
                    }
                    Err(_) => Err(Problem::Name),
                },
            };
            paths.insert(&role.external_id, above.clone());
            if above == Err(Problem::Name) {
                above = Err(Problem::Above);
            }
        }
    }
    paths
}

#[derive(FromQueryResult, PartialEq, Eq)]
struct Row {
    external_id: String,
    name: String,
    parent_external_id: Option<String>,
    path: Option<String>,
}

async fn load(tx: &Tx, integration: IntegrationId) -> Result<HashMap<String, Row>> {
    let mut sql = tx.sql();
    sql.push("SELECT external_id, name, parent_external_id, path FROM crm_role WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("integration_id", integration);
    let rows: Vec<Row> = sql.all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.external_id.clone(), row)).collect())
}

/// The team paths of the roles that have one.
pub(super) async fn known_paths(tx: &Tx, integration: IntegrationId) -> Result<HashMap<String, String>> {
    Ok(load(tx, integration).await?.into_values().filter_map(|row| Some((row.external_id, row.path?))).collect())
}

/// Keeps the roles as they have come, all of them; those that can't be followed are written down. The CRM users whose
/// place has changed with them come back.
pub(super) async fn store(
    tx: &Tx,
    integration: IntegrationId,
    roles: &[CrmRole],
    receipt: &mut Receipt,
) -> Result<Vec<CrmUserId>> {
    let mut known = load(tx, integration).await?;
    let mut rows = Rows::new(&[
        ("id", Kind::Uuid),
        ("external_id", Kind::Text),
        ("name", Kind::Text),
        ("parent_external_id", Kind::Text),
        ("path", Kind::Text),
    ]);
    let paths = paths(roles);
    let mut seen = HashSet::new();
    for role in roles.iter().filter(|role| seen.insert(role.external_id.as_str())) {
        let path = match paths.get(role.external_id.as_str()) {
            Some(Ok(names)) => Some(team_path::format(names)),
            Some(Err(problem)) => {
                let change = Change {
                    external_id: Some(role.external_id.clone()),
                    detail: Some(problem.sentence(role)),
                    ..Change::of(SyncChangeKind::RoleNotFollowed)
                };
                receipt.note(tx, change).await?;
                None
            }
            None => None,
        };
        let row = Row {
            external_id: role.external_id.clone(),
            name: role.name.clone(),
            parent_external_id: role.parent.clone(),
            path,
        };
        if known.remove(&row.external_id).as_ref() != Some(&row) {
            let id: CrmRoleId = tx.clock.id();
            rows.add(&[&id.0, &row.external_id, &row.name, &row.parent_external_id, &row.path]);
        }
    }
    if rows.is_empty() && known.is_empty() {
        return Ok(Vec::new());
    }
    if !rows.is_empty() {
        let mut sql = tx.sql();
        sql.push("INSERT INTO crm_role (organization_id, integration_id, ").push(&rows.names()).push(") SELECT ");
        sql.bind(tx.organization_id).push(", ").bind(integration).push(", ").push(&rows.names()).push(" FROM ");
        sql.rows(rows).push(" AS r WHERE true ON CONFLICT (organization_id, integration_id, external_id) DO UPDATE ");
        sql.push("SET name = excluded.name, parent_external_id = excluded.parent_external_id, path = excluded.path");
        tx.execute(sql).await?;
    }
    let gone: Vec<String> = known.into_keys().collect();
    let mut sql = tx.sql();
    sql.push("DELETE FROM crm_role WHERE ").equals("organization_id", tx.organization_id).push(" AND ");
    sql.equals("integration_id", integration).push(" AND ").any_text("external_id", &gone);
    tx.execute(sql).await?;
    // Whoever has a role stands where the role now is.
    let place = "(SELECT r.path FROM crm_role r WHERE r.organization_id = crm_user.organization_id \
                 AND r.integration_id = crm_user.integration_id AND r.external_id = crm_user.role_external_id)";
    let mut sql = tx.sql();
    sql.push("UPDATE crm_user SET team = ").push(place).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("integration_id", integration);
    sql.push(" AND role_external_id IS NOT NULL AND COALESCE(team, '') <> COALESCE(").push(place);
    sql.push(", '') RETURNING id");
    Ok(sql.map(tx.connection(), |row| row.try_get("", "id")).await?)
}

#[derive(FromQueryResult)]
struct Followed {
    id: TeamId,
    crm_role: String,
}

/// Brings the teams in line with the roles: a role's team has its name and hangs below its parent's team. A team of the
/// right name in the right place is taken over; where another is in the way, the team stays as it is.
/// The paths of those that were renamed or moved, before and after.
pub(crate) async fn teams_follow(tx: &Tx, integration: IntegrationId) -> Result<Vec<(String, String)>> {
    let mut placed: Vec<(Vec<String>, Row)> = Vec::new();
    for row in load(tx, integration).await?.into_values() {
        if let Some(names) = row.path.as_deref().and_then(|path| team_path::parse(path).ok()) {
            placed.push((names, row));
        }
    }
    // Parents first.
    placed.sort_by(|(one, a), (other, b)| (one.len(), &a.external_id).cmp(&(other.len(), &b.external_id)));
    let mut sql = tx.sql();
    sql.push("SELECT id, crm_role FROM team WHERE ").equals("organization_id", tx.organization_id);
    sql.push(" AND crm_role IS NOT NULL");
    let followed: Vec<Followed> = sql.all(tx.connection()).await?;
    let mut teams: HashMap<String, TeamId> = followed.into_iter().map(|team| (team.crm_role, team.id)).collect();
    let mut tree = Tree::load(tx.connection(), tx.organization_id).await?;
    let mut taken: HashSet<TeamId> = teams.values().copied().collect();
    let mut moved = Vec::new();
    let mut new = Rows::new(TEAM);
    let mut words = Vec::new();
    for (names, role) in placed {
        let Some(name) = names.last() else { continue };
        let parent = role.parent_external_id.as_ref().and_then(|parent| teams.get(parent)).copied();
        let there = tree.child(parent, name);
        match (teams.get(&role.external_id).copied().filter(|id| tree.contains(*id)), there) {
            (Some(team), Some(there)) if team == there => {}
            // Another team has this name there.
            (Some(_), Some(_)) => {}
            (Some(team), None) if parent.is_some_and(|parent| tree.is_within(parent, team)) => {}
            (Some(team), None) => {
                let before = (tree.path(team), tree.name(team).unwrap_or_default().to_owned());
                tree.place(team, parent, name.clone());
                moved.push((before.0, tree.path(team)));
                // In their order: a place that one frees, another may take.
                insert(tx, &mut new).await?;
                place(tx, team, parent, name, &role.external_id).await?;
                words.push(Changed::new(team, &[Some(&before.1)], &[Some(name)]));
            }
            (None, Some(there)) => {
                if taken.insert(there) {
                    insert(tx, &mut new).await?;
                    place(tx, there, parent, name, &role.external_id).await?;
                }
                teams.insert(role.external_id, there);
            }
            (None, None) => {
                let id: TeamId = tx.clock.id();
                tree.insert(id, parent, name.clone());
                taken.insert(id);
                new.add(&[&id, &parent, name, &role.external_id]);
                words.push(Changed::new(id, &[], &[Some(name)]));
                teams.insert(role.external_id, id);
            }
        }
    }
    insert(tx, &mut new).await?;
    words::update(tx, Words::Team, None, &words).await?;
    Ok(moved)
}

const TEAM: &[(&str, Kind)] =
    &[("id", Kind::Uuid), ("parent_id", Kind::Uuid), ("name", Kind::Text), ("crm_role", Kind::Text)];

/// Makes the teams that wait for it.
async fn insert(tx: &Tx, waiting: &mut Rows) -> Result<()> {
    let new = std::mem::replace(waiting, Rows::new(TEAM));
    if new.is_empty() {
        return Ok(());
    }
    let names = new.names();
    let mut sql = tx.sql();
    sql.push("INSERT INTO team (organization_id, created_at, updated_at, ").push(&names).push(") SELECT ");
    sql.bind(tx.organization_id).push(", ").bind(tx.now).push(", ").bind(tx.now).push(", ").push(&names);
    sql.push(" FROM ").rows(new).push(" AS r");
    tx.execute(sql).await?;
    Ok(())
}

/// Gives a team its place, its name and the role that it follows.
async fn place(tx: &Tx, team: TeamId, parent: Option<TeamId>, name: &str, role: &str) -> Result<()> {
    let mut sql = tx.sql();
    sql.push("UPDATE team SET ").equals("updated_at", tx.now).push(", ").equals("parent_id", parent).push(", ");
    sql.equals("name", name).push(", ").equals("crm_role", role).push(" WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND ").equals("id", team);
    tx.execute(sql).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: &str, parent: &str) -> CrmRole {
        let parent = (!parent.is_empty()).then(|| parent.to_owned());
        CrmRole { external_id: id.into(), name: id.to_uppercase(), parent }
    }

    fn shown(roles: &[CrmRole]) -> Vec<String> {
        let show = |(id, path): (&str, Result<Vec<String>, Problem>)| match path {
            Ok(names) => format!("{id} {}", names.join(":")),
            Err(problem) => format!("{id} {problem:?}"),
        };
        paths(roles).into_iter().map(show).collect()
    }

    #[test]
    fn roles_have_the_names_from_the_top_down() {
        let mut roles = vec![role("c", "b"), role("b", "a"), role("a", ""), role("d", "")];
        let expected = ["a A", "b A:B", "c A:B:C", "d D"];
        assert_eq!(shown(&roles), expected);
        roles.reverse();
        assert_eq!(shown(&roles), expected);
    }

    #[test]
    fn circles_and_orphans_have_none() {
        let blank = CrmRole { name: " ".into(), ..role("n", "") };
        let mut roles = vec![
            role("x", "y"),
            role("y", "x"),
            role("z", "x"),
            role("zz", "z"),
            role("o", "gone"),
            role("p", "o"),
            role("s", "s"),
            blank,
            role("m", "n"),
        ];
        let expected =
            ["m Above", "n Name", "o Orphan", "p Above", "s Circle", "x Circle", "y Circle", "z Above", "zz Above"];
        assert_eq!(shown(&roles), expected);
        roles.reverse();
        assert_eq!(shown(&roles), expected);
    }
}
