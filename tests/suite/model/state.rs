//! What `contract/csv.md` says, in memory: who there is, and what a file does to them. Small and slow on purpose, and
//! knows nothing of the program.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::file::{Cell, File, Kind, Operation, Path, Row, Value};

pub const DEFAULT_PROFILE: &str = "Default: Intake Off";
pub const MAX_CELL: usize = 64 * 1024;
/// Columns that a users file may have and that are not read.
pub const STATUS: [&str; 2] = ["Status", "Suspended At"];

#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Whose mappings and history are meant: an email can be used again.
    pub id: u64,
    pub first: Option<String>,
    pub last: Option<String>,
    pub title: Option<String>,
    pub team: Option<Path>,
    pub role: &'static str,
    pub visibility: &'static str,
    pub profile: &'static str,
    pub managed: BTreeSet<Path>,
    pub licenses: BTreeSet<&'static str>,
    pub suspended: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CrmUser {
    pub email: Option<String>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    pub team: Option<Path>,
    pub active: bool,
    pub created_at: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    pub target: &'static str,
    pub alias: Option<String>,
    pub manual: bool,
}

#[derive(Debug, Clone)]
pub struct State {
    /// By email.
    pub users: BTreeMap<String, User>,
    pub teams: BTreeSet<Path>,
    pub licenses: Vec<&'static str>,
    pub profiles: Vec<&'static str>,
    /// By external id.
    pub crm: BTreeMap<&'static str, CrmUser>,
    /// By the user's id.
    pub mappings: BTreeMap<u64, Mapping>,
    /// Pairs that a row took apart; neither email has changed since.
    removed: BTreeSet<(u64, &'static str)>,
    next: u64,
}

/// A fault's column, or nothing where it is the row's, and its code.
pub type Fault = (&'static str, &'static str);

/// A row that is to be in the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Failed {
    /// The file's own columns, as the log has them.
    pub cells: Vec<String>,
    pub faults: BTreeSet<Fault>,
    /// What may be said too: of a row that is not carried out anyway, all else that is wrong with it.
    pub perhaps: BTreeSet<Fault>,
    /// What the messages must hold.
    pub says: Vec<String>,
}

/// What a file comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Refused before there is an import.
    pub refused: Option<&'static str>,
    /// Stopped as a whole.
    pub stopped: Option<&'static str>,
    pub total: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deleted: u64,
    pub skipped: u64,
    pub failed: BTreeMap<u64, Failed>,
    /// The lines that changed or deleted something.
    pub changed: BTreeMap<u64, &'static str>,
}

/// The cell as a log has it. What the file guards stays guarded.
pub fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

impl State {
    pub fn new(teams: &[Path], licenses: &[&'static str], profiles: &[&'static str]) -> Self {
        let admin = User { id: 0, role: "Admin", visibility: "Full", ..Self::blank_user(0) };
        Self {
            users: BTreeMap::from([("admin@acme.example".to_owned(), admin)]),
            teams: teams.iter().cloned().collect(),
            licenses: licenses.to_vec(),
            profiles: profiles.to_vec(),
            crm: BTreeMap::new(),
            mappings: BTreeMap::new(),
            removed: BTreeSet::new(),
            next: 1,
        }
    }

    /// What `Add` makes of blank cells.
    fn blank_user(id: u64) -> User {
        User {
            id,
            first: None,
            last: None,
            title: None,
            team: None,
            role: "Member",
            visibility: "Team",
            profile: DEFAULT_PROFILE,
            managed: BTreeSet::new(),
            licenses: BTreeSet::new(),
            suspended: false,
        }
    }

