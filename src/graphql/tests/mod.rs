//! The schema over the demonstration organisation, on SQLite and, where the environment names a server, on PostgreSQL.

mod document;
mod reading;
mod visibility;

use std::sync::Arc;

use async_graphql::{Request, Response, Variables};
use entity::{CrmKind, ObjectVisibility, UserRole};
use futures::StreamExt;
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};

use crate::{
    bootstrap::{self, Administrator},
    crm::{Network, Patience},
    database, demo,
    graphql::{Api, document::Limits as DocumentLimits},
    service::{
        Limits, Services, Session,
        clock::Clock,
        crm_user::Incoming,
        db::{Db, DbOptions},
        integration::{self, IntegrationRef, SettingsPatch},
        links::Links,
        scope::counting,
        seal::Seal,
        session, sync_run,
        team::{self, TeamRef},
        user::{Attributes, Patch, UserRef, change},
    },
};

/// An organisation on a database of its own.
pub struct World {
    pub services: Arc<Services>,
    pub api: Api,
    pub administrator: Administrator,
    /// Where SQLite's file lies.
    _folder: tempfile::TempDir,
}

impl World {
    async fn on(url: &str, folder: tempfile::TempDir) -> Self {
        let clock = Clock::system();
        let db = Db::connect(&DbOptions::new(url, 4), clock.clone()).await.expect("connects");
        database::migrate(&db).await.expect("migrates");
        let administrator = bootstrap::administrator(&db, "Acme", "admin@acme.example").await.expect("is made");
        let links = Links::new(vec![7; 32], "http://localhost/".parse().expect("is a URL"));
        let crm = Network::new(clock.clone(), Vec::new(), Patience::default()).expect("is made");
        let seal = Seal::new(&[7; 32], &[]).expect("is a key");
        let files = Arc::new(object_store::memory::InMemory::new());
        let services = Arc::new(Services::new(db, clock, files, links, crm, seal, Limits::default()));
        Self {
            services,
            api: Api::new(DocumentLimits::default(), true).expect("is a schema"),
            administrator,
            _folder: folder,
        }
    }

