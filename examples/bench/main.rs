//! Measures the program on a large organisation: `make bench`.
//!
//! Machines differ and are busy with other things, so what counts are ratios, each of two things measured side by side:
//! requests against a [`floor`] that runs the same statements by hand, a late page against the first, a search against
//! one user. Needs `counterpart` in a build of the same profile, and for PostgreSQL a server in `COUNTERPART_TEST_POSTGRES_URL`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "it measures, and may end where it can't"
)]

mod bulk;
mod client;
mod floor;
mod front;
mod imports;
mod latency;
mod mappings;
mod process;
mod report;
mod requests;
mod syncs;
mod world;
mod worst;

use std::{env, time::Instant};

use clap::{Parser, Subcommand, ValueEnum};
use counterpart::{
    config::LogSettings,
    telemetry::{self, LogFormat},
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use url::Url;

use report::Report;
use world::World;

/// Measures the program on a large organisation.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// A small organisation and short measurements, to try the measuring itself.
    #[arg(long)]
    quick: bool,
    /// One of the databases.
    #[arg(long, global = true)]
    only: Option<Backend>,
}

#[derive(Subcommand)]
enum Part {
    /// Imports a file in a process of its own, so that its memory can be told.
    #[command(hide = true)]
    Import(imports::Import),
    /// Measures imports of users by the million instead of requests.
    Bulk(bulk::Bulk),
    /// Carries out one step of it in a process of its own, so that its memory can be told.
    #[command(hide = true)]
    Step(bulk::Step),
    /// Measures the front door: what it costs, and what it takes to be in the way of others.
    Front,
    /// A file of mappings at full size.
    Mappings(mappings::Mappings),
    /// Pulls from a CRM at full size.
    Syncs(syncs::Syncs),
    /// Carries out one pull in a process of its own, so that its memory can be told.
    #[command(hide = true)]
    Pull(syncs::Pull),
    /// Looks for the document that costs most of those that are let in.
    Worst(worst::Worst),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Sqlite,
    Postgres,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Users of the organisation, all of them mapped.
    pub users: usize,
    /// Seconds that requests are sent in, a round.
    pub seconds: f64,
    pub rounds: usize,
    /// How often two requests are timed beside each other.
    pub repetitions: usize,
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut backends = vec![Backend::Sqlite, Backend::Postgres];
    backends.retain(|backend| options.only.is_none_or(|only| only == *backend));
    let measured = match options.part {
        Some(Part::Import(import)) => return runtime.block_on(import.run()),
        Some(Part::Mappings(mappings)) => return runtime.block_on(mappings.run(&backends)),
        Some(Part::Syncs(syncs)) => return runtime.block_on(syncs.run(&backends)),
        Some(Part::Pull(pull)) => return runtime.block_on(pull.run()),
        Some(Part::Worst(worst)) => return runtime.block_on(worst.run()),
        Some(Part::Step(step)) => return runtime.block_on(step.run()),
        Some(Part::Bulk(bulk)) => Measured::Bulk(bulk),
        Some(Part::Front) => Measured::Front,
        None => Measured::Requests,
    };
    log_to_nowhere();
    let scale = if options.quick {
        Scale { users: 5_000, seconds: 0.5, rounds: 3, repetitions: 100 }
    } else {
        Scale { users: 100_000, seconds: 2.0, rounds: 5, repetitions: 500 }
    };
    let mut report = Report::default();
    for backend in backends {
        runtime.block_on(measure(backend, scale, &measured, &mut report));
    }
    println!("\n{report}");
}

/// The log is written as `serve` writes it, and thrown away.
fn log_to_nowhere() {
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let settings = LogSettings {
        log: "info,sqlx=warn,sea_orm_migration=warn".parse().unwrap(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
    };
    telemetry::log_to(std::sync::Arc::new(nowhere), false, &settings, None);
}

/// What is measured on each database in turn.
enum Measured {
    Requests,
    Bulk(bulk::Bulk),
    Front,
}

async fn measure(backend: Backend, scale: Scale, measured: &Measured, report: &mut Report) {
    let folder = TempDir::new().unwrap();
    let (url, server) = match backend {
        Backend::Sqlite => (format!("sqlite://{}", folder.path().join("counterpart.db").display()), None),
        Backend::Postgres => {
            let server = Server::connect().await;
            (server.url.to_string(), Some(server))
        }
    };
    report.database = if server.is_some() { "PostgreSQL" } else { "SQLite" };
    let started = Instant::now();
    let users = match measured {
        Measured::Requests => scale.users,
        Measured::Bulk(_) => world::TEAMS + 1,
        Measured::Front => front::USERS,
    };
    let world = World::fill(&url, folder.path(), users).await;
    report.value("world", format!("{users} users, {} teams", world::TEAMS), None, None);
    eprintln!("{}: filled in {:.1} s", report.database, started.elapsed().as_secs_f64());
    match measured {
        Measured::Requests => {
            requests::measure(&world, scale, report).await;
            if server.is_none() {
                process::measure_start(&url, folder.path(), &world, report);
            }
            imports::measure(&url, folder.path(), &world, scale, report);
        }
        Measured::Bulk(bulk) => bulk::measure(backend, &url, folder.path(), &world, bulk, report).await,
        Measured::Front => front::measure(&url, folder.path(), &world, scale, report).await,
    }
    world.close().await;
    if let Some(server) = server {
        server.drop_database().await;
    }
}

/// A database of our own on the server that the tests use too.
struct Server {
    connection: DatabaseConnection,
    name: String,
    url: Url,
}

impl Server {
    async fn connect() -> Self {
        let url = env::var("COUNTERPART_TEST_POSTGRES_URL").expect("COUNTERPART_TEST_POSTGRES_URL; or --only sqlite");
        let mut options = ConnectOptions::new(&url);
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        let name = format!("counterpart_bench_{}", std::process::id());
        connection.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        let mut url = Url::parse(&url).unwrap();
        url.set_path(&name);
        Self { connection, name, url }
    }

    async fn drop_database(self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.connection.execute_unprepared(&sql).await.unwrap();
    }
}
