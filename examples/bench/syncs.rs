//! Pulls at full size: `bench syncs --rows 1000000`. As many CRM users as users, nothing linked: pulled from a fake CRM of
//! this machine, stored and linked; the same again with nothing changed; and what has changed of a thousandth.
//!
//! The floor, on PostgreSQL, is the same rows brought into the same tables, emptied, by a statement a table, from tables
//! that are loaded already; the mappings come of a join by email. It runs in a transaction that is rolled back.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use clap::Args;
use counterpart::{
    bootstrap::{self, Administrator},
    crm::{
        Network, Patience,
        fake::{self, Fake, FakeUser},
    },
    database,
    service::{
        Services, connection,
        db::Sql,
        integration::{self, IntegrationRef, SettingsPatch},
        scope::counting,
        session, sync_run,
        user::Patch,
    },
};
use entity::{CrmKind, IntegrationId, SyncStatus, sync_run as runs};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::block_in_place};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::{
    Backend, Server, latency,
    mappings::{id, numbers, tidy},
    process,
    report::Report,
    world::{self, INTEGRATION},
};

#[derive(Args)]
pub struct Syncs {
    /// CRM users, and users of the organisation.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
}

/// One pull, in a process of its own.
#[derive(Args)]
pub struct Pull {
    #[arg(long)]
    url: String,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    token: String,
    #[arg(long)]
    crm: String,
    /// How much of its time it works, in percent.
    #[arg(long, default_value_t = 100)]
    pace: u32,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Done {
    seconds: f64,
    statements: u64,
    received: i64,
    linked: i64,
    peak: u64,
}

fn reaching(services: Arc<Services>, crm: &str, pace: u32) -> Arc<Services> {
    let services = Arc::into_inner(services).unwrap();
    let network = Network::new(services.clock.clone(), vec![crm.parse().unwrap()], Patience::default()).unwrap();
    let mut services = Services { crm: network, ..services };
    services.limits.import_pace = pace;
    Arc::new(services)
}

impl Pull {
    pub async fn run(self) {
        let services = reaching(world::services(&self.url, &self.folder).await, &self.crm, self.pace);
        let session = session::sign_in(&services, &self.token).await.unwrap();
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let started = Instant::now();
        let integration = IntegrationRef::Name(INTEGRATION.to_owned());
        let id = sync_run::request(&session, integration).await.unwrap();
        let stop = CancellationToken::new();
        let (worked, statements) = counting(sync_run::worker::step(&services, Uuid::now_v7(), &stop)).await;
        assert!(worked.unwrap());
        let seconds = started.elapsed().as_secs_f64();
        let run = runs::Entity::find_by_id((session.organization_id(), id));
        let run = run.one(services.db.reader()).await.unwrap().unwrap();
        assert_eq!(run.status, SyncStatus::Completed, "{:?}", run.error);
        let peak = process::status("self", "VmHWM");
        let done = Done { seconds, statements, received: run.received, linked: run.linked, peak };
        println!("{}", serde_json::to_string(&done).unwrap());
    }
}

impl Syncs {
    pub async fn run(self, backends: &[Backend]) {
        let mut report = Report::default();
        for backend in backends {
            let small = Bench::on(*backend, self.rows / 10, &mut report).await;
            let part = small.pull("pull of a tenth", 100, &mut report);
            small.end().await;
            let bench = Bench::on(*backend, self.rows, &mut report).await;
            bench.measure(&part, &mut report).await;
            bench.end().await;
        }
        println!("\n{report}");
    }
}

struct Bench {
    rows: usize,
    url: String,
    folder: TempDir,
    server: Option<Server>,
    services: Arc<Services>,
    administrator: Administrator,
    integration: IntegrationId,
    fake: Fake,
    crm: String,
    stop: CancellationToken,
}

/// The `i`th Salesforce id.
fn external_id(i: usize) -> String {
    format!("0058Z0{i:09}")
}

impl Bench {
    async fn on(backend: Backend, rows: usize, report: &mut Report) -> Self {
        let folder = TempDir::new().unwrap();
        let (url, server) = match backend {
            Backend::Sqlite => (format!("sqlite://{}", folder.path().join("counterpart.db").display()), None),
            Backend::Postgres => {
                let server = Server::connect().await;
                (server.url.to_string(), Some(server))
            }
        };
        report.database = if server.is_some() { "PostgreSQL" } else { "SQLite" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let crm = listener.local_addr().unwrap().to_string();
        let services = reaching(world::services(&url, folder.path()).await, &crm, 100);
        let (fake, stop) = (Fake::new(services.clock.clone()), CancellationToken::new());
        let yesterday = Utc::now() - TimeDelta::days(1);
        let people = (1..=rows).map(|i| FakeUser {
            username: Some(format!("user.{i}@acme.example")),
            title: Some("Account Executive".to_owned()),
            created_at: Some(yesterday),
            modified_at: Some(yesterday),
            ..FakeUser::new(external_id(i), format!("user.{i}@acme.example")).named("Alice", "Abbott")
        });
        fake.set_users(CrmKind::Salesforce, people.collect());
        tokio::spawn(fake::serve(listener, fake.clone(), stop.clone()));
        let (administrator, integration) = fill(&services, rows, &crm).await;
        Self { rows, url, folder, server, services, administrator, integration, fake, crm, stop }
    }

    async fn end(self) {
        self.stop.cancel();
        self.services.db.close().await.unwrap();
        if let Some(server) = self.server {
            server.drop_database().await;
        }
    }

    fn command(&self, pace: u32) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["pull", "--url", &self.url, "--token", &self.administrator.token, "--crm", &self.crm]);
        command.args(["--pace", &pace.to_string()]).arg("--folder").arg(self.folder.path());
        command
    }

