//! What every request passes: an id, a line in the log, the metrics, headers, and what happens when a handler panics.

use std::{
    mem,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::{Instant, SystemTime},
};

use apollo_compiler::executable::OperationType;
use axum::{
    extract::{MatchedPath, Request},
    handler::Handler,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::{Instrument, field};
use uuid::{Uuid, fmt::Hyphenated};

use super::{App, refusal::Refusal};
use crate::{
    graphql::document::Prepared,
    service::{Session, clock::Clock, scope},
    telemetry::{
        self,
        access::{Answered, Told},
    },
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in the log and in the answer; a caller may bring its own.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    pub fn new(clock: &Clock) -> Self {
        let mut digits = [0; Hyphenated::LENGTH];
        Self(Arc::from(&*clock.id::<Uuid>().hyphenated().encode_lower(&mut digits)))
    }
}

/// How many SQL statements an answer took; in the extensions of every response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementCount(pub u64);

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

/// A handler, and what every request passes before it and after it. It is no layer of the router, which would go through
/// several boxes for each request, and through all of them again each time that the request goes on.
#[derive(Clone)]
pub struct Front<H>(H);

/// Puts the front before a handler.
pub fn front<H>(handler: H) -> Front<H> {
    Front(handler)
}

impl<T: 'static, H: Handler<T, App>> Handler<T, App> for Front<H> {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: App) -> Self::Future {
        let id = request_id(&app, &request);
        Box::pin(scope::within(Arc::clone(&id), answer(app, id, request, self.0)))
    }
}

async fn answer<T, H: Handler<T, App>>(app: App, id: Arc<str>, mut request: Request, handler: H) -> Response {
    let started = Instant::now();
    let method = method(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("none", MatchedPath::as_str);
    let path = shown(request.uri());
    // Where the route is no pattern, it is the path.
    let path = (path != route).then(|| path.to_owned());
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));

    // Names and meanings are those of OpenTelemetry's semantic conventions.
    let traced = tracing::info_span!(
        target: telemetry::traces::TARGET,
        "request",
        request.id = &*id,
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
    if !traced.is_disabled() {
        telemetry::traces::join(&traced, request.headers());
    }
    let handled = AssertUnwindSafe(handler.call(request, app)).catch_unwind();
    let handled = if traced.is_disabled() { handled.await } else { handled.instrument(traced.clone()).await };
    let statements = scope::statements();
    // The panic itself was logged where it happened.
    let mut response = handled.unwrap_or_else(|_| Refusal::internal(&id).into_response());

    let status = response.status();
    let told = response.extensions_mut().remove::<Told>().unwrap_or_default();
    if !traced.is_disabled() {
        traced.record("http.response.status_code", status.as_u16());
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
    }
    let answered = Answered {
        at: SystemTime::now(),
        method,
        route: matched,
        path,
        status,
        took: started.elapsed(),
        statements,
        told,
        request_id: Arc::clone(&id),
    };
    answered.record();

    response.extensions_mut().insert(StatementCount(statements));
    let mut headers = EVERY_ANSWER.clone();
    headers.extend(mem::take(response.headers_mut()));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    *response.headers_mut() = headers;
    response
}

/// What every answer has, unless it says otherwise.
static EVERY_ANSWER: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::new();
    headers.extend([
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    headers
});

/// The id that the caller brought, where it can stand in a log; else a new one.
fn request_id(app: &App, request: &Request) -> Arc<str> {
    let brought = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match brought {
        Some(id)
            if (1..=100).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) =>
        {
            id.into()
        }
        _ => RequestId::new(&app.services.clock).0,
    }
}

/// The path for the log: without the parameters, which may hold a query's variables, and without signatures.
fn shown(uri: &Uri) -> &str {
    let path = uri.path();
    if path.starts_with(SIGNED) {
        return SIGNED;
    }
    &path[..path.floor_char_boundary(200)]
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