    /// The demonstration, once on each database there is.
    pub async fn each() -> Vec<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut worlds = vec![Self::on(&format!("sqlite://{}", folder.path().join("db").display()), folder).await];
        if let Ok(server) = std::env::var("COUNTERPART_TEST_POSTGRES_URL") {
            let name = format!("graphql_{:016x}", rand::random::<u64>());
            let options = sea_orm::ConnectOptions::new(&server);
            let db = sea_orm::Database::connect(options).await.expect("connects");
            db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("is made");
            let mut url: url::Url = server.parse().expect("is a URL");
            url.set_path(&name);
            worlds.push(Self::on(url.as_str(), tempfile::tempdir().expect("a folder")).await);
        }
        for world in &worlds {
            demo::fill(&world.services, &world.administrator, None).await.expect("is filled");
        }
        worlds
    }

    /// More: 155 teams three deep, and 700 users who are mapped and members of the deepest.
    pub async fn grow(&self) {
        let admin = self.admin().await;
        let mut deepest = Vec::new();
        for a in 0..5 {
            let top = team::change::create(&admin, format!("A{a}"), None).await.expect("is made");
            for b in 0..5 {
                let middle = team::change::create(&admin, format!("B{b}"), Some(TeamRef::Id(top)));
                let middle = middle.await.expect("is made");
                for c in 0..5 {
                    let team = team::change::create(&admin, format!("C{c}"), Some(TeamRef::Id(middle)));
                    deepest.push(team.await.expect("is made"));
                }
            }
        }
        let tx = self.services.db.write(admin.organization_id()).await.expect("begins");
        for (n, team) in (0..700).zip(deepest.iter().cycle()) {
            let mut sql = tx.sql();
            sql.push(
                "INSERT INTO app_user (organization_id, id, email, sort_name, team_id, role, object_visibility, \
                 configuration_profile_id, status, created_at, updated_at) SELECT organization_id, ",
            );
            sql.bind(tx.clock.id::<entity::UserId>()).push(", ").bind(format!("person{n:04}@acme.example")).push(", ");
            sql.bind(format!("person{n:04}@acme.example")).push(", ").bind(*team);
            sql.push(", 'MEMBER', 'TEAM', configuration_profile_id, status, created_at, updated_at FROM app_user ");
            sql.push("WHERE ").equals("id", self.administrator.user_id);
            assert_eq!(tx.execute(sql).await.expect("is inserted"), 1);
        }
        tx.commit().await.expect("is committed");
        let other = integration::change::create(&admin, "Other".into(), CrmKind::Other, SettingsPatch::default());
        let other = other.await.expect("is made");
        let people = (0..700).map(|n| Incoming {
            external_id: format!("X{n:04}"),
            email: Some(format!("person{n:04}@acme.example")),
            is_active: true,
            ..Incoming::default()
        });
        let pushed = sync_run::push(&admin, IntegrationRef::Id(other), people.collect()).await.expect("is pushed");
        assert_eq!(pushed.1, [], "nothing stops it");
    }

    pub async fn admin(&self) -> Session {
        session::sign_in(&self.services, &self.administrator.token).await.expect("signs in")
    }

    /// A session of the user, after the given change.
    pub async fn as_user(&self, email: &str, role: UserRole, visibility: ObjectVisibility) -> Session {
        let admin = self.admin().await;
        let attributes =
            Attributes { role: Patch::Set(role), object_visibility: Patch::Set(visibility), ..Attributes::default() };
        let id = change::update(&admin, UserRef::Email(email.to_owned()), attributes).await.expect("is changed");
        let (token, secret_hash) = session::new_token(admin.organization_id());
        let tx = self.services.db.write(admin.organization_id()).await.expect("begins");
        let mut sql = tx.sql();
        sql.push("INSERT INTO api_token (organization_id, id, user_id, name, secret_hash, created_at) VALUES (");
        sql.bind(admin.organization_id()).push(", ").bind(tx.clock.id::<entity::ApiTokenId>()).push(", ").bind(id);
        sql.push(", 'test', ").bind(secret_hash).push(", ").bind(tx.now).push(")");
        tx.execute(sql).await.expect("is inserted");
        tx.commit().await.expect("is committed");
        session::sign_in(&self.services, &token).await.expect("signs in")
    }

    pub async fn respond(&self, session: Session, query: &str, variables: Json) -> Response {
        let request = Request::new(query).variables(Variables::from_json(variables));
        match self.api.prepare(request) {
            Ok(prepared) => self.api.execute(session, prepared).await,
            Err(errors) => Response::from_errors(errors),
        }
    }

    /// What the administrator's subscription gives, up to its end.
    pub async fn events(&self, request: Request) -> Vec<Response> {
        match self.api.prepare(request) {
            Ok(prepared) => self.api.subscribe(self.admin().await, prepared).collect().await,
            Err(errors) => vec![Response::from_errors(errors)],
        }
    }

    /// What the administrator reads; there must be no errors.
    pub async fn read(&self, query: &str) -> Json {
        self.read_as(self.admin().await, query, json!({})).await
    }

    pub async fn read_as(&self, session: Session, query: &str, variables: Json) -> Json {
        let response = self.respond(session, query, variables).await;
        assert_eq!(response.errors, [], "{query}");
        response.data.into_json().expect("is JSON")
    }

    /// The codes of what goes wrong.
    pub async fn codes(&self, session: Session, query: &str) -> Vec<String> {
        codes(&self.respond(session, query, json!({})).await)
    }

    /// How many statements the administrator's query takes, sign-in included.
    pub async fn cost(&self, query: &str) -> u64 {
        let ((), statements) = counting(async {
            self.read(query).await;
        })
        .await;
        statements
    }
}

pub fn codes(response: &Response) -> Vec<String> {
    let code = |error: &async_graphql::ServerError| {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).cloned();
        code.unwrap_or_default().into_json().ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
    };
    response.errors.iter().map(code).collect()
}
