//! The program killed (SIGKILL) in the middle of a pull and while what came is carried out: the next one goes on, nothing is
//! lost and nothing is there twice.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use counterpart::{
    crm::fake::{self, Fake, Fault},
    service::clock::Clock,
};
use entity::CrmKind;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::person;
use crate::support::{
    Backend, TestDatabase,
    program::Server,
    remote::{Remote, organization, serve},
};

/// Seconds that a killed process's claim holds.
const LEASE: u32 = 1;
const PEOPLE: usize = 4_000;
/// Those of them who are users here.
const USERS: usize = 3_000;
/// People on a page of the CRM's.
const PAGE: usize = 200;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_pull_goes_on_on_sqlite() {
    kills(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_pull_goes_on_on_postgres() {
    kills(Backend::Postgres).await;
}

async fn kills(backend: Backend) {
    let Some(database) = TestDatabase::migrated(backend).await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let crm = listener.local_addr().unwrap();
    let (fake, stop) = (Fake::new(Clock::system()), CancellationToken::new());
    fake.set_users(CrmKind::Salesforce, (1..=PEOPLE).map(person).collect());
    fake.set_page_sizes(CrmKind::Salesforce, vec![PAGE]);
    let serving = tokio::spawn(fake::serve(listener, fake.clone(), stop.clone()));
    tokio::task::block_in_place(|| carry_out(&database.url, &fake, crm));
    stop.cancel();
    serving.await.unwrap().unwrap();
    database.remove().await;
}

fn carry_out(database: &str, fake: &Fake, crm: SocketAddr) {
    let folder = TempDir::new().unwrap();
    let token = organization(folder.path(), database, "Acme");
    let start = || Server::start(serve(folder.path(), database, LEASE).env("COUNTERPART_CRM_HOSTS", crm.to_string()));
    let mut server = start();
    let admin = Remote { server: &server, token: &token };
    let mut file =
        "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                    Licenses,Operation\n"
            .to_owned();
    (1..=USERS).for_each(|n| file += &format!("p{n}@acme.example,P,{n},,,,,,,,Add\n"));
    let import = admin.import("importUsers(input: {source: {file: $file}})", &file);
    assert_eq!(admin.ended(&import)["status"], "COMPLETED");
    for mutation in [
        r#"createIntegration(input: {name: "CRM", kind: SALESFORCE, settings: {syncSchedule: null}})"#.to_owned(),
        format!(
            r#"connectIntegration(input: {{integration: {{name: "CRM"}}, connection: {{salesforce: {{url: "http://{crm}",
                signIn: {{clientCredentials: {{clientId: "{}", clientSecret: "{}"}}}}}}}}}})"#,
            fake::CLIENT_ID,
            fake::CLIENT_SECRET
        ),
    ] {
        admin.done(&mutation);
    }
    let mut requests = fake.requests(CrmKind::Salesforce);
    let asked = |requests: usize, server: &Server| {
        let started = Instant::now();
        while fake.requests(CrmKind::Salesforce) < requests {
            assert!(started.elapsed() < PATIENCE, "{}", server.log());
            thread::sleep(Duration::from_millis(5));
        }
    };
    // The pages after which the CRM does not answer; after the last one it is asked for the roles.
    let mut pages = 0;
    for moment in [3, 13, PEOPLE / PAGE] {
        fake.fail_after(CrmKind::Salesforce, moment - pages, Fault::Hang, 1);
        if pages == 0 {
            Remote { server: &server, token: &token }.done(r#"syncIntegration(input: {integration: {name: "CRM"}})"#);
        }
        requests += moment - pages + 1;
        pages = moment;
        asked(requests, &server);
        let run = until(&server, &token, |run| run["received"] == moment * PAGE);
        assert_eq!(run["status"], "RUNNING", "{run}");
        // Drops as if its power had been cut.
        drop(server);
        server = start();
    }
    // All has come; once the roles are there, it is carried out.
    asked(requests + 1, &server);
    thread::sleep(Duration::from_millis(100));
    drop(server);
    server = start();
    let run = until(&server, &token, |run| !["QUEUED", "RUNNING"].contains(&run["status"].as_str().unwrap()));
    assert_eq!(
        run,
        json!({ "status": "COMPLETED", "received": PEOPLE, "linked": USERS, "usersCreated": 0, "changes": { "totalCount": USERS } }),
        "{}",
        server.log()
    );
    let admin = Remote { server: &server, token: &token };
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers { totalCount } mappings { totalCount }
        coverage { byState { state users } } } users { totalCount } }"#;
    let found = admin.graphql(query, json!({}));
    assert_eq!(found["integration"]["crmUsers"]["totalCount"], PEOPLE);
    assert_eq!(found["integration"]["mappings"]["totalCount"], USERS);
    assert_eq!(found["users"]["totalCount"], USERS + 1);
    let states = found["integration"]["coverage"]["byState"].as_array().unwrap();
    let mapped = states.iter().find(|state| state["state"] == "MAPPED").unwrap();
    assert_eq!(mapped["users"], USERS);
}

/// The run, once it is like this.
fn until(server: &Server, token: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let query = r#"{ integration(by: {name: "CRM"}) { lastSync { status received linked usersCreated changes { totalCount } } } }"#;
    let started = Instant::now();
    loop {
        let mut found = Remote { server, token }.graphql(query, json!({}));
        let run = found["integration"]["lastSync"].take();
        if is_so(&run) {
            return run;
        }
        assert!(started.elapsed() < PATIENCE, "{run}\n{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}
