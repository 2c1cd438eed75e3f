//! Teams.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use entity::team;

use super::{
    error::Result,
    id, input, loaders,
    page::{Connection, shown},
    payload::{DeletePayload, inputs, payloads},
    session,
    user::User,
};
use crate::service::{
    Fault, Step,
    error::ErrorCode,
    page::PageArgs,
    team::{
        TeamRef as Ref, change,
        query::{self, Children, Teams},
    },
    user::query::OfTeam,
    value::team_path,
};

shown! {
    /// A team.
    Team(team::Model),
}

/// A team; teams form a hierarchy of any depth.
#[Object(crate = "crate::graphql::executor")]
impl Team {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// What the team is called; unique below its parent.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Names from the root down, joined by `:`.
    async fn path(&self, ctx: &Context<'_>) -> Result<String> {
        let above = self.above(ctx).await?;
        let names: Vec<&str> = above.iter().rev().map(|team| team.0.name.as_str()).chain([&*self.0.name]).collect();
        Ok(team_path::format(&names))
    }

    /// The team that this one hangs below.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        match self.0.parent_id {
            Some(parent_id) => loaders(ctx)?.teams.load(parent_id).await,
            None => Ok(None),
        }
    }

    /// From the parent up to the root.
    async fn ancestors(&self, ctx: &Context<'_>) -> Result<Vec<Self>> {
        self.above(ctx).await
    }

    /// The teams right below this one, by name.
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Self>> {
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.children, Children, self.0.id, args).await
    }

    /// The members that the viewer sees, by email.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Whether the members of sub-teams count as members.", default = false)] include_subteams: bool,
    ) -> Result<Connection<User>> {
        let args = PageArgs { first, after, last, before };
        let list = OfTeam::Members { include_subteams };
        Connection::below(&loaders(ctx)?.users_of_team, list, self.0.id, args).await
    }

    /// The managers that the viewer sees, by email.
    async fn managers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let args = PageArgs { first, after, last, before };
        Connection::below(&loaders(ctx)?.users_of_team, OfTeam::Managers, self.0.id, args).await
    }
}

impl Team {
    async fn above(&self, ctx: &Context<'_>) -> Result<Vec<Self>> {
        match self.0.parent_id {
            Some(_) => Ok(loaders(ctx)?.ancestors.load(self.0.id).await?.unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }
}

/// A team by id, or by its path from the root: `North America:Mid-West`.
#[derive(Debug, Clone, OneofObject)]
pub enum TeamRef {
    /// The global id.
    Id(ID),
    /// The names from the root down, joined by `:`; `\:` is a colon in a name, `\\` a backslash.
    Path(String),
}

impl From<TeamRef> for Ref {
    fn from(by: TeamRef) -> Self {
        match by {
            TeamRef::Id(id) => Self::Id(id::read(&id)),
            TeamRef::Path(path) => Self::Path(path),
        }
    }
}

/// Which teams a list has; every condition must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TeamFilter {
    /// Every word must be the beginning of a word of the name.
    search: Option<String>,
    /// Only teams without a parent.
    #[graphql(default = false)]
    roots_only: bool,
}

#[derive(Default)]
pub struct TeamQuery;

#[Object]
impl TeamQuery {
    /// A team; null when there is none.
    async fn team(&self, ctx: &Context<'_>, #[graphql(desc = "Which team.")] by: TeamRef) -> Result<Option<Team>> {
        Ok(query::find(session(ctx)?, &by.into()).await?.map(|team| Team(team.into())))
    }

    /// The teams of the organisation, by name.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many rows from the start, or after `after`; 200 at most.")] first: Option<i32>,
        #[graphql(desc = "The rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "As many rows from the end, or before `before`; 200 at most.")] last: Option<i32>,
        #[graphql(desc = "The rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only teams that meet this.")] filter: Option<TeamFilter>,
    ) -> Result<Connection<Team>> {
        let filter = filter.unwrap_or_default();
        let teams = Teams { search: input::search(filter.search)?, roots_only: filter.roots_only };
        Connection::of(ctx, teams, PageArgs { first, after, last, before }).await
    }
}

payloads! {
    /// What a mutation of a team answers.
    TeamPayload {
        /// The team as it is now.
        team: Team
    }
}

inputs! {
    /// Names a team.
    TeamInput {
        /// Which team.
        team: TeamRef
    }
}

/// A team to be made.
#[derive(Debug, Clone, InputObject)]
pub struct CreateTeamInput {
    /// What it is called; unique below its parent.
    name: String,
    /// The team to hang below; a root when left out.
    parent: Option<TeamRef>,
}

/// A team's new name.
#[derive(Debug, Clone, InputObject)]
pub struct RenameTeamInput {
    /// Which team.
    team: TeamRef,
    /// What it is to be called; unique below its parent.
    name: String,
}

/// Where a team is to hang.
#[derive(Debug, Clone, InputObject)]
pub struct MoveTeamInput {
    /// Which team.
    team: TeamRef,
    /// Its new place.
    destination: TeamDestination,
}

/// A place in the hierarchy.
#[derive(Debug, Clone, OneofObject)]
pub enum TeamDestination {
    /// Below this team.
    Parent(TeamRef),
    /// True: no parent.
    Root(bool),
}

#[derive(Default)]
pub struct TeamMutation;

#[Object]
impl TeamMutation {
    /// Make a team.
    async fn create_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team to be made.")] input: CreateTeamInput,
    ) -> Result<TeamPayload> {
        let done = change::create(session(ctx)?, input.name, input.parent.map(Into::into)).await;
        TeamPayload::of(ctx, done, |l| &l.teams).await
    }

    /// Give a team another name; the paths of all below it change with it.
    async fn rename_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team and its new name.")] input: RenameTeamInput,
    ) -> Result<TeamPayload> {
        let done = change::rename(session(ctx)?, input.team.into(), input.name).await;
        TeamPayload::of(ctx, done, |l| &l.teams).await
    }

    /// Hang a team, with all below it, under another parent, or make it a root.
    async fn move_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team and its new place.")] input: MoveTeamInput,
    ) -> Result<TeamPayload> {
        let session = session(ctx)?;
        let done = match input.destination {
            TeamDestination::Parent(parent) => change::move_to(session, input.team.into(), Some(parent.into())).await,
            TeamDestination::Root(true) => change::move_to(session, input.team.into(), None).await,
            TeamDestination::Root(false) => session.admin().and_then(|()| {
                let fault = Fault::at(ErrorCode::Invalid, "root", "`root` takes true alone. Name a parent instead.");
                Err(fault.under([Step::Name("destination")]).into())
            }),
        };
        TeamPayload::of(ctx, done, |l| &l.teams).await
    }

    /// Delete a team that has no members and no sub-teams.
    async fn delete_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team.")] input: TeamInput,
    ) -> Result<DeletePayload> {
        DeletePayload::of(change::delete(session(ctx)?, input.team.into()).await)
    }
}
