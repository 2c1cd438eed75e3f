//! Users by the million: an import against the database's own speed, its plan, its undoing, and the memory of the process.
//!
//! Each step runs in a process of its own. The floor of the import is one statement a table that puts the very rows that
//! the import produced into empty copies of the tables, with the same keys, indexes and foreign keys: `COPY` on
//! PostgreSQL, `INSERT` from an attached database on SQLite. The floor of the edits is one `UPDATE` from a loaded
//! temporary table.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use counterpart::{
    database,
    service::{
        Session, download,
        import::{self, NewImport, Source, worker},
        links::Download,
        session, user,
    },
};
use entity::{
    HeaderMode, ImportErrorPolicy, ImportJobId, ImportKind, ImportMode, ImportStatus, OnExistingMapping, import_job,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Backend, latency, process,
    report::Report,
    world::{self, World},
};

/// The tables that an import of users fills, parents first.
const TABLES: [&str; 5] = ["app_user", "team_manager", "user_license", "user_word", "user_link"];

#[derive(Args)]
pub struct Bulk {
    /// Rows of the files.
    #[arg(long, default_value_t = 1_000_000)]
    pub rows: usize,
    /// Only what an import does to who asks meanwhile.
    #[arg(long)]
    pub latency: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    Plan,
    Apply,
    Revert,
    Export,
}

/// One step, in a process of its own.
#[derive(Args)]
pub struct Step {
    #[arg(long)]
    url: String,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    token: String,
    #[arg(long)]
    task: Task,
    #[arg(long)]
    file: Option<PathBuf>,
    #[arg(long)]
    job: Option<Uuid>,
    /// How much of its time it works, in percent.
    #[arg(long, default_value_t = 100)]
    pace: u32,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Done {
    job: Uuid,
    seconds: f64,
    rows: i64,
    changed: i64,
    failed: i64,
    reverted: i64,
    peak: u64,
}

impl Done {
    fn of(started: Instant, rows: i64) -> Self {
        let (seconds, peak) = (started.elapsed().as_secs_f64(), process::status("self", "VmHWM"));
        Self { seconds, rows, peak, ..Self::default() }
    }
}

/// Writes all users to a file, as a download does; how many lines it has.
async fn export(session: &Session, file: &Path) -> i64 {
    let download = Download::Users(serde_json::to_value(user::query::Filter::default()).unwrap());
    let mut users = download::open(&session.services, session.organization_id(), download).await.unwrap().unwrap();
    let (mut file, mut lines) = (BufWriter::new(File::create(file).unwrap()), 0);
    while let Some(piece) = users.next(&session.services).await.unwrap() {
        lines += piece.iter().filter(|byte| **byte == b'\n').count();
        file.write_all(&piece).unwrap();
    }
    file.flush().unwrap();
    i64::try_from(lines).unwrap()
}

impl Step {
    pub async fn run(self) {
        let mut services = Arc::into_inner(world::services(&self.url, &self.folder).await).unwrap();
        services.limits.import_pace = self.pace;
        let services = Arc::new(services);
        let session = session::sign_in(&services, &self.token).await.unwrap();
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let started = Instant::now();
        if self.task == Task::Export {
            let rows = export(&session, &self.folder.join("export.csv")).await;
            println!("{}", serde_json::to_string(&Done::of(started, rows)).unwrap());
            return;
        }
        let id = match (self.task, self.file) {
            (Task::Revert, _) => import::revert(&session, ImportJobId(self.job.unwrap())).await.unwrap(),
            (task, file) => {
                let new = NewImport {
                    kind: ImportKind::Users,
                    integration: None,
                    source: Source::File { name: None, file: File::open(file.unwrap()).unwrap() },
                    mode: if task == Task::Plan { ImportMode::Plan } else { ImportMode::Apply },
                    error_policy: ImportErrorPolicy::SkipFailedRows,
                    header_mode: HeaderMode::Exact,
                    create_missing_teams: false,
                    on_existing: OnExistingMapping::Error,
                    is_complete: false,
                    idempotency_key: None,
                };
                import::create(&session, new).await.unwrap()
            }
        };
        assert!(worker::step(&services, Uuid::now_v7(), &CancellationToken::new()).await.unwrap());
        let done = Done::of(started, 0);
        let job = import_job::Entity::find_by_id((session.organization_id(), id));
        let job = job.one(Arc::clone(&services).db.reader()).await.unwrap().unwrap();
        assert_ne!(job.status, ImportStatus::Failed, "{:?}", job.error_message);
        let done = Done {
            job: id.0,
            rows: job.processed_rows,
            changed: job.created_rows + job.updated_rows,
            failed: job.failed_rows,
            reverted: job.reverted_rows,
            ..done
        };
        println!("{}", serde_json::to_string(&done).unwrap());
    }
}

/// A database being measured on.
#[derive(Clone, Copy)]
struct Bench<'a> {
    backend: Backend,
    url: &'a str,
    folder: &'a Path,
    world: &'a World,
    rows: usize,
}