    pub fn import(&mut self, file: &File) -> Outcome {
        let mut outcome = Outcome::default();
        if self.is_refused(file) {
            outcome.refused = Some("STATUS_COLUMNS_NOT_ACCEPTED");
            return outcome;
        }
        // The rows to be processed, with what is wrong with them as cells.
        let mut rows: Vec<(u64, &Row, Failed)> = Vec::new();
        for (line, row) in file.rows() {
            outcome.total += 1;
            let operation = ["Operation", "operation"].iter().find_map(|name| file.cell(row, name));
            let right_width = row.cells.len() == file.columns.len();
            if row.is_blank() || right_width && operation.is_some_and(|cell| cell.text.is_empty()) {
                outcome.skipped += 1;
                continue;
            }
            let mut failed = Failed::default();
            for at in 0..file.columns.len() {
                failed.cells.push(row.cells.get(at).map(|cell| guarded(&cell.text)).unwrap_or_default());
            }
            if right_width {
                self.look_at_cells(file, row, &mut failed);
                rows.push((line, row, failed));
            } else {
                failed.faults.insert(("", "COLUMN_COUNT"));
                failed.says.push(row.text());
                outcome.failed.insert(line, failed);
            }
        }
        Self::find_duplicates(file, &mut rows);
        match file.kind {
            Kind::Users => self.users(file, rows, &mut outcome),
            Kind::Mappings => self.map(file, rows, &mut outcome),
            Kind::CrmUsers => self.crm_users(file, rows, &mut outcome),
        }
        self.link();
        outcome
    }

    fn is_refused(&self, file: &File) -> bool {
        !file.by_name
            && file.rows.iter().any(|row| {
                row.cells.len() == file.columns.len()
                    && STATUS.iter().any(|name| file.cell(row, name).is_some_and(|cell| !cell.text.is_empty()))
            })
    }

    fn look_at_cells(&self, file: &File, row: &Row, failed: &mut Failed) {
        for (column, cell) in file.columns.iter().zip(&row.cells) {
            let Some(name) = column.name.filter(|name| !STATUS.contains(name)) else { continue };
            if cell.spaces {
                failed.faults.insert((name, "SURROUNDING_SPACES"));
            }
            if cell.text.len() > MAX_CELL {
                failed.faults.insert((name, "INVALID"));
            }
        }
    }

    /// The same key twice: each later row fails.
    fn find_duplicates(file: &File, rows: &mut [(u64, &Row, Failed)]) {
        let column = match file.kind {
            Kind::Users => "Email Address",
            Kind::Mappings => "email",
            Kind::CrmUsers => "external_id",
        };
        let mut first: HashMap<String, u64> = HashMap::new();
        for (line, row, failed) in rows {
            let key = match file.cell(row, column).map(|cell| &cell.value) {
                Some(Value::Email(Some(email))) => email.clone(),
                Some(Value::Id(Some(id))) => (*id).to_owned(),
                _ => continue,
            };
            if let Some(first) = first.get(&key) {
                failed.faults.insert((column, "DUPLICATE_IN_FILE"));
                failed.says.push(format!("Line {first} "));
            } else {
                first.insert(key, *line);
            }
        }
    }

    /// A user gets the one active CRM user with its email, unless a row took them apart: who has no mapping, and who has an
    /// automatic one to an active CRM user that carries the email no longer. It must be free, or be left in the same step.
    fn link(&mut self) {
        let mut wishes: BTreeMap<u64, &'static str> = BTreeMap::new();
        for (email, user) in &self.users {
            let carries = |crm: &CrmUser| crm.active && crm.email.as_ref() == Some(email);
            let may_move = self.mappings.get(&user.id).is_none_or(|mapping| {
                let target = &self.crm[mapping.target];
                !mapping.manual && target.active && !carries(target)
            });
            let matches: Vec<&'static str> =
                self.crm.iter().filter(|(_, crm)| carries(crm)).map(|(id, _)| *id).collect();
            if let ([only], true) = (&matches[..], may_move)
                && !self.removed.contains(&(user.id, *only))
            {
                wishes.insert(user.id, only);
            }
        }
        // Who would leave may have to stay, and then keeps what another wishes for.
        loop {
            let kept = |target: &str| {
                let mut holders = self.mappings.iter().filter(|(_, mapping)| mapping.target == target);
                holders.any(|(user, _)| !wishes.contains_key(user))
            };
            let Some(user) = wishes.iter().find(|(_, target)| kept(target)).map(|(user, _)| *user) else { break };
            wishes.remove(&user);
        }
        for (user, target) in wishes {
            self.mappings.insert(user, Mapping { target, alias: None, manual: false });
        }
    }

