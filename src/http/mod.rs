//! The front door: every route, who may come in, and what leaves.
//!
//! A request passes [`front`] (its id, its line in the log, headers that every answer has), which stands before each of the
//! handlers named here.

mod accept;
mod admission;
mod aside;
mod batch;
mod client;
mod content;
mod cors;
mod deadline;
mod events;
mod files;
mod front;
mod graphql;
mod health;
mod pages;
mod persisted;
mod refusal;
mod request;
mod serve;
mod steps;
mod upload;
mod websocket;

use std::{ops::Deref, sync::Arc};

use axum::{
    Router,
    handler::Handler,
    http::StatusCode,
    routing::{self, MethodRouter},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{CompressionLevel, compression::CompressionLayer};

use self::{admission::Admission, front::front, persisted::Persisted};
use crate::{
    config::FrontSettings,
    graphql::{Api, document::Limits},
    service::Services,
    telemetry,
};

pub use client::Peer;
pub use front::StatementCount;
pub use serve::{Serving, serve};

/// What the handlers work with: one of it, that all requests share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    services: Arc<Services>,
    api: Arc<Api>,
    settings: FrontSettings,
    persisted: Persisted,
    admission: Admission,
    metrics: PrometheusHandle,
    /// Cancelled when the process is to stop: connections that would stay open end then.
    stop: CancellationToken,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Every address that is answered.
///
/// # Errors
/// A list of operations that can't be used, in one line that names the setting.
pub fn router(services: Arc<Services>, settings: FrontSettings, stop: CancellationToken) -> Result<Router, String> {
    let limits = Limits {
        bytes: settings.max_document_bytes,
        tokens: settings.max_document_tokens,
        fields: settings.max_fields,
        depth: settings.max_depth,
        aliases: settings.max_aliases,
        directives: settings.max_directives,
        price: settings.max_complexity,
    };
    let api = Api::new(limits, settings.introspection).map_err(|error| format!("the schema is broken: {error}"))?;
    let persisted = persisted(&api, &settings)?;
    let cors = cors::layer(&settings.cors_origins);
    let app = App(Arc::new(Shared {
        services,
        api: Arc::new(api),
        persisted,
        admission: Admission::new(&settings),
        settings,
        metrics: telemetry::metrics::handle(),
        stop,
    }));
    // A file is compressed while it is sent, where that is asked for: the fastest way is to be no slower than the file.
    let compressed = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let router = Router::new()
        .route("/graphql", get(graphql::get).post(front(graphql::post)))
        .route("/schema.graphql", get(files::schema))
        .route("/templates/{file}", get(files::template))
        .route("/downloads/{signed}/{name}", get(files::download).layer(compressed))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/", get(pages::start))
        .route("/graphiql", get(pages::graphiql))
        .route("/assets/{*path}", get(pages::asset))
        .fallback(front(async || (StatusCode::NOT_FOUND, "There is nothing at this address.\n")))
        .method_not_allowed_fallback(front(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.\n")
        }))
        .with_state(app);
    Ok(match cors {
        Some(cors) => router.layer(cors),
        None => router,
    })
}

/// What is got at an address: of a handler behind the front.
fn get<T: 'static, H: Handler<T, App>>(handler: H) -> MethodRouter<App> {
    routing::get(front(handler))
}

/// How documents are come by; those of a list must be such as can be carried out.
fn persisted(api: &Api, settings: &FrontSettings) -> Result<Persisted, String> {
    let Some(file) = &settings.operations else {
        return Ok(if settings.persisted_queries { Persisted::automatic() } else { Persisted::Off });
    };
    let failed =
        |why: String| format!("COUNTERPART_OPERATIONS (--operations): {} can't be used: {why}", file.display());
    let persisted = Persisted::only(file).map_err(failed)?;
    for (id, document) in persisted.listed() {
        if let Err(errors) = api.read(document) {
            let why = errors.first().map(|error| error.message.as_str()).unwrap_or_default();
            return Err(failed(format!("its operation {id}: {why}")));
        }
    }
    Ok(persisted)
}
