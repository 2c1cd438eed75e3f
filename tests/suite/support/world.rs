//! An organisation with its people, and the router that they knock at.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode};
use chrono::{DateTime, Utc};
use counterpart::{
    bootstrap::{self, Administrator},
    config::FrontSettings,
    crm::{ExtraHost, Network, Patience},
    http,
    service::{
        Limits, Services, Session,
        clock::Clock,
        db::{Db, DbOptions, Sql},
        import::worker,
        links::Links,
        seal::Seal,
        session, sync_run,
        user::{Attributes, Patch, change},
    },
};
use entity::{ApiTokenId, ObjectVisibility, UserId, UserRole, api_token};
use futures::poll;
use object_store::{ObjectStore, local::LocalFileSystem};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::{client::Actor, database, show};

/// When the tests' clock stands still.
pub const NOW: &str = "2026-03-02T09:00:00Z";

/// CRMs may be reached at their own domains and here; who is asked in vain is not asked for long.
fn network(clock: Clock, hosts: Vec<ExtraHost>) -> Network {
    let patience = Patience {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(5),
        total: Duration::from_secs(8),
        retries: 3,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(50),
        ..Patience::default()
    };
    Network::new(clock, hosts, patience).unwrap()
}

/// The settings of the front door, for tests that ask more often than people do.
pub fn unhurried() -> FrontSettings {
    FrontSettings { operations_per_minute: 0, ..FrontSettings::default() }
}

/// One organisation, `Acme`, its administrator `admin@acme.example`, and the program around them.
pub struct World {
    pub services: Arc<Services>,
    pub app: Router,
    pub administrator: Administrator,
    _files: TempDir,
}

impl World {
    /// On a migrated database without rows.
    pub async fn on(url: &str) -> Self {
        Self::of(&database::few(url)).await
    }

    /// The same, reached in this way.
    pub async fn of(options: &DbOptions) -> Self {
        let clock = Clock::fixed(NOW.parse::<DateTime<Utc>>().unwrap());
        let db = Db::connect(options, clock.clone()).await.unwrap();
        let administrator = bootstrap::administrator(&db, "Acme", "admin@acme.example").await.unwrap();
        let files = TempDir::new().unwrap();
        let services = Arc::new(Services::new(
            db,
            clock.clone(),
            Arc::new(LocalFileSystem::new_with_prefix(files.path()).unwrap()),
            Links::new(vec![7; 32], Url::parse("https://counterpart.example/").unwrap()),
            network(clock, Vec::new()),
            Seal::new(&[7; 32], &[]).unwrap(),
            Limits { upload_bytes: 1024 * 1024, ..Limits::default() },
        ));
        let app = http::router(Arc::clone(&services), unhurried(), CancellationToken::new()).unwrap();
        Self { services, app, administrator, _files: files }
    }

    /// The same organisation in a program that keeps uploaded files elsewhere, and takes large ones.
    pub fn storing(&self, files: Arc<dyn ObjectStore>) -> Self {
        let limits = Limits { upload_bytes: 64 * 1024 * 1024, ..Limits::default() };
        self.beside(files, self.services.crm.clone(), limits)
    }

    /// The same organisation in a program that may reach a CRM at this address of this machine.
    pub fn reaching(&self, crm: std::net::SocketAddr) -> Self {
        let crm = network(self.services.clock.clone(), vec![crm.to_string().parse().unwrap()]);
        self.beside(Arc::clone(&self.services.files), crm, self.services.limits)
    }

    /// The same organisation in a process of its own, which reaches the database in this way.
    pub async fn another(&self, options: &DbOptions) -> Self {
        let Services { clock, files, crm, limits, .. } = &*self.services;
        let db = Db::connect(options, clock.clone()).await.unwrap();
        self.with(db, Arc::clone(files), crm.clone(), *limits)
    }

    fn beside(&self, files: Arc<dyn ObjectStore>, crm: Network, limits: Limits) -> Self {
        self.with(self.services.db.clone(), files, crm, limits)
    }

    fn with(&self, db: Db, files: Arc<dyn ObjectStore>, crm: Network, limits: Limits) -> Self {
        let Services { clock, links, .. } = &*self.services;
        let seal = Seal::new(&[7; 32], &[]).unwrap();
        let services = Services::new(db, clock.clone(), files, links.clone(), crm, seal, limits);
        let services = Arc::new(services);
        let app = http::router(Arc::clone(&services), unhurried(), CancellationToken::new()).unwrap();
        Self { services, app, administrator: self.administrator.clone(), _files: TempDir::new().unwrap() }
    }

