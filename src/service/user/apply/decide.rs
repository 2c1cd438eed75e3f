//! One change decided: what is wrong with it, all of it, or what the user becomes.

use std::sync::Arc;

use entity::{Email, ManageMode, ObjectVisibility, TeamId, UserId, UserRole, UserStatus};

use super::{
    Applied, Attributes, Change, FieldChange, Operation, Options, Outcome, Undo,
    world::{NewTeam, Person, World},
};
use crate::service::{
    catalogue::ProfileRef,
    db::Tx,
    error::{ErrorCode, Fault, Faults, Step},
    team::{TeamRef, Tree},
    user::{Patch, UserRef},
    value::{email, list, name, team_path},
};

/// Decides one change, and puts what it comes to into the world.
pub(super) fn decide(tx: &Tx, world: &mut World, change: &Change, options: &Options) -> Result<Applied, Faults> {
    match change.operation {
        Operation::Add => add(tx, world, change, options),
        Operation::Edit => {
            let found = world.find(&change.user).cloned();
            let mut draft = Draft::new(tx, world, options);
            let person = match (found, &change.user) {
                (Ok(person), _) => person,
                (Err(fault), UserRef::Id(_)) => return Err(vec![fault]),
                // Nobody is changed, but all else that is wrong is said too.
                (Err(fault), UserRef::Email(_)) => {
                    draft.faults.push(fault);
                    Arc::new(draft.blank(tx.clock.id()))
                }
            };
            let mut after = Person::clone(&person);
            draft.attributes(&mut after, &change.attributes, false);
            draft.keep_an_admin(&person, Some(&after), "role");
            let teams = draft.finish(change.flawed)?;
            Ok(settle(tx, world, &person, Some(after), teams))
        }
        Operation::Suspend | Operation::Reactivate | Operation::Delete => {
            let person = Arc::clone(world.find(&change.user).map_err(|fault| vec![fault])?);
            let after = match change.operation {
                Operation::Suspend if person.status == UserStatus::Active => {
                    Some(Person { status: UserStatus::Suspended, suspended_at: Some(tx.now), ..Person::clone(&person) })
                }
                Operation::Reactivate if person.status == UserStatus::Suspended => {
                    Some(Person { status: UserStatus::Active, suspended_at: None, ..Person::clone(&person) })
                }
                Operation::Delete => None,
                _ => Some(Person::clone(&person)),
            };
            let mut draft = Draft::new(tx, world, options);
            draft.keep_an_admin(&person, after.as_ref(), "user");
            let teams = draft.finish(change.flawed)?;
            Ok(settle(tx, world, &person, after, teams))
        }
    }
}

fn add(tx: &Tx, world: &mut World, change: &Change, options: &Options) -> Result<Applied, Faults> {
    let id: UserId = tx.clock.id();
    let mut draft = Draft::new(tx, world, options);
    let mut person = Person { import_line: change.line, ..draft.blank(id) };
    draft.attributes(&mut person, &change.attributes, true);
    let teams = draft.finish(change.flawed)?;
    for team in &teams {
        world.tree.insert(team.id, team.parent, team.name.clone());
    }
    world.new_teams.extend(teams);
    let changes = if options.tells_new { differences(world, None, &person) } else { Vec::new() };
    world.put(id, Some(person));
    Ok(Applied { user: id, outcome: Outcome::Created, changes, undo: None })
}

/// Puts an existing user's change into the world and says what it changed.
pub(super) fn settle(
    tx: &Tx,
    world: &mut World,
    before: &Person,
    after: Option<Person>,
    teams: Vec<NewTeam>,
) -> Applied {
    for team in &teams {
        world.tree.insert(team.id, team.parent, team.name.clone());
    }
    world.new_teams.extend(teams);
    let user = before.id;
    let (outcome, changes, undo) = match &after {
        None => {
            let changes = vec![changed("status", Some(before.status.as_str()), Some("DELETED"))];
            (Outcome::Deleted, changes, Some(Undo::of(tx, before, None)))
        }
        Some(after) if after == before => (Outcome::Unchanged, Vec::new(), None),
        Some(after) => {
            (Outcome::Updated, differences(world, Some(before), after), Some(Undo::of(tx, before, Some(after))))
        }
    };
    if outcome != Outcome::Unchanged {
        world.put(user, after);
    }
    Applied { user, outcome, changes, undo }
}

