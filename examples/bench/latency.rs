//! What work behind the scenes does to who asks meanwhile.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use counterpart::{http, service::Services};
use sea_orm::DbBackend;
use tokio::{net::TcpListener, task::block_in_place};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Request, load, quantile},
    report::Report,
    requests::ms,
    world,
};

/// One user's query while another process works, or for as long as `most`, against the same when none does.
pub async fn measure(
    services: &Arc<Services>,
    token: &str,
    email: &str,
    work: &mut Command,
    most: Duration,
    what: &str,
    report: &mut Report,
) {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = http::router(Arc::clone(services), world::front_door(), stop.clone()).unwrap();
    let server = tokio::spawn(http::serve(listener, app, http::Serving::default(), stop.clone()));
    let query = format!("{{ user(by: {{email: \"{email}\"}}) {{ email firstName lastName }} }}");
    let request = Request::post("/graphql", token, &query);
    let (mut idle, mut busy) = block_in_place(|| {
        load(address, &request, 1, 1.0);
        let idle = load(address, &request, 1, 5.0).latencies;
        let mut child = work.stdout(Stdio::null()).spawn().unwrap();
        let (began, mut busy) = (Instant::now(), Vec::new());
        while child.try_wait().unwrap().is_none() && began.elapsed() < most {
            busy.extend(load(address, &request, 1, 2.0).latencies);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        (idle, busy)
    });
    let (idle, busy) = (ms(quantile(&mut idle, 0.99)), ms(quantile(&mut busy, 0.99)));
    report.value("one user's p99", format!("{idle:.2} ms when idle, {busy:.2} ms while {what}"), None, None);
    if services.db.backend() == DbBackend::Postgres {
        report.at_most("… against idle", busy / idle, 10.0, "");
    } else {
        report.at_most("… while it goes on", busy, 50.0, " ms");
    }
    stop.cancel();
    server.await.unwrap();
}
