//! What the layer in front costs, what a thousand subscriptions take, and what a flood of the worst documents does to others.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use async_graphql::Request as Operation;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::post,
};
use counterpart::{
    graphql::{Api, document::Limits},
    http,
    service::{Services, session},
};
use futures::{SinkExt, StreamExt, future::join_all};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::block_in_place};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Scale,
    client::{Connection, Request, load, quantile},
    process::{Server, processor_time},
    report::Report,
    requests::{SOMEBODY, median, ms},
    world::{World, email, front_door},
};

/// Users of the organisation.
pub const USERS: usize = 5_000;

const CONNECTIONS: usize = 16;
const SUBSCRIPTIONS: usize = 1_000;
/// Rows of the import that is followed: more than it comes to while it is.
const FOLLOWED: usize = 50_000;

/// The ten worst documents at the limits, of those that `bench worst` found: what opens, and a field that is asked for so
/// often below it.
const WORST: [(&str, usize, &str); 10] = [
    ("", 18, "users(first: 1, filter: {status: [SUSPENDED]}) { nodes { id } }"),
    (CHANGES, 230, "crmUser { __typename }"),
    ("", 8, "users(first: 1, filter: {search: \"a\"}) { nodes { id } }"),
    ("", 4, "users(first: 1, filter: {search: \"a\"}) { totalCount }"),
    ("", 8, "users(first: 1, filter: {search: \"a b c d e f g h\"}) { nodes { id } }"),
    ("users(first: 1, filter: {search: \"a b c d e f g h\"}) {", 7, "totalCount"),
    ("", 20, "mappings(first: 200) { nodes { __typename } }"),
    ("", 65, "users(first: 1, orderBy: {field: NAME}) { totalCount }"),
    ("", 250, "users(first: 1, orderBy: {field: NAME}) { nodes { id } }"),
    ("", 250, "mappings(first: 1) { nodes { __typename } }"),
];
const CHANGES: &str = "integration(by: {name: \"CRM\"}) { lastSync { changes(first: 200) { nodes {";

fn worst(token: &str) -> Vec<Request> {
    let document = |(opened, times, field): (&str, usize, &str)| {
        let fields: Vec<String> = (0..times).map(|i| format!("a{i}: {field}")).collect();
        let closed = "}".repeat(opened.matches('{').count() - opened.matches('}').count());
        Request::post("/graphql", token, &format!("{{ {opened} {} {closed} }}", fields.join(" ")))
    };
    WORST.map(document).into()
}

pub async fn measure(url: &str, folder: &Path, world: &World, scale: Scale, report: &mut Report) {
    layer(world, scale, report).await;
    let token = &world.administrator.token;
    subscriptions(url, folder, token, report).await;
    flood(url, folder, token, scale, report).await;
}

/// One user by email, with the front door and without.
async fn layer(world: &World, scale: Scale, report: &mut Report) {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, token) = (listener.local_addr().unwrap(), &world.administrator.token);
    let bare =
        Bare { services: Arc::clone(&world.services), api: Arc::new(Api::new(Limits::default(), true).unwrap()) };
    let app = Router::new()
        .route("/bare", post(answer))
        .with_state(bare)
        .merge(http::router(Arc::clone(&world.services), front_door(), stop.clone()).unwrap());
    let server = tokio::spawn(http::serve(listener, app, http::Serving::default(), stop.clone()));

    let query = one();
    let (with, without) = (Request::post("/graphql", token, &query), Request::post("/bare", token, &query));
    let (mut ratios, mut spent): (Vec<f64>, Vec<f64>) = block_in_place(|| {
        load(address, &with, CONNECTIONS, scale.seconds / 2.0);
        load(address, &without, CONNECTIONS, scale.seconds / 2.0);
        // Requests a second, and the processor's time for each; the client's thread has ended by then.
        let measured = |request: &Request| {
            let before = processor_time();
            let done = load(address, request, CONNECTIONS, scale.seconds / 8.0);
            (done.per_second, processor_time().saturating_sub(before).as_secs_f64() / done.latencies.len() as f64)
        };
        // Many short rounds: what else the machine does meets both of a pair alike.
        (0..16 * scale.rounds)
            .map(|round| {
                // Which of the two comes first does not matter then.
                let (with, without) = if round % 2 == 0 {
                    (measured(&with), measured(&without))
                } else {
                    let without = measured(&without);
                    (measured(&with), without)
                };
                (with.0 / without.0, without.1 / with.1)
            })
            .unzip()
    });
    report.at_least("one user by email with the layer in front : without", median(&mut ratios), 0.9);
    let (quarter, rounds) = (ratios.len() / 4, ratios.len());
    let middle = format!("{:.2} to {:.2}", ratios[quarter], ratios[rounds - 1 - quarter]);
    report.value("… the middle half of the rounds", middle, None, None);
    let spent = format!("{:.2}", median(&mut spent));
    report.value("… by the server's time on a processor", spent, None, None);
    stop.cancel();
    server.await.unwrap();
}