    fn users(&mut self, file: &File, rows: Vec<(u64, &Row, Failed)>, outcome: &mut Outcome) {
        for (line, row, mut failed) in rows {
            let key = file.cell(row, "Email Address").map(|cell| cell.value.clone());
            let email = match key {
                Some(Value::Email(Some(email))) => Some(email),
                _ => None,
            };
            if email.is_none() {
                failed.faults.insert(("Email Address", "INVALID_EMAIL"));
            }
            let before = email.as_ref().and_then(|email| self.users.get(email)).cloned();
            let operation = match file.cell(row, "Operation").map(|cell| &cell.value) {
                Some(Value::Operation(operation)) => *operation,
                // White space alone.
                _ => {
                    failed.perhaps = self.attributes(file, row, &mut Self::blank_user(0)).0;
                    outcome.failed.insert(line, failed);
                    continue;
                }
            };
            let exists = before.is_some();
            let mut after = before.clone();
            let mut faults: BTreeSet<Fault> = BTreeSet::new();
            let mut teams = Vec::new();
            match operation {
                Some(Operation::Add | Operation::Edit) => {
                    let is_new = operation == Some(Operation::Add);
                    if email.is_some() && is_new && exists {
                        faults.insert(("Email Address", "ALREADY_EXISTS"));
                    }
                    let mut user = match &before {
                        Some(user) if !is_new => user.clone(),
                        _ => Self::blank_user(self.next),
                    };
                    let (wrong, made) = self.attributes(file, row, &mut user);
                    faults.extend(wrong);
                    teams = made;
                    after = Some(user);
                }
                Some(Operation::Suspend) => after.iter_mut().for_each(|user| user.suspended = true),
                Some(Operation::Reactivate) => after.iter_mut().for_each(|user| user.suspended = false),
                Some(_) => after = None,
                None => {
                    failed.faults.insert(("Operation", "INVALID_OPERATION"));
                    failed.perhaps = self.attributes(file, row, &mut Self::blank_user(0)).0;
                    outcome.failed.insert(line, failed);
                    continue;
                }
            }
            if email.is_some() && !exists && operation != Some(Operation::Add) {
                faults.insert(("Email Address", "USER_NOT_FOUND"));
            }
            let is_admin = |user: &Option<User>| user.as_ref().is_some_and(|u| u.role == "Admin" && !u.suspended);
            let admins = self.users.values().filter(|user| user.role == "Admin" && !user.suspended).count();
            if operation != Some(Operation::Add) && is_admin(&before) && !is_admin(&after) && admins == 1 {
                let column = if operation == Some(Operation::Edit) { "Role" } else { "Email Address" };
                faults.insert((column, "LAST_ADMIN"));
            }
            if failed.faults.iter().any(|(_, code)| *code == "DUPLICATE_IN_FILE") {
                // What the rules would say depends on what the first row did.
                failed.perhaps = faults;
            } else {
                failed.faults.extend(faults);
            }
            if !failed.faults.is_empty() {
                outcome.failed.insert(line, failed);
                continue;
            }
            let email = email.expect("a row without a fault has an email");
            for team in teams {
                self.teams.extend((1..=team.len()).map(|depth| team[..depth].to_vec()));
            }
            match (before, after) {
                (before, after) if before == after => outcome.unchanged += 1,
                (None, Some(user)) => {
                    outcome.created += 1;
                    self.next += 1;
                    self.users.insert(email, user);
                }
                (Some(_), Some(user)) => {
                    outcome.updated += 1;
                    outcome.changed.insert(line, "UPDATED");
                    self.users.insert(email, user);
                }
                (before, None) => {
                    outcome.deleted += 1;
                    outcome.changed.insert(line, "DELETED");
                    self.users.remove(&email);
                    before.iter().for_each(|user| drop(self.mappings.remove(&user.id)));
                }
            }
        }
    }

