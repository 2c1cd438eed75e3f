//! What every request passes: an id, a line in the log, the metrics, headers, and what happens when a handler panics.

use std::{panic::AssertUnwindSafe, time::Instant};

use apollo_compiler::executable::OperationType;
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use entity::UserId;
use futures::FutureExt;
use tracing::{Instrument, field};
use uuid::Uuid;

use super::{
    App,
    client::{Client, Peer},
    refusal::Refusal,
};
use crate::{
    graphql::document::Prepared,
    service::{Session, db},
    telemetry,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in the log and in the answer; a caller may bring its own.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// How many SQL statements an answer took; in the extensions of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementCount(pub u64);

/// What an answer is about, for the log and the metrics; in the extensions of responses.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub user: Option<UserId>,
    /// The operation's kind and name, where one was carried out.
    pub kind: Option<&'static str>,
    pub name: Option<String>,
    /// The first error's code.
    pub code: Option<String>,
}

impl Told {
    pub fn of(session: &Session, prepared: &Prepared) -> Self {
        let kind = match prepared.kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        Self { kind: Some(kind), name: prepared.name.clone(), ..Self::several(session) }
    }

    /// About several operations, or about none that could be carried out.
    pub fn several(session: &Session) -> Self {
        Self { user: Some(session.viewer.user_id), ..Self::default() }
    }
}

/// Addresses below this carry a signature, which the log must not have.
const SIGNED: &str = "/downloads/";

pub async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&app, &request);
    let method = method(request.method());
    let path = shown(request.uri());
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    if let Some(peer) = request.extensions().get::<Peer>().copied() {
        let client = Client::of(peer, request.headers(), &app.settings.trusted_proxies);
        request.extensions_mut().insert(client);
    }

    let span = tracing::info_span!("request", %id);
    // Names and meanings are those of OpenTelemetry's semantic conventions.
    let traced = tracing::info_span!(
        target: telemetry::traces::TARGET,
        "request",
        request.id = id,
        otel.kind = "server",
        otel.name = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        graphql.operation.name = field::Empty,
        graphql.operation.type = field::Empty,
        graphql.error.code = field::Empty,
        db.statements = field::Empty,
    );
    telemetry::traces::join(&traced, request.headers());
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let (handled, statements) = db::counting(handled).instrument(traced.clone()).instrument(span.clone()).await;
    // The panic itself was logged where it happened.
    let mut response = handled.unwrap_or_else(|_| Refusal::internal(&id).into_response());

    let seconds = started.elapsed().as_secs_f64();
    let status = response.status().as_u16();
    let told = response.extensions_mut().remove::<Told>().unwrap_or_default();
    let user = told.user.map(|user| user.0.to_string());
    traced.record("http.response.status_code", status);
    traced.record("db.statements", statements);
    traced.record("otel.name", told.kind.map_or_else(|| format!("{method} {route}"), |kind| kind.to_owned()));
    for (field, value) in [
        ("graphql.operation.type", told.kind),
        ("graphql.operation.name", told.name.as_deref()),
        ("graphql.error.code", told.code.as_deref()),
    ] {
        if let Some(value) = value {
            traced.record(field, value);
        }
    }
    span.in_scope(|| {
        tracing::info!(
            method,
            path,
            route,
            status,
            ms = (seconds * 1e6).round() / 1e3,
            statements,
            user,
            kind = told.kind,
            operation = told.name,
            code = told.code,
            "answered"
        );
    });
    metrics::counter!(telemetry::metrics::REQUESTS, "route" => route.clone(), "method" => method, "status" => status.to_string())
        .increment(1);
    metrics::histogram!(telemetry::metrics::DURATION, "route" => route.clone()).record(seconds);
    #[allow(clippy::cast_precision_loss, reason = "a request has fewer than 2^52 statements")]
    metrics::histogram!(telemetry::metrics::STATEMENTS, "route" => route).record(statements as f64);

    if told.kind.is_some() || told.code.is_some() {
        telemetry::metrics::operation(told.kind, told.name.as_deref(), told.code.as_deref(), seconds);
    }

    response.extensions_mut().insert(StatementCount(statements));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.reserve(EVERY_ANSWER.len());
    for (name, value) in &EVERY_ANSWER {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    response
}

/// What every answer has, unless it says otherwise.
static EVERY_ANSWER: [(HeaderName, HeaderValue); 7] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// The id that the caller brought, where it can stand in a log; else a new one.
fn request_id(app: &App, request: &Request) -> String {
    let brought = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match brought {
        Some(id)
            if (1..=100).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) =>
        {
            id.to_owned()
        }
        _ => app.services.clock.id::<Uuid>().to_string(),
    }
}

/// The path for the log: without the parameters, which may hold a query's variables, and without signatures.
fn shown(uri: &Uri) -> String {
    let path = uri.path();
    let path = if path.starts_with(SIGNED) { SIGNED } else { path };
    path.chars().take(200).collect()
}

/// The method for the metrics, which keep each value for good.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "OTHER",
    }
}