pub async fn measure(backend: Backend, url: &str, folder: &Path, world: &World, bulk: &Bulk, report: &mut Report) {
    let bench = Bench { backend, url, folder, world, rows: bulk.rows };
    if !bulk.latency {
        bench.measure(report).await;
    }
    // Whoever is added once more fails: these are others.
    let more = bench.file("more.csv", "more", "Add", |_| "Analyst");
    let mut import = bench.command(Task::Apply, Some(&more), None);
    import.args(["--pace", "50"]);
    let (services, token) = (&world.services, &world.administrator.token);
    let what = "users go in";
    latency::measure(services, token, &world::email(1), &mut import, Duration::from_secs(60), what, report).await;
}

impl Bench<'_> {
    async fn measure(&self, report: &mut Report) {
        let add = self.file("add.csv", "new", "Add", |_| "Analyst");
        let plan = self.step(Task::Plan, Some(&add), None, "plan of users, all new", report);
        let apply = self.step(Task::Apply, Some(&add), None, "import of users, all new", report);
        assert_eq!((plan.failed, apply.failed, apply.changed), (0, 0, apply.rows));
        let floor = self.copy().await;
        report.value("the same rows, the database alone", format!("{floor:.1} s"), None, None);
        report.at_most("import of users : the database alone", apply.seconds / floor, 2.5, "");
        report.at_most("plan : import", plan.seconds / apply.seconds, 1.2, "");

        let edit = self.file("edit.csv", "new", "Edit", |i| if i % 2 == 0 { "Analyst" } else { "Director" });
        let edited = self.step(Task::Apply, Some(&edit), None, "edit of users, half of them changed", report);
        assert_eq!((edited.failed, edited.changed), (0, edited.rows / 2));
        let reverted = self.step(Task::Revert, None, Some(edited.job), "the edit undone", report);
        assert_eq!(reverted.reverted, edited.changed);
        report.at_most("undoing : edit", reverted.seconds / edited.seconds, 2.0, "");
        let floor = self.update(&edit).await;
        report.value("the same edit, one statement", format!("{floor:.1} s"), None, None);
        report.at_most("edit of users : one statement", edited.seconds / floor, 3.0, "");

        let exported = self.step(Task::Export, None, None, "export of users", report);
        if self.backend == Backend::Postgres {
            let (plain, floor) = self.copy_out().await;
            let floors = format!("{floor:.1} s; of the users' own columns alone, in no order, {plain:.1} s");
            report.value("the same columns, COPY TO", floors, None, None);
            report.at_least("COPY TO : export of users", floor / exported.seconds, 0.5);
        }

        let few = Bench { rows: self.rows / 10, ..*self };
        let file = few.file("few.csv", "few", "Add", |_| "Analyst");
        let few = few.step(Task::Apply, Some(&file), None, "import of a tenth as many", report);
        let more = apply.peak.saturating_sub(few.peak) / 1024;
        report.at_most("import of users, all new: memory, more than of a tenth", more as f64, 50.0, " MB");
    }

    /// Seconds that PostgreSQL takes to write the users to a file: as they are, and as an export has them, with what they
    /// manage and their licences, in the order of their emails.
    async fn copy_out(&self) -> (f64, f64) {
        let file = std::env::temp_dir().join(format!("bench-{}-export.copy", std::process::id()));
        let of_user = "x.organization_id = u.organization_id AND x.user_id = u.id";
        let exported = format!(
            "(SELECT email, first_name, last_name, title, team_id, role, object_visibility, configuration_profile_id, \
             (SELECT string_agg(x.team_id::text, ';') FROM team_manager x WHERE {of_user}), \
             (SELECT string_agg(x.license_id::text, ';') FROM user_license x WHERE {of_user}), status, suspended_at \
             FROM app_user u WHERE deleted_at IS NULL ORDER BY email)"
        );
        let mut seconds = Vec::new();
        for what in ["app_user", &exported] {
            let started = Instant::now();
            let sql = format!("COPY {what} TO '{}' (FORMAT csv)", file.display());
            self.db().execute_unprepared(&sql).await.unwrap();
            seconds.push(started.elapsed().as_secs_f64());
        }
        // It is the server's, which may run as somebody else.
        let _ = fs::remove_file(file);
        (seconds[0], seconds[1])
    }

    fn db(&self) -> &DatabaseConnection {
        self.world.services.db.writer().connections()
    }

    /// A file of users with all columns filled, whose emails begin with `who`.
    fn file(&self, name: &str, who: &str, operation: &str, title: impl Fn(usize) -> &'static str) -> PathBuf {
        let path = self.folder.join(name);
        let mut csv = BufWriter::new(File::create(&path).unwrap());
        let head = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,\
                    Manager Of,Licenses,Operation";
        write!(csv, "{head}\r\n").unwrap();
        let paths = world::team_paths();
        for i in 0..self.rows {
            let (first, last) = world::name(i);
            let team = &paths[i % paths.len()];
            write!(
                csv,
                "{who}.{i}@acme.example,{first},{last},{},{team},Member,Team,Default: Intake Off,{},Foundation;Forecasting,\
                 {operation}\r\n",
                title(i),
                paths[i / 7 % paths.len()]
            )
            .unwrap();
        }
        csv.flush().unwrap();
        path
    }

    fn command(&self, task: Task, file: Option<&Path>, job: Option<Uuid>) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["step", "--url", self.url, "--token", &self.world.administrator.token, "--folder"]);
        command.arg(self.folder);
        command.args(["--task", task.to_possible_value().unwrap().get_name()]);
        if let Some(file) = file {
            command.arg("--file").arg(file);
        }
        if let Some(job) = job {
            command.args(["--job", &job.to_string()]);
        }
        command
    }

    fn step(&self, task: Task, file: Option<&Path>, job: Option<Uuid>, name: &str, report: &mut Report) -> Done {
        let output = self.command(task, file, job).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let done: Done = serde_json::from_slice(&output.stdout).unwrap();
        let rate = done.rows as f64 / done.seconds;
        report.value(name, format!("{} rows in {:.1} s, {rate:.0} rows/s", done.rows, done.seconds), None, None);
        report.at_most(&format!("{name}: memory"), (done.peak / 1024) as f64, 150.0, " MB");
        done
    }

    /// Seconds that the database alone takes to put all rows into empty copies of their tables.
    async fn copy(&self) -> f64 {
        match self.backend {
            Backend::Postgres => self.copy_postgres().await,
            Backend::Sqlite => self.copy_sqlite().await,
        }
    }

    async fn copy_postgres(&self) -> f64 {
        let run = |sql: String| async move { self.db().execute_unprepared(&sql).await.unwrap() };
        // Where the database's server writes and reads them: it is on this machine.
        let file = |table: &str| std::env::temp_dir().join(format!("bench-{}-{table}.copy", std::process::id()));
        for table in TABLES {
            run(format!("CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL)")).await;
            run(format!("COPY (SELECT * FROM {table} ORDER BY 1, 2) TO '{}'", file(table).display())).await;
        }
        let keys = self.foreign_keys().await;
        for (table, key) in &keys {
            let key = key.replace("REFERENCES app_user(", "REFERENCES copy_app_user(");
            run(format!("ALTER TABLE copy_{table} ADD {key}")).await;
        }
        let started = Instant::now();
        for table in TABLES {
            run(format!("COPY copy_{table} FROM '{}'", file(table).display())).await;
        }
        let seconds = started.elapsed().as_secs_f64();
        for table in TABLES.iter().rev() {
            run(format!("DROP TABLE copy_{table}")).await;
            // They are the server's, which may run as somebody else.
            let _ = fs::remove_file(file(table));
        }
        seconds
    }

    async fn foreign_keys(&self) -> Vec<(String, String)> {
        let sql = "SELECT conrelid::regclass::text AS tab, pg_get_constraintdef(oid) AS def FROM pg_constraint \
                   WHERE contype = 'f'";
        let statement = sea_orm::Statement::from_string(self.db().get_database_backend(), sql);
        let rows = self.db().query_all_raw(statement).await.unwrap();
        let keys = rows.iter().map(|row| (row.try_get::<String>("", "tab").unwrap(), row.try_get("", "def").unwrap()));
        keys.filter(|(table, _)| TABLES.contains(&table.as_str())).collect()
    }

    async fn copy_sqlite(&self) -> f64 {
        let copy = self.folder.join("copy.db");
        let services = world::services(&format!("sqlite://{}", copy.display()), self.folder).await;
        database::migrate(&services.db).await.unwrap();
        let run = |sql: String| {
            let db = services.db.writer();
            async move { db.execute_unprepared(&sql).await.unwrap() }
        };
        let here = self.url.strip_prefix("sqlite://").unwrap();
        run(format!("ATTACH '{here}' AS here")).await;
        for table in ["organization", "license", "configuration_profile", "team", "integration"] {
            run(format!("INSERT INTO main.{table} SELECT * FROM here.{table}")).await;
        }
        let started = Instant::now();
        let all = TABLES.map(|table| format!("INSERT INTO main.{table} SELECT * FROM here.{table} ORDER BY 1, 2"));
        run(format!("BEGIN; {}; COMMIT", all.join("; "))).await;
        let seconds = started.elapsed().as_secs_f64();
        services.db.close().await.unwrap();
        fs::remove_file(copy).unwrap();
        seconds
    }

    /// Seconds that one statement takes to make the changes of the file.
    async fn update(&self, file: &Path) -> f64 {
        let sql = |text: &str| text.to_owned();
        let run = |sql: String| async move { self.db().execute_unprepared(&sql).await.unwrap() };
        // Titles are among the words that a search finds.
        let title = "CASE WHEN n % 2 = 0 THEN 'Analyst' ELSE 'Director' END";
        assert!(file.exists());
        let email = "'new.' || n || '@acme.example'";
        let numbers = format!(
            "WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {}) \
             SELECT {email} AS email, {title} AS title FROM c",
            self.rows
        );
        run(format!("CREATE TABLE edit_floor AS {numbers}")).await;
        run(sql("ANALYZE edit_floor")).await;
        let organization = "(SELECT id FROM organization)";
        let words = format!(
            "DELETE FROM user_word WHERE organization_id = {organization} AND word = 'analyst' AND user_id IN \
             (SELECT u.id FROM app_user u JOIN edit_floor e ON e.email = u.email WHERE u.title = 'Director'); \
             INSERT INTO user_word (organization_id, word, user_id) SELECT u.organization_id, 'director', u.id \
             FROM app_user u JOIN edit_floor e ON e.email = u.email WHERE u.title = 'Director'"
        );
        let update = sql("UPDATE app_user SET title = e.title, updated_at = created_at FROM edit_floor e \
             WHERE app_user.organization_id = (SELECT id FROM organization) AND app_user.email = e.email \
             AND app_user.deleted_at IS NULL AND app_user.title <> e.title");
        let started = Instant::now();
        run(format!("BEGIN; {update}; {words}; COMMIT")).await;
        let seconds = started.elapsed().as_secs_f64();
        run(sql("DROP TABLE edit_floor")).await;
        seconds
    }
}
