//! What a load balancer and a monitor ask.

use axum::http::StatusCode;
use migration::{Migrator, MigratorTrait};

use crate::support::World;

both!(a_migrated_server_is_live_and_ready, without_its_tables_a_server_is_live_and_not_ready, metrics_count_requests);

async fn a_migrated_server_is_live_and_ready(world: World) {
    let anybody = world.anonymous();
    let (live, ready) = (anybody.get("/health/live").await, anybody.get("/health/ready").await);
    assert_eq!((live.status, live.text()), (StatusCode::OK, "live\n"));
    assert_eq!((ready.status, ready.text()), (StatusCode::OK, "ready\n"));
    assert_eq!((live.statements, ready.statements), (0, 1));
}

async fn without_its_tables_a_server_is_live_and_not_ready(world: World) {
    let tx = world.services.db.begin().await.unwrap();
    Migrator::down(tx.connection(), None).await.unwrap();
    tx.commit().await.unwrap();
    let anybody = world.anonymous();
    assert_eq!(anybody.get("/health/live").await.status, StatusCode::OK);
    let ready = anybody.get("/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.text(), "not ready: the database's schema is not up to date\n");
}

async fn metrics_count_requests(world: World) {
    let anybody = world.anonymous();
    anybody.get("/schema.graphql").await;
    anybody.get("/nothing/here").await;
    let metrics = anybody.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for counted in [
        r#"counterpart_http_requests_total{route="/schema.graphql",method="GET",status="200"}"#,
        // Whatever is asked for, it does not become a label.
        r#"counterpart_http_requests_total{route="none",method="GET",status="404"}"#,
        r#"counterpart_http_request_duration_seconds_count{route="/schema.graphql"}"#,
        r#"counterpart_http_request_sql_statements_count{route="/schema.graphql"}"#,
    ] {
        assert!(metrics.text().contains(counted), "{counted} is not in\n{}", metrics.text());
    }
}
