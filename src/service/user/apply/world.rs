//! All that the changes at hand can depend on, read in a fixed number of statements.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use entity::{
    ConfigurationProfileId, Email, LicenseId, ManageMode, ObjectVisibility, OrganizationId, TeamId, UserId, UserRole,
    UserStatus,
};
use serde::Deserialize;
use uuid::Uuid;

use super::Change;
use crate::service::{
    catalogue::{LicenseRef, ProfileRef},
    clock::Time,
    db::{Sql, Tx, ids_of, sql::Kind},
    error::{ErrorCode, Fault, Result},
    organization,
    team::{TeamRef, Tree},
    user::UserRef,
    value::email,
};

/// A user as it stands, or is about to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Person {
    pub id: UserId,
    pub email: Email,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub title: Option<String>,
    pub team: Option<TeamId>,
    pub role: UserRole,
    pub object_visibility: ObjectVisibility,
    pub profile: ConfigurationProfileId,
    pub status: UserStatus,
    pub suspended_at: Option<Time>,
    /// In order, each once.
    pub managed: Vec<TeamId>,
    /// In order, each once.
    pub licenses: Vec<LicenseId>,
    /// The line of the import's file that made it.
    #[serde(default, skip)]
    pub import_line: Option<i64>,
    /// When it was changed last.
    #[serde(default, skip)]
    pub updated_at: Option<Time>,
}

/// The columns of a [`Stored`].
const STORED: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("email", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("title", Kind::Text),
    ("team_id", Kind::Uuid),
    ("role", Kind::Text),
    ("object_visibility", Kind::Text),
    ("configuration_profile_id", Kind::Uuid),
    ("status", Kind::Text),
    ("suspended_at", Kind::Time),
    ("import_line", Kind::Int),
    ("updated_at", Kind::Time),
    ("managed", Kind::Text),
    ("licenses", Kind::Text),
];

/// Which of them are gathered, each with its table and that table's column.
const GATHERED: [(&str, &str, &str); 2] =
    [("managed", "team_manager", "x.team_id"), ("licenses", "user_license", "x.license_id")];

/// A user as the database has it, with the teams that it manages and its licences gathered.
#[derive(Deserialize)]
struct Stored {
    id: UserId,
    email: Email,
    first_name: Option<String>,
    last_name: Option<String>,
    title: Option<String>,
    team: Option<TeamId>,
    role: UserRole,
    object_visibility: ObjectVisibility,
    profile: ConfigurationProfileId,
    status: UserStatus,
    suspended_at: Option<Time>,
    import_line: Option<i64>,
    updated_at: Time,
    managed: Option<String>,
    licenses: Option<String>,
}

impl Person {
    fn from_row(row: Stored) -> Self {
        Self {
            id: row.id,
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
            title: row.title,
            team: row.team,
            role: row.role,
            object_visibility: row.object_visibility,
            profile: row.profile,
            status: row.status,
            suspended_at: row.suspended_at,
            managed: in_order(row.managed.as_deref()),
            licenses: in_order(row.licenses.as_deref()),
            import_line: row.import_line,
            updated_at: Some(row.updated_at),
        }
    }

    pub fn is_active_admin(&self) -> bool {
        self.role == UserRole::Admin && self.status == UserStatus::Active
    }
}

/// A user before all changes and after those so far; `None` where there is no such user.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub before: Option<Arc<Person>>,
    pub now: Option<Arc<Person>>,
}

impl Course {
    fn of(person: Person) -> Self {
        let person = Arc::new(person);
        Self { before: Some(Arc::clone(&person)), now: Some(person) }
    }
}

/// A team that is to be made.
#[derive(Debug, Clone)]
pub(super) struct NewTeam {
    pub id: TeamId,
    pub parent: Option<TeamId>,
    pub name: String,
}

#[derive(Debug)]
pub(super) struct World {
    pub manage_mode: ManageMode,
    pub users: HashMap<UserId, Course>,
    /// The order in which users were first touched: what is written is written in this order.
    pub order: Vec<UserId>,
    touched: HashSet<UserId>,
    pub by_email: HashMap<String, UserId>,
    pub tree: Tree,
    /// The teams that the changes name by path, as far as they are there.
    pub paths: HashMap<String, TeamId>,
    pub new_teams: Vec<NewTeam>,
    pub licenses: HashMap<LicenseId, String>,
    pub profiles: HashMap<ConfigurationProfileId, String>,
    pub default_profile: Option<ConfigurationProfileId>,
    pub active_admins: i64,
    /// Deleted users that come back, and the mappings that come back with them.
    pub revived: HashSet<UserId>,
    pub remapped: Vec<entity::mapping::Model>,
}

/// What the earlier changes of a plan would have done that later ones depend on. A file names each user once, so that
/// users are not among it.
#[derive(Debug, Default)]
pub struct Overlay {
    teams: Vec<NewTeam>,
    active_admins: i64,
    laid_on: i64,
}

impl Overlay {
    pub(super) fn lay_on(&mut self, world: &mut World) {
        for team in &self.teams {
            world.tree.insert(team.id, team.parent, team.name.clone());
        }
        world.active_admins += self.active_admins;
        self.laid_on = world.active_admins;
    }