    /// Fills a user in from a row's cells; what is wrong with them, and the teams that are to be made.
    fn attributes(&self, file: &File, row: &Row, user: &mut User) -> (BTreeSet<Fault>, Vec<Path>) {
        let mut faults = BTreeSet::new();
        let mut teams: Vec<Path> = Vec::new();
        let mut find = |path: &Option<Path>, column: &'static str, faults: &mut BTreeSet<Fault>| match path {
            Some(path) if self.teams.contains(path) => Some(path.clone()),
            Some(path) if file.create_missing_teams => {
                teams.push(path.clone());
                Some(path.clone())
            }
            _ => {
                faults.insert((column, "TEAM_NOT_FOUND"));
                None
            }
        };
        for (column, cell) in file.columns.iter().zip(&row.cells) {
            let Some(column) = column.name else { continue };
            let text = |faults: &mut BTreeSet<Fault>, now: &Option<String>| match &cell.value {
                Value::Blank => now.clone(),
                Value::Text(Some(text)) => Some(text.clone()),
                Value::Text(None) => {
                    faults.insert((column, "INVALID"));
                    None
                }
                _ => None,
            };
            match column {
                "First Name" => user.first = text(&mut faults, &user.first),
                "Last Name" => user.last = text(&mut faults, &user.last),
                "Title" => user.title = text(&mut faults, &user.title),
                "Team" => match &cell.value {
                    Value::Clear => user.team = None,
                    Value::Team(path) => user.team = find(path, column, &mut faults),
                    _ => {}
                },
                "Manager Of" => match &cell.value {
                    Value::Clear => user.managed.clear(),
                    Value::Teams(paths) => {
                        user.managed = paths.iter().filter_map(|path| find(path, column, &mut faults)).collect();
                    }
                    _ => {}
                },
                "Licenses" => match &cell.value {
                    Value::Clear => user.licenses.clear(),
                    Value::Names(names) if names.iter().all(|name| self.licenses.contains(name)) => {
                        user.licenses = names.iter().copied().collect();
                    }
                    Value::Names(_) => {
                        faults.insert((column, "INVALID"));
                    }
                    _ => {}
                },
                // These can't be without a value.
                "Role" | "Object Visibility" | "Configuration Profile" => {
                    let attribute = match column {
                        "Role" => &mut user.role,
                        "Object Visibility" => &mut user.visibility,
                        _ => &mut user.profile,
                    };
                    match &cell.value {
                        Value::Choice(Some(name)) => *attribute = name,
                        Value::Names(names) if self.profiles.contains(&names[0]) => *attribute = names[0],
                        Value::Blank if column == "Configuration Profile" => *attribute = DEFAULT_PROFILE,
                        Value::Blank => {}
                        _ => {
                            faults.insert((column, "INVALID"));
                        }
                    }
                }
                _ => {}
            }
        }
        (faults, teams)
    }

    fn map(&mut self, file: &File, rows: Vec<(u64, &Row, Failed)>, outcome: &mut Outcome) {
        /// A row that can be read: whose mapping is to be what.
        struct Wish {
            line: u64,
            user: u64,
            operation: Operation,
            target: Option<&'static str>,
            alias: Option<String>,
            failed: Failed,
        }
        let mut wishes: Vec<Wish> = Vec::new();
        for (line, row, mut failed) in rows {
            let value = |name| file.cell(row, name).map_or(Value::Blank, |cell| cell.value.clone());
            let operation = match value("operation") {
                Value::Operation(Some(operation)) => Some(operation),
                Value::Operation(None) => {
                    failed.faults.insert(("operation", "INVALID_OPERATION"));
                    None
                }
                _ => None,
            };
            let user = match value("email") {
                Value::Email(Some(email)) => {
                    let user = self.users.get(&email).map(|user| user.id);
                    user.is_none().then(|| failed.faults.insert(("email", "USER_NOT_FOUND")));
                    user
                }
                _ => {
                    failed.faults.insert(("email", "INVALID_EMAIL"));
                    None
                }
            };
            let target = match value("external_id") {
                Value::Blank if operation == Some(Operation::Remove) => Ok(None),
                Value::Blank => Err("REQUIRED"),
                Value::Id(None) => Err("INVALID_EXTERNAL_ID"),
                Value::Id(Some(id)) if self.crm.contains_key(id) => Ok(Some(id)),
                Value::Email(Some(email)) => {
                    let carry = |crm: &CrmUser| crm.email.as_ref() == Some(&email);
                    let ids: Vec<&str> = self.crm.iter().filter(|(_, crm)| carry(crm)).map(|(id, _)| *id).collect();
                    match ids[..] {
                        [] => Err("CRM_USER_NOT_FOUND"),
                        [only] => Ok(Some(only)),
                        _ => {
                            failed.says.extend(ids.iter().map(|id| (*id).to_owned()));
                            Err("CRM_USER_AMBIGUOUS")
                        }
                    }
                }
                Value::Email(None) => Err("INVALID_EMAIL"),
                _ => Err("CRM_USER_NOT_FOUND"),
            };
            let _ = target.map_err(|code| failed.faults.insert(("external_id", code)));
            let alias = match value("alias_email") {
                Value::Email(Some(alias)) => Some(alias),
                Value::Blank => None,
                _ => {
                    failed.faults.insert(("alias_email", "INVALID_EMAIL"));
                    None
                }
            };
            match (operation, user, target) {
                (Some(operation), Some(user), Ok(target)) if failed.faults.is_empty() => {
                    wishes.push(Wish { line, user, operation, target, alias, failed });
                }
                _ => drop(outcome.failed.insert(line, failed)),
            }
        }

        // What each row would do alone: end the mapping, make one, nothing; or why not.
        let mut refused: BTreeMap<u64, Fault> = BTreeMap::new();
        let mut unchanged: BTreeSet<u64> = BTreeSet::new();
        for wish in &wishes {
            let current = self.mappings.get(&wish.user);
            let on_existing = if wish.operation == Operation::Replace { "REPLACE" } else { file.on_existing };
            let as_asked = |current: &Mapping| {
                current.manual && Some(current.target) == wish.target && current.alias == wish.alias
            };
            match (wish.operation, current) {
                (Operation::Remove, None) => drop(refused.insert(wish.line, ("email", "NOT_FOUND"))),
                (Operation::Remove, Some(current)) => {
                    if wish.target.is_some_and(|target| target != current.target) {
                        refused.insert(wish.line, ("external_id", "MAPPING_MISMATCH"));
                    }
                }
                (_, None) => {}
                (_, Some(current)) if on_existing != "ERROR" && as_asked(current) => drop(unchanged.insert(wish.line)),
                (_, Some(current)) => {
                    if on_existing == "ERROR" || on_existing == "OVERRIDE_AUTOMATIC" && current.manual {
                        refused.insert(wish.line, ("email", "MAPPING_EXISTS"));
                    }
                }
            }
        }
        // Whoever may not have its target, since another keeps it or an earlier row takes it, keeps what it has. Looked
        // at again until nobody is left who counts on somebody who fails.
        loop {
            let lives = |wish: &&Wish| !refused.contains_key(&wish.line);
            let keeps = |user: u64, target: &str| {
                self.mappings.get(&user).is_some_and(|current| current.target == target)
                    && !wishes.iter().filter(lives).any(|wish| {
                        wish.user == user && !unchanged.contains(&wish.line) && wish.target_after() != Some(target)
                    })
            };
            let next = wishes.iter().filter(lives).find(|wish| {
                let Some(target) = wish.target_after() else { return false };
                let kept = self.mappings.keys().any(|user| *user != wish.user && keeps(*user, target));
                let earlier = wishes.iter().filter(lives).any(|other| {
                    other.line < wish.line && other.target_after() == Some(target) && !keeps(wish.user, target)
                });
                kept || earlier
            });
            let Some(wish) = next else { break };
            refused.insert(wish.line, ("external_id", "CRM_USER_TAKEN"));
        }
        for mut wish in wishes {
            if let Some(fault) = refused.get(&wish.line) {
                wish.failed.faults.insert(*fault);
                outcome.failed.insert(wish.line, wish.failed);
            } else if unchanged.contains(&wish.line) {
                outcome.unchanged += 1;
            } else if let Some(target) = wish.target_after() {
                let mapping = Mapping { target, alias: wish.alias, manual: true };
                match self.mappings.insert(wish.user, mapping) {
                    None => outcome.created += 1,
                    Some(_) => {
                        outcome.updated += 1;
                        outcome.changed.insert(wish.line, "UPDATED");
                    }
                }
            } else {
                outcome.deleted += 1;
                outcome.changed.insert(wish.line, "DELETED");
                let ended = self.mappings.remove(&wish.user).expect("what is removed was there");
                self.removed.insert((wish.user, ended.target));
            }
        }

        impl Wish {
            fn target_after(&self) -> Option<&'static str> {
                self.target.filter(|_| self.operation != Operation::Remove)
            }
        }
    }

    fn crm_users(&mut self, file: &File, rows: Vec<(u64, &Row, Failed)>, outcome: &mut Outcome) {
        let mut incoming: Vec<(u64, &'static str, CrmUser)> = Vec::new();
        for (line, row, mut failed) in rows {
            let id = match file.cell(row, "external_id").map(|cell| &cell.value) {
                Some(Value::Id(Some(id))) => Some(*id),
                _ => {
                    failed.faults.insert(("external_id", "INVALID_EXTERNAL_ID"));
                    None
                }
            };
            let before = id.and_then(|id| self.crm.get(id)).cloned();
            let mut after = before.unwrap_or(CrmUser {
                email: None,
                name: None,
                username: None,
                title: None,
                team: None,
                active: true,
                created_at: None,
            });
            for (column, cell) in file.columns.iter().zip(&row.cells) {
                let Some(column) = column.name else { continue };
                fill(&mut after, column, cell, &mut failed.faults);
            }
            match id {
                Some(id) if failed.faults.is_empty() => incoming.push((line, id, after)),
                _ => drop(outcome.failed.insert(line, failed)),
            }
        }
        if file.is_complete && !outcome.failed.is_empty() {
            outcome.stopped = Some("ROWS_FAILED");
            return;
        }
        let goes = |id: &str| match incoming.iter().find(|(_, other, _)| *other == id) {
            Some((_, _, after)) => !after.active,
            None => file.is_complete,
        };
        let losing = self.mappings.values().filter(|mapping| self.crm[mapping.target].active && goes(mapping.target));
        let losing = losing.count();
        if losing > 10 && losing * 100 > 20 * self.mappings.len() {
            outcome.stopped = Some("MASS_CHANGE_LIMIT");
            return;
        }
        if file.is_complete {
            let listed: Vec<&str> = incoming.iter().map(|(_, id, _)| *id).collect();
            self.crm.iter_mut().filter(|(id, _)| !listed.contains(*id)).for_each(|(_, crm)| crm.active = false);
        }
        for (line, id, after) in incoming {
            match self.crm.insert(id, after.clone()) {
                None => outcome.created += 1,
                Some(before) if before == after => outcome.unchanged += 1,
                Some(before) => {
                    outcome.updated += 1;
                    outcome.changed.insert(line, "UPDATED");
                    if before.email != after.email {
                        self.removed.retain(|(_, other)| *other != id);
                    }
                }
            }
        }
    }
}

