//! What a load balancer and a monitor ask.

use std::time::Duration;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::App;
use crate::{database, service::queue, telemetry};

/// A database that has not answered by then is down for whoever asks.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The process runs.
pub async fn live() -> &'static str {
    "live\n"
}

/// The database answers, and its schema is what this program needs.
pub async fn ready(State(app): State<App>) -> Response {
    if app.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: the server stops\n").into_response();
    }
    let (status, text) = match tokio::time::timeout(PATIENCE, database::is_ready(&app.services.db)).await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database's schema is not up to date\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database can't be asked");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database can't be asked\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database does not answer\n"),
    };
    (status, text).into_response()
}

/// The metrics, for Prometheus.
pub async fn metrics(State(app): State<App>) -> Response {
    for (pool, open, idle) in app.services.db.pools() {
        metrics::gauge!(telemetry::metrics::POOL, "pool" => pool, "state" => "idle").set(idle as f64);
        metrics::gauge!(telemetry::metrics::POOL, "pool" => pool, "state" => "in_use")
            .set(f64::from(open) - idle as f64);
    }
    // A database that is away is no reason to tell nothing.
    match tokio::time::timeout(PATIENCE, queue::lengths(&app.services)).await {
        Ok(Ok(lengths)) => {
            for (kind, status, jobs) in lengths {
                metrics::gauge!(telemetry::metrics::QUEUE, "kind" => kind, "status" => status).set(jobs as f64);
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the queue can't be looked at"),
        Err(_) => tracing::warn!("the queue can't be looked at: the database does not answer"),
    }
    telemetry::access::flush();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}
