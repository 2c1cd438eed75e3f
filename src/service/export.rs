//! Exports: a signed address first; whoever opens it gets the file, read from the database page by page.

use std::{collections::HashMap, sync::Arc};

use chrono::SecondsFormat;
use entity::{
    ConfigurationProfileId, Email, MappingId, MappingSource, ObjectVisibility, OrganizationId, TeamId, UserId,
    UserRole, UserStatus, app_user,
};
use sea_orm::FromQueryResult;
use url::Url;

use super::{
    Services, Session,
    clock::Time,
    csv::{self, Writer},
    error::Result,
    links::Download,
    mapping::{self, Warning},
    session::{Scope, Viewer},
    team::Tree,
    user,
    value::list,
};

/// Rows read at once.
const CHUNK: i64 = 1_000;

/// An address to download the users from that the filter finds, and when it expires.
///
/// # Errors
/// [`Error::Forbidden`](super::Error::Forbidden) for all but administrators.
pub fn users(session: &Session, filter: &user::query::Filter) -> Result<(Url, Time)> {
    session.admin()?;
    sign(session, Download::Users(serde_json::to_value(filter)?))
}

/// An address to download the mappings from that the filter finds, and when it expires.
///
/// # Errors
/// As [`users`].
pub fn mappings(session: &Session, filter: &mapping::query::Filter) -> Result<(Url, Time)> {
    session.admin()?;
    sign(session, Download::Mappings(serde_json::to_value(filter)?))
}

fn sign(session: &Session, download: Download) -> Result<(Url, Time)> {
    let services = &session.services;
    services.links.sign(session.organization_id(), download, services.clock.now())
}

/// The session of whoever opens a signed address: it was made for an administrator, and names one organisation.
fn bearer(services: &Arc<Services>, organization_id: OrganizationId) -> Session {
    let viewer = Viewer {
        organization_id,
        user_id: UserId(uuid::Uuid::nil()),
        role: UserRole::Admin,
        scope: Scope::Organization,
    };
    Session { services: Arc::clone(services), viewer }
}

/// A users file (`contract/csv.md`, "Users"), sorted by email.
#[derive(Debug)]
pub struct Users {
    session: Session,
    filter: user::query::Filter,
    teams: Tree,
    profiles: HashMap<ConfigurationProfileId, String>,
    /// The email of the last row that was written.
    after: Option<Email>,
}

impl Users {
    pub async fn open(
        services: &Arc<Services>,
        organization_id: OrganizationId,
        filter: serde_json::Value,
    ) -> Result<Self> {
        let session = bearer(services, organization_id);
        let teams = Tree::load(session.reader(), organization_id).await?;
        let mut sql = session.sql();
        sql.push("SELECT id, name FROM configuration_profile WHERE ").equals("organization_id", organization_id);
        let profiles = sql.map(session.reader(), |row| Ok((row.try_get("", "id")?, row.try_get("", "name")?))).await?;
        let profiles = profiles.into_iter().collect();
        Ok(Self { session, filter: serde_json::from_value(filter)?, teams, profiles, after: None })
    }

