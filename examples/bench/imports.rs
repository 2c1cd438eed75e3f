//! Large files: how long they take, how many statements, how much memory.

use std::{
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use clap::Args;
use counterpart::service::{
    import::{self, NewImport, Source, worker},
    integration::IntegrationRef,
    scope::counting,
    session,
};
use entity::{HeaderMode, ImportErrorPolicy, ImportKind, ImportMode, ImportStatus, OnExistingMapping, import_job};
use sea_orm::EntityTrait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Scale, process,
    report::Report,
    world::{self, INTEGRATION, World, email, external_id},
};

#[derive(Args)]
pub struct Import {
    #[arg(long)]
    url: String,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    token: String,
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    users: bool,
}

/// What an import came to, from the process that carried it out.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Done {
    pub seconds: f64,
    pub statements: u64,
    pub rows: i64,
    pub created: i64,
    pub updated: i64,
    pub failed: i64,
    /// Memory in kB, at most and before.
    pub peak: u64,
    pub before: u64,
}

impl Import {
    pub async fn run(self) {
        let services = world::services(&self.url, &self.folder).await;
        let session = session::sign_in(&services, &self.token).await.unwrap();
        let new = NewImport {
            kind: if self.users { ImportKind::Users } else { ImportKind::Mappings },
            integration: (!self.users).then(|| IntegrationRef::Name(INTEGRATION.to_owned())),
            source: Source::File { name: None, file: File::open(&self.file).unwrap() },
            mode: ImportMode::Apply,
            error_policy: ImportErrorPolicy::SkipFailedRows,
            header_mode: HeaderMode::ByName,
            create_missing_teams: false,
            on_existing: OnExistingMapping::Replace,
            is_complete: false,
            idempotency_key: None,
        };
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = process::status("self", "VmRSS");
        let started = Instant::now();
        let id = import::create(&session, new).await.unwrap();
        let (worked, statements) = counting(worker::step(&services, Uuid::now_v7(), &CancellationToken::new())).await;
        assert!(worked.unwrap());
        let seconds = started.elapsed().as_secs_f64();
        let job = import_job::Entity::find_by_id((session.organization_id(), id));
        let job = job.one(Arc::clone(&services).db.reader()).await.unwrap().unwrap();
        assert_eq!(job.status, ImportStatus::Completed, "{:?}", job.error_message);
        let done = Done {
            seconds,
            statements,
            rows: job.processed_rows,
            created: job.created_rows,
            updated: job.updated_rows,
            failed: job.failed_rows,
            peak: process::status("self", "VmHWM"),
            before,
        };
        println!("{}", serde_json::to_string(&done).unwrap());
    }
}

pub fn measure(url: &str, folder: &Path, world: &World, scale: Scale, report: &mut Report) {
    // Everybody gets the CRM user of the next one: no row can be carried out before another has been.
    let mut csv = "email,external_id,operation\r\n".to_owned();
    for i in 0..scale.users {
        let _ = write!(csv, "{},{},add\r\n", email(i), external_id((i + 1) % scale.users));
    }
    import("mappings import, all replaced", false, &csv, url, folder, world, report);

    let paths = world::team_paths();
    let mut csv = "Email Address,First Name,Last Name,Title,Team,Role,Operation\r\n".to_owned();
    for i in 0..scale.users {
        let (first, last) = world::name(i);
        let team = &paths[i % paths.len()];
        let _ = write!(csv, "new.{i}@acme.example,{first},{last},Analyst,{team},Member,Add\r\n");
    }
    import("users import, all new", true, &csv, url, folder, world, report);
}

/// Imports a file, of users or of mappings, in a process of its own.
pub fn in_a_process(users: bool, csv: &str, url: &str, folder: &Path, token: &str) -> Done {
    let file = folder.join("import.csv");
    fs::write(&file, csv).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["import", "--url", url, "--token", token, "--folder"]).arg(folder);
    command.arg("--file").arg(&file);
    if users {
        command.arg("--users");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn import(name: &str, users: bool, csv: &str, url: &str, folder: &Path, world: &World, report: &mut Report) {
    let done = in_a_process(users, csv, url, folder, &world.administrator.token);
    assert_eq!(done.failed, 0);
    let rows = done.rows as f64;
    let value = format!("{} rows in {:.1} s, {:.0} rows/s", done.rows, done.seconds, rows / done.seconds);
    report.value(name, value, None, None);
    let value = format!("{:.1} a thousand rows ({} in all)", done.statements as f64 * 1000.0 / rows, done.statements);
    report.value(&format!("{name}: SQL statements"), value, None, None);
    let value = format!("{} MB at most, {} MB before", done.peak / 1024, done.before / 1024);
    report.value(&format!("{name}: memory"), value, None, None);
    assert_eq!(done.created + done.updated, done.rows, "rows that changed nothing");
}