    fn pull(&self, name: &str, pace: u32, report: &mut Report) -> Done {
        let output = block_in_place(|| self.command(pace).output().unwrap());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let done: Done = serde_json::from_slice(&output.stdout).unwrap();
        let value = format!(
            "{:.1} s, {} received, {} linked, {} statements, {} MB at most",
            done.seconds,
            done.received,
            done.linked,
            done.statements,
            done.peak / 1024
        );
        report.value(name, value, None, None);
        done
    }

    async fn measure(&self, part: &Done, report: &mut Report) {
        let first = self.pull("first pull, all new and linked", 100, report);
        assert_eq!((first.received, first.linked), (self.rows as i64, self.rows as i64));
        let megabytes = |kb: u64| kb as f64 / 1024.0;
        report.at_most("… memory", megabytes(first.peak), 150.0, " MB");
        report.at_most("… memory more than of a tenth", megabytes(first.peak) - megabytes(part.peak), 50.0, " MB");
        tidy(&self.services).await;

        self.forget_complete().await;
        let again = self.pull("complete pull, nothing changed", 100, report);
        assert_eq!((again.received, again.linked), (self.rows as i64, 0));
        report.at_most("… against the first", again.seconds / first.seconds, 1.0 / 3.0, "");

        for i in (1..=self.rows).step_by(1_000) {
            let patch = json!({ "title": "Vice President" });
            self.fake.patch(CrmKind::Salesforce, &external_id(i), &patch).unwrap();
        }
        let changed = self.pull("pull of what changed, 0.1%", 100, report);
        assert_eq!(changed.received, self.rows.div_ceil(1_000) as i64);
        report.at_most("… against the first", changed.seconds / first.seconds, 0.02, "");
        self.latency(report).await;
        if self.services.db.backend() == DbBackend::Postgres {
            tidy(&self.services).await;
            let floor = self.floor().await;
            report.value("the first by hand", format!("{floor:.1} s"), None, None);
            report.at_most("first pull against it", first.seconds / floor, 3.0, "");
        }
    }

    /// The next pull asks for all again.
    async fn forget_complete(&self) {
        let sql = "UPDATE integration SET full_synced_at = NULL";
        self.services.db.writer().execute_unprepared(sql).await.unwrap();
    }

    /// One user's query while a complete pull goes on at the default pace.
    async fn latency(&self, report: &mut Report) {
        self.forget_complete().await;
        let (email, token) = ("user.4321@acme.example", &self.administrator.token);
        let what = "a complete pull goes on";
        latency::measure(&self.services, token, email, &mut self.command(50), Duration::MAX, what, report).await;
    }

