//! Generated files against a model of `contract/csv.md`: what becomes of every row, what is counted, and who is there
//! afterwards.
//!
//! `generate` makes files whose cells know what they mean, so that the model (`state`) needs neither the program's parser
//! nor one of its own. Several files go one after the other into one organisation. What differs is made smaller, file by
//! file and row by row, before it is shown. `COUNTERPART_SOAK_SECONDS` has it go on for longer, from a seed of its own
//! or from `COUNTERPART_SOAK_SEED`.

mod file;
mod generate;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use counterpart::service::db::Sql;
use entity::UserId;
use futures::FutureExt;
use serde_json::{Value as Json, json};

use crate::support::{Backend, TestDatabase, World, client::Actor, scene};
use file::{File, Kind, Path};
use generate::{LICENSES, PROFILES, TEAMS, path_text};
use state::{Outcome, State, guarded};

/// How long each database is tried.
const TIME: Duration = Duration::from_secs(12);
/// How long a failure is made smaller.
const SHRINKING: Duration = Duration::from_secs(60);

#[test]
fn imports_do_what_the_model_does_on_sqlite() {
    compare(Backend::Sqlite);
}

#[test]
fn imports_do_what_the_model_does_on_postgres() {
    compare(Backend::Postgres);
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

fn compare(backend: Backend) {
    let longer = number("COUNTERPART_SOAK_SECONDS");
    let time = longer.map_or(TIME, Duration::from_secs);
    let mut seed =
        number("COUNTERPART_SOAK_SEED").or_else(|| longer.map(|_| rand::random::<u32>().into())).unwrap_or(1);
    let started = Instant::now();
    let mut cases = 0;
    while started.elapsed() < time {
        let files = generate::files(seed);
        match try_files(backend, &files) {
            None => return,
            Some(Ok(())) => {}
            Some(Err(_)) => {
                let files = smaller(backend, files);
                let why = try_files(backend, &files).and_then(Result::err).unwrap_or_default();
                panic!("seed {seed} (COUNTERPART_SOAK_SEED={seed}):\n{}\n{why}", show(&files));
            }
        }
        seed += 1;
        cases += 1;
    }
    eprintln!("{cases} cases on {backend:?}, up to seed {}", seed - 1);
}

/// What differs between the program and the model after these files; `None` where this database is not tested.
fn try_files(backend: Backend, files: &[File]) -> Option<Result<(), String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = TestDatabase::migrated(backend).await?;
        let result = AssertUnwindSafe(async { run(&World::on(&database.url).await, files).await }).catch_unwind().await;
        database.remove().await;
        Some(result.unwrap_or_else(|_| Err("it panicked; see above".into())))
    })
}

/// As few files and rows as still fail.
fn smaller(backend: Backend, mut files: Vec<File>) -> Vec<File> {
    let started = Instant::now();
    let fails = |files: &[File]| {
        started.elapsed() < SHRINKING && try_files(backend, files).is_some_and(|result| result.is_err())
    };
    let mut at = files.len();
    while at > 0 {
        at -= 1;
        let mut without = files.clone();
        without.remove(at);
        if fails(&without) {
            files = without;
        }
    }
    for at in (0..files.len()).rev() {
        let mut row = files[at].rows.len();
        while row > 0 {
            row -= 1;
            let mut without = files.clone();
            without[at].rows.remove(row);
            if !without[at].text().trim_end().ends_with(&without[at].header().join(",")) && fails(&without) {
                files = without;
            }
        }
    }
    files
}

fn show(files: &[File]) -> String {
    let mut shown = String::new();
    for file in files {
        // A cell that is too long says nothing.
        let text = file.text().replace(&"x".repeat(1_000), "").replace("\n\n\n\n\n\n\n\n", "\n");
        let _ = writeln!(shown, "{}\n{text}", field(file));
    }
    shown
}

/// The mutation's field and arguments.
fn field(file: &File) -> String {
    let headers = if file.by_name { "BY_NAME" } else { "EXACT" };
    let integration = "integration: {name: \"CRM\"}";
    match file.kind {
        Kind::Users => format!(
            "importUsers(input: {{source: {{text: $text}}, headers: {headers}, createMissingTeams: {}}})",
            file.create_missing_teams
        ),
        Kind::Mappings => format!(
            "importMappings(input: {{{integration}, source: {{text: $text}}, headers: {headers}, onExisting: {}}})",
            file.on_existing
        ),
        Kind::CrmUsers => format!(
            "importCrmUsers(input: {{{integration}, source: {{text: $text}}, headers: {headers}, isComplete: {}}})",
            file.is_complete
        ),
    }
}

