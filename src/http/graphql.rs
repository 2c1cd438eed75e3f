//! GraphQL over HTTP: a request becomes an operation, an operation's result an answer.

use std::{net::IpAddr, pin::pin, sync::Arc, time::Duration};

use apollo_compiler::executable::OperationType;
use async_graphql::{Request as Operation, Response as Outcome, ServerError, Value};
use async_graphql_axum::GraphQLResponse;
use axum::{
    Extension,
    body::BodyDataStream,
    extract::{Request, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    App,
    accept::{self, MediaType},
    admission::Admission,
    aside::aside,
    batch,
    content::{Content, content_type, drain, read_whole},
    deadline::Deadline,
    events,
    front::RequestId,
    refusal::Refusal,
    request::{self, Operations},
    steps::Asked,
    upload, websocket,
};
use crate::{
    graphql::document::Prepared,
    service::{Session, session},
    telemetry::access::Told,
};

/// How many times longer an operation that brings a file may take, once the file is here.
const PATIENCE_WITH_FILE: u32 = 10;

/// `POST`: queries and mutations, with or without files; subscriptions for who reads events.
pub async fn post(State(app): State<App>, Extension(id): Extension<RequestId>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let refusal = match read(&app, &id, &parts, &mut body).await {
        Ok((caller, Operations::One(operation))) => return one(&app, &parts, caller, *operation).await,
        Ok((caller, Operations::Several(operations))) => {
            return Box::pin(batch::answer(&app, caller, operations)).await;
        }
        Err(refusal) => refusal,
    };
    // Who waits to be asked for the body has not sent it.
    if !parts.headers.contains_key(header::EXPECT) {
        drain(&mut body).await;
    }
    refusal.in_media(MediaType::of(&parts.headers)).into_response()
}

/// Who asks, and how long each of their operations may take.
pub struct Caller {
    pub session: Session,
    pub token: String,
    pub id: RequestId,
    pub deadline: Deadline,
}

async fn read(
    app: &App,
    id: &RequestId,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<(Caller, Operations), Refusal> {
    let content = content_type(&parts.headers)?;
    let mut deadline = Deadline::new(app.patience());
    let (session, token) = sign_in(app, parts, id, &mut deadline).await?;
    let settings = &app.settings;
    let (operations, deadline) = match content {
        Content::Json => {
            // Byte by byte it may take no longer than an operation.
            let end = Instant::now() + app.patience();
            let body = read_whole(body, settings.max_body_bytes, app.silence(), end).await?;
            (request::parse(&body, &app.persisted, settings.max_batch)?, deadline)
        }
        Content::Multipart(boundary) => {
            let operation = Box::pin(upload::read(app, body, boundary, id)).await?;
            (Operations::One(Box::new(operation)), deadline.longer(PATIENCE_WITH_FILE))
        }
    };
    Ok((Caller { session, token, id: id.clone(), deadline }, operations))
}

/// `GET`: queries only, or a websocket, or a subscription for who reads events.
pub async fn get(
    State(app): State<App>,
    Extension(id): Extension<RequestId>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let headers = &parts.headers;
    if headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return match upgrade {
            Ok(upgrade) => websocket::accept(app, &parts, upgrade),
            Err(refusal) => refusal.into_response(),
        };
    }
    let read = async {
        let mut deadline = Deadline::new(app.patience());
        let (session, token) = sign_in(&app, &parts, &id, &mut deadline).await?;
        let operation = request::parameters(parts.uri.query().unwrap_or_default(), &app.persisted)?;
        Ok((Caller { session, token, id, deadline }, operation))
    };
    match read.await {
        Ok((caller, operation)) => one(&app, &parts, caller, operation).await,
        Err(refusal) => Refusal::in_media(refusal, MediaType::of(headers)).into_response(),
    }
}

/// Prepares an operation of somebody.
pub async fn prepare(app: &App, token: &str, operation: Operation) -> Result<Prepared, Denied> {
    app.admission.count(token)?;
    let prepared = match app.admission.read(operation.query.len()).await {
        Some(share) => {
            let api = Arc::clone(&app.api);
            let read = async move {
                let _share = share;
                api.prepare(operation)
            };
            aside(read).await
        }
        None => app.api.prepare(operation),
    };
    prepared.map_err(Denied::Errors)
}

/// Why an operation is not carried out.
pub enum Denied {
    Refusal(Refusal),
    Errors(Vec<ServerError>),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// Carries an operation out, and answers in what the client reads.
async fn one(app: &App, Parts { method, headers, .. }: &Parts, caller: Caller, operation: Operation) -> Response {
    let media = MediaType::of(headers);
    let Caller { session, token, id, mut deadline } = caller;
    let prepared = match prepare(app, &token, operation).await {
        Ok(prepared) => prepared,
        Err(Denied::Errors(errors)) => return refused(headers, &id, &session, errors),
        Err(Denied::Refusal(refusal)) => return refusal.in_media(media).into_response(),
    };
    if let Err(refusal) = may_come(method, headers, &prepared) {
        return refusal.in_media(media).into_response();
    }
    let mut told = Told::of(&session, &prepared);
    let mut response = if accept::takes_events(headers, prepared.kind == OperationType::Subscription) {
        events::answer(app, Asked { session, token, id, prepared, deadline })
    } else {
        let written = move |outcome: Outcome| (first_code(&outcome), answer(media, &id, outcome));
        match execute(app, session, prepared, &mut deadline, written).await {
            Ok((code, answer)) => {
                told.code = code;
                answer
            }
            Err(refusal) => {
                told.code = Some(refusal.code.to_owned());
                refusal.in_media(media).into_response()
            }
        }
    };
    response.extensions_mut().insert(told);
    response
}

fn refused(headers: &HeaderMap, id: &RequestId, session: &Session, errors: Vec<ServerError>) -> Response {
    let outcome = Outcome::from_errors(errors);
    let told = Told { code: first_code(&outcome), ..Told::several(session) };
    let mut response = if accept::takes_events(headers, false) {
        events::refused(&outcome.errors)
    } else {
        answer(MediaType::of(headers), id, outcome)
    };
    response.extensions_mut().insert(told);
    response
}

/// Whether an operation of this kind can come over this method, and with this `Accept`.
fn may_come(method: &Method, headers: &HeaderMap, prepared: &Prepared) -> Result<(), Refusal> {
    let refused = |message: &'static str| Err(Refusal::bad_request(message).over_post_only());
    match prepared.kind {
        OperationType::Mutation if method == Method::GET => {
            refused("Over GET there are no mutations: send this with POST.")
        }
        OperationType::Subscription if method == Method::GET && !accept::takes_events(headers, true) => {
            refused("Over GET there are subscriptions only with `Accept: text/event-stream`, or over a websocket.")
        }
        _ => Ok(()),
    }
}

/// The session of a request, and the token that it came with.
async fn sign_in(
    app: &App,
    parts: &Parts,
    id: &RequestId,
    deadline: &mut Deadline,
) -> Result<(Session, String), Refusal> {
    let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    let signed_in = match token {
        Some(token) => {
            let signed_in = deadline.hold(pin!(session::sign_in(&app.services, token))).await;
            signed_in.and_then(|signed_in| signed_in.map_err(|error| Refusal::of(&error, &id.0)))
        }
        None => Err(Refusal::unauthenticated()),
    };
    match (signed_in, token) {
        (Ok(session), Some(token)) => Ok((session, token.to_owned())),
        (Err(refusal), _) => Err(app.sent_away(app.client(parts), refusal)),
        (Ok(_), None) => Err(Refusal::unauthenticated()),
    }
}

impl App {
    /// How long an operation may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.settings.request_seconds)
    }

    /// How long a client may be silent in the middle of its body.
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.settings.body_seconds)
    }

    /// The answer to somebody at this address who did not sign in: that they did not, or that they try too often.
    pub fn sent_away(&self, address: Option<IpAddr>, refusal: Refusal) -> Refusal {
        match address {
            Some(address) if refusal.status == StatusCode::UNAUTHORIZED => {
                self.admission.count_failure(address).err().unwrap_or(refusal)
            }
            _ => refusal,
        }
    }
}

