//! Exports: a signed address first; whoever opens it gets the file, read from the database page by page.

use std::{collections::HashMap, sync::Arc};

use chrono::SecondsFormat;
use entity::{
    ConfigurationProfileId, Email, LicenseId, MappingId, MappingSource, ObjectVisibility, OrganizationId, TeamId,
    UserId, UserRole, UserStatus,
};
use sea_orm::{DbErr, FromQueryResult, QueryResult};
use url::Url;

use super::{
    Services, Session,
    clock::Time,
    csv::{self, Writer},
    db::ids_of,
    error::Result,
    links::Download,
    mapping::{self, Warning},
    session::{Scope, Viewer},
    team::Tree,
    user,
    value::list,
};

/// Rows read at once: many enough that asking for them costs little beside them, few enough to be held twice.
const CHUNK: i64 = 2_000;

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
    Session::vouched(services, viewer)
}

/// A users file (`contract/csv.md`, "Users"), sorted by email.
#[derive(Debug)]
pub struct Users {
    session: Session,
    filter: user::query::Filter,
    names: Names,
    /// The email of the last row that was written.
    after: Option<Email>,
}

/// How what users have is called.
#[derive(Debug, Default)]
struct Names {
    teams: HashMap<TeamId, String>,
    profiles: HashMap<ConfigurationProfileId, String>,
    licenses: HashMap<LicenseId, String>,
    /// The cells of licences by the ids in them: few combinations are given to many users.
    license_cells: HashMap<String, String>,
}

/// As many combinations of licences are remembered.
const LICENSE_CELLS: usize = 1_000;

struct UserRow {
    email: Email,
    first_name: Option<String>,
    last_name: Option<String>,
    title: Option<String>,
    team_id: Option<TeamId>,
    role: UserRole,
    object_visibility: ObjectVisibility,
    profile_id: ConfigurationProfileId,
    status: UserStatus,
    suspended_at: Option<Time>,
    managed: Option<String>,
    licenses: Option<String>,
}

impl UserRow {
    /// By the places of the columns: looking for their names would take longer than all the rest.
    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            email: row.try_get_by_index(0)?,
            first_name: row.try_get_by_index(1)?,
            last_name: row.try_get_by_index(2)?,
            title: row.try_get_by_index(3)?,
            team_id: row.try_get_by_index(4)?,
            role: row.try_get_by_index(5)?,
            object_visibility: row.try_get_by_index(6)?,
            profile_id: row.try_get_by_index(7)?,
            status: row.try_get_by_index(8)?,
            suspended_at: row.try_get_by_index(9)?,
            managed: row.try_get_by_index(10)?,
            licenses: row.try_get_by_index(11)?,
        })
    }
}

impl Names {
    async fn load(session: &Session) -> Result<Self> {
        let organization_id = session.organization_id();
        let teams = Tree::load(session.reader(), organization_id).await?.paths();
        let mut sql = session.sql();
        sql.push("SELECT id, name FROM configuration_profile WHERE ").equals("organization_id", organization_id);
        let profiles = sql.map(session.reader(), |row| Ok((row.try_get("", "id")?, row.try_get("", "name")?))).await?;
        let mut sql = session.sql();
        sql.push("SELECT id, name FROM license WHERE ").equals("organization_id", organization_id);
        let licenses = sql.map(session.reader(), |row| Ok((row.try_get("", "id")?, row.try_get("", "name")?))).await?;
        Ok(Self {
            teams,
            profiles: profiles.into_iter().collect(),
            licenses: licenses.into_iter().collect(),
            license_cells: HashMap::new(),
        })
    }

    /// Whether all that a user has was there when the names were read.
    fn know(&self, row: &UserRow) -> bool {
        row.team_id.is_none_or(|team| self.teams.contains_key(&team))
            && self.profiles.contains_key(&row.profile_id)
            && ids_of(row.managed.as_deref().unwrap_or_default()).all(|team| self.teams.contains_key(&team))
            && row.licenses.as_ref().is_none_or(|gathered| {
                self.license_cells.contains_key(gathered)
                    || ids_of(gathered).all(|license| self.licenses.contains_key(&license))
            })
    }

    fn managed(&self, gathered: &str) -> String {
        let mut paths: Vec<&String> = ids_of(gathered).filter_map(|team| self.teams.get(&team)).collect();
        paths.sort_unstable();
        list::join(&paths)
    }

    fn licenses(&mut self, gathered: &str) -> &str {
        if !self.license_cells.contains_key(gathered) {
            let mut names: Vec<&String> = ids_of(gathered).filter_map(|license| self.licenses.get(&license)).collect();
            names.sort_unstable();
            let cell = list::join_names(&names);
            if self.license_cells.len() >= LICENSE_CELLS {
                self.license_cells.clear();
            }
            self.license_cells.insert(gathered.to_owned(), cell);
        }
        self.license_cells.get(gathered).map_or("", String::as_str)
    }

