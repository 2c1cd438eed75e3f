//! The program killed (SIGKILL) in the middle of a pull and in the middle of linking: the next one goes on, nothing is lost
//! and nothing is there twice.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use counterpart::{
    crm::fake::{self, Fake},
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
    fake.set_page_sizes(CrmKind::Salesforce, vec![200]);
    let serving = tokio::spawn(fake::serve(listener, fake, stop.clone()));
    tokio::task::block_in_place(|| carry_out(&database.url, crm));
    stop.cancel();
    serving.await.unwrap().unwrap();
    database.remove().await;
}

fn carry_out(database: &str, crm: SocketAddr) {
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
        r#"syncIntegration(input: {integration: {name: "CRM"}})"#.to_owned(),
    ] {
        let done =
            admin.graphql(&format!("mutation {{ it: {mutation} {{ userErrors {{ code message }} }} }}"), json!({}));
        assert_eq!(done["it"]["userErrors"], json!([]), "{mutation}");
    }
    let people = i64::try_from(PEOPLE).unwrap();
    let moments: [(&str, &dyn Fn(i64) -> bool); 3] = [
        ("after the first pages", &|received| received > 0),
        ("further on", &|received| received > people / 2),
        ("when all has come, and is being linked", &|received| received == people),
    ];
    for (moment, is_now) in moments {
        let run = until(&server, &token, |run| is_now(run["received"].as_i64().unwrap()));
        assert_eq!(run["status"], "RUNNING", "{moment}: the pull was over before: {run}");
        // Drops as if its power had been cut.
        drop(server);
        server = start();
    }
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
        assert!(started.elapsed() < Duration::from_secs(90), "{run}\n{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}