/// The token of `Bearer TOKEN`.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Carries a query or a mutation out, as soon as there is room for it, and makes of its outcome what `written` does.
pub async fn execute<T: Send + 'static>(
    app: &App,
    session: Session,
    prepared: Prepared,
    deadline: &mut Deadline,
    written: impl FnOnce(Outcome) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let _place = app.admission.enter()?;
    let price = prepared.price;
    let api = Arc::clone(&app.api);
    let work = |session, share| async move {
        let _share = share;
        written(api.execute(session, prepared).await)
    };
    let done = async {
        let share = app.admission.carry_out(price).await;
        if Admission::is_aside(price) { aside(work(session.aside(), share)).await } else { work(session, share).await }
    };
    deadline.hold(pin!(done)).await
}

/// Whether an operation was refused as a whole, before any of its fields was looked at.
pub fn is_refused(outcome: &Outcome) -> bool {
    outcome.data == Value::Null && outcome.errors.iter().all(|error| error.path.is_empty())
}

/// The answer's JSON, without `data` where the operation was refused.
pub fn body(outcome: &Outcome, id: &RequestId) -> serde_json::Result<Vec<u8>> {
    if !is_refused(outcome) {
        return serde_json::to_vec(outcome);
    }
    if outcome.errors.is_empty() {
        // Neither data nor errors is nothing that a client could make sense of.
        tracing::error!("an operation ended without data and without errors");
        return serde_json::to_vec(&json!({ "errors": [Refusal::internal(&id.0).error()] }));
    }
    serde_json::to_vec(&json!({ "errors": outcome.errors }))
}

fn answer(media: MediaType, id: &RequestId, outcome: Outcome) -> Response {
    let status = status(media, &outcome);
    let mut response = if is_refused(&outcome) {
        match body(&outcome, id) {
            Ok(body) => body.into_response(),
            Err(error) => return unwritten(&error, id).in_media(media).into_response(),
        }
    } else {
        GraphQLResponse::from(outcome).into_response()
    };
    *response.status_mut() = status;
    // The library names the newer media type whatever the client takes.
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media.as_str()));
    response
}

/// For an answer that can't be written.
pub fn unwritten(error: &serde_json::Error, id: &RequestId) -> Refusal {
    tracing::error!(%error, "an answer can't be written as JSON");
    Refusal::internal(&id.0)
}

/// Under `application/json` the status tells of HTTP alone; under the newer media type, an operation that was refused
/// as a whole is a bad request.
fn status(media: MediaType, outcome: &Outcome) -> StatusCode {
    if !is_refused(outcome) {
        return StatusCode::OK;
    }
    let has = |wanted: &str| outcome.errors.iter().any(|error| code(error) == Some(wanted));
    if outcome.errors.is_empty() || has("INTERNAL") {
        StatusCode::INTERNAL_SERVER_ERROR
    } else if has("UNAUTHENTICATED") {
        StatusCode::UNAUTHORIZED
    } else if media == MediaType::GraphqlResponse {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    }
}

/// The code of the first error.
pub fn first_code(outcome: &Outcome) -> Option<String> {
    outcome.errors.first().and_then(code).map(str::to_owned)
}

/// The code of an error, as the client reads it.
pub fn code(error: &ServerError) -> Option<&str> {
    error.extensions.as_ref()?.get("code").and_then(request::text_of)
}
