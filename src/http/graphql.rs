//! GraphQL over HTTP: a request becomes an operation, an operation's result an answer.

use std::time::Duration;

use async_graphql::{
    Request as Operation, Response as Outcome, Value, Variables,
    parser::types::{DocumentOperations, OperationType},
};
use async_graphql_axum::GraphQLResponse;
use axum::{
    Extension,
    body::BodyDataStream,
    extract::{Request, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use mime::Mime;
use serde_json::json;

use super::{
    App,
    accept::{self, MediaType},
    documents, events,
    front::{OperationName, RequestId},
    refusal::Refusal,
    steps::Asked,
    upload, websocket,
};
use crate::{
    graphql,
    service::{Session, session},
};

/// The largest JSON body, in bytes.
pub const MAX_JSON_BYTES: usize = 2 * 1024 * 1024;
/// How long an operation may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long an operation that brings a file may take, once the file is here.
const PATIENCE_WITH_FILE: Duration = Duration::from_secs(600);
/// How long a client may be silent in the middle of its body.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How much of a refused body is still read, for a client that only listens when it has sent everything.
const MAX_DRAINED_BYTES: u64 = 16 * 1024 * 1024;
/// What the GraphQL library puts in the place of an uploaded file; from a client it would name a file that isn't there.
const FILE_MARK: &str = "#__graphql_file__:";

/// `POST`: queries and mutations, with or without files; subscriptions for who reads events.
pub async fn post(State(app): State<App>, Extension(id): Extension<RequestId>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    match read_operation(&app, &id, &parts.headers, &mut body).await {
        Ok(received) => carry_out(&app, &parts.headers, received).await,
        Err(refusal) => {
            // Who waits to be asked for the body has not sent it.
            if !parts.headers.contains_key(header::EXPECT) {
                drain(&mut body).await;
            }
            refusal.in_media(MediaType::of(&parts.headers)).into_response()
        }
    }
}

/// An operation as it was received, and its name.
type Received = (Asked, Option<OperationName>);

async fn read_operation(
    app: &App,
    id: &RequestId,
    headers: &HeaderMap,
    body: &mut BodyDataStream,
) -> Result<Received, Refusal> {
    let content = content_type(headers)?;
    let (session, token) = sign_in(app, headers, id).await?;
    let (operation, patience) = match content {
        Content::Json => (parse(&read(body, MAX_JSON_BYTES).await?)?, PATIENCE),
        Content::Multipart(boundary) => {
            let operation = upload::read(body, boundary, app.services.limits.upload_bytes, id).await?;
            (operation, PATIENCE_WITH_FILE)
        }
    };
    let (operation, kind) = examine(operation);
    let is_subscription = matches!(kind, Some((OperationType::Subscription, _)));
    let name = kind.and_then(|(_, name)| name);
    Ok((Asked { session, token, id: id.clone(), operation, is_subscription, patience }, name))
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
            Ok(upgrade) => websocket::accept(app, upgrade),
            Err(refusal) => refusal.into_response(),
        };
    }
    let read = async {
        let (session, token) = sign_in(&app, headers, &id).await?;
        let (operation, kind) = examine(parse_parameters(parts.uri.query().unwrap_or_default())?);
        let is_subscription = matches!(kind, Some((OperationType::Subscription, _)));
        match &kind {
            Some((OperationType::Mutation, _)) => {
                return Err(Refusal::bad_request("Over GET there are no mutations: send this with POST.")
                    .with_status(StatusCode::METHOD_NOT_ALLOWED));
            }
            Some((OperationType::Subscription, _)) if !accept::takes_events(headers, true) => {
                return Err(Refusal::bad_request(
                    "Over GET there are subscriptions only with `Accept: text/event-stream`, or over a websocket.",
                )
                .with_status(StatusCode::METHOD_NOT_ALLOWED));
            }
            _ => {}
        }
        let name = kind.and_then(|(_, name)| name);
        Ok((Asked { session, token, id, operation, is_subscription, patience: PATIENCE }, name))
    };
    match read.await {
        Ok(received) => carry_out(&app, headers, received).await,
        Err(refusal) => {
            let mut response = refusal.in_media(MediaType::of(headers)).into_response();
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            response
        }
    }
}

/// Carries an operation out, and answers in what the client reads.
async fn carry_out(app: &App, headers: &HeaderMap, (asked, name): Received) -> Response {
    let mut response = if accept::takes_events(headers, asked.is_subscription) {
        events::answer(app, asked)
    } else {
        let (media, id) = (MediaType::of(headers), asked.id.clone());
        match execute(app, asked).await {
            Ok(outcome) => answer(media, &id, outcome),
            Err(refusal) => refusal.in_media(media).into_response(),
        }
    };
    if let Some(name) = name {
        response.extensions_mut().insert(name);
    }
    response
}

/// The session of a request, and the token that it came with.
async fn sign_in(app: &App, headers: &HeaderMap, id: &RequestId) -> Result<(Session, String), Refusal> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    let token = token.ok_or_else(Refusal::unauthenticated)?;
    let session = session::sign_in(&app.services, token).await.map_err(|error| Refusal::of(&error, &id.0))?;
    Ok((session, token.to_owned()))
}

/// The token of `Bearer TOKEN`.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

enum Content {
    Json,
    Multipart(String),
}

/// Another type, or none, is what a page elsewhere can send without asking the browser: it is refused.
fn content_type(headers: &HeaderMap) -> Result<Content, Refusal> {
    let unsupported = || {
        Refusal::bad_request("Send `Content-Type: application/json`, or multipart/form-data for a file.")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    };
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(unsupported)?;
    let content: Mime = content.parse().map_err(|_| unsupported())?;
    match content.essence_str() {
        "application/json" if content.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8) => {
            Ok(Content::Json)
        }
        "multipart/form-data" => match content.get_param(mime::BOUNDARY) {
            Some(boundary) => Ok(Content::Multipart(boundary.as_str().to_owned())),
            None => Err(Refusal::bad_request("The Content-Type multipart/form-data needs its boundary.")),
        },
        _ => Err(unsupported()),
    }
}

