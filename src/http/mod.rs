//! The front door: every route, who may come in, and what leaves.
//!
//! A request passes [`front`] (its id, its line in the log, headers that every answer has), then meets one of the
//! handlers named here.

mod accept;
mod documents;
mod events;
mod files;
mod front;
mod graphql;
mod health;
mod pages;
mod refusal;
mod steps;
mod upload;
mod websocket;

use std::{io, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, http::StatusCode, middleware, routing::get, serve::ListenerExt};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::{CompressionLevel, compression::CompressionLayer};

pub use front::StatementCount;

use crate::{graphql::Schema, service::Services, telemetry};

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    services: Arc<Services>,
    schema: Schema,
    metrics: PrometheusHandle,
    /// Cancelled when the process is to stop: connections that would stay open end then.
    stop: CancellationToken,
}

/// Every address that is answered.
pub fn router(services: Arc<Services>, stop: CancellationToken) -> Router {
    let schema = crate::graphql::schema();
    let app = App { services, schema, metrics: telemetry::metrics(), stop };
    // A file is compressed while it is sent, where that is asked for: the fastest way is to be no slower than the file.
    let compressed = CompressionLayer::new().quality(CompressionLevel::Fastest);
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/schema.graphql", get(files::schema))
        .route("/templates/{file}", get(files::template))
        .route("/downloads/{signed}/{name}", get(files::download).layer(compressed))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/", get(pages::start))
        .route("/graphiql", get(pages::graphiql))
        .route("/assets/{*path}", get(pages::asset))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing at this address.\n") })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.\n")
        })
        .layer(middleware::from_fn_with_state(app.clone(), front::pass))
        // Each reader of a body has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// Answers requests until `stop` is cancelled, then finishes those in flight, for as long as `grace`.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken, grace: Duration) -> io::Result<()> {
    // An answer is written whole: waiting for more to send with it would only make it late.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        ended = async { server.await } => ended,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        } => {
            tracing::warn!("requests that did not end in time are cut off");
            Ok(())
        }
    }
}
