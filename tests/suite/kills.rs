//! The program killed while it imports: whatever the moment, it loses nothing and doubles nothing.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Backend, TestDatabase,
    program::Server,
    remote::{Remote, organization, serve},
};

/// How long a claim on an import holds, in seconds: a server that was killed is waited for so long.
const LEASE: u32 = 1;

#[tokio::test]
async fn a_few_kills_leave_no_trace_on_sqlite() {
    kills(Backend::Sqlite, 2_500, 5, Duration::from_millis(700)).await;
}

#[tokio::test]
async fn a_few_kills_leave_no_trace_on_postgres() {
    kills(Backend::Postgres, 2_500, 5, Duration::from_millis(700)).await;
}

#[cfg(feature = "soak")]
#[tokio::test]
async fn soak_a_hundred_kills_leave_no_trace_on_sqlite() {
    kills(Backend::Sqlite, 100_000, 100, Duration::from_millis(1_500)).await;
}

#[cfg(feature = "soak")]
#[tokio::test]
async fn soak_a_hundred_kills_leave_no_trace_on_postgres() {
    kills(Backend::Postgres, 100_000, 100, Duration::from_millis(1_500)).await;
}

/// Imports with mistakes in them, each by its field and its file: CRM users, users, changes of the users, mappings.
fn imports(rows: usize) -> Vec<(&'static str, String)> {
    let id = |n: usize| format!("crm-{n}");
    let mut crm_users = "external_id,email,name,is_active\n".to_owned();
    let head = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                Licenses,Operation\n";
    let (mut users, mut changes) = (head.to_owned(), head.to_owned());
    let mut mappings = "email,external_id,alias_email,operation\n".to_owned();
    // Users are what there is most of.
    let few = rows.min(20_000);
    for n in 0..few {
        crm_users += &match n % 100 {
            7 => format!("{},no address,C {n},\n", id(n)),
            8 => format!("{},u{n}@x.com,C {n},maybe\n", id(n)),
            9 => format!("{},again@x.com,C {n},\n", id(n / 2)),
            // A third of them has a user's email, some of those are inactive.
            _ => format!(
                "{},{}@x.com,C {n},{}\n",
                id(n),
                ["u", "c", "d"][n % 3].to_owned() + &n.to_string(),
                ["", "yes", "0"][n % 7 % 3]
            ),
        };
        mappings += &match n % 10 {
            0 => format!("u{n}@x.com,{},,add\n", id(n + 1)),
            1 => format!("u{n}@x.com,,,remove\n"),
            2 => format!("u{n}@x.com,nobody,not an address,add\n"),
            // Circles across the file.
            _ => format!("u{n}@x.com,{},alias{n}@x.com,replace\n", id((n + few / 2) % few)),
        };
    }
    for n in 0..rows {
        users += &match n % 100 {
            11 => format!("u{n} @x.com,U,{n},,,,,,,,Add\n"),
            12 => format!("u{n}@x.com,U,{n},,Nowhere,Boss,,,,Gold,Add\n"),
            13 => format!("u{}@x.com,U,{n},,,,,,,,Add\n", n / 2),
            14 => format!("u{n}@x.com,U,Add\n"),
            15 => "\n".to_owned(),
            _ => {
                format!("u{n}@x.com,U,\"{n}, {}\",T{},Sales:T{},,,,,Foundation;Forecasting,Add\n", n % 7, n % 9, n % 20)
            }
        };
        changes += &match n % 10 {
            0 => format!("u{n}@x.com,,,,,,,,,,Delete\n"),
            1 => format!("u{n}@x.com,,,,,,,,,,Suspend\n"),
            2 => format!("u{n}@x.com,,,,,,,,,,Reactivate\n"),
            3 => format!("u{n}@x.com,,,,,,,,,,\n"),
            4 => format!("u{}@x.com,Twice,,,,,,,,,Edit\n", n / 3),
            _ => format!("u{n}@x.com,,,#N/A,Sales:T{},,,,Sales,Forecasting,Edit\n", n % 20),
        };
    }
    vec![
        ("importCrmUsers(input: {integration: {name: \"CRM\"}, source: {file: $file}})", crm_users),
        ("importUsers(input: {source: {file: $file}, createMissingTeams: true})", users),
        ("importUsers(input: {source: {file: $file}, createMissingTeams: true})", changes),
        ("importMappings(input: {integration: {name: \"CRM\"}, source: {file: $file}})", mappings),
    ]
}