fn one() -> String {
    format!("{{ user(by: {{email: \"{}\"}}) {{ email firstName lastName }} }}", email(SOMEBODY))
}

/// Answers operations, and does nothing else: no limits, no metrics, no log, no choice of the answer's form.
#[derive(Clone)]
struct Bare {
    services: Arc<Services>,
    api: Arc<Api>,
}

#[derive(Deserialize)]
struct Body {
    query: String,
}

async fn answer(State(bare): State<Bare>, headers: HeaderMap, Json(body): Json<Body>) -> Response {
    let token = headers[header::AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let session = session::sign_in(&bare.services, token).await.unwrap();
    let prepared = bare.api.prepare(Operation::new(body.query)).unwrap();
    Json(bare.api.execute(session, prepared).await).into_response()
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A thousand sockets, each of which follows an import.
async fn subscriptions(url: &str, folder: &Path, token: &str, report: &mut Report) {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // An import that is at work for as long as it is followed.
    let settings = [
        ("COUNTERPART_IMPORT_PACE", "1"),
        ("COUNTERPART_OPERATIONS_PER_MINUTE", "0"),
        // What it has freed it gives back at once: sockets that move into it would seem to take nothing.
        ("MIMALLOC_PURGE_DELAY", "0"),
    ];
    let server = Server::start(url, folder, &settings);
    let mut connection = Connection::open(server.address).await;
    let mut csv = "email,external_id,alias_email,operation\n".to_owned();
    (0..FOLLOWED).for_each(|i| csv += &format!("nobody.{i}@acme.example,,,remove\n"));
    let made = import(&mut connection, token, &csv).await;
    let id = made["data"]["importMappings"]["importJob"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();

    // What the first ones bring into memory is no part of what each takes.
    let mut sockets = follow(server.address, token, &id, SUBSCRIPTIONS / 10).await;
    let before = server.memory();
    sockets.extend(follow(server.address, token, &id, SUBSCRIPTIONS).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let each = (server.memory().saturating_sub(before)) as f64 / SUBSCRIPTIONS as f64;
    report.at_most("memory of a subscription over a websocket", each, 50.0, " kB");

    let ended = Instant::now();
    let heard = sockets.iter_mut().map(|socket| async {
        loop {
            let message = hear(socket).await;
            if message["payload"]["data"]["importProgress"]["status"] == "CANCELED" {
                return Instant::now();
            }
        }
    });
    let cancel = async {
        let query = format!("mutation {{ cancelImport(input: {{id: \"{id}\"}}) {{ userErrors {{ message }} }} }}");
        let answer: Value =
            serde_json::from_slice(connection.send(&Request::post("/graphql", token, &query)).await).unwrap();
        assert_eq!(answer["data"]["cancelImport"]["userErrors"], json!([]), "{answer}");
    };
    let (heard, ()) = tokio::join!(join_all(heard), cancel);
    let last = heard.into_iter().max().unwrap() - ended;
    let name = format!("progress reaches all {} of them", sockets.len());
    report.at_most(&name, ms(last).round(), 500.0, " ms");
}

async fn import(connection: &mut Connection, token: &str, csv: &str) -> Value {
    let query = "mutation ($text: String!) { importMappings(input: {integration: {name: \"CRM\"}, source: {text: $text}}) \
                 { importJob { id } userErrors { message } } }";
    let request = Request::post_with("/graphql", token, query, &json!({ "text": csv }));
    serde_json::from_slice(connection.send(&request).await).unwrap()
}

/// So many sockets that follow an import and have heard how it stands.
async fn follow(address: SocketAddr, token: &str, id: &str, number: usize) -> Vec<Socket> {
    let mut sockets = Vec::with_capacity(number);
    for _ in 0..number {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, "graphql-transport-ws".parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } });
        say(&mut socket, init).await;
        assert_eq!(hear(&mut socket).await["type"], "connection_ack");
        let query = format!("subscription {{ importProgress(id: \"{id}\") {{ status processedRows }} }}");
        say(&mut socket, json!({ "type": "subscribe", "id": "a", "payload": { "query": query } })).await;
        let first = hear(&mut socket).await;
        assert_eq!(first["type"], "next", "{first}");
        sockets.push(socket);
    }
    sockets
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(close) => panic!("{close:?}"),
            _ => {}
        }
    }
}