fn changed(field: &str, before: Option<&str>, after: Option<&str>) -> FieldChange {
    FieldChange { field: field.to_owned(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
}

/// What differs between a user before and after; all of it where there was none before.
fn differences(world: &World, before: Option<&Person>, after: &Person) -> Vec<FieldChange> {
    let differing = ATTRIBUTES.iter().filter(|of| before.is_none_or(|before| (of.differs)(before, after)));
    let changes = differing.map(|of| FieldChange {
        field: of.field.to_owned(),
        before: before.and_then(|before| (of.text)(world, before)),
        after: (of.text)(world, after),
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// An attribute of users.
struct Attribute {
    /// The API's name of it.
    field: &'static str,
    differs: fn(&Person, &Person) -> bool,
    /// As a person reads it.
    text: fn(&World, &Person) -> Option<String>,
}

const ATTRIBUTES: [Attribute; 11] = [
    Attribute { field: "email", differs: |a, b| a.email != b.email, text: |_, user| Some(user.email.0.clone()) },
    Attribute {
        field: "firstName",
        differs: |a, b| a.first_name != b.first_name,
        text: |_, user| user.first_name.clone(),
    },
    Attribute { field: "lastName", differs: |a, b| a.last_name != b.last_name, text: |_, user| user.last_name.clone() },
    Attribute { field: "title", differs: |a, b| a.title != b.title, text: |_, user| user.title.clone() },
    Attribute {
        field: "team",
        differs: |a, b| a.team != b.team,
        text: |world, user| user.team.map(|team| world.tree.path(team)),
    },
    Attribute { field: "role", differs: |a, b| a.role != b.role, text: |_, user| Some(user.role.as_str().to_owned()) },
    Attribute {
        field: "objectVisibility",
        differs: |a, b| a.object_visibility != b.object_visibility,
        text: |_, user| Some(user.object_visibility.as_str().to_owned()),
    },
    Attribute {
        field: "configurationProfile",
        differs: |a, b| a.profile != b.profile,
        text: |world, user| world.profiles.get(&user.profile).cloned(),
    },
    Attribute {
        field: "managerOf",
        differs: |a, b| a.managed != b.managed,
        text: |world, user| {
            let mut managed: Vec<String> = user.managed.iter().map(|team| world.tree.path(*team)).collect();
            managed.sort_unstable();
            (!managed.is_empty()).then(|| list::join(&managed))
        },
    },
    Attribute {
        field: "licenses",
        differs: |a, b| a.licenses != b.licenses,
        text: |world, user| {
            let licenses = user.licenses.iter().filter_map(|id| world.licenses.get(id));
            let mut licenses: Vec<&str> = licenses.map(String::as_str).collect();
            licenses.sort_unstable();
            (!licenses.is_empty()).then(|| list::join_names(&licenses))
        },
    },
    Attribute {
        field: "status",
        differs: |a, b| a.status != b.status,
        text: |_, user| Some(user.status.as_str().to_owned()),
    },
];

/// Each once.
fn in_order<T: Ord>(mut ids: Vec<T>) -> Vec<T> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A change on its way: its faults, and the teams that it needs made.
pub(super) struct Draft<'a> {
    tx: &'a Tx,
    world: &'a World,
    create_missing_teams: bool,
    by_crm: bool,
    faults: Faults,
    /// The world's teams and those this change needs; copied only when it needs some.
    tree: Option<Tree>,
    teams: Vec<NewTeam>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(tx: &'a Tx, world: &'a World, options: &Options) -> Self {
        Self {
            tx,
            world,
            create_missing_teams: options.create_missing_teams,
            by_crm: options.by_crm,
            faults: Faults::new(),
            tree: None,
            teams: Vec::new(),
        }
    }

    pub(super) fn finish(self, flawed: bool) -> Result<Vec<NewTeam>, Faults> {
        if self.faults.is_empty() && !flawed { Ok(self.teams) } else { Err(self.faults) }
    }

    pub(super) fn fault(&mut self, code: ErrorCode, field: &'static str, message: impl Into<String>) {
        self.faults.push(Fault::at(code, field, message));
    }

    fn take<T>(&mut self, found: Result<T, Fault>) -> Option<T> {
        found.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// What the entries of a list name; each fault says at which place.
    fn each<T, U>(&mut self, list: &[T], find: impl Fn(&mut Self, &T) -> Option<U>) -> Vec<U> {
        let mut found = Vec::new();
        for (place, entry) in list.iter().enumerate() {
            let before = self.faults.len();
            found.extend(find(self, entry));
            self.faults.iter_mut().skip(before).for_each(|fault| fault.path.push(Step::Index(place)));
        }
        found
    }

    fn default_profile(&mut self) -> entity::ConfigurationProfileId {
        self.take(self.world.profile(&ProfileRef::Default)).unwrap_or(entity::ConfigurationProfileId(uuid::Uuid::nil()))
    }

    /// What a new user is where nothing is said.
    fn blank(&mut self, id: UserId) -> Person {
        Person {
            id,
            email: Email(String::new()),
            first_name: None,
            last_name: None,
            title: None,
            team: None,
            role: UserRole::Member,
            object_visibility: ObjectVisibility::Team,
            profile: self.default_profile(),
            status: UserStatus::Active,
            suspended_at: None,
            managed: Vec::new(),
            licenses: Vec::new(),
            import_line: None,
            updated_at: Some(self.tx.now),
        }
    }

    /// # Faults
    /// `LAST_ADMIN` when the organisation would be left without an active administrator.
    pub(super) fn keep_an_admin(&mut self, before: &Person, after: Option<&Person>, field: &'static str) {
        let goes = before.is_active_admin() && !after.is_some_and(Person::is_active_admin);
        if goes && self.world.active_admins <= 1 {
            self.fault(
                ErrorCode::LastAdmin,
                field,
                format!("{} is the last active administrator. Make another user an administrator first.", before.email),
            );
        }
    }

    fn attributes(&mut self, person: &mut Person, attributes: &Attributes, is_new: bool) {
        self.email(person, &attributes.email, is_new);
        self.text(&mut person.first_name, &attributes.first_name, "firstName");
        self.text(&mut person.last_name, &attributes.last_name, "lastName");
        let (title, team) = (person.title.clone(), person.team);
        self.text(&mut person.title, &attributes.title, "title");
        match &attributes.team {
            Patch::Keep => {}
            Patch::Clear => person.team = None,
            Patch::Set(team) => person.team = self.team(team, "team").or(person.team),
        }
        if self.world.manage_mode == ManageMode::Auto && !self.by_crm {
            for (differs, field) in [(person.title != title, "title"), (person.team != team, "team")] {
                if differs {
                    self.fault(
                        ErrorCode::LockedByCrm,
                        field,
                        format!("In manage mode AUTO the CRM owns the {field}. Change it there, or switch to MANUAL."),
                    );
                }
            }
        }
        self.required(&mut person.role, attributes.role.clone(), "role");
        self.required(&mut person.object_visibility, attributes.object_visibility.clone(), "objectVisibility");
        let profile = match &attributes.configuration_profile {
            Patch::Keep => Patch::Keep,
            Patch::Clear => Patch::Clear,
            Patch::Set(profile) => self.take(self.world.profile(profile)).map_or(Patch::Keep, Patch::Set),
        };
        self.required(&mut person.profile, profile, "configurationProfile");
        match &attributes.manager_of {
            Patch::Keep => {}
            Patch::Clear => person.managed.clear(),
            Patch::Set(teams) => {
                person.managed = in_order(self.each(teams, |draft, team| draft.team(team, "managerOf")));
            }
        }
        match &attributes.licenses {
            Patch::Keep => {}
            Patch::Clear => person.licenses.clear(),
            Patch::Set(licenses) => {
                let found = self.each(licenses, |draft, license| draft.take(draft.world.license(license)));
                person.licenses = in_order(found);
            }
        }
    }

    fn email(&mut self, person: &mut Person, patch: &Patch<String>, is_new: bool) {
        let text = match patch {
            Patch::Set(text) => text,
            Patch::Clear => return self.fault(ErrorCode::Invalid, "email", "A user can't be without an email."),
            Patch::Keep if is_new => return self.fault(ErrorCode::Required, "email", "A user needs an email."),
            Patch::Keep => return,
        };
        match email::parse(text) {
            Err(problem) => self.fault(ErrorCode::InvalidEmail, "email", problem.message),
            Ok(address) => match self.world.by_email.get(&address) {
                Some(other) if *other != person.id => self.fault(
                    ErrorCode::AlreadyExists,
                    "email",
                    format!("There already is a user with the email {address}."),
                ),
                _ => person.email = Email(address),
            },
        }
    }

    fn text(&mut self, value: &mut Option<String>, patch: &Patch<String>, field: &'static str) {
        match patch {
            Patch::Keep => {}
            Patch::Clear => *value = None,
            Patch::Set(text) => match name::check_text(text) {
                Ok(text) => *value = text,
                Err(why) => self.fault(ErrorCode::Invalid, field, why),
            },
        }
    }

    fn required<T>(&mut self, value: &mut T, patch: Patch<T>, field: &'static str) {
        match patch {
            Patch::Keep => {}
            Patch::Clear => self.fault(ErrorCode::Invalid, field, format!("{field} can't be empty.")),
            Patch::Set(new) => *value = new,
        }
    }

    fn team(&mut self, team: &TeamRef, field: &'static str) -> Option<TeamId> {
        if let TeamRef::Path(path) = team
            && let Some(id) = self.world.paths.get(path)
        {
            return Some(*id);
        }
        let tree = self.tree.as_ref().unwrap_or(&self.world.tree);
        match (tree.find(team, field), team) {
            (Ok(id), _) => Some(id),
            (Err(fault), TeamRef::Path(path)) if self.create_missing_teams => match team_path::parse(path) {
                Ok(names) => Some(self.make(&names)),
                Err(_) => {
                    self.faults.push(fault);
                    None
                }
            },
            (Err(fault), _) => {
                self.faults.push(fault);
                None
            }
        }
    }

    /// The team of this path; what is missing of it is to be made.
    fn make(&mut self, names: &[String]) -> TeamId {
        let tree = self.tree.get_or_insert_with(|| self.world.tree.clone());
        let mut at = None;
        for name in names {
            let id = tree.child(at, name).unwrap_or_else(|| {
                let id: TeamId = self.tx.clock.id();
                tree.insert(id, at, name.clone());
                self.teams.push(NewTeam { id, parent: at, name: name.clone() });
                id
            });
            at = Some(id);
        }
        at.unwrap_or(TeamId(uuid::Uuid::nil()))
    }
}
