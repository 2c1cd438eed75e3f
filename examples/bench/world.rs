//! A large organisation, made through the services.

use std::{path::Path, sync::Arc};

use counterpart::{
    bootstrap::{self, Administrator},
    config::FrontSettings,
    crm::{Network, Patience},
    database,
    service::{
        Limits, Services, Session,
        clock::Clock,
        crm_user::Incoming,
        db::{Db, DbOptions},
        integration::{self, IntegrationRef, SettingsPatch},
        links::Links,
        seal::Seal,
        session, sync_run,
        team::TeamRef,
        user::{
            Attributes, Patch, UserRef,
            apply::{Change, Operation, Options, apply},
        },
    },
};
use entity::{CrmKind, UserRole};
use object_store::local::LocalFileSystem;
use sea_orm::{ConnectionTrait, DbBackend};
use url::Url;

pub const INTEGRATION: &str = "CRM";

/// Teams on each of the five levels, those of a level spread evenly below the level above.
const LEVELS: [usize; 5] = [5, 25, 125, 250, 375];
pub const TEAMS: usize = 780;

/// The front door for somebody who asks as often as they can.
pub fn front_door() -> FrontSettings {
    FrontSettings { operations_per_minute: 0, ..FrontSettings::default() }
}

pub struct World {
    pub services: Arc<Services>,
    pub administrator: Administrator,
}

impl World {
    pub async fn fill(url: &str, folder: &Path, users: usize) -> Self {
        let services = services(url, folder).await;
        database::migrate(&services.db).await.unwrap();
        let administrator = bootstrap::administrator(&services.db, "Acme", "admin@acme.example").await.unwrap();
        let session = session::sign_in(&services, &administrator.token).await.unwrap();
        let paths = team_paths();
        for chunk in chunks(1..users) {
            add_users(&session, &paths, chunk).await;
        }
        let settings = SettingsPatch::default();
        integration::change::create(&session, INTEGRATION.to_owned(), CrmKind::Other, settings).await.unwrap();
        for chunk in chunks(0..users) {
            let crm_users = chunk.map(crm_user).collect();
            let integration = IntegrationRef::Name(INTEGRATION.to_owned());
            let (_, faults) = sync_run::push(&session, integration, crm_users).await.unwrap();
            assert!(faults.is_empty(), "{faults:?}");
        }
        if services.db.backend() == DbBackend::Postgres {
            // What the server would do by itself, a minute later.
            services.db.writer().execute_unprepared("VACUUM ANALYZE").await.unwrap();
        }
        Self { services, administrator }
    }

    pub async fn close(self) {
        self.services.db.close().await.unwrap();
    }
}

/// The program around a database, as `serve` sets it up.
pub async fn services(url: &str, folder: &Path) -> Arc<Services> {
    let clock = Clock::system();
    let files = folder.join("files");
    std::fs::create_dir_all(&files).unwrap();
    let db = Db::connect(&DbOptions::new(url, 10), clock.clone()).await.unwrap();
    let files = Arc::new(LocalFileSystem::new_with_prefix(files).unwrap());
    let links = Links::new(vec![7; 32], Url::parse("http://127.0.0.1/").unwrap());
    let crm = Network::new(clock.clone(), Vec::new(), Patience::default()).unwrap();
    Arc::new(Services::new(db, clock, files, links, crm, Seal::new(&[7; 32], &[]).unwrap(), Limits::default()))
}

fn chunks(all: std::ops::Range<usize>) -> impl Iterator<Item = std::ops::Range<usize>> {
    let end = all.end;
    all.step_by(1_000).map(move |from| from..end.min(from + 1_000))
}

/// The paths of all teams, from the roots down.
pub fn team_paths() -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let mut above: Vec<String> = Vec::new();
    for (depth, size) in LEVELS.into_iter().enumerate() {
        let level: Vec<String> = (0..size)
            .map(|i| match above.len() {
                0 => format!("Region {i:03}"),
                parents => format!("{}:Team {}.{:03}", above[i % parents], depth + 1, i),
            })
            .collect();
        paths.extend(level.iter().cloned());
        above = level;
    }
    assert_eq!(paths.len(), TEAMS);
    paths
}

const FIRST: [&str; 20] = [
    "Alice", "Amir", "Beatriz", "Chen", "Dolores", "Emil", "Fatima", "Gustav", "Hana", "Ivan", "Jamila", "Kofi",
    "Lena", "Mateo", "Noor", "Olga", "Priya", "Quentin", "Rosa", "Samuel",
];
const LAST: [&str; 25] = [
    "Abbott", "Bauer", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ibrahim", "Jansen", "Kowalski",
    "Lopez", "Moreau", "Nakamura", "Okafor", "Petrov", "Quinn", "Rossi", "Schmidt", "Tanaka", "Ueda", "Vargas",
    "Weber", "Xu", "Young",
];

/// First and last name of a user.
pub fn name(i: usize) -> (&'static str, String) {
    (FIRST[i % FIRST.len()], format!("{}{}", LAST[i / FIRST.len() % LAST.len()], i / 500))
}

/// The email of a user. They are made in another order than they sort in.
pub fn email(i: usize) -> String {
    if i == 0 {
        return "admin@acme.example".to_owned();
    }
    let (first, last) = name(i);
    format!("{}.{}.{i}@acme.example", first.to_lowercase(), last.to_lowercase())
}

pub fn external_id(i: usize) -> String {
    format!("C-{i:08}")
}

async fn add_users(session: &Session, teams: &[String], users: std::ops::Range<usize>) {
    let tx = session.services.db.write(session.organization_id()).await.unwrap();
    let changes: Vec<Change> = users
        .map(|i| {
            let (first, last) = name(i);
            Change {
                user: UserRef::Email(email(i)),
                operation: Operation::Add,
                attributes: Attributes {
                    email: Patch::Set(email(i)),
                    first_name: Patch::Set(first.to_owned()),
                    last_name: Patch::Set(last),
                    title: Patch::Set("Account Executive".to_owned()),
                    team: Patch::Set(TeamRef::Path(teams[i % teams.len()].clone())),
                    role: Patch::Set(UserRole::Member),
                    ..Attributes::default()
                },
                flawed: false,
                line: None,
            }
        })
        .collect();
    let options = Options { create_missing_teams: true, ..Options::of(session.viewer.user_id) };
    for done in apply(&tx, &changes, &options).await.unwrap() {
        done.unwrap();
    }
    tx.commit().await.unwrap();
}

fn crm_user(i: usize) -> Incoming {
    let (first, last) = name(i);
    Incoming {
        external_id: external_id(i),
        email: Some(email(i)),
        name: Some(format!("{first} {last}")),
        username: Some(email(i)),
        is_active: true,
        ..Incoming::default()
    }
}