    fn write(&mut self, user: &UserRow, writer: &mut Writer<Vec<u8>>) -> Result<()> {
        let managed = user.managed.as_ref().map(|gathered| self.managed(gathered)).unwrap_or_default();
        let team = user.team_id.and_then(|team| self.teams.get(&team)).cloned().unwrap_or_default();
        let profile = self.profiles.get(&user.profile_id).cloned().unwrap_or_default();
        let suspended_at = user.suspended_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
        writer.row([
            user.email.as_str(),
            user.first_name.as_deref().unwrap_or_default(),
            user.last_name.as_deref().unwrap_or_default(),
            user.title.as_deref().unwrap_or_default(),
            &team,
            match user.role {
                UserRole::Admin => "Admin",
                UserRole::Manager => "Manager",
                UserRole::Member => "Member",
                UserRole::Data => "Data",
            },
            match user.object_visibility {
                ObjectVisibility::Full => "Full",
                ObjectVisibility::Team => "Team",
            },
            &profile,
            &managed,
            user.licenses.as_ref().map_or("", |gathered| self.licenses(gathered)),
            match user.status {
                UserStatus::Active => "Active",
                UserStatus::Suspended => "Suspended",
            },
            suspended_at.as_deref().unwrap_or_default(),
            "",
        ])?;
        Ok(())
    }
}

impl Users {
    pub async fn open(
        services: &Arc<Services>,
        organization_id: OrganizationId,
        filter: serde_json::Value,
    ) -> Result<Self> {
        let session = bearer(services, organization_id);
        let names = Names::load(&session).await?;
        Ok(Self { session, filter: serde_json::from_value(filter)?, names, after: None })
    }

    /// The next piece of the file, or `None` after the last: one statement, whatever the users have.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut sql = self.session.sql();
        sql.push(
            "SELECT x.email, x.first_name, x.last_name, x.title, x.team_id, x.role, x.object_visibility, \
             x.configuration_profile_id, x.status, x.suspended_at, (SELECT ",
        );
        sql.gathered("m.team_id")
            .push(" FROM team_manager m WHERE m.organization_id = x.organization_id AND m.user_id = x.id), (SELECT ");
        sql.gathered("l.license_id").push(
            " FROM user_license l WHERE l.organization_id = x.organization_id AND l.user_id = x.id) \
             FROM (SELECT x.* FROM app_user x WHERE x.deleted_at IS NULL AND ",
        );
        sql.equals("x.organization_id", self.session.organization_id());
        self.filter.restrict(&self.session, &mut sql);
        if let Some(email) = &self.after {
            sql.push(" AND x.email > ").bind(email.clone());
        }
        sql.push(" ORDER BY x.email LIMIT ").bind(CHUNK).push(") AS x ORDER BY x.email");
        let rows = sql.map(self.session.reader(), UserRow::read).await?;
        let mut writer = Writer::new(Vec::new());
        if self.after.is_none() {
            writer.row(csv::Kind::Users.table().names())?;
        } else if rows.is_empty() {
            return Ok(None);
        }
        if !rows.iter().all(|row| self.names.know(row)) {
            // Something was made since the export began.
            self.names = Names::load(&self.session).await?;
        }
        for row in &rows {
            self.names.write(row, &mut writer)?;
        }
        // No email is as late as this: nothing comes after an empty list.
        self.after = Some(rows.last().map_or_else(|| Email("\u{10ffff}".into()), |row| row.email.clone()));
        Ok(Some(writer.into_inner()?))
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
             c.email AS crm_email, c.name AS crm_name, x.warnings FROM app_user u \
             CROSS JOIN mapping x \
             JOIN crm_user c ON c.organization_id = x.organization_id AND c.id = x.crm_user_id \
             JOIN integration i ON i.organization_id = x.organization_id AND i.id = x.integration_id WHERE ",
        );
        sql.equals("u.organization_id", self.session.organization_id());
        sql.push(" AND x.organization_id = u.organization_id AND x.user_id = u.id");
        self.filter.restrict(&self.session, &mut sql);
        if self.filter.as_of.is_none() {
            // True of every mapping that holds; said, it lets the users be read in the order of their emails.
            sql.push(" AND u.deleted_at IS NULL");
        }
        if let Some((email, id)) = &self.after {
            // Said by what follows, but an index takes one column only.
            sql.push(" AND u.email >= ").bind(email.clone());
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