    /// The next piece of the file, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let organization_id = self.session.organization_id();
        let mut sql = self.session.sql();
        sql.push("SELECT x.* FROM app_user x WHERE x.deleted_at IS NULL AND ");
        sql.equals("x.organization_id", organization_id);
        self.filter.restrict(&self.session, &mut sql);
        if let Some(email) = &self.after {
            sql.push(" AND x.email > ").bind(email.clone());
        }
        sql.push(" ORDER BY x.email LIMIT ").bind(CHUNK);
        let rows: Vec<app_user::Model> = sql.all(self.session.reader()).await?;
        let mut writer = Writer::new(Vec::new());
        if self.after.is_none() {
            writer.row(csv::Kind::Users.table().names())?;
        } else if rows.is_empty() {
            return Ok(None);
        }
        let ids: Vec<UserId> = rows.iter().map(|row| row.id).collect();
        let managed = self.pairs("SELECT user_id, team_id AS other FROM team_manager x WHERE ", &ids).await?;
        let licenses = self
            .pairs(
                "SELECT x.user_id, l.name AS other FROM user_license x JOIN license l \
                 ON l.organization_id = x.organization_id AND l.id = x.license_id WHERE ",
                &ids,
            )
            .await?;
        for row in &rows {
            writer.row(self.cells(row, managed.get(&row.id), licenses.get(&row.id)))?;
        }
        // No email is as late as this: nothing comes after an empty list.
        self.after = Some(rows.last().map_or_else(|| Email("\u{10ffff}".into()), |row| row.email.clone()));
        Ok(Some(writer.into_inner()?))
    }

    async fn pairs<T: sea_orm::TryGetable>(
        &self,
        select: &'static str,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Vec<T>>> {
        let mut sql = self.session.sql();
        sql.push(select).equals("x.organization_id", self.session.organization_id()).push(" AND ");
        sql.any_id("x.user_id", ids);
        let rows =
            sql.map(self.session.reader(), |row| Ok((row.try_get("", "user_id")?, row.try_get("", "other")?))).await?;
        let mut pairs: HashMap<UserId, Vec<T>> = HashMap::new();
        for (user, other) in rows {
            pairs.entry(user).or_default().push(other);
        }
        Ok(pairs)
    }

    fn cells(
        &self,
        user: &app_user::Model,
        managed: Option<&Vec<TeamId>>,
        licenses: Option<&Vec<String>>,
    ) -> [String; 13] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut managed: Vec<String> =
            managed.map(|teams| teams.iter().map(|team| self.teams.path(*team)).collect()).unwrap_or_default();
        managed.sort_unstable();
        let mut licenses = licenses.cloned().unwrap_or_default();
        licenses.sort_unstable();
        [
            user.email.0.clone(),
            text(&user.first_name),
            text(&user.last_name),
            text(&user.title),
            user.team_id.map(|team| self.teams.path(team)).unwrap_or_default(),
            match user.role {
                UserRole::Admin => "Admin",
                UserRole::Manager => "Manager",
                UserRole::Member => "Member",
                UserRole::Data => "Data",
            }
            .into(),
            match user.object_visibility {
                ObjectVisibility::Full => "Full",
                ObjectVisibility::Team => "Team",
            }
            .into(),
            self.profiles.get(&user.configuration_profile_id).cloned().unwrap_or_default(),
            list::join(&managed),
            list::join_names(&licenses),
            match user.status {
                UserStatus::Active => "Active",
                UserStatus::Suspended => "Suspended",
            }
            .into(),
            user.suspended_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default(),
            String::new(),
        ]
    }
}

/// A mappings file (`contract/csv.md`, "Mappings"), sorted by the users' emails.
#[derive(Debug)]
pub struct Mappings {
    session: Session,
    filter: mapping::query::Filter,
    /// Email and mapping of the last row that was written.
    after: Option<(Email, MappingId)>,
}

#[derive(FromQueryResult)]
struct MappingRow {
    id: MappingId,
    email: Email,
    external_id: String,
    alias_email: Option<String>,
    integration: String,
    source: MappingSource,
    crm_email: Option<String>,
    crm_name: Option<String>,
    warnings: i32,
}

impl Mappings {
    pub fn open(services: &Arc<Services>, organization_id: OrganizationId, filter: serde_json::Value) -> Result<Self> {
        let session = bearer(services, organization_id);
        Ok(Self { session, filter: serde_json::from_value(filter)?, after: None })
    }

    /// The next piece of the file, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut sql = self.session.sql();
        sql.push(
            "SELECT x.id, u.email, c.external_id, x.alias_email, i.name AS integration, x.source, \
             c.email AS crm_email, c.name AS crm_name, x.warnings FROM mapping x \
             JOIN app_user u ON u.organization_id = x.organization_id AND u.id = x.user_id \
             JOIN crm_user c ON c.organization_id = x.organization_id AND c.id = x.crm_user_id \
             JOIN integration i ON i.organization_id = x.organization_id AND i.id = x.integration_id WHERE ",
        );
        sql.equals("x.organization_id", self.session.organization_id());
        self.filter.restrict(&self.session, &mut sql);
        if let Some((email, id)) = &self.after {
            sql.push(" AND (u.email, x.id) > (").bind(email.clone()).push(", ").bind(*id).push(")");
        }
        sql.push(" ORDER BY u.email, x.id LIMIT ").bind(CHUNK);
        let rows: Vec<MappingRow> = sql.all(self.session.reader()).await?;
        let mut writer = Writer::new(Vec::new());
        if self.after.is_none() {
            let own = csv::Kind::Mappings.table().names();
            let more = ["_integration", "_source", "_crm_email", "_crm_name", "_warnings"];
            writer.row(own.into_iter().chain(more))?;
        } else if rows.is_empty() {
            return Ok(None);
        }
        for row in &rows {
            let warnings: Vec<&str> = Warning::of(row.warnings).map(Warning::as_str).collect();
            writer.row([
                row.email.as_str(),
                &row.external_id,
                row.alias_email.as_deref().unwrap_or_default(),
                "",
                &row.integration,
                row.source.as_str(),
                row.crm_email.as_deref().unwrap_or_default(),
                row.crm_name.as_deref().unwrap_or_default(),
                &list::join_names(&warnings),
            ])?;
        }
        let last = rows.last().map(|row| (row.email.clone(), row.id));
        self.after = Some(last.unwrap_or_else(|| (Email("\u{10ffff}".into()), MappingId(uuid::Uuid::max()))));
        Ok(Some(writer.into_inner()?))
    }
}
