//! Traces, as a collector receives them.

use std::{
    io::{Read, Write},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::support::program::{Server, counterpart};

type Received = Arc<Mutex<Vec<u8>>>;

async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    received.lock().unwrap().extend_from_slice(&body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_a_span_of_its_callers_trace() {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&received));
    tokio::spawn(async { axum::serve(listener, app).await });

    let log = spawn_blocking(move || {
        let folder = TempDir::new().unwrap();
        let mut server = Server::start(counterpart(folder.path()).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector));
        let output = server.printed("API token:");
        let token = output.split("API token:").nth(1).unwrap().split_whitespace().next().unwrap();
        let body = r#"{"query": "query WhoAmI { viewer { email } }"}"#;
        let mut connection = server.connect();
        write!(
            connection,
            "POST /graphql HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("admin@example.com"), "{answer}");
        server.signal("TERM");
        assert!(server.wait().success());
        server.log()
    })
    .await
    .unwrap();

    let received = received.lock().unwrap();
    let has = |part: &[u8]| received.windows(part.len()).any(|window| window == part);
    for told in ["counterpart", "WhoAmI", "graphql.operation.type", "http.response.status_code", "/graphql"] {
        assert!(has(told.as_bytes()), "{told}");
    }
    let trace: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&TRACE[2 * i..2 * i + 2], 16).unwrap()).collect();
    assert!(has(&trace), "the span is one of the caller's trace");
    for secret in ["admin@example.com", "viewer", "cpt_"] {
        assert!(!has(secret.as_bytes()), "{secret}");
    }
    // One line in the log says the same.
    let line = log.lines().find(|line| line.contains("WhoAmI")).unwrap();
    for told in ["kind=\"query\"", "statements=", "user=", "status=200", "ms="] {
        assert!(line.contains(told), "{told}: {line}");
    }
    assert!(!line.contains("otel.") && !line.contains("cpt_") && !line.contains('@'), "{line}");
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
