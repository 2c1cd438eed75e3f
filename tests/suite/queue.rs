//! One queue, and several who work it off: workers of one process, and processes on one PostgreSQL.

use std::{
    collections::BTreeSet,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use counterpart::service::import::worker::{self, CHUNK_ROWS};
use rand::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Backend, TestDatabase, World,
    program::Server,
    remote::{Remote, organization, serve},
};

both!(imports_of_one_organisation_come_one_after_the_other, people_go_on_while_an_import_runs);

const HEAD: &str = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                    Licenses,Operation\n";

/// A users file with a row for each number.
fn file(numbers: impl Iterator<Item = usize>, row: impl Fn(usize) -> String) -> String {
    numbers.fold(HEAD.to_owned(), |file, n| file + &row(n) + "\n")
}

/// Workers as a process has them, until they are told to stop.
struct Workers {
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(world: &World) -> Self {
        let stop = CancellationToken::new();
        let run = |_| tokio::spawn(worker::run(Arc::clone(&world.services), stop.clone()));
        Self { running: (0..2).map(run).collect(), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        for worker in self.running {
            worker.await.unwrap();
        }
    }
}

async fn send(world: &World, text: &str) -> Value {
    let query = "mutation ($text: String!) { it: importUsers(input: {source: {text: $text}}) { importJob { id } } }";
    world.admin().graphql(query, json!({ "text": text })).await.ok()["it"]["importJob"]["id"].take()
}

/// Waits until an import has ended: its counts.
async fn ended(world: &World, id: &Value) -> Value {
    let started = Instant::now();
    loop {
        let query = "query ($id: ID!) { importJob(id: $id) { status created updated deleted failed } }";
        let job = world.admin().graphql(query, json!({ "id": id })).await.ok()["importJob"].take();
        if !["QUEUED", "RUNNING"].contains(&job["status"].as_str().unwrap()) {
            return job;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{job}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn imports_of_one_organisation_come_one_after_the_other(world: World) {
    let add = |name: &str| file(0..2_400, |n| format!("{name}{n}@x.com,U,{n},,,,,,,,Add"));
    let change = |name: &str| {
        file(0..2_400, |n| match n % 3 {
            0 => format!("{name}{n}@x.com,,,,,,,,,,Delete"),
            _ => format!("{name}{n}@x.com,,,AE,,,,,,,Edit"),
        })
    };
    let done = |created, updated, deleted, failed| json!({ "status": "COMPLETED", "created": created, "updated": updated, "deleted": deleted, "failed": failed });
    let workers = Workers::start(&world);
    // In the order in which they were sent, though two workers are free: what the first adds, the second finds.
    let (first, second) = (send(&world, &add("a")).await, send(&world, &change("a")).await);
    // The other way round it finds nobody.
    let (third, fourth) = (send(&world, &change("b")).await, send(&world, &add("b")).await);
    assert_eq!(ended(&world, &first).await, done(2_400, 0, 0, 0));
    assert_eq!(ended(&world, &second).await, done(0, 1_600, 800, 0));
    assert_eq!(ended(&world, &third).await, done(0, 0, 0, 2_400));
    assert_eq!(ended(&world, &fourth).await, done(2_400, 0, 0, 0));
    workers.stop().await;
}

async fn people_go_on_while_an_import_runs(world: World) {
    const USERS: usize = 2 * CHUNK_ROWS + 400;
    send(&world, &file(0..USERS, |n| format!("u{n}@x.com,U,{n},,,,,,,,Add"))).await;
    world.work().await;

    let workers = Workers::start(&world);
    let import = send(&world, &file(0..USERS, |n| format!("u{n}@x.com,,,AE,,,,,,,Edit"))).await;
    let mut deleted = BTreeSet::new();
    // From both ends, so that some are changed before the import comes to them, and some after.
    for n in (0..USERS).step_by(120).flat_map(|n| [n, USERS - 1 - n]) {
        if n % 2 == 0 {
            let input = format!("input: {{user: {{email: \"u{n}@x.com\"}}, lastName: \"Changed\"}}");
            assert_eq!(
                world.change(&format!("updateUser({input}) {{ user {{ lastName }} }}")).await,
                "{lastName: Changed}"
            );
        } else {
            let query = format!(
                "mutation {{ it: deleteUser(input: {{user: {{email: \"u{n}@x.com\"}}}}) {{ userErrors {{ code }} }} }}"
            );
            assert_eq!(world.read(&query).await["it"]["userErrors"], json!([]));
            deleted.insert(n);
        }
    }
    let job = ended(&world, &import).await;
    workers.stop().await;
    // Whoever was deleted before the import came to them is not found; nothing else fails, and nothing is overwritten.
    let failed = job["failed"].as_u64().unwrap() as usize;
    assert!(failed <= deleted.len(), "{job}");
    assert_eq!((&job["status"], &job["updated"]), (&json!("COMPLETED"), &json!(USERS - failed)));
    let data = world.read("mutation { exportUsers(input: {}) { url } }").await;
    let export = world.download(data["exportUsers"]["url"].as_str().unwrap()).await;
    let mut expected: Vec<String> = (0..USERS)
        .filter(|n| !deleted.contains(n))
        .map(|n| {
            let is_changed = n % 120 == 0;
            format!("u{n}@x.com,U,{},AE,", if is_changed { "Changed".to_owned() } else { n.to_string() })
        })
        .collect();
    expected.sort_unstable();
    let mut found: Vec<&str> = export.lines().skip(2).map(|line| line.split_once(",Member").unwrap().0).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// How long a claim holds in these tests, in seconds.
const LEASE: u32 = 2;

/// Two servers on one PostgreSQL and one data folder.
struct Pair {
    folder: TempDir,
    database: TestDatabase,
    servers: [Option<Server>; 2],
}

impl Pair {
    async fn start() -> Option<Self> {
        let database = TestDatabase::migrated(Backend::Postgres).await?;
        Some(Self { folder: TempDir::new().unwrap(), database, servers: [None, None] })
    }

    fn organization(&self, name: &str) -> String {
        organization(self.folder.path(), &self.database.url, name)
    }

    fn serve(&mut self) {
        for server in &mut self.servers {
            *server = Some(Server::start(&mut serve(self.folder.path(), &self.database.url, LEASE)));
        }
    }

    fn server(&self, n: usize) -> &Server {
        self.servers[n].as_ref().unwrap()
    }

    /// The imports that a server has started on, in their order.
    fn started(&self, n: usize) -> Vec<String> {
        let line = regex::Regex::new(r"an import starts import=(\S+)").unwrap();
        line.captures_iter(&self.server(n).log()).map(|found| found[1].to_owned()).collect()
    }

    fn wait(&self, what: &str, happens: impl Fn() -> bool) {
        let started = Instant::now();
        while !happens() {
            assert!(started.elapsed() < Duration::from_secs(30), "{what} does not happen");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A file of so many rows, and what is to be counted of it.
fn with_mistakes(rows: usize) -> (String, Value) {
    let text = file(0..rows, |n| match n % 40 {
        7 => format!("u{n} @x.com,U,{n},,,,,,,,Add"),
        8 => format!("u{}@x.com,U,{n},,,,,,,,Add", n / 2),
        _ => format!("u{n}@x.com,U,{n},,,,,,,Forecasting,Add"),
    });
    // Every eighth of 40 repeats a row, unless it is the first to have that email.
    let mut seen = BTreeSet::new();
    let created = (0..rows)
        .filter(|n| match n % 40 {
            7 => false,
            8 => seen.insert(n / 2),
            _ => seen.insert(*n),
        })
        .count();
    let job = json!({
        "status": "COMPLETED", "error": null, "totalRows": rows, "processedRows": rows, "created": created,
        "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 0, "failed": rows - created,
    });
    (text, job)
}

const IMPORT: &str = "importUsers(input: {source: {file: $file}})";

#[tokio::test]
async fn servers_share_the_queue_and_take_over_from_one_that_is_gone() {
    let Some(mut pair) = Pair::start().await else { return };
    let tokens: Vec<String> = (0..4).map(|n| pair.organization(&format!("Organisation {n}"))).collect();
    pair.serve();
    let (text, expected) = with_mistakes(10_000);
    let send = |(n, token): (usize, &String)| Remote { server: pair.server(n % 2), token }.import(IMPORT, &text);
    let ids: Vec<String> = tokens.iter().enumerate().map(send).collect();
    pair.wait("that both work", || (0..2).all(|n| !pair.started(n).is_empty()));
    let of_the_first: BTreeSet<String> = pair.started(0).into_iter().collect();
    // Dropped is killed.
    drop(pair.servers[0].take());
    for (id, token) in ids.iter().zip(&tokens) {
        let admin = Remote { server: pair.server(1), token };
        assert_eq!(admin.ended(id), expected);
        // A row that was done twice would be two lines of the log, or a user who is there already.
        assert_eq!(admin.log(id).lines().count() as u64, expected["failed"].as_u64().unwrap() + 1);
        assert!(!admin.log(id).contains("ALREADY_EXISTS"));
        assert_eq!(admin.export("exportUsers").lines().count() as u64, expected["created"].as_u64().unwrap() + 2);
    }
    assert!(pair.started(1).iter().any(|id| of_the_first.contains(id)), "nothing was taken over");
    pair.servers[1].take();
    pair.database.remove().await;
}

#[tokio::test]
async fn who_wakes_up_after_its_claim_has_run_out_does_nothing_twice() {
    let Some(mut pair) = Pair::start().await else { return };
    let token = pair.organization("Acme");
    pair.serve();
    let (text, expected) = with_mistakes(20_000);
    let id = Remote { server: pair.server(0), token: &token }.import(IMPORT, &text);
    pair.wait("a start", || (0..2).any(|n| !pair.started(n).is_empty()));
    let mut owner = usize::from(pair.started(0).is_empty());
    for _ in 0..2 {
        let other = 1 - owner;
        let admin = Remote { server: pair.server(other), token: &token };
        let before = admin.job(&id)["processedRows"].as_u64();
        pair.wait("progress", || admin.job(&id)["processedRows"].as_u64() > before);
        thread::sleep(Duration::from_millis(rand::rng().random_range(0..150)));
        // Wherever it is, in the middle of a transaction most often: it holds the organisation's lock then.
        pair.server(owner).signal("STOP");
        let starts = pair.started(other).len();
        pair.wait("a takeover", || pair.started(other).len() > starts);
        let before = admin.job(&id)["processedRows"].as_u64();
        pair.wait("progress of the other", || admin.job(&id)["processedRows"].as_u64() > before);
        assert_eq!(admin.job(&id)["status"], "RUNNING", "the import is too short for this test");
        pair.server(owner).signal("CONT");
        pair.wait("that the chunk is rolled back", || {
            let log = pair.server(owner).log();
            log.contains("worker met an error") || log.contains("was taken over")
        });
        owner = other;
    }
    let admin = Remote { server: pair.server(owner), token: &token };
    assert_eq!(admin.ended(&id), expected);
    assert_eq!(admin.log(&id).lines().count() as u64, expected["failed"].as_u64().unwrap() + 1);
    assert!(!admin.log(&id).contains("ALREADY_EXISTS"));
    assert_eq!(admin.export("exportUsers").lines().count() as u64, expected["created"].as_u64().unwrap() + 2);
    pair.servers = [None, None];
    pair.database.remove().await;
}
