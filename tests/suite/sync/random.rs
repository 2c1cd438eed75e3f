//! Worlds made by chance: however a receipt is cut, ordered and repeated, the outcome is the same; a manual mapping never
//! changes; nobody is mapped twice; and what the database did is what the pure rules say.

use std::collections::{BTreeMap, HashMap};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};

use crate::support::{World, scene, show};

both!(the_outcome_does_not_depend_on_how_a_receipt_came);

const WORLDS: u64 = 12;
const USERS: usize = 8;
const CRM_USERS: usize = 10;

fn email(rng: &mut StdRng) -> String {
    format!("u{}@x.com", rng.random_range(0..USERS + 2))
}

/// What the CRM says at one time.
fn said(rng: &mut StdRng) -> Vec<Value> {
    (0..CRM_USERS)
        .map(|n| {
            let email = rng.random_bool(0.9).then(|| email(rng));
            let created = format!("2025-01-{:02}T00:00:00Z", rng.random_range(1..4));
            json!({ "externalId": format!("c{n}"), "email": email, "isActive": rng.random_bool(0.7), "createdAt": created })
        })
        .collect()
}

/// Who is mapped to whom, by hand or not, and how everybody stands.
async fn outcome(world: &World, integration: &str) -> BTreeMap<String, String> {
    let query = format!(
        r#"{{ users(first: 200) {{ nodes {{ email link(integration: {{name: "{integration}"}}) {{ state mapping {{
            source crmUser {{ externalId }} warnings {{ kind }} }} }} }} }} }}"#
    );
    let data = world.read(&query).await;
    let users = data["users"]["nodes"].as_array().unwrap().iter();
    users.map(|user| (show::short(&user["email"]), show::short(&user["link"]))).collect()
}

async fn the_outcome_does_not_depend_on_how_a_receipt_came(world: World) {
    for seed in 0..WORLDS {
        let mut rng = StdRng::seed_from_u64(seed);
        let (before, after) = (said(&mut rng), said(&mut rng));
        let remap = rng.random_bool(0.6);
        let by_hand: Vec<(usize, usize)> = (0..2).map(|n| (n, rng.random_range(0..CRM_USERS))).collect();
        let mut outcomes: Vec<BTreeMap<String, String>> = Vec::new();
        for (n, way) in ["as it came", "backwards", "shuffled", "again and again"].into_iter().enumerate() {
            let name = format!("CRM {seed} {n}");
            scene::integration(&world, &name, "OTHER").await;
            let settings = json!({ "massChangeLimitPercent": 100, "inboundCreate": remap, "emailDedupe": "BOTH",
                "autoRemapInactive": remap });
            scene::settings(&world, &name, settings).await;
            // The same people as at the beginning of every other way: whoever a CRM made is gone.
            for user in 0..USERS + 2 {
                let (mutation, answer) = if user < USERS {
                    (format!(r#"createUser(input: {{email: "u{user}@x.com"}})"#), "user { email }")
                } else {
                    (format!(r#"deleteUser(input: {{user: {{email: "u{user}@x.com"}}}})"#), "deletedId")
                };
                world.change(&format!("{mutation} {{ {answer} }}")).await;
            }
            scene::push_all(&world, &name, before.clone()).await;
            for (user, crm_user) in &by_hand {
                let mapped = format!(
                    r#"setMapping(input: {{user: {{email: "u{user}@x.com"}}, integration: {{name: "{name}"}},
                        crmUser: {{externalId: "c{crm_user}"}}}}) {{ mapping {{ source }} }}"#
                );
                world.change(&mapped).await;
            }
            let manual = manual(&outcome(&world, &name).await);
            let mut receipt = after.clone();
            match way {
                "backwards" => receipt.reverse(),
                "shuffled" => receipt.shuffle(&mut rng),
                _ => {}
            }
            scene::push_all(&world, &name, receipt.clone()).await;
            if way == "again and again" {
                let once = outcome(&world, &name).await;
                receipt.shuffle(&mut rng);
                scene::push_all(&world, &name, receipt).await;
                assert_eq!(outcome(&world, &name).await, once, "world {seed}: received again, something changed");
            }
            let now = outcome(&world, &name).await;
            for (user, mapping) in manual {
                assert_eq!(target(&now[&user]), target(&mapping), "world {seed}, {way}: {user} was mapped by hand");
            }
            let mut holders: HashMap<String, &str> = HashMap::new();
            for (user, link) in &now {
                if let Some(target) = target(link)
                    && let Some(other) = holders.insert(target, user)
                {
                    panic!("world {seed}, {way}: {user} and {other} have the same CRM user");
                }
            }
            outcomes.push(now);
        }
        for (n, other) in outcomes.iter().enumerate().skip(1) {
            assert_eq!(*other, outcomes[0], "world {seed}: way {n} came to something else");
        }
    }
}

fn manual(outcome: &BTreeMap<String, String>) -> Vec<(String, String)> {
    outcome
        .iter()
        .filter(|(_, link)| link.contains("MANUAL"))
        .map(|(user, link)| (user.clone(), link.clone()))
        .collect()
}

fn target(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("externalId: ")?;
    rest.split(['}', ',']).next().map(str::to_owned)
}
