//! Following the CRM: what a receipt does by the linking rules, pulls from a CRM that is a fake, schedules, and manage mode
//! AUTO.

mod connections;
mod kills;
mod managed;
mod pulls;
mod random;
mod rules;
mod schedule;

use std::net::SocketAddr;

use counterpart::crm::fake::{self, Fake, FakeUser};
use entity::CrmKind;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{World, scene, show};

/// How everybody is mapped: `email externalId SOURCE WARNING…`, a line a user; those without a mapping stand alone with
/// their state.
async fn mapped(world: &World) -> String {
    let query = r#"{ users(first: 200) { nodes { email link(integration: {name: "CRM"}) { state }
        mappings { source crmUser { externalId } warnings { kind } } } } }"#;
    let data = world.read(query).await;
    let users = data["users"]["nodes"].as_array().unwrap().iter().filter(|user| user["email"] != "admin@acme.example");
    let line = |user: &Value| {
        let email = show::short(&user["email"]);
        let Some(mapping) = user["mappings"].get(0) else {
            return format!("{email} {}", show::short(&user["link"]["state"]));
        };
        let warnings = show::each(&mapping["warnings"], "/kind");
        format!(
            "{email} {} {} {warnings}",
            show::short(&mapping["crmUser"]["externalId"]),
            show::short(&mapping["source"])
        )
        .trim_end()
        .to_owned()
    };
    users.map(line).collect::<Vec<_>>().join("\n")
}

/// The newest run: its counts, and what it did and left alone.
async fn last_run(world: &World) -> String {
    let query = r#"{ integration(by: {name: "CRM"}) { lastSync { status received usersCreated linked remapped deactivated leftAlone
        error changes { nodes { kind message } } } } }"#;
    run_shown(&world.read(query).await["integration"]["lastSync"])
}

fn run_shown(run: &Value) -> String {
    let mut text = show::short(&run["status"]);
    for count in ["received", "usersCreated", "linked", "remapped", "deactivated", "leftAlone"] {
        if run[count] != json!(0) {
            text.push_str(&format!(" {count} {}", run[count]));
        }
    }
    if let Some(error) = run["error"].as_str() {
        text.push_str(&format!("\n{error}"));
    }
    for change in run["changes"]["nodes"].as_array().unwrap() {
        text.push_str(&format!("\n{}: {}", show::short(&change["kind"]), show::short(&change["message"])));
    }
    text
}

/// A CRM user as `CrmUserInput` has it.
fn crm_user(id: &str, email: &str, is_active: bool) -> Value {
    json!({ "externalId": id, "email": email, "isActive": is_active })
}

/// The settings that remapping needs.
async fn remapping(world: &World) {
    let settings = json!({ "inboundCreate": true, "emailDedupe": "BOTH", "autoRemapInactive": true });
    scene::settings(world, "CRM", settings).await;
}

/// A fake Salesforce, and the organisation with an integration `CRM` that is connected with it.
struct Pulled {
    world: World,
    fake: Fake,
    address: SocketAddr,
    _stop: DropGuard,
}

impl Pulled {
    async fn from(world: World) -> Self {
        let (fake, address, stop) = serve_fake(&world).await;
        let world = world.reaching(address);
        scene::integration(&world, "CRM", "SALESFORCE").await;
        let connected = connect(&world, address).await;
        assert!(connected.contains("CLIENT_CREDENTIALS"), "{connected}");
        Self { world, fake, address, _stop: stop }
    }

    /// Has people `p1@acme.example` to `pN@acme.example` in the CRM.
    fn people(&self, number: usize) {
        self.fake.set_users(CrmKind::Salesforce, (1..=number).map(person).collect());
    }

    /// Asks for a pull, and works it off; what it came to.
    async fn sync(&self) -> String {
        self.ask("syncIntegration").await
    }

    async fn ask(&self, mutation: &str) -> String {
        let mutation = format!(r#"{mutation}(input: {{integration: {{name: "CRM"}}}}) {{ syncRun {{ status }} }}"#);
        let asked = self.world.change(&mutation).await;
        assert_eq!(asked, "{status: QUEUED}");
        self.world.sync().await;
        last_run(&self.world).await
    }

    fn patch(&self, n: usize, patch: Value) {
        self.fake.patch(CrmKind::Salesforce, &id(n), &patch).unwrap();
    }
}

async fn serve_fake(world: &World) -> (Fake, SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (fake, stop) = (Fake::new(world.services.clock.clone()), CancellationToken::new());
    tokio::spawn(fake::serve(listener, fake.clone(), stop.clone()));
    (fake, address, stop.drop_guard())
}

/// Connects `CRM` with the fake Salesforce; what it answers.
async fn connect(world: &World, address: SocketAddr) -> String {
    let mutation = format!(
        r#"connectIntegration(input: {{integration: {{name: "CRM"}}, connection: {{salesforce: {{url: "http://{address}",
            signIn: {{clientCredentials: {{clientId: "{}", clientSecret: "{}"}}}}}}}}}}) {{
            integration {{ connection {{ url signIn account }} }} }}"#,
        fake::CLIENT_ID,
        fake::CLIENT_SECRET
    );
    world.change(&mutation).await
}

/// The Salesforce id of the `n`th person, of 15 characters.
fn id(n: usize) -> String {
    format!("0058Z00000{n:05}")
}

fn person(n: usize) -> FakeUser {
    FakeUser::new(id(n), format!("p{n}@acme.example")).named("P", &n.to_string())
}
