//! Finding and listing users. What the viewer may not see is not there.

use std::collections::HashMap;

use entity::{Email, IntegrationId, LinkState, TeamId, UserId, UserRole, UserStatus, app_user::Model};
use sea_orm::DbBackend;
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
        self.restrict_linked(session, sql);
    }

    /// [`restrict`](Self::restrict), but for the search and the links.
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
    }

    fn restrict_linked(&self, session: &Session, sql: &mut Sql) {
        if let Some(link) = &self.link {
            // Asked for each user: as a list, SQLite would first gather everybody who stands so.
            sql.push(" AND EXISTS (SELECT 1 FROM user_link l WHERE l.user_id = x.id AND ");
            link.restrict(session, sql);
            sql.push(")");
        }
    }
}

/// Those who stand so are few up to this number: to put them in order costs less than to look for them among all.
const FEW: i64 = 20_000;

impl InState {
    /// Adds the conditions on the links under the alias `l`.
    fn restrict(&self, session: &Session, sql: &mut Sql) {
        sql.equals("l.organization_id", session.organization_id()).push(" AND ");
        sql.equals("l.integration_id", self.integration_id).push(" AND ");
        sql.any_name("l.state", &self.states);
    }

    /// Whether to begin with those who stand so; one statement on SQLite, where they must be few. PostgreSQL knows how
    /// many there are, and goes the cheaper way through the same join.
    async fn comes_first(&self, session: &Session) -> Result<bool> {
        if session.services.db.backend() == DbBackend::Postgres {
            return Ok(true);
        }
        let mut sql = session.sql();
        sql.push("SELECT COUNT(*) AS n FROM (SELECT 1 FROM user_link l WHERE ");
        self.restrict(session, &mut sql);
        sql.push(" LIMIT ").bind(FEW + 1).push(") AS found");
        Ok(sql.number(session.reader()).await? <= FEW)
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
        let how = search::how(session, search::USERS, self.filter.search.as_deref(), |_| ()).await?;
        Ok(match &self.filter.link {
            Some(link) if how == How::Walk && link.comes_first(session).await? => How::Linked,
            _ => how,
        })
    }

    fn from(&self, session: &Session, sql: &mut Sql, how: How) {
        let (organization_id, search) = (session.organization_id(), self.filter.search.as_deref());
        match &self.filter.link {
            Some(link) if how == How::Linked => {
                sql.push(" FROM user_link l CROSS JOIN app_user x WHERE x.id = l.user_id AND ");
                link.restrict(session, sql);
                sql.push(" AND ").equals("x.organization_id", organization_id);
                search::restrict(sql, "x.id", search::USERS, organization_id, search);
            }
            _ => {
                search::from(sql, "app_user", search::USERS, organization_id, (search, how), |_| ());
                self.filter.restrict_linked(session, sql);
            }
        }
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
