//! How fast queries are answered, against the floor and against each other.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use counterpart::http;
use serde_json::Value;
use tokio::{net::TcpListener, task::block_in_place};
use tokio_util::sync::CancellationToken;

use crate::{
    Scale,
    client::{Connection, Request, load, medians, quantile},
    floor,
    report::Report,
    world::{World, email, front_door},
};

const CONNECTIONS: usize = 16;

pub const TREE: &str = "{ teams(first: 5, filter: {rootsOnly: true}) { nodes { name children(first: 5) { nodes { name \
    children(first: 5) { nodes { name members(first: 5) { nodes { email mappings { source crmUser { externalId email \
    } } } } } } } } } } }";
pub const PAGE: &str = "{ users(first: 50) { nodes { email firstName lastName team { name parent { name } } mappings { \
    source crmUser { externalId email } } } } }";

/// The user that is asked for alone.
pub const SOMEBODY: usize = 4_321;

struct Wire {
    address: SocketAddr,
    token: String,
}

impl Wire {
    fn graphql(&self, query: &str) -> Request {
        Request::post("/graphql", &self.token, query)
    }

    async fn ask(&self, query: &str) -> Value {
        let mut connection = Connection::open(self.address).await;
        let answer: Value = serde_json::from_slice(connection.send(&self.graphql(query)).await).unwrap();
        assert!(answer.get("errors").is_none(), "{answer}");
        answer
    }
}

pub async fn measure(world: &World, scale: Scale, report: &mut Report) {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wire = Wire { address: listener.local_addr().unwrap(), token: world.administrator.token.clone() };
    let app = Router::new()
        .nest("/floor", floor::router(&world.services.db))
        .merge(http::router(Arc::clone(&world.services), front_door(), stop.clone()).unwrap());
    let server = tokio::spawn(http::serve(listener, app, http::Serving::default(), stop.clone()));

    let one = format!("{{ user(by: {{email: \"{}\"}}) {{ email firstName lastName }} }}", email(SOMEBODY));
    for (name, path, query) in [
        ("tree: teams, 125 teams' members, mappings", "/floor/tree", TREE),
        ("page of 50 users, teams, mappings", "/floor/page", PAGE),
        ("one user by email", "/floor/one", &one),
    ] {
        against_floor(&wire, name, path, query, scale, report).await;
    }
    pages(&wire, scale, report).await;
    searches(&wire, &one, scale, report);

    stop.cancel();
    server.await.unwrap();
}

async fn against_floor(wire: &Wire, name: &str, path: &str, query: &str, scale: Scale, report: &mut Report) {
    let (real, floor) = (wire.graphql(query), Request::post(path, &wire.token, query));
    let mut connection = Connection::open(wire.address).await;
    let answer: Value = serde_json::from_slice(connection.send(&real).await).unwrap();
    let by_hand: Value = serde_json::from_slice(connection.send(&floor).await).unwrap();
    assert!(answer == by_hand, "the floor answers something else to {query}");

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut latencies, mut floor_latencies) = (Vec::new(), Vec::new());
    block_in_place(|| {
        load(wire.address, &real, CONNECTIONS, scale.seconds / 2.0);
        load(wire.address, &floor, CONNECTIONS, scale.seconds / 2.0);
        for _ in 0..scale.rounds {
            let done = load(wire.address, &floor, CONNECTIONS, scale.seconds);
            theirs.push(done.per_second);
            floor_latencies.extend(done.latencies);
            let done = load(wire.address, &real, CONNECTIONS, scale.seconds);
            ours.push(done.per_second);
            latencies.extend(done.latencies);
        }
    });
    let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let figures = |rates: &mut [f64], latencies: &mut [Duration]| {
        format!(
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
            median(rates),
            ms(quantile(latencies, 0.5)),
            ms(quantile(latencies, 0.99))
        )
    };
    report.value(name, figures(&mut ours, &mut latencies), None, None);
    report.value(&format!("{name}: floor"), figures(&mut theirs, &mut floor_latencies), None, None);
    report.at_least(&format!("{name}: share of the floor"), median(&mut ratios), 0.5);
}

/// The last page of the list against its first.
async fn pages(wire: &Wire, scale: Scale, report: &mut Report) {
    let answer = wire.ask("{ users(last: 51) { edges { cursor } } }").await;
    let cursor = answer["data"]["users"]["edges"][0]["cursor"].as_str().unwrap();
    let query = |after: &str| format!("{{ users(first: 50{after}) {{ nodes {{ email firstName lastName }} }} }}");
    let (first, last) = (query(""), query(&format!(", after: \"{cursor}\"")));
    let rows = wire.ask(&last).await["data"]["users"]["nodes"].as_array().unwrap().len();
    assert_eq!(rows, 50);
    let (first, last) = (wire.graphql(&first), wire.graphql(&last));
    let [first, last] = block_in_place(|| medians(wire.address, [&first, &last], scale.repetitions));
    let number = scale.users / 50;
    report.value("page 1", format!("{:.2} ms", ms(first)), None, None);
    report.value(&format!("page {number}"), format!("{:.2} ms", ms(last)), None, None);
    report.at_most(&format!("page {number} : page 1"), last.as_secs_f64() / first.as_secs_f64(), 1.2, "");
}

fn searches(wire: &Wire, one: &str, scale: Scale, report: &mut Report) {
    let search = |text: &str| {
        wire.graphql(&format!(
            "{{ users(first: 10, filter: {{search: \"{text}\"}}) {{ nodes {{ email firstName lastName }} }} }}"
        ))
    };
    let one = wire.graphql(one);
    for (name, text) in [
        ("search, two words, few found (\"ali abbott1\")", "ali abbott1"),
        ("search, one word, 5% found (\"alice\")", "alice"),
        ("search, one letter (\"a\"), all found", "a"),
    ] {
        let request = search(text);
        let [one, found] = block_in_place(|| medians(wire.address, [&one, &request], scale.repetitions));
        let ratio = found.as_secs_f64() / one.as_secs_f64();
        let value = format!("p50 {:.2} ms, {ratio:.1} times one user's {:.2} ms", ms(found), ms(one));
        report.value(name, value, None, None);
    }
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