async fn run(world: &World, files: &[File]) -> Result<(), String> {
    scene::integration(world, "CRM", "SALESFORCE").await;
    for team in TEAMS {
        scene::team(world, &path_text(team)).await;
    }
    world.change("createLicense(input: {name: \"Gold; Plus\"}) { license { name } }").await;
    world.change("createConfigurationProfile(input: {name: \"All: On\"}) { configurationProfile { name } }").await;
    let teams: Vec<Path> = TEAMS.iter().map(|names| names.to_vec()).collect();
    let mut state = State::new(&teams, &LICENSES, &PROFILES);
    for (n, file) in files.iter().enumerate() {
        let before = administrator(world, &state).await;
        let expected = state.import(file);
        let id = match import(&before, file, &expected).await.map_err(|why| format!("file {}: {why}", n + 1))? {
            Some(id) => id,
            None => continue,
        };
        world.work().await;
        // Whoever sent the file may be gone by it.
        let after = administrator(world, &state).await;
        finished(world, &after, &id, file, &expected).await.map_err(|why| format!("file {}: {why}", n + 1))?;
        stands(world, &after, &state).await.map_err(|why| format!("after file {}: {why}", n + 1))?;
    }
    Ok(())
}

fn same<T: std::fmt::Debug + PartialEq>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}:\n   found {found:#?}\nexpected {expected:#?}")) }
}

/// One of the administrators that the model has.
async fn administrator(world: &World, state: &State) -> Actor {
    let mut administrators = state.users.iter().filter(|(_, user)| user.role == "Admin" && !user.suspended);
    let (email, _) = administrators.next().expect("there always is an active administrator");
    let mut sql = Sql::new(world.services.db.backend());
    sql.push("SELECT id FROM app_user WHERE deleted_at IS NULL AND ").equals("email", email.clone());
    let ids: Vec<UserId> = sql.map(world.services.db.reader(), |row| row.try_get("", "id")).await.unwrap();
    world.bearer(world.token(*ids.first().expect("the model's administrator is there")).await)
}

/// Sends a file; the import's id, or nothing where it is refused.
async fn import(administrator: &Actor, file: &File, expected: &Outcome) -> Result<Option<Json>, String> {
    let query = format!(
        "mutation ($text: String!) {{ it: {} {{ importJob {{ id }} userErrors {{ code field }} }} }}",
        field(file)
    );
    let mut made = administrator.graphql(&query, json!({ "text": file.text() })).await.ok()["it"].take();
    let refused = made["userErrors"][0]["code"].as_str();
    same("refused", &refused, &expected.refused)?;
    Ok(refused.is_none().then(|| made["importJob"]["id"].take()))
}

/// Compares what became of a file.
async fn finished(
    world: &World,
    administrator: &Actor,
    id: &Json,
    file: &File,
    expected: &Outcome,
) -> Result<(), String> {
    let query =
        "query ($id: ID!) { importJob(id: $id) { status error { code } logUrl totalRows processedRows created updated
        unchanged deleted skipped failed rows(first: 200, outcome: [UPDATED, DELETED]) { nodes { line outcome } } } }";
    let job = administrator.graphql(query, json!({ "id": id })).await.ok()["importJob"].take();
    let (status, stopped) = (job["status"].as_str(), job["error"]["code"].as_str());
    let log = match job["logUrl"].as_str() {
        Some(url) => world.download(url).await,
        None => String::new(),
    };
    compare_log(file, &log, expected).map_err(|why| format!("{why}\nlog:\n{}", log.replace(&"x".repeat(1_000), "")))?;
    same("stopped", &stopped, &expected.stopped)?;
    same("status", &status, &Some(if stopped.is_some() { "FAILED" } else { "COMPLETED" }))?;
    let names = ["totalRows", "created", "updated", "unchanged", "deleted", "skipped", "failed"];
    let counts = [
        expected.total,
        expected.created,
        expected.updated,
        expected.unchanged,
        expected.deleted,
        expected.skipped,
        expected.failed.len() as u64,
    ];
    for (name, count) in names.into_iter().zip(counts) {
        same(name, &job[name].as_u64(), &Some(count))?;
    }
    if stopped.is_none() {
        same("processedRows", &job["processedRows"].as_u64(), &Some(expected.total))?;
    }
    let changed: BTreeMap<u64, &str> = job["rows"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    same("rows that changed something", &changed, &expected.changed)
}

