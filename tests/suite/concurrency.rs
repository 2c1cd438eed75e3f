//! Many at once: what one does, another sees or waits for. Nobody meets a lock, and no rule gives way.

use std::{collections::BTreeMap, time::Duration};

use counterpart::service::Session;
use entity::{ObjectVisibility, UserRole};
use futures::future::join_all;
use sea_orm::{DbBackend, TransactionOptions};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{World, client::Actor, scene};

both!(
    a_user_is_mapped_by_many_and_has_one_mapping,
    a_target_goes_to_one_of_many,
    swaps_at_the_same_time_come_one_after_the_other,
    teams_moved_at_the_same_time_make_no_circle,
    one_administrator_is_left,
    a_name_goes_to_one_of_many,
    a_push_and_people_who_map_leave_a_whole,
    what_is_read_meanwhile_is_whole,
    what_asks_for_much_has_connections_of_its_own,
);

/// What mutations that were sent at the same time answered: how many went well, and how many failed with which code.
/// Anything else, a lock or a fault of ours, ends the test.
async fn at_once(requests: Vec<(Actor, String)>) -> BTreeMap<String, usize> {
    let running: Vec<_> = requests
        .into_iter()
        .map(|(actor, query)| tokio::spawn(async move { actor.graphql(&query, json!({})).await }))
        .collect();
    let mut outcomes = BTreeMap::new();
    for answer in running {
        let answer = answer.await.unwrap();
        let outcome = if answer.json["errors"].is_array() {
            let code = answer.code().to_owned();
            assert!(["FORBIDDEN", "UNAUTHENTICATED"].contains(&code.as_str()), "{}", answer.text());
            code
        } else {
            let data = answer.ok();
            data["it"]["userErrors"][0]["code"].as_str().unwrap_or("ok").to_owned()
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

fn outcomes(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(outcome, n)| ((*outcome).to_owned(), *n)).collect()
}

fn map(user: &str, external_id: &str) -> String {
    format!(
        r#"mutation {{ it: setMapping(input: {{user: {{email: "{user}"}}, integration: {{name: "CRM"}},
             crmUser: {{externalId: "{external_id}"}}}}) {{ userErrors {{ code }} }} }}"#
    )
}

/// The mappings that hold, `user external id`, in order.
async fn mapped(world: &World) -> Vec<String> {
    let query = "{ mappings(first: 200) { nodes { user { email } crmUser { externalId } } } }";
    let data = world.admin().graphql(query, json!({})).await.ok();
    let mut mapped: Vec<String> = data["mappings"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mapping| {
            let (user, target) = (&mapping["user"]["email"], &mapping["crmUser"]["externalId"]);
            format!("{} {}", user.as_str().unwrap(), target.as_str().unwrap())
        })
        .collect();
    mapped.sort_unstable();
    mapped
}

/// Two administrators.
async fn administrators(world: &World) -> [Actor; 2] {
    [world.admin(), world.user("second@acme.example", UserRole::Admin, ObjectVisibility::Full).await]
}

async fn a_user_is_mapped_by_many_and_has_one_mapping(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "ann@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", ""), ("2", ""), ("3", "")]).await;
    let administrators = administrators(&world).await;
    let requests = (0..12).map(|n| (administrators[n % 2].clone(), map("ann@x.com", &(n % 3 + 1).to_string())));
    assert_eq!(at_once(requests.collect()).await, outcomes(&[("ok", 12)]));

    // Each has its turn: one mapping is left, and every other has ended in favour of the next.
    assert_eq!(mapped(&world).await.len(), 1);
    let query = r#"{ user(by: {email: "ann@x.com"}) { mappingHistory { nodes { id endReason replaces { id } } } } }"#;
    let data = world.admin().graphql(query, json!({})).await.ok();
    let history = data["user"]["mappingHistory"]["nodes"].as_array().unwrap();
    assert!(history.len() >= 3, "{history:?}");
    assert_eq!(history[0]["endReason"], Value::Null);
    for (mapping, before) in history.iter().zip(&history[1..]) {
        assert_eq!(mapping["replaces"]["id"], before["id"]);
        assert_eq!(before["endReason"], "REPLACED");
    }
    assert_eq!(history[history.len() - 1]["replaces"], Value::Null);
}

