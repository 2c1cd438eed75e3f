//! Finding and listing users. What the viewer may not see is not there.

use std::collections::HashMap;

use entity::{Email, IntegrationId, LinkState, TeamId, UserId, UserRole, UserStatus, app_user::Model};
use serde::{Deserialize, Serialize};

use super::UserRef;
use crate::service::{
    Session,
    db::Sql,
    error::Result,
    list::{self, Below, List},
    page::{Key, KeyKind, Order, Table},
    search::{self, How},
    team,
    value::email,
};

/// Which users a list has; every condition must hold. An empty list of choices finds nobody.
///
/// It can be written down and read again: the address of an export carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Filter {
    /// Every word must be the beginning of a word of the email, the name or the title.
    pub search: Option<String>,
    pub status: Option<Vec<UserStatus>>,
    pub role: Option<Vec<UserRole>>,
    pub team: Option<InTeam>,
    pub link: Option<InState>,
}

/// The members of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InTeam {
    pub team_id: TeamId,
    pub include_subteams: bool,
}

/// Those who stand towards an integration in one of these ways.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InState {
    pub integration_id: IntegrationId,
    pub states: Vec<LinkState>,
}

/// What a list of users can be ordered by; the id decides between equals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OrderBy {
    #[default]
    Email,
    Name,
    CreatedAt,
    UpdatedAt,
}

/// The users of the organisation that a filter finds, those that are deleted aside.
#[derive(Debug, Clone, Default)]
pub struct Users {
    pub filter: Filter,
    pub by: OrderBy,
    pub descending: bool,
}

/// The users that stand below a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfTeam {
    Members { include_subteams: bool },
    Managers,
}

impl Filter {
    /// Adds ` AND …` for the users under the alias `x`.
    pub fn restrict(&self, session: &Session, sql: &mut Sql) {
        search::restrict(sql, "x.id", search::USERS, session.organization_id(), self.search.as_deref());
        self.restrict_found(session, sql);
    }

    /// [`restrict`](Self::restrict), but for the search.
    fn restrict_found(&self, session: &Session, sql: &mut Sql) {
        if let Some(status) = &self.status {
            sql.push(" AND ").any_name("x.status", status);
        }
        if let Some(role) = &self.role {
            sql.push(" AND ").any_name("x.role", role);
        }
        match self.team {
            Some(InTeam { team_id, include_subteams: false }) => {
                sql.push(" AND ").equals("x.team_id", team_id);
            }
            Some(InTeam { team_id, include_subteams: true }) => {
                sql.push(" AND x.team_id IN (");
                team::query::with_subteams(session, sql, |sql| {
                    sql.bind(team_id);
                });
                sql.push(")");
            }
            None => (),
        }
        if let Some(link) = &self.link {
            sql.push(" AND x.id IN (SELECT l.user_id FROM user_link l WHERE ");
            sql.equals("l.organization_id", session.organization_id()).push(" AND ");
            sql.equals("l.integration_id", link.integration_id).push(" AND ");
            sql.any_name("l.state", &link.states).push(")");
        }
    }
}

impl OrderBy {
    fn order(self, descending: bool) -> Order {
        let (tag, columns): (_, &[_]) = match self {
            Self::Email => ("user.email", &[("x.email", KeyKind::Text), ("x.id", KeyKind::Id)]),
            Self::Name => ("user.name", &[("x.sort_name", KeyKind::Text), ("x.id", KeyKind::Id)]),
            Self::CreatedAt => ("user.created", &[("x.created_at", KeyKind::Time), ("x.id", KeyKind::Id)]),
            Self::UpdatedAt => ("user.updated", &[("x.updated_at", KeyKind::Time), ("x.id", KeyKind::Id)]),
        };
        Order { tag, columns, descending }
    }

    fn keys(self, user: &Model) -> Vec<Key> {
        let first = match self {
            Self::Email => Key::Text(user.email.0.clone()),
            Self::Name => Key::Text(user.sort_name.clone()),
            Self::CreatedAt => Key::Time(user.created_at),
            Self::UpdatedAt => Key::Time(user.updated_at),
        };
        vec![first, Key::Id(user.id.0)]
    }
}

impl List for Users {
    type Row = Model;

    fn order(&self) -> Order {
        self.by.order(self.descending)
    }

    fn keys(&self, user: &Model) -> Vec<Key> {
        self.by.keys(user)
    }

    async fn how(&self, session: &Session) -> Result<How> {
        search::how(session, search::USERS, self.filter.search.as_deref(), |_| ()).await
    }

    fn from(&self, session: &Session, sql: &mut Sql, how: How) {
        let query = (self.filter.search.as_deref(), how);
        search::from(sql, "app_user", search::USERS, session.organization_id(), query, |_| ());
        sql.push(" AND x.deleted_at IS NULL");
        session.visible(sql, "x");
        self.filter.restrict_found(session, sql);
    }
}

impl List for OfTeam {
    type Row = Model;

    fn order(&self) -> Order {
        OrderBy::Email.order(false)
    }

    fn keys(&self, user: &Model) -> Vec<Key> {
        OrderBy::Email.keys(user)
    }

    fn from(&self, session: &Session, sql: &mut Sql, _: How) {
        sql.push(" FROM ");
        if *self == Self::Managers {
            sql.push(
                "team_manager m JOIN app_user x ON x.organization_id = m.organization_id AND x.id = m.user_id WHERE ",
            );
            sql.equals("m.organization_id", session.organization_id()).push(" AND m.team_id = p.parent");
        } else {
            if *self == (Self::Members { include_subteams: true }) {
                // Written as a join: as a condition, SQLite would walk the hierarchy again for each user.
                sql.push("(");
                team::query::with_subteams(session, sql, |sql| {
                    sql.push("p.parent");
                });
                sql.push(") AS b CROSS JOIN app_user x WHERE x.team_id = b.id");
            } else {
                sql.push("app_user x WHERE x.team_id = p.parent");
            }
            sql.push(" AND ").equals("x.organization_id", session.organization_id());
        }
        sql.push(" AND x.deleted_at IS NULL");
        session.visible(sql, "x");
    }
}

impl Below for OfTeam {
    const TABLE: Table = Table::with_id("app_user");
}

/// The users of these ids that the viewer may see, those that are deleted included: history names them.
pub async fn by_id(session: &Session, ids: &[UserId]) -> Result<HashMap<UserId, Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM app_user x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND ").any_id("x.id", ids);
    session.visible(&mut sql, "x");
    list::keyed(session, sql, |user: &Model| user.id).await
}

/// The user that the reference names, if it is not deleted and the viewer may see it.
pub async fn find(session: &Session, user: &UserRef) -> Result<Option<Model>> {
    let mut sql = session.sql();
    sql.push("SELECT x.* FROM app_user x WHERE ").equals("x.organization_id", session.organization_id());
    sql.push(" AND x.deleted_at IS NULL AND ");
    match user {
        UserRef::Id(id) => sql.equals("x.id", *id),
        UserRef::Email(text) => match email::parse(text) {
            Ok(address) => sql.equals("x.email", Email(address)),
            Err(_) => return Ok(None),
        },
    };
    session.visible(&mut sql, "x");
    Ok(sql.one(session.reader()).await?)
}