/// A file that the program wrote, by the `csv` crate.
fn read(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn compare_log(file: &File, log: &str, expected: &Outcome) -> Result<(), String> {
    let mut rows = read(log).into_iter();
    if expected.failed.is_empty() && log.is_empty() {
        return Ok(());
    }
    let mut header = file.header();
    header.extend(["_line", "_column", "_code", "_message"].map(str::to_owned));
    same("the log's header", &rows.next(), &Some(header))?;
    let width = file.columns.len();
    let mut lines = BTreeSet::new();
    for row in rows {
        let (cells, why) = row.split_at(width);
        let [line, columns, codes, message] = why else { return Err(format!("a row of the log: {row:?}")) };
        let line: u64 = line.parse().map_err(|_| format!("a line of the log: {line}"))?;
        lines.insert(line);
        let Some(failed) = expected.failed.get(&line) else {
            return Err(format!("line {line} should not fail: {codes}"));
        };
        same(&format!("the log's cells of line {line}"), &cells.to_vec(), &failed.cells)?;
        let faults: BTreeSet<(&str, &str)> = columns.split("; ").zip(codes.split("; ")).collect();
        same("as many columns as codes", &columns.split("; ").count(), &codes.split("; ").count())?;
        let missing: Vec<_> = failed.faults.difference(&faults).collect();
        let more: Vec<_> = faults.difference(&failed.faults).filter(|fault| !failed.perhaps.contains(fault)).collect();
        if !missing.is_empty() || !more.is_empty() {
            return Err(format!("line {line}: not said {missing:?}, said too {more:?}"));
        }
        if let Some(said) = failed.says.iter().find(|said| !message.contains(*said)) {
            return Err(format!("line {line}: the message does not say {said:?}: {message}"));
        }
    }
    same("the log's lines", &lines, &expected.failed.keys().copied().collect())
}

/// Compares who is there.
async fn stands(world: &World, administrator: &Actor, state: &State) -> Result<(), String> {
    let users = export(world, administrator, "exportUsers").await;
    let expected: Vec<Vec<String>> = state.users.iter().map(|(email, user)| user_row(email, user)).collect();
    each("users", &users[1..], &expected)?;

    let mappings: Vec<Vec<String>> = export(world, administrator, "exportMappings").await.into_iter().skip(1).collect();
    // Warnings are another page's matter.
    let mappings: Vec<Vec<String>> = mappings.into_iter().map(|row| row[..8].to_vec()).collect();
    let mut expected = Vec::new();
    for (email, user) in &state.users {
        let Some(mapping) = state.mappings.get(&user.id) else { continue };
        let crm = &state.crm[mapping.target];
        let text = |text: &Option<String>| guarded(text.as_deref().unwrap_or_default());
        expected.push(vec![
            guarded(email),
            mapping.target.to_owned(),
            text(&mapping.alias),
            String::new(),
            "CRM".to_owned(),
            if mapping.manual { "MANUAL" } else { "AUTOMATIC" }.to_owned(),
            text(&crm.email),
            written(crm.name.as_deref()),
        ]);
    }
    each("mappings", &mappings, &expected)?;

    let query = "{ integration(by: {name: \"CRM\"}) { crmUsers(first: 200) { nodes {
        externalId email name username title team isActive createdAt } } } }";
    let found = administrator.graphql(query, json!({})).await.ok()["integration"]["crmUsers"]["nodes"].take();
    let mut found: Vec<Json> = found.as_array().unwrap().clone();
    found.sort_by_key(|crm| crm["externalId"].as_str().unwrap().to_owned());
    let expected: Vec<Json> = state
        .crm
        .iter()
        .map(|(id, crm)| {
            json!({
                "externalId": id, "email": crm.email, "name": crm.name, "username": crm.username, "title": crm.title,
                "team": crm.team.as_ref().map(|team| path_text(team)), "isActive": crm.active,
                "createdAt": crm.created_at.map(|time| time.replace('Z', "+00:00")),
            })
        })
        .collect();
    each("CRM users", &found, &expected)
}

fn each<T: std::fmt::Debug + PartialEq>(what: &str, found: &[T], expected: &[T]) -> Result<(), String> {
    for (n, row) in expected.iter().enumerate() {
        same(what, &found.get(n), &Some(row))?;
    }
    same(what, &found.get(expected.len()), &None)
}

async fn export(world: &World, administrator: &Actor, field: &str) -> Vec<Vec<String>> {
    let query = format!("mutation {{ it: {field}(input: {{}}) {{ url userErrors {{ code }} }} }}");
    let data = administrator.graphql(&query, json!({})).await.ok();
    read(&world.download(data["it"]["url"].as_str().unwrap()).await)
}

/// A value as an export has it: guarded, and guarded again where it looks as if it were.
fn written(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let runs = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    if runs { format!("'{text}") } else { text.to_owned() }
}

/// A user's row of an export.
fn user_row(email: &str, user: &state::User) -> Vec<String> {
    let mut managed: Vec<String> = user.managed.iter().map(|path| path_text(path).replace(';', "\\;")).collect();
    managed.sort_unstable();
    let licenses: Vec<String> = user.licenses.iter().map(|name| name.replace(';', "\\;")).collect();
    vec![
        written(Some(email)),
        written(user.first.as_deref()),
        written(user.last.as_deref()),
        written(user.title.as_deref()),
        user.team.as_ref().map(|path| path_text(path)).unwrap_or_default(),
        user.role.to_owned(),
        user.visibility.to_owned(),
        user.profile.to_owned(),
        managed.join(";"),
        licenses.join(";"),
        if user.suspended { "Suspended" } else { "Active" }.to_owned(),
        if user.suspended { "2026-03-02T09:00:00.000Z" } else { "" }.to_owned(),
        String::new(),
    ]
}