async fn a_target_goes_to_one_of_many(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "")]).await;
    for n in 0..8 {
        scene::user(&world, &format!("u{n}@x.com"), json!({})).await;
    }
    let administrators = administrators(&world).await;
    let requests = (0..8).map(|n| (administrators[n % 2].clone(), map(&format!("u{n}@x.com"), "1")));
    assert_eq!(at_once(requests.collect()).await, outcomes(&[("ok", 1), ("CRM_USER_TAKEN", 7)]));
    assert_eq!(mapped(&world).await.len(), 1);
}

async fn swaps_at_the_same_time_come_one_after_the_other(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com"), ("3", "c@x.com")]).await;
    for email in ["a@x.com", "b@x.com", "c@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    let turn = |targets: [&str; 3]| {
        let items = ["a", "b", "c"].iter().zip(targets).map(|(user, target)| {
            format!(r#"{{user: {{email: "{user}@x.com"}}, crmUser: {{externalId: "{target}"}}}}"#)
        });
        let items: Vec<String> = items.collect();
        format!(
            r#"mutation {{ it: remapUsers(input: {{integration: {{name: "CRM"}}, items: [{}]}}) {{ userErrors {{ code }} }} }}"#,
            items.join(", ")
        )
    };
    let turns = [["2", "3", "1"], ["3", "1", "2"], ["1", "2", "3"], ["2", "1", "3"]];
    let administrators = administrators(&world).await;
    let requests = (0..12).map(|n| (administrators[n % 2].clone(), turn(turns[n % 4])));
    assert_eq!(at_once(requests.collect()).await, outcomes(&[("ok", 12)]));
    let left = mapped(&world).await;
    let possible = turns.map(|targets| {
        let lines = ["a", "b", "c"].iter().zip(targets).map(|(user, target)| format!("{user}@x.com {target}"));
        lines.collect::<Vec<_>>()
    });
    assert!(possible.contains(&left), "{left:?}");
}

async fn teams_moved_at_the_same_time_make_no_circle(world: World) {
    for (a, b, c) in [("A1", "B1", "C1"), ("A2", "B2", "C2"), ("A3", "B3", "C3")] {
        for name in [a, b, c] {
            scene::team(&world, name).await;
        }
        let under = |team: &str, parent: &str| {
            format!(
                "mutation {{ it: moveTeam(input: {{team: {team}, destination: {{parent: {parent}}}}}) {{ userErrors {{ code }} }} }}"
            )
        };
        let id = async |name: &str| format!(r#"{{id: "{}"}}"#, scene::team(&world, name).await);
        let (a, b, c) = (id(a).await, id(b).await, id(c).await);
        let administrators = [world.admin(), world.admin()];
        let requests = [under(&a, &b), under(&b, &c), under(&c, &a)]
            .into_iter()
            .enumerate()
            .map(|(n, query)| (administrators[n % 2].clone(), query));
        // Any two of the three go well; the third would close the circle.
        assert_eq!(at_once(requests.collect()).await, outcomes(&[("ok", 2), ("TEAM_CYCLE", 1)]));
    }
    let query = "{ teams(filter: {rootsOnly: true}) { totalCount } all: teams { nodes { ancestors { name } } } }";
    let data = world.admin().graphql(query, json!({})).await.ok();
    assert_eq!(data["teams"]["totalCount"], 3);
    let mut depths: Vec<usize> = data["all"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|team| team["ancestors"].as_array().unwrap().len())
        .collect();
    depths.sort_unstable();
    assert_eq!(depths, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
}

async fn one_administrator_is_left(world: World) {
    let [first, second] = administrators(&world).await;
    let [one, two] = ["admin@acme.example", "second@acme.example"];
    let demote = |email: &str| {
        format!(
            r#"mutation {{ it: updateUser(input: {{user: {{email: "{email}"}}, role: MEMBER}}) {{ userErrors {{ code }} }} }}"#
        )
    };
    let end = |what: &str, email: &str| {
        format!(r#"mutation {{ it: {what}(input: {{user: {{email: "{email}"}}}}) {{ userErrors {{ code }} }} }}"#)
    };
    let rounds = [
        [(first.clone(), demote(one)), (second.clone(), demote(two))],
        [(first.clone(), demote(two)), (second.clone(), demote(one))],
        [(first.clone(), end("suspendUser", two)), (second.clone(), end("suspendUser", one))],
        [(first.clone(), end("deleteUser", two)), (second.clone(), end("suspendUser", one))],
    ];
    for round in rounds {
        let outcomes = at_once(round.into()).await;
        assert_eq!(outcomes.get("ok"), Some(&1), "{outcomes:?}");
        // Whoever came second was the last, or is no administrator any more.
        let refused = ["LAST_ADMIN", "FORBIDDEN", "UNAUTHENTICATED"];
        assert_eq!(refused.iter().filter_map(|code| outcomes.get(*code)).sum::<usize>(), 1, "{outcomes:?}");
        let mut left = Vec::new();
        for actor in [&first, &second] {
            let answer = actor.graphql("{ viewer { role } }", json!({})).await;
            left.extend((answer.json["data"]["viewer"]["role"] == "ADMIN").then_some(actor));
        }
        assert_eq!(left.len(), 1);
        // Whoever is left makes the other an administrator again.
        for email in [one, two] {
            for query in [end("reactivateUser", email), demote(email).replace("MEMBER", "ADMIN")] {
                left[0].graphql(&query, json!({})).await.ok();
            }
        }
    }
}

async fn a_name_goes_to_one_of_many(world: World) {
    let administrators = administrators(&world).await;
    for query in [
        r#"createUser(input: {email: "Ann@X.com"})"#,
        r#"createTeam(input: {name: "Sales"})"#,
        r#"createIntegration(input: {name: "CRM", kind: OTHER})"#,
        r#"createLicense(input: {name: "Gold"})"#,
        r#"createConfigurationProfile(input: {name: "Intake On"})"#,
    ] {
        let query = format!("mutation {{ it: {query} {{ userErrors {{ code }} }} }}");
        let requests = (0..6).map(|n| (administrators[n % 2].clone(), query.clone()));
        assert_eq!(at_once(requests.collect()).await, outcomes(&[("ok", 1), ("ALREADY_EXISTS", 5)]), "{query}");
    }
}

/// `[CRM user]` as a push takes them, 40 of them, their emails moved by `shift`.
fn pushed(shift: usize) -> String {
    let one = |n: usize| format!(r#"{{externalId: "{n}", email: "u{}@x.com", name: "U {shift}"}}"#, (n + shift) % 40);
    let all: Vec<String> = (0..40).map(one).collect();
    format!(
        r#"mutation {{ it: pushCrmUsers(input: {{integration: {{name: "CRM"}}, crmUsers: [{}]}}) {{ userErrors {{ code }} }} }}"#,
        all.join(", ")
    )
}

async fn a_push_and_people_who_map_leave_a_whole(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::settings(&world, "CRM", json!({ "massChangeLimitPercent": 100 })).await;
    for n in 0..10 {
        scene::user(&world, &format!("u{n}@x.com"), json!({})).await;
    }
    let administrators = administrators(&world).await;
    world.admin().graphql(&pushed(0), json!({})).await.ok();
    let mut requests = Vec::new();
    for n in 0..6 {
        requests.push(pushed(n));
        requests.push(map(&format!("u{n}@x.com"), &(20 + n).to_string()));
        requests.push(map(&format!("u{n}@x.com"), &(20 + n * 2).to_string()));
        let email = format!("u{}@x.com", 10 + n);
        requests
            .push(format!(r#"mutation {{ it: createUser(input: {{email: "{email}"}}) {{ userErrors {{ code }} }} }}"#));
        let user = format!(r#"{{user: {{email: "u{}@x.com"}}}}"#, 6 + n % 4);
        requests.push(format!("mutation {{ it: suspendUser(input: {user}) {{ userErrors {{ code }} }} }}"));
    }
    let requests = requests.into_iter().enumerate().map(|(n, query)| (administrators[n % 2].clone(), query));
    let outcomes = at_once(requests.collect()).await;
    // A target that somebody else has by then is refused; nothing else goes wrong.
    assert!(outcomes.keys().all(|code| ["ok", "CRM_USER_TAKEN"].contains(&code.as_str())), "{outcomes:?}");

    // What is kept beside the mappings agrees with them.
    let query = r#"{ users(first: 200) { nodes { email mappings { crmUser { externalId } } link(integration: {name: "CRM"}) { state } } }
                     integration(by: {name: "CRM"}) { coverage { users mapped mappedAutomatically mappedManually byState { users } } } }"#;
    let data = world.admin().graphql(query, json!({})).await.ok();
    let users = data["users"]["nodes"].as_array().unwrap();
    let mut targets = Vec::new();
    for user in users {
        let mappings = user["mappings"].as_array().unwrap();
        assert_eq!(user["link"]["state"] == "MAPPED", mappings.len() == 1, "{user}");
        assert!(mappings.len() <= 1, "{user}");
        targets.extend(mappings.iter().map(|mapping| mapping["crmUser"]["externalId"].as_str().unwrap()));
    }
    let mapped = targets.len();
    targets.sort_unstable();
    targets.dedup();
    assert_eq!(targets.len(), mapped, "no CRM user is mapped twice");
    let coverage = &data["integration"]["coverage"];
    let count = |name: &str| usize::try_from(coverage[name].as_u64().unwrap()).unwrap();
    assert_eq!((count("users"), count("mapped")), (users.len(), mapped));
    assert_eq!(count("mappedAutomatically") + count("mappedManually"), mapped);
    let states = coverage["byState"].as_array().unwrap().iter().map(|state| state["users"].as_u64().unwrap());
    assert_eq!(states.sum::<u64>(), u64::try_from(users.len()).unwrap());
}

async fn what_is_read_meanwhile_is_whole(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for n in 0..10 {
        scene::user(&world, &format!("u{n}@x.com"), json!({})).await;
    }
    world.admin().graphql(&pushed(0), json!({})).await.ok();
    let administrators = administrators(&world).await;
    let query = "{ users { totalCount nodes { email mappings { warnings { kind } crmUser { email } } } } }";
    let reading: Vec<_> = (0..20)
        .map(|n| {
            let actor = administrators[n % 2].clone();
            tokio::spawn(async move { actor.graphql(query, json!({})).await.ok() })
        })
        .collect();
    let writing = (1..8).map(|n| (administrators[n % 2].clone(), pushed(n)));
    assert_eq!(at_once(writing.collect()).await, outcomes(&[("ok", 7)]));
    for read in reading {
        let data = read.await.unwrap();
        // Nobody is between two mappings: a push moves all of them or none.
        let mapped = data["users"]["nodes"].as_array().unwrap().iter().filter(|user| user["mappings"] != json!([]));
        assert_eq!(mapped.count(), 10, "{data}");
    }
}

/// Counts up to so many.
async fn count(session: &Session, to: i64) -> i64 {
    let mut sql = session.sql();
    sql.push("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ").bind(to);
    sql.push(") SELECT COUNT(*) AS n FROM n");
    sql.number(session.reader()).await.unwrap()
}

async fn what_asks_for_much_has_connections_of_its_own(world: World) {
    let open = || world.services.db.pools().into_iter().find(|(pool, ..)| *pool == "aside").unwrap().1;
    world.admin().graphql("{ users { totalCount } }", json!({})).await.ok();
    // SQLite's driver has a look at the database at once.
    assert_eq!(open(), u32::from(world.services.db.backend() == DbBackend::Sqlite));
    let fields = |times| (0..times).map(|i| format!("a{i}: mappings(first: 200) {{ nodes {{ __typename }} }}\n"));
    world.admin().graphql(&format!("{{ {} }}", fields(20).collect::<String>()), json!({})).await.ok();
    assert_eq!(open(), 1);

    let (session, much) = (world.session().await, world.session().await.aside().only_reading().await);
    // Of four connections one is for much.
    let ordinary = world.services.db.reader();
    let held = join_all((0..3).map(|_| ordinary.begin(TransactionOptions::default()))).await;
    assert!(held.iter().all(Result::is_ok));
    assert!(timeout(Duration::from_millis(50), count(&session, 10)).await.is_err(), "none is left");
    assert_eq!(count(&much, 10).await, 10);
    drop(held);

    let one_by_one = join_all((0..8).map(|_| count(&much, 300_000)));
    tokio::select! {
        counted = one_by_one => panic!("whoever asks for little waited: {counted:?}"),
        counted = count(&session, 10) => assert_eq!(counted, 10),
    }
    assert_eq!(join_all((0..3).map(|_| count(&much, 1_000))).await, [1_000; 3]);
}
