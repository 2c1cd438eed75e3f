//! A database for each test, copied from one that was migrated once.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{self, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use counterpart::{
    database::migrate,
    service::{
        clock::Clock,
        db::{Db, DbOptions},
    },
};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A database of one test.
pub struct TestDatabase {
    pub url: String,
    place: Place,
}

enum Place {
    Folder(TempDir),
    Server { server: &'static Server, name: String },
}

impl TestDatabase {
    /// A database with every table and no row; `None` where this database is not to be tested with.
    pub async fn migrated(backend: Backend) -> Option<Self> {
        Self::new(backend, true).await
    }

    /// A database without any table.
    pub async fn empty(backend: Backend) -> Option<Self> {
        Self::new(backend, false).await
    }

    async fn new(backend: Backend, migrated: bool) -> Option<Self> {
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new().unwrap();
                let file = folder.path().join("counterpart.db");
                if migrated {
                    fs::copy(sqlite_template().await, &file).unwrap();
                }
                Some(Self { url: format!("sqlite://{}", file.display()), place: Place::Folder(folder) })
            }
            Backend::Postgres => {
                let server = server().await?;
                let name = server.create(if migrated { &server.template } else { "template0" }).await;
                Some(Self { url: server.url(&name), place: Place::Server { server, name } })
            }
        }
    }

    pub async fn remove(self) {
        match self.place {
            Place::Folder(folder) => folder.close().unwrap(),
            Place::Server { server, name } => {
                let sql = format!("DROP DATABASE {name} WITH (FORCE)");
                server.connect().await.execute_unprepared(&sql).await.unwrap();
            }
        }
    }
}

/// How a test reaches its database: by few connections, since many tests run at once.
pub fn few(url: &str) -> DbOptions {
    DbOptions::new(url, 4)
}

/// Opens a database for a test.
pub async fn open(url: &str, clock: Clock) -> Db {
    Db::connect(&few(url), clock).await.unwrap()
}

async fn sqlite_template() -> PathBuf {
    static TEMPLATE: OnceCell<TempDir> = OnceCell::const_new();
    let folder = TEMPLATE
        .get_or_init(|| async {
            let folder = TempDir::new().unwrap();
            let url = format!("sqlite://{}", folder.path().join("template.db").display());
            let db = open(&url, Clock::system()).await;
            migrate(&db).await.unwrap();
            // Everything must be in the one file that is copied.
            db.close().await.unwrap();
            folder
        })
        .await;
    folder.path().join("template.db")
}

/// The PostgreSQL server of this test process.
struct Server {
    /// Its superuser's address.
    url: Url,
    /// The database that is copied.
    template: String,
    /// The server stops when this is closed, which the end of the process does, whatever ends it.
    _running: Option<ChildStdin>,
}

/// The server, started with the first call; `None` where tests on PostgreSQL are to be left out.
async fn server() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Result<Server, String>>> = OnceCell::const_new();
    let server = SERVER
        .get_or_init(|| async {
            let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
            let required = set("CI") || set("COUNTERPART_TEST_REQUIRE_POSTGRES");
            if !required && env::var("COUNTERPART_TEST_SKIP_POSTGRES").is_ok_and(|skip| skip == "1") {
                return None;
            }
            Some(Server::start().await)
        })
        .await;
    match server {
        None => {
            eprintln!("left out: COUNTERPART_TEST_SKIP_POSTGRES=1");
            None
        }
        Some(Ok(server)) => Some(server),
        Some(Err(why)) => panic!(
            "these tests need PostgreSQL's programs (Debian's package postgresql); \
             COUNTERPART_TEST_SKIP_POSTGRES=1 leaves them out:\n{why}"
        ),
    }
}

impl Server {
    async fn start() -> Result<Self, String> {
        let (url, running) = match env::var("COUNTERPART_TEST_POSTGRES_URL") {
            Ok(url) if !url.is_empty() => (url, None),
            _ => {
                let (url, running) = start()?;
                (url, Some(running))
            }
        };
        let url = Url::parse(&url).map_err(|error| format!("COUNTERPART_TEST_POSTGRES_URL: {error}"))?;
        let mut server = Self { url, template: String::new(), _running: running };
        server.template = server.create("template0").await;
        let db = open(&server.url(&server.template), Clock::system()).await;
        migrate(&db).await.map_err(|error| error.to_string())?;
        // A database that somebody is connected to can't be copied.
        db.close().await.map_err(|error| error.to_string())?;
        Ok(server)
    }

    fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    async fn connect(&self) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.url.as_str());
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }

    async fn create(&self, template: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Two copies at once of one database are in each other's way.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
        let name = format!("counterpart_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let connection = self.connect().await;
        let _turn = ONE_AT_A_TIME.lock().await;
        connection.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        name
    }
}

/// Starts a server beside this process: the script that `make test` uses, with a command that ends when its standard
/// input does.
fn start() -> Result<(String, ChildStdin), String> {
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/script/with-postgres"))
        .args(["sh", "-c", "echo \"$COUNTERPART_TEST_POSTGRES_URL\"; exec cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What stops the tests from the keyboard must not stop the script before it has cleared up.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("script/with-postgres: {error}"))?;
    let (Some(input), Some(output)) = (script.stdin.take(), script.stdout.take()) else {
        return Err("script/with-postgres has no pipes".to_owned());
    };
    let mut url = String::new();
    BufReader::new(output).read_line(&mut url).map_err(|error| error.to_string())?;
    let url = url.trim().to_owned();
    if url.is_empty() {
        let ended = script.wait().map_err(|error| error.to_string())?;
        return Err(format!("script/with-postgres: {ended}"));
    }
    Ok((url, input))
}