async fn kills(backend: Backend, rows: usize, kills: u32, span: Duration) {
    let seed = env::var("COUNTERPART_SOAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    let (Some(calm), Some(stormy)) = (TestDatabase::migrated(backend).await, TestDatabase::migrated(backend).await)
    else {
        return;
    };
    let imports = imports(rows);
    let expected = carry_out(&calm.url, &imports, &mut Death::none());
    let mut death = Death { kills, hits: 0, span, dice: StdRng::seed_from_u64(seed) };
    let found = carry_out(&stormy.url, &imports, &mut death);
    eprintln!("{backend:?}: {} of {kills} kills hit an import that ran; seed {seed}", death.hits);
    for (found, expected) in found.iter().zip(&expected) {
        let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert!(found == expected, "COUNTERPART_SOAK_SEED={seed}: {differs:?} of {found:.2000}");
    }
    assert!(death.hits > 0, "no kill hit an import that ran");
    calm.remove().await;
    stormy.remove().await;
}

/// When servers are killed.
struct Death {
    /// How many still are.
    kills: u32,
    /// How many killed an import that ran.
    hits: u32,
    /// A server that works is left so long, at most.
    span: Duration,
    dice: StdRng,
}

impl Death {
    fn none() -> Self {
        Self { kills: 0, hits: 0, span: Duration::ZERO, dice: StdRng::seed_from_u64(0) }
    }

    /// Kills a server, at its time; another one.
    fn strike(&mut self, server: Server, waits: bool, start: &impl Fn() -> Server) -> Server {
        let work = self.span.mul_f64(self.dice.random());
        // Now and then while it starts, or waits for the claim of the one before it.
        let patience =
            if waits && self.dice.random_ratio(9, 10) { Duration::from_secs(LEASE.into()) } else { Duration::ZERO };
        thread::sleep(patience + work);
        drop(server);
        self.kills -= 1;
        start()
    }
}

/// Imports the files one after the other; what became of them: counts, logs, exports.
fn carry_out(database: &str, imports: &[(&str, String)], death: &mut Death) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let token = organization(folder.path(), database, "Acme");
    let start = || Server::start(&mut serve(folder.path(), database, LEASE));
    let mut server = start();
    let admin = Remote { server: &server, token: &token };
    let made = "mutation { createIntegration(input: {name: \"CRM\", kind: OTHER}) { userErrors { code } } }";
    assert_eq!(admin.graphql(made, json!({}))["createIntegration"]["userErrors"], json!([]));
    let mut outcome = Vec::new();
    for (n, (field, file)) in imports.iter().enumerate() {
        let id = Remote { server: &server, token: &token }.import(field, file);
        // Some kills are for each of the files that are still to come; what is quick leaves them to the next.
        let left_for_others = death.kills * (imports.len() - n - 1) as u32 / (imports.len() - n) as u32;
        let mut waits = false;
        let started = Instant::now();
        while death.kills > left_for_others {
            server = death.strike(server, waits, &start);
            waits = true;
            let job = Remote { server: &server, token: &token }.job(&id);
            if !["QUEUED", "RUNNING"].contains(&job["status"].as_str().unwrap()) {
                break;
            }
            death.hits += u32::from(job["status"] == "RUNNING");
        }
        let admin = Remote { server: &server, token: &token };
        let job: Value = admin.ended(&id);
        eprintln!("{n}: {job} after {:?}", started.elapsed());
        assert_eq!(job["status"], "COMPLETED", "{}", server.log());
        outcome.push(job.to_string());
        outcome.push(admin.log(&id));
    }
    let admin = Remote { server: &server, token: &token };
    // When somebody was suspended is another time each time.
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap();
    outcome.push(time.replace_all(&admin.export("exportUsers"), "TIME").into_owned());
    outcome.push(admin.export("exportMappings"));
    let query = "{ integration(by: {name: \"CRM\"}) { crmUsers { totalCount } coverage { byState { state users } } } }";
    outcome.push(admin.graphql(query, json!({})).to_string());
    outcome
}
