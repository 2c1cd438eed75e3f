//! PostgreSQL stopped and started while an import runs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use counterpart::{
    database::migrate,
    service::{
        clock::Clock,
        import::worker::{self, CHUNK_ROWS},
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Backend, TestDatabase, World, database, postgres::Postgres};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_outlives_a_fast_restart_of_postgres() {
    outlives("fast").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_outlives_a_crash_of_postgres() {
    outlives("immediate").await;
}

async fn outlives(mode: &'static str) {
    // Where PostgreSQL is left out, this is too.
    let Some(calm) = TestDatabase::migrated(Backend::Postgres).await else { return };
    let expected = imported(&World::on(&calm.url).await, async || ()).await;
    calm.remove().await;

    let mut postgres = Postgres::start().await;
    let db = database::open(&postgres.url, Clock::system()).await;
    migrate(&db).await.unwrap();
    db.close().await.unwrap();
    let world = World::on(&postgres.url).await;
    let restarts = std::sync::Mutex::new(&mut postgres);
    let found = imported(&world, async || {
        let mut postgres = restarts.lock().unwrap();
        // pg_ctl waits; the worker meets the server that is gone all the same, once it goes on.
        tokio::task::block_in_place(|| postgres.run(&format!("pg_ctl -D data -l server.log -w -m {mode} restart")));
    })
    .await;
    assert_eq!(found, expected);
}

const ROWS: usize = 5 * CHUNK_ROWS;

/// Imports users with mistakes among them; something strikes twice on the way. What became of it.
async fn imported(world: &World, mut strike: impl AsyncFnMut()) -> Vec<String> {
    let mut text =
        "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                    Licenses,Operation\n"
            .to_owned();
    for n in 0..ROWS {
        text += &match n % 50 {
            7 => format!("u{n} @x.com,U,{n},,,,,,,,Add\n"),
            8 => format!("u{},U,{n},,,,,,,,Add\n", n - 3),
            9 => format!("u{}@x.com,U,{n},,,,,,,,Add\n", n / 2),
            _ => format!("u{n}@x.com,U,{n},,,,,,,Foundation,Add\n"),
        };
    }
    let query = "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { importJob { id } } }";
    let id = world.admin().graphql(query, json!({ "text": text })).await.ok()["importUsers"]["importJob"]["id"].take();
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker::run(Arc::clone(&world.services), stop.clone()));
    for strikes in 1..=2 {
        progress(world, &id, strikes * CHUNK_ROWS as u64).await;
        strike().await;
    }
    progress(world, &id, ROWS as u64).await;
    let query = "query ($id: ID!) { importJob(id: $id) { status error { code } logUrl processedRows created failed } }";
    let started = Instant::now();
    let mut job = loop {
        let job = world.admin().graphql(query, json!({ "id": id })).await.ok()["importJob"].take();
        if job["status"] != "RUNNING" || started.elapsed() > Duration::from_secs(30) {
            break job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(job["status"], "COMPLETED", "{job}");
    let log = world.download(job["logUrl"].take().as_str().unwrap()).await;
    let data = world.read("mutation { exportUsers(input: {}) { url } }").await;
    let export = world.download(data["exportUsers"]["url"].as_str().unwrap()).await;
    vec![job.to_string(), log, export]
}

/// Waits until an import has done so many rows, however often the database does not answer.
async fn progress(world: &World, id: &Value, rows: u64) {
    let started = Instant::now();
    loop {
        let query = "query ($id: ID!) { importJob(id: $id) { status processedRows } }";
        let answer = world.admin().graphql(query, json!({ "id": id })).await;
        let job = &answer.json["data"]["importJob"];
        if job["processedRows"].as_u64().is_some_and(|done| done >= rows) {
            return;
        }
        assert_ne!(job["status"], "FAILED", "{}", answer.text());
        assert!(started.elapsed() < Duration::from_secs(60), "no progress: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
