//! `counterpart import`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::TryStreamExt;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use reqwest::{Body, multipart::Part};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, sleep},
};
use tokio_util::io::ReaderStream;

use super::{
    Ending,
    job::{FAILED_ROWS, Job, PROGRESS, Status, refused},
    output::Target,
    server::{Server, Trouble, UserError},
    settings::{self, Connection, Following, Import, ImportCommand},
};

/// How long a server may be away while an import is followed: long enough for it to be started anew.
const AWAY: Duration = Duration::from_secs(120);
/// How often an import is asked about: at first, and in the end.
const OFTEN: Duration = Duration::from_millis(150);
const SELDOM: Duration = Duration::from_secs(1);
/// How often the bar moves while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// What the file is sent with.
struct Asked {
    mutation: &'static str,
    input: &'static str,
    /// What this kind of file has of its own.
    options: Value,
}

/// What is waited for, and what is good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Import,
    Cancel,
    Revert,
}

#[derive(Deserialize)]
struct Answered {
    asked: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    import_job: Option<Named>,
    user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    import_job: Option<Value>,
}

/// Makes an import and follows it, or one that was made before.
///
/// # Errors
/// What kept it from that, for a person.
pub async fn run(settings: Import) -> Result<Ending, String> {
    let by_name = |by_name: bool| if by_name { "BY_NAME" } else { "EXACT" };
    match settings.command {
        ImportCommand::Users(users) => {
            let options =
                json!({ "headers": by_name(users.by_name), "createMissingTeams": users.create_missing_teams });
            let asked = Asked { mutation: "importUsers", input: "ImportUsersInput", options };
            send(users.connection, users.file, asked, users.following).await
        }
        ImportCommand::Mappings(mappings) => {
            let options = json!({
                "integration": { "name": mappings.integration }, "headers": by_name(mappings.by_name),
                "onExisting": mappings.on_existing.as_str(),
            });
            let asked = Asked { mutation: "importMappings", input: "ImportMappingsInput", options };
            send(mappings.connection, mappings.file, asked, mappings.following).await
        }
        ImportCommand::CrmUsers(crm_users) => {
            let options = json!({
                "integration": { "name": crm_users.integration }, "headers": by_name(!crm_users.exact),
                "isComplete": crm_users.complete,
            });
            let asked = Asked { mutation: "importCrmUsers", input: "ImportCrmUsersInput", options };
            send(crm_users.connection, crm_users.file, asked, crm_users.following).await
        }
        ImportCommand::Apply(job) => change(job, "applyImport", Goal::Import).await,
        ImportCommand::Cancel(job) => change(job, "cancelImport", Goal::Cancel).await,
        ImportCommand::Revert(job) => change(job, "revertImport", Goal::Revert).await,
        ImportCommand::Follow(settings::Job { connection, id, following }) => {
            let telling = Telling::prepared(following)?;
            let server = Server::reach(connection).await?;
            follow(&server, &id, Goal::Import, telling).await
        }
    }
}

/// Sends a file and follows what comes of it.
async fn send(
    connection: Connection,
    file: settings::File,
    Asked { mutation, input, options }: Asked,
    following: Following,
) -> Result<Ending, String> {
    let telling = Telling::prepared(following)?;
    let bar = ProgressBar::no_length();
    let part = part(&file.file, &bar).await?;
    let server = Server::reach(connection).await?;
    let mut variables = options;
    variables["source"] = json!({ "file": null });
    variables["mode"] = json!(if file.plan { "PLAN" } else { "APPLY" });
    variables["errorPolicy"] = json!(if file.reject_file { "REJECT_FILE" } else { "SKIP_FAILED_ROWS" });
    variables["idempotencyKey"] = json!(file.idempotency_key);

    bar.enable_steady_tick(TICK);
    let query = format!("mutation ($input: {input}!) {{ {} }}", payload(&format!("{mutation}(input: $input)")));
    let variables = json!({ "input": variables });
    let answered: Answered = server.upload(&query, variables, "variables.input.source.file", part).await?;
    bar.finish_and_clear();
    let id = made(answered, "the file")?;
    // Whoever stops here can still ask for it.
    say(&format!("{} is import {id}.", file.file.display()));
    follow(&server, &id, Goal::Import, telling).await
}