    pub(super) fn take(&mut self, world: &World) {
        self.teams.extend(world.new_teams.iter().cloned());
        self.active_admins += world.active_admins - self.laid_on;
    }
}

impl World {
    /// All that these changes can depend on.
    pub async fn of_changes(tx: &Tx, changes: &[Change]) -> Result<Self> {
        let mut ids: Vec<UserId> = Vec::new();
        let mut emails: Vec<String> = Vec::new();
        for change in changes {
            match &change.user {
                UserRef::Id(id) => ids.push(*id),
                UserRef::Email(text) => emails.extend(email::parse(text)),
            }
            match (change.attributes.email.value(), &change.user) {
                (Some(text), UserRef::Email(user)) if text == user => {}
                (Some(text), _) => emails.extend(email::parse(text)),
                (None, _) => {}
            }
        }
        Self::load(tx, &ids, &emails, changes).await
    }

    /// The users of these ids and emails, and what all changes depend on, these in particular.
    pub async fn load(tx: &Tx, ids: &[UserId], emails: &[String], changes: &[Change]) -> Result<Self> {
        let mut licenses = HashMap::new();
        let mut profiles = HashMap::new();
        let mut default_profile = None;
        for (is_license, is_default, id, name) in catalogue(tx).await? {
            if is_license {
                licenses.insert(LicenseId(id), name);
            } else {
                let id = ConfigurationProfileId(id);
                if is_default {
                    default_profile = Some(id);
                }
                profiles.insert(id, name);
            }
        }
        let mut sql = tx.sql();
        sql.push("SELECT COUNT(*) AS n FROM app_user WHERE ").equals("organization_id", tx.organization_id);
        sql.push(" AND deleted_at IS NULL AND role = 'ADMIN' AND status = 'ACTIVE'");
        let active_admins = sql.number(tx.connection()).await?;
        let manage_mode = organization::manage_mode(tx).await?;
        let tree = Tree::load(tx.connection(), tx.organization_id).await?;
        let mut sql = tx.sql();
        named(&mut sql, tx.organization_id, ids, emails);
        // The database finds the users while the paths are followed.
        let (users, paths) =
            tokio::join!(sql.gathered_rows::<Stored>(STORED, tx.connection()), async { paths(&tree, changes) });
        let users: Vec<Person> = users?.into_iter().map(Person::from_row).collect();
        Ok(Self {
            manage_mode,
            by_email: users.iter().map(|user| (user.email.0.clone(), user.id)).collect(),
            users: users.into_iter().map(|person| (person.id, Course::of(person))).collect(),
            order: Vec::new(),
            touched: HashSet::new(),
            tree,
            paths,
            new_teams: Vec::new(),
            licenses,
            profiles,
            default_profile,
            active_admins,
            revived: HashSet::new(),
            remapped: Vec::new(),
        })
    }

    /// The user that a change names.
    pub fn find(&self, user: &UserRef) -> Result<&Arc<Person>, Fault> {
        match user {
            UserRef::Id(id) => self
                .users
                .get(id)
                .and_then(|course| course.now.as_ref())
                .ok_or_else(|| Fault::at(ErrorCode::NotFound, "user", "There is no user with this id.")),
            UserRef::Email(text) => {
                let address = email::parse(text)
                    .map_err(|problem| Fault::at(ErrorCode::InvalidEmail, "user", problem.message))?;
                self.by_email
                    .get(&address)
                    .and_then(|id| self.users.get(id)?.now.as_ref())
                    .ok_or_else(|| crate::service::user::locate::not_found(&address, "user"))
            }
        }
    }

    /// Puts a user as a change left it; `None` when it is gone.
    pub fn put(&mut self, id: UserId, now: Option<Person>) {
        let course = self.users.entry(id).or_insert(Course { before: None, now: None });
        let now = now.map(Arc::new);
        let admin = |person: &Option<Arc<Person>>| i64::from(person.as_ref().is_some_and(|p| p.is_active_admin()));
        self.active_admins += admin(&now) - admin(&course.now);
        if let Some(person) = &course.now {
            self.by_email.remove(person.email.as_str());
        }
        if let Some(person) = &now {
            self.by_email.insert(person.email.0.clone(), id);
        }
        course.now = now;
        if self.touched.insert(id) {
            self.order.push(id);
        }
    }

    pub fn license(&self, license: &LicenseRef) -> Result<LicenseId, Fault> {
        let found = match license {
            LicenseRef::Id(id) => self.licenses.contains_key(id).then_some(*id),
            LicenseRef::Name(name) => self.licenses.iter().find(|(_, known)| *known == name).map(|(id, _)| *id),
        };
        found.ok_or_else(|| {
            unknown(
                "licenses",
                "licence",
                license_text(license),
                self.licenses.values(),
                matches!(license, LicenseRef::Id(_)),
            )
        })
    }