    /// The seconds that the same rows take by hand.
    async fn floor(&self) -> f64 {
        let db = self.services.db.writer();
        for statement in [
            "CREATE TABLE floor_crm_user AS SELECT * FROM crm_user ORDER BY organization_id, id",
            "CREATE TABLE floor_word AS SELECT * FROM crm_user_word ORDER BY organization_id, integration_id, word, crm_user_id",
            "CREATE TABLE floor_mapping AS SELECT crm_user_id, id FROM mapping",
            "CREATE TABLE floor_change AS SELECT * FROM sync_change WHERE kind = 'LINKED' ORDER BY sync_run_id, position",
            "TRUNCATE mapping, mapping_stage, crm_user_word, crm_user, crm_user_stage, sync_change",
            "UPDATE user_link SET state = 'NO_MATCH'",
            "VACUUM FULL user_link",
            "VACUUM ANALYZE",
        ] {
            db.execute_unprepared(statement).await.unwrap();
        }
        let tx = self.services.db.write(self.administrator.organization_id).await.unwrap();
        let started = Instant::now();
        for statement in
            ["INSERT INTO crm_user SELECT * FROM floor_crm_user", "INSERT INTO crm_user_word SELECT * FROM floor_word"]
        {
            tx.connection().execute_unprepared(statement).await.unwrap();
        }
        let mut sql = tx.sql();
        sql.push("INSERT INTO mapping (organization_id, integration_id, source, warnings, created_at, id, user_id, ");
        sql.push("crm_user_id) SELECT c.organization_id, c.integration_id, 'AUTOMATIC', 0, ").bind(tx.now);
        sql.push(", f.id, u.id, c.id FROM crm_user c JOIN app_user u ON u.organization_id = c.organization_id ");
        sql.push("AND u.email = c.email AND u.deleted_at IS NULL JOIN floor_mapping f ON f.crm_user_id = c.id WHERE ");
        sql.equals("c.organization_id", tx.organization_id).push(" AND ");
        sql.equals("c.integration_id", self.integration).push(" AND c.is_active AND NOT EXISTS (SELECT 1 FROM ");
        sql.push("crm_user o WHERE o.organization_id = c.organization_id AND o.integration_id = c.integration_id ");
        sql.push("AND o.email = c.email AND o.id <> c.id AND o.is_active) ORDER BY f.id");
        assert_eq!(tx.execute(sql).await.unwrap(), self.rows as u64);
        let mut sql = tx.sql();
        sql.push("UPDATE user_link SET state = 'MAPPED' FROM mapping m WHERE ");
        sql.equals("user_link.organization_id", tx.organization_id).push(" AND ");
        sql.equals("user_link.integration_id", self.integration);
        sql.push(" AND m.organization_id = user_link.organization_id AND m.integration_id = user_link.integration_id ");
        sql.push("AND m.user_id = user_link.user_id AND m.ended_at IS NULL");
        assert_eq!(tx.execute(sql).await.unwrap(), self.rows as u64);
        tx.connection().execute_unprepared("INSERT INTO sync_change SELECT * FROM floor_change").await.unwrap();
        started.elapsed().as_secs_f64()
    }
}

/// An organisation whose users stand `NO_MATCH`, and an integration that is connected with the fake.
async fn fill(services: &Arc<Services>, users: usize, crm: &str) -> (Administrator, IntegrationId) {
    database::migrate(&services.db).await.unwrap();
    let administrator = bootstrap::administrator(&services.db, "Acme", "admin@acme.example").await.unwrap();
    let session = session::sign_in(services, &administrator.token).await.unwrap();
    let backend = services.db.backend();
    let tx = services.db.write(administrator.organization_id).await.unwrap();
    let mut sql: Sql = tx.sql();
    sql.push("INSERT INTO app_user (organization_id, created_at, updated_at, configuration_profile_id, id, email, ");
    sql.push("first_name, last_name, sort_name, role, object_visibility, status) SELECT ").bind(tx.organization_id);
    sql.push(", ").bind(tx.now).push(", ").bind(tx.now).push(", (SELECT id FROM configuration_profile WHERE ");
    sql.equals("organization_id", tx.organization_id).push(" AND is_default), ").push(&id(backend, "8000"));
    sql.push(", 'user.' || i || '@acme.example', 'Alice', 'Abbott', 'alice abbott', 'MEMBER', 'TEAM', 'ACTIVE' FROM ");
    sql.push(&numbers(backend, users));
    tx.execute(sql).await.unwrap();
    tx.commit().await.unwrap();
    let settings = SettingsPatch { sync_schedule: Patch::Clear, ..SettingsPatch::default() };
    let name = INTEGRATION.to_owned();
    let integration = integration::change::create(&session, name, CrmKind::Salesforce, settings).await.unwrap();
    let base = Url::parse(&format!("http://{crm}")).unwrap();
    let connection = Fake::connection(CrmKind::Salesforce, &base).unwrap();
    connection::set(&session, IntegrationRef::Id(integration), connection).await.unwrap();
    tidy(services).await;
    (administrator, integration)
}