async fn read(body: &mut BodyDataStream, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut read = Vec::new();
    while let Some(chunk) = next(body).await? {
        if read.len() + chunk.len() > limit {
            return Err(Refusal::too_large(format!("The body is larger than {limit} bytes.")));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

async fn next(body: &mut BodyDataStream) -> Result<Option<axum::body::Bytes>, Refusal> {
    match tokio::time::timeout(SILENCE, body.next()).await {
        Ok(chunk) => chunk.transpose().map_err(|_| Refusal::bad_request("The body broke off.")),
        Err(_) => Err(Refusal::too_slow("The body did not arrive in time.").with_status(StatusCode::REQUEST_TIMEOUT)),
    }
}

async fn drain(body: &mut BodyDataStream) {
    let mut left = MAX_DRAINED_BYTES;
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    })
    .await;
}

/// An operation from its JSON.
pub fn parse(body: &[u8]) -> Result<Operation, Refusal> {
    let json = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("The request is not valid JSON: {error}.")))?;
    operation(json)
}

/// An operation from a JSON value: `query`, and perhaps `operationName`, `variables` and `extensions`.
pub fn operation(json: serde_json::Value) -> Result<Operation, Refusal> {
    use serde_json::Value::{Array, Null, Object, String};
    let mut members = match json {
        Object(members) => members,
        Array(_) => return Err(Refusal::bad_request("Batches are not taken: send one operation a request.")),
        _ => return Err(Refusal::bad_request("The request must be a JSON object with the member `query`.")),
    };
    let Some(String(query)) = members.remove("query") else {
        return Err(Refusal::bad_request("The member `query` is needed, and must be a string."));
    };
    let mut operation = Operation::new(query);
    match members.remove("operationName") {
        None | Some(Null) => {}
        Some(String(name)) => operation = operation.operation_name(name),
        Some(_) => return Err(Refusal::bad_request("The member `operationName` must be a string.")),
    }
    match members.remove("variables") {
        None | Some(Null) => {}
        Some(variables @ Object(_)) => operation = operation.variables(Variables::from_json(variables)),
        Some(_) => return Err(Refusal::bad_request("The member `variables` must be an object.")),
    }
    match members.remove("extensions") {
        None | Some(Null | Object(_)) => {}
        Some(_) => return Err(Refusal::bad_request("The member `extensions` must be an object.")),
    }
    if operation.query.contains(FILE_MARK) || operation.variables.values().any(names_a_file) {
        return Err(Refusal::bad_request(format!("A string that begins with `{FILE_MARK}` can't be sent.")));
    }
    Ok(operation)
}

fn names_a_file(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(FILE_MARK),
        Value::List(values) => values.iter().any(names_a_file),
        Value::Object(members) => members.values().any(names_a_file),
        _ => false,
    }
}

/// An operation from the parameters of an address.
fn parse_parameters(query: &str) -> Result<Operation, Refusal> {
    let mut members = serde_json::Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" => json!(value),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|error| Refusal::bad_request(format!("The parameter `{name}` is not valid JSON: {error}.")))?,
            _ => continue,
        };
        members.insert(name.into_owned(), value);
    }
    operation(members.into())
}

/// The kind and the name of the operation to be carried out; `None` where the document can't be parsed or does not say,
/// which carrying it out will complain about.
fn examine(mut operation: Operation) -> (Operation, Option<(OperationType, Option<OperationName>)>) {
    let name = operation.operation_name.clone();
    let kind = documents::parsed(&mut operation).and_then(|document| match (&document.operations, name) {
        (DocumentOperations::Single(definition), name) => Some((definition.node.ty, name)),
        (DocumentOperations::Multiple(definitions), Some(name)) => {
            definitions.iter().find(|(known, _)| known.as_str() == name).map(|(_, found)| (found.node.ty, Some(name)))
        }
        (DocumentOperations::Multiple(_), None) => None,
    });
    let kind = kind.map(|(kind, name)| (kind, name.map(|name| OperationName(name.chars().take(100).collect()))));
    (operation, kind)
}

/// The kind of the operation to be carried out, where the document says.
pub fn kind(operation: Operation) -> (Operation, Option<OperationType>) {
    let (operation, kind) = examine(operation);
    (operation, kind.map(|(kind, _)| kind))
}

async fn execute(app: &App, asked: Asked) -> Result<Outcome, Refusal> {
    let Asked { session, id, operation, patience, .. } = asked;
    let executed = graphql::execute(&app.schema, Some(session), operation.data(id));
    tokio::time::timeout(patience, executed).await.map_err(|_| Refusal::given_up(patience))
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
            Err(error) => {
                tracing::error!(%error, "an answer can't be written as JSON");
                return Refusal::internal(&id.0).in_media(media).into_response();
            }
        }
    } else {
        GraphQLResponse::from(outcome).into_response()
    };
    *response.status_mut() = status;
    // The library names the newer media type whatever the client takes.
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media.as_str()));
    response
}

/// Under `application/json` the status tells of HTTP alone; under the newer media type, an operation that was refused
/// as a whole is a bad request.
fn status(media: MediaType, outcome: &Outcome) -> StatusCode {
    if !is_refused(outcome) {
        return StatusCode::OK;
    }
    let has = |code: &str| {
        outcome.errors.iter().any(|error| {
            error.extensions.as_ref().and_then(|extensions| extensions.get("code")) == Some(&Value::from(code))
        })
    };
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