    pub fn profile(&self, profile: &ProfileRef) -> Result<ConfigurationProfileId, Fault> {
        let (found, text, by_id) = match profile {
            ProfileRef::Id(id) => (self.profiles.contains_key(id).then_some(*id), "with this id", true),
            ProfileRef::Name(name) => {
                (self.profiles.iter().find(|(_, known)| *known == name).map(|(id, _)| *id), name.as_str(), false)
            }
            ProfileRef::Default => (self.default_profile, "that is the default", false),
        };
        found.ok_or_else(|| {
            unknown("configurationProfile", "configuration profile", text, self.profiles.values(), by_id)
        })
    }
}

fn license_text(license: &LicenseRef) -> &str {
    match license {
        LicenseRef::Id(_) => "with this id",
        LicenseRef::Name(name) => name,
    }
}

fn unknown<'a>(
    field: &'static str,
    what: &str,
    text: &str,
    known: impl Iterator<Item = &'a String>,
    by_id: bool,
) -> Fault {
    if by_id {
        return Fault::at(ErrorCode::NotFound, field, format!("There is no {what} {text}."));
    }
    let mut known: Vec<&str> = known.map(String::as_str).collect();
    known.sort_unstable();
    Fault::at(ErrorCode::Invalid, field, format!("There is no {what} {text:?}. There are: {}.", known.join(", ")))
}

/// Adds a statement that finds users by id and by email. For an OR of the two, SQLite would go through all users.
fn named(sql: &mut Sql, organization_id: OrganizationId, ids: &[UserId], emails: &[String]) {
    let users = |sql: &mut Sql| {
        for (i, (name, _)) in STORED.iter().enumerate() {
            sql.push(if i == 0 { "SELECT " } else { ", " });
            match GATHERED.iter().find(|(gathered, ..)| gathered == name) {
                None => sql.push("u.").push(name),
                Some((_, table, column)) => {
                    sql.push("(SELECT ").gathered(column).push(" FROM ").push(table).push(" x WHERE ");
                    sql.push("x.organization_id = u.organization_id AND x.user_id = u.id) AS ").push(name)
                }
            };
        }
        sql.push(" FROM app_user u WHERE u.deleted_at IS NULL AND ").equals("u.organization_id", organization_id);
        sql.push(" AND ");
    };
    users(sql);
    sql.any_text("u.email", emails);
    if !ids.is_empty() {
        sql.push(" UNION ALL ");
        users(sql);
        sql.any_id("u.id", ids);
    }
}

/// The teams that these changes name by path, as far as they are there: the same few, again and again.
fn paths(tree: &Tree, changes: &[Change]) -> HashMap<String, TeamId> {
    let mut paths = HashMap::new();
    for attributes in changes.iter().map(|change| &change.attributes) {
        for team in attributes.team.value().into_iter().chain(attributes.manager_of.value().into_iter().flatten()) {
            if let TeamRef::Path(path) = team
                && !paths.contains_key(path)
                && let Some(id) = tree.at(path)
            {
                paths.insert(path.clone(), id);
            }
        }
    }
    paths
}

/// The ids of a text that the database gathered, in order.
fn in_order<T: From<Uuid> + Ord>(gathered: Option<&str>) -> Vec<T> {
    let mut ids: Vec<T> = gathered.into_iter().flat_map(ids_of).collect();
    ids.sort_unstable();
    ids
}

/// Licences and profiles: whether it is a licence, whether it is the default, id and name.
async fn catalogue(tx: &Tx) -> Result<Vec<(bool, bool, Uuid, String)>> {
    let mut sql: Sql = tx.sql();
    sql.push("SELECT 1 AS is_license, 0 AS is_default, id, name FROM license WHERE ");
    sql.equals("organization_id", tx.organization_id);
    sql.push(" UNION ALL SELECT 0, CASE WHEN is_default THEN 1 ELSE 0 END, id, name FROM configuration_profile WHERE ");
    sql.equals("organization_id", tx.organization_id);
    Ok(sql
        .map(tx.connection(), |row| {
            Ok((
                row.try_get::<i32>("", "is_license")? == 1,
                row.try_get::<i32>("", "is_default")? == 1,
                row.try_get("", "id")?,
                row.try_get("", "name")?,
            ))
        })
        .await?)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{
        database,
        service::{
            clock::Clock,
            db::{Db, DbOptions},
        },
    };

    #[tokio::test]
    async fn sqlite_finds_users_by_index() {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("counterpart.db").display());
        let db = Db::connect(&DbOptions::new(url, 1), Clock::system()).await.unwrap();
        database::migrate(&db).await.unwrap();
        let (ids, emails) = ([UserId(Uuid::nil())], ["ann@x.com".to_owned()]);
        for (ids, emails) in [(&ids[..], &emails[..]), (&ids, &[]), (&[], &emails)] {
            let mut sql = Sql::new(db.backend());
            sql.push("EXPLAIN QUERY PLAN ");
            named(&mut sql, OrganizationId(Uuid::nil()), ids, emails);
            let plan: Vec<String> = sql.map(db.reader(), |row| row.try_get("", "detail")).await.unwrap();
            assert!(plan.iter().any(|step| step.starts_with("SEARCH u USING INDEX")), "{plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN u")), "{plan:?}");
        }
    }
}