    /// The same organisation behind another front door.
    pub fn behind(&self, settings: FrontSettings) -> Result<Router, String> {
        http::router(Arc::clone(&self.services), settings, CancellationToken::new())
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.app.clone(), None)
    }

    /// Whoever holds this token.
    pub fn bearer(&self, token: impl Into<String>) -> Actor {
        Actor::new(self.app.clone(), Some(token.into()))
    }

    pub fn admin(&self) -> Actor {
        self.bearer(&self.administrator.token)
    }

    /// A manager with visibility Team, `manager@acme.example`.
    pub async fn manager(&self) -> Actor {
        self.user("manager@acme.example", UserRole::Manager, ObjectVisibility::Team).await
    }

    /// A member with visibility Team, `member@acme.example`.
    pub async fn member(&self) -> Actor {
        self.user("member@acme.example", UserRole::Member, ObjectVisibility::Team).await
    }

    /// What the administrator reads.
    pub async fn read(&self, query: &str) -> Value {
        self.admin().graphql(query, json!({})).await.ok()
    }

    /// Carries out a mutation as the administrator, `createTeam(input: {name: "A"}) { team { path } }`, and says what it
    /// answers: the object, or what is wrong.
    pub async fn change(&self, mutation: &str) -> String {
        let selected = mutation.trim_end().strip_suffix('}').expect("a mutation selects something");
        let query = format!("mutation {{ it: {selected} userErrors {{ code field message }} }} }}");
        show::payload(&self.read(&query).await["it"])
    }

    /// The administrator's session, to set a scene with the services.
    pub async fn session(&self) -> Session {
        session::sign_in(&self.services, &self.administrator.token).await.unwrap()
    }

    /// Works off every import that waits.
    pub async fn work(&self) {
        let (owner, stop) = (self.services.clock.id::<Uuid>(), CancellationToken::new());
        while worker::step(&self.services, owner, &stop).await.unwrap() {}
    }

    /// Makes the pulls that are due, and works off every one that waits.
    pub async fn sync(&self) {
        let (owner, stop) = (self.services.clock.id::<Uuid>(), CancellationToken::new());
        while sync_run::worker::step(&self.services, owner, &stop).await.unwrap() {}
    }

    /// Works on the import that waits until its first rows are committed, and stops there without a word, as a process
    /// does that is killed.
    pub async fn work_one_chunk_and_die(&self) {
        self.die_when("SUM(processed_rows)", "status").await;
    }

    /// The same for an import that is to be undone.
    pub async fn undo_one_chunk_and_die(&self) {
        self.die_when("SUM(reverted_rows)", "revert_status").await;
    }

    /// Works until this is more than nothing for the imports at work.
    async fn die_when(&self, sum: &str, status: &str) {
        let (owner, stop) = (self.services.clock.id::<Uuid>(), CancellationToken::new());
        let mut step = pin!(worker::step(&self.services, owner, &stop));
        // The worker moves only while it is polled, and the way from one commit to the next takes it many polls.
        loop {
            let mut sql = Sql::new(self.services.db.backend());
            sql.push("SELECT CAST(COALESCE(").push(sum).push(", 0) AS bigint) AS n FROM import_job WHERE ");
            sql.push(status).push(" = 'RUNNING'");
            if sql.number(self.services.db.reader()).await.unwrap() > 0 {
                return;
            }
            assert!(poll!(&mut step).is_pending(), "the import ended with its first chunk");
        }
    }

    /// What a signed address gives.
    pub async fn download(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let answer = self.anonymous().get(url.path()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.text().to_owned()
    }

    /// Makes a user who can sign in.
    pub async fn user(&self, email: &str, role: UserRole, visibility: ObjectVisibility) -> Actor {
        let attributes = Attributes {
            email: Patch::Set(email.to_owned()),
            role: Patch::Set(role),
            object_visibility: Patch::Set(visibility),
            ..Attributes::default()
        };
        let id = change::create(&self.session().await, attributes).await.unwrap();
        self.bearer(self.token(id).await)
    }

    /// A new token of a user.
    pub async fn token(&self, user_id: UserId) -> String {
        let organization_id = self.administrator.organization_id;
        let (token, secret_hash) = session::new_token(organization_id);
        let row = api_token::ActiveModel {
            organization_id: Set(organization_id),
            id: Set(self.services.clock.id::<ApiTokenId>()),
            user_id: Set(user_id),
            name: Set("A test".to_owned()),
            secret_hash: Set(secret_hash),
            created_at: Set(self.services.clock.now()),
            expires_at: Set(None),
            last_used_at: Set(None),
        };
        api_token::Entity::insert(row).exec_without_returning(self.services.db.writer()).await.unwrap();
        token
    }
}
