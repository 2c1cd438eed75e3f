//! Who is asking: sign-in by token, what the role allows, and whom the viewer sees.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use entity::{ObjectVisibility, OrganizationId, TeamId, UserId, UserRole};
use sea_orm::{ConnectionTrait, FromQueryResult};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Services,
    clock::Time,
    db::{Reader, Sql},
    error::{Error, Result},
};

/// The users a viewer sees (`contract/http.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody in the organisation.
    Organization,
    /// Themselves, and the members of these teams.
    Teams(Arc<[TeamId]>),
}

/// The signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    pub organization_id: OrganizationId,
    pub user_id: UserId,
    pub role: UserRole,
    pub scope: Scope,
}

/// A request of a signed-in user: what every service function takes.
#[derive(Debug, Clone)]
pub struct Session {
    pub services: Arc<Services>,
    pub viewer: Viewer,
    reader: Reader,
    /// How far the database's log was at sign-in, where there is a replica.
    position: Option<String>,
}

impl Session {
    /// A session of the process itself, for a viewer that it vouches for.
    pub fn vouched(services: &Arc<Services>, viewer: Viewer) -> Self {
        let reader = services.db.reader_itself();
        Self { services: Arc::clone(services), viewer, reader, position: None }
    }

    /// The session for what only reads: from the replica, if there is one that has all that was written before sign-in.
    pub async fn only_reading(self) -> Self {
        let Self { services, viewer, reader, position } = self;
        let reader = match &position {
            Some(position) => services.db.reader_at(reader, position).await,
            None => reader,
        };
        Self { services, viewer, reader, position }
    }

    /// The session for an operation that asks for much, and is to leave connections to others.
    #[must_use]
    pub fn aside(self) -> Self {
        let reader = self.services.db.reader_aside(self.reader);
        Self { reader, ..self }
    }

    /// The session after it has written something: what it reads from now on is to have that.
    pub fn having_written(&mut self) {
        self.position = None;
    }

    /// # Errors
    /// [`Error::Forbidden`] unless the viewer is an administrator.
    pub fn admin(&self) -> Result<()> {
        if self.is_admin() { Ok(()) } else { Err(Error::Forbidden("an administrator is needed.")) }
    }

    pub fn is_admin(&self) -> bool {
        self.viewer.role == UserRole::Admin
    }

    pub fn organization_id(&self) -> OrganizationId {
        self.viewer.organization_id
    }

    /// A statement for the database at hand.
    pub fn sql(&self) -> Sql {
        Sql::new(self.services.db.backend())
    }

    /// Where queries read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Adds the condition that the viewer may see the user at `alias`.
    pub fn visible(&self, sql: &mut Sql, alias: &str) {
        if let Scope::Teams(teams) = &self.viewer.scope {
            sql.push(" AND (").equals(&format!("{alias}.id"), self.viewer.user_id).push(" OR ");
            sql.any_id(&format!("{alias}.team_id"), teams).push(")");
        }
    }

    /// Whether the viewer may see a user of this team.
    pub fn sees(&self, user_id: UserId, team_id: Option<TeamId>) -> bool {
        match &self.viewer.scope {
            Scope::Organization => true,
            Scope::Teams(teams) => {
                user_id == self.viewer.user_id || team_id.is_some_and(|team_id| teams.contains(&team_id))
            }
        }
    }
}

/// A new token for a user of the organisation: `cpt_` and the base64url of the organisation's id and 256 random bits.
/// Returned with what is stored of it.
pub fn new_token(organization_id: OrganizationId) -> (String, Vec<u8>) {
    let secret: [u8; 32] = rand::random();
    let mut bytes = organization_id.0.as_bytes().to_vec();
    bytes.extend_from_slice(&secret);
    (format!("cpt_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)), Sha256::digest(secret).to_vec())
}

fn parse_token(token: &str) -> Option<(OrganizationId, Vec<u8>)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix("cpt_")?).ok()?;
    let (organization, secret) = bytes.split_at_checked(16)?;
    if secret.len() != 32 {
        return None;
    }
    Some((OrganizationId(Uuid::from_slice(organization).ok()?), Sha256::digest(secret).to_vec()))
}

