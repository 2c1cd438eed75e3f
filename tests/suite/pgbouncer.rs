//! PostgreSQL behind a pooler that gives each transaction another connection, and has few of them.

use std::sync::Arc;

use counterpart::{
    database::migrate,
    service::{
        clock::Clock,
        db::{Db, DbOptions},
        import::worker,
    },
};
use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Backend, TestDatabase, World, import,
    pgbouncer::PgBouncer,
    program::{Server, counterpart},
    scene,
    socket::Client,
};

/// How many connections the pooler has, for all who come through it.
const CONNECTIONS: u32 = 3;
const ROWS: usize = 2_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_share_few_connections() {
    let Some(direct) = TestDatabase::migrated(Backend::Postgres).await else { return };
    let world = World::on(&direct.url).await;
    let expected = walk(&world, &world).await;
    direct.remove().await;

    for transaction_pooling in [true, false] {
        if !transaction_pooling && !PgBouncer::keeps_statements() {
            continue;
        }
        let database = TestDatabase::empty(Backend::Postgres).await.unwrap();
        let pooler = PgBouncer::before(&database.url, CONNECTIONS);
        let options = DbOptions { transaction_pooling, ..DbOptions::new(&pooler.url, 10) };
        let db = Db::connect(&options, Clock::system()).await.unwrap();
        migrate(&db).await.unwrap();
        let world = World::of(&options).await;
        // Another process: it gives its statements the same names.
        let other = world.another(&options).await;
        assert_eq!(walk(&world, &other).await, expected);
        drop(pooler);
        database.remove().await;
    }
}

/// Much of what there is, from two processes at once; what there is then.
async fn walk(world: &World, other: &World) -> Vec<String> {
    scene::integration(world, "CRM", "OTHER").await;
    let stop = CancellationToken::new();
    let workers = [world, other].map(|world| tokio::spawn(worker::run(Arc::clone(&world.services), stop.clone())));

    // A large file, while others read and write.
    let users = import::adding(0..ROWS);
    let id = import::made(&world.admin(), "importUsers(input: {source: {text: $text}})", &users).await;
    let follow = format!("subscription {{ importProgress(id: \"{id}\") {{ status processedRows }} }}");
    let mut follower = Client::signed_in(other, &other.administrator.token).await;
    follower.ask("a", &follow).await;
    let people = (0..24).map(|n| {
        let world = if n % 2 == 0 { world } else { other };
        async move {
            let team = format!("createTeam(input: {{name: \"Team {n}\"}}) {{ team {{ path }}}}");
            let made = world.change(&team).await;
            assert!(made.contains(&format!("Team {n}")), "{made}");
            let email = format!("person{n}@acme.example");
            scene::user(world, &email, json!({ "team": { "path": format!("Team {n}") }, "firstName": "Pat" })).await;
            for _ in 0..4 {
                let query = "query ($email: String!) { user(by: {email: $email}) { firstName team { path } }
                    users(first: 3, filter: {search: \"pat\"}) { totalCount nodes { id team { name } mappings { id } } } }";
                let found = world.admin().graphql(query, json!({ "email": email })).await.ok();
                assert_eq!(found["user"], json!({ "firstName": "Pat", "team": { "path": format!("Team {n}") } }));
            }
        }
    });
    join_all(people).await;
    let mut last = json!(null);
    loop {
        let message = follower.hear().await;
        if message["type"] == "complete" {
            break;
        }
        last = message["payload"]["data"]["importProgress"].clone();
    }
    assert_eq!(last, json!({ "status": "COMPLETED", "processedRows": ROWS }));

    // What is staged, and carried out in one step: CRM users, and mappings that swap.
    let crm_users: String = (0..ROWS).map(|n| format!("id{n},u{n}@x.com,User {n},\n")).collect();
    let crm_users = format!("external_id,email,name,is_active\n{crm_users}");
    let field = "importCrmUsers(input: {integration: {name: \"CRM\"}, source: {text: $text}})";
    let received = import::made(&other.admin(), field, &crm_users).await;
    let received = ended(world, &received).await;
    let mappings: String = (0..ROWS / 2).map(|n| format!("u{n}@x.com,id{},,replace\n", n ^ 1)).collect();
    let mappings = format!("email,external_id,alias_email,operation\n{mappings}");
    let field = "importMappings(input: {integration: {name: \"CRM\"}, source: {text: $text}, \
                 onExisting: OVERRIDE_AUTOMATIC})";
    let mapped = ended(world, &import::made(&world.admin(), field, &mappings).await).await;
    let refused = world.change("createTeam(input: {name: \"Team 1\"}) { team { path }}").await;
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }

    let mut files = vec![last.to_string(), received, mapped, refused];
    for export in ["exportUsers(input: {})", "exportMappings(input: {})"] {
        let data = other.read(&format!("mutation {{ it: {export} {{ url }} }}")).await;
        files.push(world.download(data["it"]["url"].as_str().unwrap()).await);
    }
    files
}

/// Where an import stands when it has ended.
async fn ended(world: &World, id: &str) -> String {
    loop {
        let job: Value = import::job(&world.admin(), id).await;
        if !["QUEUED", "RUNNING"].contains(&job["status"].as_str().unwrap()) {
            return import::counts(&world.admin(), id).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_starts_on_an_empty_database() {
    let Some(database) = TestDatabase::empty(Backend::Postgres).await else { return };
    let pooler = PgBouncer::before(&database.url, CONNECTIONS);
    let folder = TempDir::new().unwrap();
    let start = || {
        let mut command = counterpart(folder.path());
        command.env("DATABASE_URL", &pooler.url).env("COUNTERPART_TRANSACTION_POOLING", "true");
        command
    };
    // Both look for tables, and for an organisation, at once.
    let (mut one, mut two) = (Server::start(&mut start()), Server::start(&mut start()));
    for server in [&mut one, &mut two] {
        assert!(server.get("/health/ready").starts_with("HTTP/1.1 200 "));
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
    }
    let first = [&one, &two].iter().filter(|server| server.output().contains("API token:")).count();
    assert_eq!(first, 1, "{}{}", one.output(), two.output());
    drop(pooler);
    database.remove().await;
}
