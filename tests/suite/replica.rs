//! Queries that read from a replica, and what they see.

use std::time::{Duration, Instant};

use counterpart::{
    database::migrate,
    service::{
        clock::Clock,
        db::{DbOptions, replica},
    },
};
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use crate::support::{
    Backend, TestDatabase, World, database, import,
    postgres::{Postgres, execute},
    program::counterpart,
    scene,
    socket::Client,
};

/// How many queries read from there so far.
async fn reads(world: &World, from: &str) -> u64 {
    let metrics = world.anonymous().get("/metrics").await;
    let name = format!("{}{{from=\"{from}\"}} ", replica::READS);
    let count = metrics.text().lines().find_map(|line| line.strip_prefix(&name));
    count.map(|count| count.parse().unwrap()).unwrap_or_default()
}

/// Makes a team at one server, and finds it at the other at once.
async fn made_here_is_seen_there(here: &World, there: &World, name: &str) {
    let made = here.change(&format!("createTeam(input: {{name: \"{name}\"}}) {{ team {{ path }}}}")).await;
    assert!(made.contains(name), "{made}");
    let query = "query ($name: String!) { team(by: {path: $name}) { name } }";
    let found = there.admin().graphql(query, json!({ "name": name })).await.ok();
    assert_eq!(found, json!({ "team": { "name": name } }));
}

/// Waits until queries read from the replica again.
async fn taken_again(world: &World) {
    let (started, before) = (Instant::now(), reads(world, "replica").await);
    while reads(world, "replica").await == before {
        assert!(started.elapsed() < Duration::from_secs(20), "the replica is not taken again");
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.read("{ viewer { id } }").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_see_what_was_written_before_them() {
    // Where PostgreSQL is left out, this is too.
    let Some(other) = TestDatabase::empty(Backend::Postgres).await else { return };
    let mut postgres = Postgres::start().await;
    let db = database::open(&postgres.url, Clock::system()).await;
    migrate(&db).await.unwrap();
    let replica = postgres.replica();
    let options = DbOptions { replica_url: Some(replica.clone()), ..database::few(&postgres.url) };
    let here = World::of(&options).await;
    let there = here.another(&options).await;

    // A query asks the replica how far it is, and then for everything; what changes something does not ask it.
    here.read("{ viewer { id } }").await;
    taken_again(&here).await;
    let direct = here.another(&database::few(&postgres.url)).await;
    let same = direct.admin().graphql("{ viewer { id } }", json!({})).await;
    let query = loop {
        let count = reads(&here, "replica").await;
        let query = here.admin().graphql("{ viewer { id } }", json!({})).await;
        if reads(&here, "replica").await > count {
            break query;
        }
    };
    assert_eq!((&query.json, query.statements), (&same.json, same.statements + 1));
    let count = reads(&here, "replica").await;
    for n in 0..100 {
        made_here_is_seen_there(&here, &there, &format!("Team {n}")).await;
    }
    // It follows within milliseconds, on a machine that is not too busy for that.
    assert!(reads(&here, "replica").await > count);

    // A server that does not wait for the disk.
    let careless = format!("{}?options[synchronous_commit]=off", postgres.url);
    let careless = here.another(&DbOptions { url: careless, ..options.clone() }).await;
    for n in 0..20 {
        made_here_is_seen_there(&careless, &careless, &format!("Careless {n}")).await;
    }

    // Workers and subscriptions have nothing to do with it.
    execute(&replica, "SELECT pg_wal_replay_pause()").await;
    let file = import::adding(0..1_500);
    let id = import::made(&here.admin(), "importUsers(input: {source: {text: $text}})", &file).await;
    there.work().await;
    assert_eq!(import::counts(&here.admin(), &id).await, "COMPLETED: created 1500");
    let mut follower = Client::signed_in(&there, &there.administrator.token).await;
    follower.ask("a", &format!("subscription {{ importProgress(id: \"{id}\") {{ status }} }}")).await;
    let step = follower.hear().await;
    assert_eq!(step["payload"]["data"]["importProgress"]["status"], "COMPLETED", "{step}");

    // One that is behind is not waited for for long, and not at all by those who come next.
    let behind = reads(&here, "behind").await;
    let started = Instant::now();
    for n in 0..5 {
        made_here_is_seen_there(&here, &there, &format!("Behind {n}")).await;
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    made_here_is_seen_there(&here, &there, "Behind").await;
    assert!(reads(&here, "behind").await > behind);
    execute(&replica, "SELECT pg_wal_replay_resume()").await;
    taken_again(&there).await;

    // One that is gone, and comes back.
    postgres.run("pg_ctl -D replica -w -m immediate stop");
    let away = reads(&here, "away").await;
    for n in 0..5 {
        made_here_is_seen_there(&here, &there, &format!("Away {n}")).await;
    }
    assert!(reads(&here, "away").await > away);
    postgres.start_replica(&Url::parse(&replica).unwrap());
    taken_again(&there).await;

    // One that has become a database of its own.
    execute(&replica, "SELECT pg_promote()").await;
    let count = reads(&here, "replica").await;
    scene::user(&here, "late@acme.example", json!({})).await;
    for _ in 0..5 {
        let found = there.read("{ user(by: {email: \"late@acme.example\"}) { email } }").await;
        assert_eq!(found, json!({ "user": { "email": "late@acme.example" } }));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(reads(&here, "replica").await, count);

    // The setting is looked at: this is another server's database.
    let folder = TempDir::new().unwrap();
    for url in [&postgres.url, &other.url, &replica] {
        let mut command = counterpart(folder.path());
        command.env("DATABASE_URL", &postgres.url).env("COUNTERPART_REPLICA_URL", url).arg("migrate");
        let output = command.output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
        assert!(
            line.contains("COUNTERPART_REPLICA_URL (--replica-url): the database ") && line.contains("is no replica")
        );
    }
    other.remove().await;
}