#[derive(FromQueryResult)]
struct SignIn {
    token_id: Uuid,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
    user_id: UserId,
    role: UserRole,
    object_visibility: ObjectVisibility,
    position: Option<String>,
}

/// Signs in by an API token: one statement, one more for a viewer who sees only teams, and once a minute a third that
/// writes when the token was last used.
///
/// # Errors
/// [`Error::Unauthenticated`] when the token is unknown, expired or revoked, or its user is suspended, deleted or a
/// data-only user.
pub async fn sign_in(services: &Arc<Services>, token: &str) -> Result<Session> {
    let (organization_id, hash) = parse_token(token).ok_or(Error::Unauthenticated)?;
    let db = services.db.reader();
    let mut sql = Sql::new(services.db.backend());
    sql.push("SELECT t.id AS token_id, t.expires_at, t.last_used_at, u.id AS user_id, u.role, u.object_visibility, ");
    sql.push(services.db.position()).push(
        " AS position FROM api_token t \
         JOIN app_user u ON u.organization_id = t.organization_id AND u.id = t.user_id WHERE ",
    );
    sql.equals("t.organization_id", organization_id).push(" AND ").equals("t.secret_hash", hash);
    sql.push(" AND u.deleted_at IS NULL AND u.status = 'ACTIVE' AND u.role <> 'DATA'");
    let found: SignIn = sql.one(db).await?.ok_or(Error::Unauthenticated)?;
    let now = services.clock.now();
    if found.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::Unauthenticated);
    }
    if found.last_used_at.is_none_or(|at| (now - at).num_seconds() >= 60) {
        touch(services, organization_id, found.token_id, now);
    }
    let scope = if found.role == UserRole::Admin || found.object_visibility == ObjectVisibility::Full {
        Scope::Organization
    } else {
        Scope::Teams(visible_teams(services, db, organization_id, found.user_id).await?.into())
    };
    let viewer = Viewer { organization_id, user_id: found.user_id, role: found.role, scope };
    Ok(Session { position: found.position, ..Session::vouched(services, viewer) })
}

/// Notes the token's use beside the request: an import that holds the writer must not keep anybody from signing in.
fn touch(services: &Arc<Services>, organization_id: OrganizationId, token_id: Uuid, now: Time) {
    let services = Arc::clone(services);
    tokio::spawn(async move {
        let mut sql = Sql::new(services.db.backend());
        sql.push("UPDATE api_token SET ").equals("last_used_at", now).push(" WHERE ");
        sql.equals("organization_id", organization_id).push(" AND ").equals("id", token_id);
        sql.push(" AND (last_used_at IS NULL OR last_used_at < ").bind(now).push(")");
        if let Err(error) = services.db.writer().execute_raw(sql.statement()).await {
            tracing::warn!(%error, "a token's last use was not written");
        }
    });
}

/// The teams whose members a viewer of visibility Team sees: their own and those they manage, sub-teams included.
async fn visible_teams(
    services: &Services,
    db: &impl ConnectionTrait,
    organization_id: OrganizationId,
    user_id: UserId,
) -> Result<Vec<TeamId>> {
    let mut sql = Sql::new(services.db.backend());
    sql.push("WITH RECURSIVE seen (id) AS (SELECT team_id FROM app_user WHERE ");
    sql.equals("organization_id", organization_id).push(" AND ").equals("id", user_id);
    sql.push(" AND team_id IS NOT NULL UNION SELECT team_id FROM team_manager WHERE ");
    sql.equals("organization_id", organization_id).push(" AND ").equals("user_id", user_id);
    sql.push(" UNION SELECT t.id FROM team t JOIN seen ON t.parent_id = seen.id WHERE ");
    sql.equals("t.organization_id", organization_id).push(") SELECT id FROM seen");
    Ok(sql.map(db, |row| row.try_get("", "id")).await?)
}