/// One who asks for one user: in rounds, alone and then beside four who send the worst documents one after the other. Each
/// number is the median of the rounds.
async fn flood(url: &str, folder: &Path, token: &str, scale: Scale, report: &mut Report) {
    let server = Server::start(url, folder, &[("COUNTERPART_OPERATIONS_PER_MINUTE", "0")]);
    let one = Request::post("/graphql", token, &one());
    let p99 = |seconds| ms(quantile(&mut load(server.address, &one, 1, seconds).latencies, 0.99));
    let mut answered = 0;
    let rounds = block_in_place(|| {
        p99(scale.seconds);
        let round = |_| {
            let idle = p99(scale.seconds);
            let flood = Flood::start(server.address, token);
            thread::sleep(Duration::from_secs_f64(scale.seconds / 4.0));
            let beside = p99(2.0 * scale.seconds);
            answered += flood.stop();
            [idle, beside, beside / idle]
        };
        (0..scale.rounds).map(round).collect::<Vec<_>>()
    });
    let [idle, beside, ratio] =
        std::array::from_fn(|i| median(&mut rounds.iter().map(|round| round[i]).collect::<Vec<_>>()));
    report.value("a flood of the worst documents", format!("{answered} of them answered"), None, None);
    report.value("one user's p99, idle and beside them", format!("{idle:.2} and {beside:.2} ms"), None, None);
    report.at_most("one user's p99 beside them : idle", ratio, 5.0, "");
}

/// Four connections over which the worst documents are sent as fast as they are answered.
struct Flood {
    stop: CancellationToken,
    clients: Vec<JoinHandle<usize>>,
}

impl Flood {
    fn start(address: SocketAddr, token: &str) -> Self {
        let stop = CancellationToken::new();
        let client = |connection| {
            let (worst, stop) = (worst(token), stop.clone());
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut opened = Connection::open(address).await;
                    let mut sent = 0;
                    while !stop.is_cancelled() {
                        let answer = opened.send(&worst[(connection + sent) % worst.len()]).await;
                        let refused = answer.starts_with(b"{\"errors\"");
                        assert!(!refused, "{}", String::from_utf8_lossy(answer));
                        sent += 1;
                    }
                    sent
                })
            })
        };
        let clients = (0..4).map(client).collect();
        Self { stop, clients }
    }

    /// Ends it; how many documents were answered.
    fn stop(self) -> usize {
        self.stop.cancel();
        self.clients.into_iter().map(|client| client.join().unwrap()).sum()
    }
}
