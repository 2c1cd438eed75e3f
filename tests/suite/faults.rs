//! Clients that are slow, rude or many, and a server that is told to stop: seen from outside, over real connections.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use counterpart::{config::FrontSettings, http::Serving};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::{
    World,
    program::{Server, counterpart},
    remote::Remote,
    socket::{self, Client},
    unhurried,
};

both!(
    heads_and_bodies_arrive_in_time,
    who_never_reads_is_given_up,
    a_websocket_has_a_place_among_the_connections,
    who_closes_their_side_is_gone,
    an_operation_has_its_time,
);

/// What a connection says until it ends, or for so long.
fn heard(connection: &mut TcpStream, patience: Duration) -> String {
    connection.set_read_timeout(Some(patience)).unwrap();
    let mut heard = Vec::new();
    let _ = connection.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

/// The next answer of a connection that stays open, head and body.
fn one_answer(connection: &mut TcpStream) -> io::Result<String> {
    connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return Ok(text.into_owned());
            }
        }
        match connection.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
}

fn post(token: &str, query: &str) -> String {
    let body = serde_json::json!({ "query": query }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn heads_and_bodies_arrive_in_time(world: World) {
    let settings = FrontSettings { body_seconds: 1, request_seconds: 3, ..unhurried() };
    let serving = Serving { head: Duration::from_millis(400), ..Serving::default() };
    let (address, stop) = socket::serve_with(&world, settings, serving).await;
    let token = world.administrator.token.clone();
    spawn_blocking(move || {
        let started = Instant::now();
        let mut slow: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
        for connection in &mut slow {
            connection.write_all(b"POST /graphql HTTP/1.1\r\nHo").unwrap();
        }
        for connection in &mut slow {
            heard(connection, Duration::from_secs(5));
        }
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());

        let mut connection = TcpStream::connect(address).unwrap();
        let request = post(&token, "{ viewer { id } }");
        connection.write_all(&request.as_bytes()[..request.len() - 5]).unwrap();
        let answer = heard(&mut connection, Duration::from_secs(8));
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("LIMIT_EXCEEDED"), "{answer}");

        // Never silent for long, and never done.
        let mut connection = TcpStream::connect(address).unwrap();
        let (head, body) = request.split_at(request.find("\r\n\r\n").unwrap() + 4);
        connection.write_all(head.as_bytes()).unwrap();
        let started = Instant::now();
        for byte in body.bytes().take(body.len() - 1) {
            if started.elapsed() > Duration::from_secs(4) || connection.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(300));
        }
        let answer = heard(&mut connection, Duration::from_secs(8));
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    })
    .await
    .unwrap();
    stop.cancel();
}

async fn who_never_reads_is_given_up(world: World) {
    let serving = Serving { unread: Duration::from_millis(500), max_clients: 2, ..Serving::default() };
    let (address, stop) = socket::serve_with(&world, unhurried(), serving).await;
    spawn_blocking(move || {
        // Both places are taken by who asks for much and reads nothing of it.
        let mut deaf: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(address).unwrap()).collect();
        for connection in &mut deaf {
            connection.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            for _ in 0..400 {
                if connection.write_all(b"GET /schema.graphql HTTP/1.1\r\nHost: test\r\n\r\n").is_err() {
                    break;
                }
            }
        }
        let mut next = TcpStream::connect(address).unwrap();
        next.write_all(b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let answer = heard(&mut next, Duration::from_secs(10));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    })
    .await
    .unwrap();
    stop.cancel();
}

