//! How users are named, filtered and ordered.

use async_graphql::{Context, Enum, ID, InputObject, OneofObject};

use crate::{
    graphql::{
        error::Result,
        id,
        input::{self, OrderDirection},
        integration::IntegrationRef,
        session,
        team::TeamRef,
    },
    service::{
        self, Fault, Step, integration, team,
        user::query::{self, InState, InTeam, OrderBy},
    },
};

/// What a user may do.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::UserRole")]
pub enum UserRole {
    /// Everything in the organisation.
    Admin,
    /// Read; named the manager of teams.
    Manager,
    /// Read.
    Member,
    /// Nothing: data is captured for it, but it can't sign in.
    Data,
}

/// Whom a user who is no administrator sees.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::ObjectVisibility")]
pub enum ObjectVisibility {
    /// The whole organisation.
    Full,
    /// Themselves and the members of their own team and the teams they manage, sub-teams included.
    Team,
}

/// Whether a user can work.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
pub enum UserStatus {
    /// The user can sign in.
    Active,
    /// The user can't sign in; mappings stay.
    Suspended,
    /// Met only through history: a mapping, import or token that names a user who is gone.
    Deleted,
}

/// How a user stands towards an integration.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "entity::LinkState")]
pub enum LinkState {
    /// A mapping holds.
    Mapped,
    /// One free match, not linked: linking is off, or an administrator removed that very mapping.
    MatchAvailable,
    /// No CRM user carries the user's email.
    NoMatch,
    /// Several active CRM users carry the user's email.
    Ambiguous,
    /// Only inactive CRM users carry the user's email.
    MatchInactive,
    /// The CRM user that carries the user's email is mapped to another user.
    MatchTaken,
}

/// A user by id or by email.
#[derive(Debug, Clone, OneofObject)]
pub enum UserRef {
    /// The global id.
    Id(ID),
    /// The email, in any case.
    Email(String),
}

impl From<UserRef> for service::user::UserRef {
    fn from(by: UserRef) -> Self {
        match by {
            UserRef::Id(id) => Self::Id(id::read(&id)),
            UserRef::Email(email) => Self::Email(email),
        }
    }
}

/// Which users a list has; every condition must hold. An empty list of choices finds nobody.
#[derive(Debug, Clone, InputObject)]
pub struct UserFilter {
    /// Every word must be the beginning of a word of the email, the name or the title.
    search: Option<String>,
    /// Users of one of these statuses.
    status: Option<Vec<UserStatus>>,
    /// Users of one of these roles.
    role: Option<Vec<UserRole>>,
    /// Members of this team.
    team: Option<TeamRef>,
    /// Whether the members of the team's sub-teams count as its members.
    #[graphql(default = true)]
    include_subteams: bool,
    /// Users who stand towards an integration in one of several ways.
    link: Option<LinkFilter>,
}

/// Users by how they stand towards one integration: the administrator's worklist.
#[derive(Debug, Clone, InputObject)]
pub struct LinkFilter {
    /// The integration.
    integration: IntegrationRef,
    /// The states, one of which must be the user's.
    state: Vec<LinkState>,
}

impl UserFilter {
    /// The filter with its references resolved.
    ///
    /// # Errors
    /// `NOT_FOUND` with the path below the filter where one names nothing.
    pub async fn resolve(self, ctx: &Context<'_>) -> Result<Result<query::Filter, Fault>> {
        let session = session(ctx)?;
        let team = match self.team {
            None => None,
            Some(by) => {
                let by = by.into();
                match team::query::find(session, &by).await? {
                    Some(team) => Some(InTeam { team_id: team.id, include_subteams: self.include_subteams }),
                    None => return Ok(Err(input::no_team(&by).under([Step::Name("team")]))),
                }
            }
        };
        let link = match self.link {
            None => None,
            Some(link) => {
                let by = link.integration.into();
                match integration::query::find(session, &by).await? {
                    Some(found) => Some(InState {
                        integration_id: found.id,
                        states: link.state.into_iter().map(Into::into).collect(),
                    }),
                    None => {
                        let path = [Step::Name("link"), Step::Name("integration")];
                        return Ok(Err(input::no_integration(&by).under(path)));
                    }
                }
            }
        };
        Ok(input::search(self.search).map(|search| query::Filter {
            search,
            status: self.status.map(|status| {
                // Lists have no deleted users, so that asking for them finds nobody.
                status
                    .into_iter()
                    .filter_map(|status| match status {
                        UserStatus::Active => Some(entity::UserStatus::Active),
                        UserStatus::Suspended => Some(entity::UserStatus::Suspended),
                        UserStatus::Deleted => None,
                    })
                    .collect()
            }),
            role: self.role.map(|role| role.into_iter().map(Into::into).collect()),
            team,
            link,
        }))
    }
}

/// What a list of users is ordered by.
#[derive(Debug, Clone, InputObject)]
pub struct UserOrder {
    /// The attribute; the id decides between equals.
    pub field: UserOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

/// What users can be ordered by.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "OrderBy")]
pub enum UserOrderField {
    /// The email, by code point.
    Email,
    /// The name without regard to accents and case; the email where there is none.
    Name,
    /// When the user was created.
    CreatedAt,
    /// When the user was last changed.
    UpdatedAt,
}