/// Changes an import that was made before, and follows it.
async fn change(job: settings::Job, mutation: &str, goal: Goal) -> Result<Ending, String> {
    let telling = Telling::prepared(job.following)?;
    let server = Server::reach(job.connection).await?;
    let query = format!("mutation ($id: ID!) {{ {} }}", payload(&format!("{mutation}(input: {{id: $id}})")));
    let answered: Answered = server.ask(&query, json!({ "id": job.id })).await?;
    let id = made(answered, "this")?;
    follow(&server, &id, goal, telling).await
}

fn payload(asked: &str) -> String {
    format!("asked: {asked} {{ importJob {{ id }} userErrors {{ code field message }} }}")
}

fn made(answered: Answered, what: &str) -> Result<String, String> {
    match answered.asked.import_job {
        Some(job) => Ok(job.id),
        None => Err(refused(what, &answered.asked.user_errors)),
    }
}

/// The file, read as it is sent.
async fn part(path: &Path, bar: &ProgressBar) -> Result<Part, String> {
    style(bar, "Sending {spinner} {bytes} ({bytes_per_sec})");
    if path == Path::new("-") {
        return Ok(Part::stream(body(tokio::io::stdin(), bar)).file_name("stdin.csv"));
    }
    let failed = |error: io::Error| format!("{} can't be read: {error}", path.display());
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let found = file.metadata().await.map_err(failed)?;
    if found.is_dir() {
        return Err(format!("{} can't be read: it is a folder", path.display()));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !found.is_file() {
        return Ok(Part::stream(body(file, bar)).file_name(name));
    }
    // What is added to it meanwhile is not in it.
    let size = found.len();
    style(bar, "Sending {bar:30} {bytes}/{total_bytes} ({bytes_per_sec})");
    bar.set_length(size);
    Ok(Part::stream_with_length(body(file.take(size), bar), size).file_name(name))
}

fn body(file: impl AsyncRead + Send + 'static, bar: &ProgressBar) -> Body {
    let bar = bar.clone();
    let pieces = ReaderStream::with_capacity(file, 64 * 1024);
    Body::wrap_stream(pieces.inspect_ok(move |piece| bar.inc(piece.len() as u64)))
}

/// How an import is told of.
struct Telling {
    log: Option<(Target, PathBuf)>,
    json: bool,
    timeout: Option<u64>,
}

impl Telling {
    /// Sees to it that the log can be written before anything is asked for.
    fn prepared(following: Following) -> Result<Self, String> {
        let Following { log, json, timeout } = following;
        let log = match log {
            Some(path) => Some((Target::open(Some(&path))?, path)),
            None => None,
        };
        Ok(Self { log, json, timeout })
    }
}

/// Follows an import to its end, and tells of it.
async fn follow(server: &Server, id: &str, goal: Goal, telling: Telling) -> Result<Ending, String> {
    let job = wait(server, id, goal, telling.timeout).await?;
    let (job, shown) = find(server, &job.id, &format!("{PROGRESS} {FAILED_ROWS}")).await?;
    if telling.json {
        print(&format!("{shown}\n"));
    } else {
        print(&job.summary());
        print(&job.failed_rows());
        if job.status == Status::Planned {
            print(&format!("Nothing is changed yet. To carry it out: counterpart import apply {id}\n"));
        }
    }
    if let Some(address) = &job.log_url {
        match telling.log {
            Some((target, path)) => {
                target.save(server.download(address, false).await?, |_| ()).await?;
                say(&format!("The log of all failed rows is in {}.", path.display()));
            }
            None => say(&format!("The log of all failed rows, for a few minutes (--log FILE saves it): {address}")),
        }
    }
    ending(&job, goal)
}

/// What the end of an import means for whoever asked for it.
fn ending(job: &Job, goal: Goal) -> Result<Ending, String> {
    let whole = |failed: u64| Ok(if failed == 0 { Ending::Whole } else { Ending::RowsFailed });
    let why = job.error.as_ref().map(|error| format!(": {}: {}", error.code, error.message)).unwrap_or_default();
    match (goal, job.status, &job.revert) {
        (Goal::Revert, _, Some(revert)) => match revert.status {
            Status::Completed | Status::Reverted => whole(revert.left_alone),
            _ => Err(format!("the import could not be undone{why}")),
        },
        (Goal::Revert, Status::Reverted, None) | (Goal::Cancel, Status::Canceled, _) => Ok(Ending::Whole),
        (Goal::Revert, _, None) => Err("the import is not being undone".to_owned()),
        (Goal::Cancel, _, _) => Err("the import had ended before it could be canceled".to_owned()),
        (Goal::Import, Status::Failed, _) => Err(format!("the import failed{why}")),
        (Goal::Import, Status::Canceled, _) => Err("the import was canceled".to_owned()),
        (Goal::Import, _, _) => whole(job.failed),
    }
}

fn is_over(job: &Job, goal: Goal) -> bool {
    let is_undone = job.revert.as_ref().is_none_or(|revert| revert.status.is_over());
    match goal {
        Goal::Revert => is_undone && (job.revert.is_some() || job.status.is_over()),
        Goal::Import | Goal::Cancel => job.status.is_over(),
    }
}

/// Asks about an import until it is over.
async fn wait(server: &Server, id: &str, goal: Goal, timeout: Option<u64>) -> Result<Job, String> {
    let bar = ProgressBar::no_length();
    style(&bar, "{spinner} {msg}");
    bar.enable_steady_tick(TICK);
    let started = Instant::now();
    let mut heard = Instant::now();
    let mut pause = OFTEN;
    loop {
        match look(server, id, PROGRESS).await {
            Ok((job, _)) => {
                heard = Instant::now();
                show(&bar, &job, goal);
                if is_over(&job, goal) {
                    bar.finish_and_clear();
                    return Ok(job);
                }
            }
            Err(Trouble::Away(why)) if heard.elapsed() < AWAY => bar.set_message(why),
            Err(Trouble::Away(why)) => {
                return Err(format!("{why}. The import goes on: counterpart import follow {id}"));
            }
            Err(Trouble::Refused(why)) => return Err(why),
        }
        if timeout.is_some_and(|seconds| started.elapsed() >= Duration::from_secs(seconds)) {
            return Err(format!(
                "the import is not done after {} s (--timeout). It goes on: counterpart import follow {id}",
                started.elapsed().as_secs()
            ));
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(SELDOM);
    }
}

async fn find(server: &Server, id: &str, fields: &str) -> Result<(Job, Value), String> {
    Ok(look(server, id, fields).await?)
}

/// The import, and the same as it came.
async fn look(server: &Server, id: &str, fields: &str) -> Result<(Job, Value), Trouble> {
    let query = format!("query ($id: ID!) {{ importJob(id: $id) {{ {fields} }} }}");
    let found: Found = server.ask(&query, json!({ "id": id })).await?;
    let found = found.import_job.ok_or_else(|| Trouble::Refused(format!("there is no import {id}")))?;
    match Job::deserialize(&found) {
        Ok(job) => Ok((job, found)),
        Err(error) => Err(Trouble::Refused(format!("the server tells of the import in an unknown way: {error}"))),
    }
}

fn show(bar: &ProgressBar, job: &Job, goal: Goal) {
    if let (Goal::Revert, Some(revert)) = (goal, &job.revert) {
        let (undone, left) = (HumanCount(revert.reverted_rows), HumanCount(revert.left_alone));
        bar.set_message(format!("Undoing: {undone} rows undone, {left} left alone"));
        return;
    }
    if job.status == Status::Queued {
        bar.set_message("Waiting for its turn");
        return;
    }
    if let (Some(total), None) = (job.total_rows, bar.length()) {
        style(bar, "{bar:30} {human_pos}/{human_len} rows{msg}");
        bar.set_length(total);
    }
    bar.set_position(job.processed_rows);
    let mut message = String::new();
    if let Some(speed) = job.rows_per_second {
        message.push_str(&format!(", {speed:.0} a second"));
    }
    if let Some(left) = job.seconds_left {
        message.push_str(&format!(", {left} s left"));
    }
    if job.failed > 0 {
        message.push_str(&format!(", {} failed", HumanCount(job.failed)));
    }
    bar.set_message(message);
}

/// The bar is hidden where standard error is no terminal.
fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

/// Writes to standard output; nobody reading it is no reason to stop.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Tells something beside the result.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