async fn a_websocket_has_a_place_among_the_connections(world: World) {
    let serving = Serving { max_clients: 1, ..Serving::default() };
    let (address, stop) = socket::serve_with(&world, unhurried(), serving).await;
    let socket = Client::at((address, stop.clone()), Some("graphql-transport-ws")).await;
    let (mut next, silence) = spawn_blocking(move || {
        let mut next = TcpStream::connect(address).unwrap();
        next.write_all(b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let silence = heard(&mut next, Duration::from_millis(700));
        (next, silence)
    })
    .await
    .unwrap();
    assert_eq!(silence, "", "there is no place for another");
    drop(socket);
    let answer = spawn_blocking(move || heard(&mut next, Duration::from_secs(10))).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    stop.cancel();
}

async fn who_closes_their_side_is_gone(world: World) {
    let (address, stop) = socket::serve(&world).await;
    let token = world.administrator.token.clone();
    // Somebody holds the organisation's lock, so that nothing is answered meanwhile.
    let tx = world.services.db.write(world.session().await.organization_id()).await.unwrap();
    let closed = spawn_blocking(move || {
        let mut connections: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
        let team = "mutation { createTeam(input: {name: \"A\"}) { team { id } } }";
        for connection in &mut connections {
            connection.write_all(post(&token, team).as_bytes()).unwrap();
            connection.shutdown(Shutdown::Write).unwrap();
        }
        let started = Instant::now();
        for connection in &mut connections {
            assert_eq!(heard(connection, Duration::from_secs(5)), "");
        }
        started.elapsed()
    });
    assert!(closed.await.unwrap() < Duration::from_secs(4));
    drop(tx);
    let teams = world.read("{ teams { totalCount } }").await;
    assert_eq!(teams["teams"]["totalCount"], 0, "what nobody waits for is not done");
    stop.cancel();
}

async fn an_operation_has_its_time(world: World) {
    // Somebody holds the organisation's lock, so that a mutation can't go on.
    let tx = world.services.db.write(world.session().await.organization_id()).await.unwrap();
    let settings = FrontSettings { request_seconds: 1, ..unhurried() };
    let admin = crate::support::client::Actor::new(world.behind(settings).unwrap(), world.admin().token);
    let started = Instant::now();
    let answer =
        admin.graphql("mutation { createTeam(input: {name: \"A\"}) { team { id } } }", serde_json::json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "LIMIT_EXCEEDED"));
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(tx);
    let teams = world.read("{ teams { totalCount } }").await;
    assert_eq!(teams["teams"]["totalCount"], 0, "what was given up is not done later");
}

#[test]
fn ten_thousand_connections_are_no_reason_to_stop() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&mut counterpart(folder.path()));
    // Each connection is an open file here, and one of the server's.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let many = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(1_000).min(10_000);
    assert!(many >= 1_000, "only {files} files can be open here");
    let connections: Vec<TcpStream> = (0..many).map(|_| server.connect()).collect();
    let started = Instant::now();
    for _ in 0..20 {
        assert!(server.get("/health/ready").starts_with("HTTP/1.1 200 OK"));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let mut last = connections.last().unwrap();
    last.write_all(b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("live\n"), "{answer}");
}

#[test]
fn no_request_is_lost_when_the_server_is_told_to_stop() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(&mut counterpart(folder.path()));
    let output = server.printed("API token:");
    let token = output.split("API token:").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let teams = |server: &Server| {
        let admin = Remote { server, token: &token };
        let answer = admin.graphql("{ teams { totalCount } }", serde_json::json!({}));
        answer["teams"]["totalCount"].as_u64().unwrap()
    };
    let before = teams(&server);
    let (answered, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (address, token) = (server.address.clone(), token.clone());
            let (answered, sent) = (Arc::clone(&answered), Arc::clone(&sent));
            thread::spawn(move || {
                let mut connection = None;
                for n in 0.. {
                    let open = connection.take().map_or_else(|| TcpStream::connect(&address), Ok);
                    // Nobody listens any more: that is told at once, and nothing has been sent.
                    let Ok(mut open) = open else { break };
                    let name = format!("T {client} {n}");
                    let query = format!("mutation {{ createTeam(input: {{name: \"{name}\"}}) {{ team {{ id }} }} }}");
                    sent.fetch_add(1, Ordering::SeqCst);
                    let answer = open.write_all(post(&token, &query).as_bytes()).and_then(|()| one_answer(&mut open));
                    let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"team\":{"), "{name}: {answer}");
                    answered.fetch_add(1, Ordering::SeqCst);
                    // Half of them go on with a connection for as long as they are told that they may.
                    if client % 2 == 0 && !answer.contains("\r\nconnection: close\r\n") {
                        connection = Some(open);
                    }
                }
            })
        })
        .collect();
    while answered.load(Ordering::SeqCst) < 40 {
        thread::sleep(Duration::from_millis(5));
    }
    server.signal("TERM");
    for client in clients {
        client.join().unwrap();
    }
    assert!(server.wait().success());
    assert_eq!(answered.load(Ordering::SeqCst), sent.load(Ordering::SeqCst));
    // Each answer was of a team that is there.
    let server = Server::start(&mut counterpart(folder.path()));
    assert_eq!(teams(&server) - before, answered.load(Ordering::SeqCst) as u64);
}
