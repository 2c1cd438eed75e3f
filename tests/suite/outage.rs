//! A database that goes away while the server runs, and comes back.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Backend, TestDatabase, World, proxy::Proxy};

const VIEWER: &str = "{ viewer { id } }";

#[tokio::test]
async fn a_stopped_database_is_waited_for() {
    outage(async |proxy| proxy.cut().await).await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_waited_for() {
    outage(async |proxy| proxy.hold_up()).await;
}

async fn outage(strike: impl AsyncFn(&mut Proxy)) {
    let Some(database) = TestDatabase::migrated(Backend::Postgres).await else { return };
    let mut proxy = Proxy::before(&database.url).await;
    let world = World::on(&proxy.url).await;
    let (admin, anybody) = (world.admin(), world.anonymous());
    admin.graphql(VIEWER, json!({})).await.ok();
    assert_eq!(anybody.get("/health/ready").await.status, StatusCode::OK);

    strike(&mut proxy).await;
    let started = Instant::now();
    let ready = anybody.get("/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(anybody.get("/health/live").await.status, StatusCode::OK);
    let answer = admin.graphql(VIEWER, json!({})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"));
    assert_eq!(
        answer.json,
        json!({ "errors": [{
            "message": "Something went wrong on the server. Its log has the cause, under the id in extensions.",
            "extensions": { "code": "INTERNAL", "id": answer.header("x-request-id") },
        }] })
    );

    proxy.mend().await;
    let mended = Instant::now();
    while anybody.get("/health/ready").await.status != StatusCode::OK {
        assert!(mended.elapsed() < Duration::from_secs(20), "the server does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    admin.graphql(VIEWER, json!({})).await.ok();
    database.remove().await;
}