/// Brings one attribute of a CRM user to what a cell says.
fn fill(crm: &mut CrmUser, column: &'static str, cell: &Cell, faults: &mut BTreeSet<Fault>) {
    let mut wrong = |code| {
        faults.insert((column, code));
    };
    let text = match &cell.value {
        Value::Text(text) => text.clone(),
        _ => None,
    };
    if cell.value == Value::Text(None) {
        wrong("INVALID");
    }
    match (column, &cell.value) {
        ("email", Value::Email(None)) => wrong("INVALID_EMAIL"),
        ("email", Value::Email(email)) => crm.email.clone_from(email),
        ("email", _) => crm.email = None,
        ("name", _) => crm.name = text,
        ("username", _) => crm.username = text,
        ("title", _) => crm.title = text,
        ("team", Value::Team(None)) => wrong("INVALID"),
        ("team", Value::Team(team)) => crm.team.clone_from(team),
        ("team", _) => crm.team = None,
        ("is_active", Value::Active(None)) => wrong("INVALID"),
        ("is_active", Value::Active(Some(active))) => crm.active = *active,
        ("is_active", _) => crm.active = true,
        ("created_at", Value::Time(None)) => wrong("INVALID"),
        // What does not say when the CRM made the user does not unsay it.
        ("created_at", Value::Time(Some(time))) => crm.created_at = Some(time),
        _ => {}
    }
}
