//! What can go wrong with a fake, on demand.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::state::Kind;

/// What becomes of a request. `retry_after` is the header of that name: seconds, or an HTTP date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Fault {
    /// 401, and the tokens given so far are forgotten.
    SignedOut,
    /// 403: the account may not read users.
    Forbidden,
    /// Salesforce's way to say that the day's requests are used up: 403. Other CRMs say 429.
    RequestLimit { retry_after: Option<String> },
    /// 429.
    TooManyRequests { retry_after: Option<String> },
    /// A status of 500 and more.
    Unavailable { status: u16, retry_after: Option<String> },
    /// The place to go on from is no longer known.
    CursorExpired,
    /// A success that is not JSON.
    MalformedJson,
    /// A success that breaks off in the middle, as sent by a CRM whose connection is cut.
    CutOff,
    /// A success that never comes to an end.
    Endless,
    /// A web page.
    Page,
    /// A path that is not known.
    NotFound,
    /// An answer that leads elsewhere.
    Redirect { to: String },
    /// No answer.
    Hang,
    /// An answer that says that it is the last one, with half of the records that it should have.
    Truncated,
    /// An answer whose next records are said to be elsewhere; Salesforce's sign-in says so of everything.
    NextElsewhere { to: String },
}

impl Fault {
    /// The answer to a request that is not carried out, in the CRM's own form. `None` for the faults that lie in an answer
    /// otherwise as it should be.
    pub(super) fn answer(&self, kind: Kind) -> Option<Response<Body>> {
        Some(match self {
            Self::SignedOut => refusal(kind, 401, "INVALID_SESSION_ID", "Session expired or invalid"),
            Self::Forbidden => refusal(kind, 403, "INSUFFICIENT_ACCESS", "Insufficient access rights on this object"),
            Self::RequestLimit { retry_after } => {
                let status = if kind == Kind::Salesforce { 403 } else { 429 };
                let answer = refusal(kind, status, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
                after(answer, retry_after.as_deref())
            }
            Self::TooManyRequests { retry_after } => {
                after(refusal(kind, 429, "TOO_MANY_REQUESTS", "Too many requests."), retry_after.as_deref())
            }
            Self::Unavailable { status, retry_after } => {
                after(refusal(kind, *status, "SERVER_UNAVAILABLE", "A fault on demand."), retry_after.as_deref())
            }
            Self::CursorExpired => cursor_expired(kind),
            Self::MalformedJson => json_text(StatusCode::OK, "{\"records\":[{\"Id\":}"),
            Self::CutOff => {
                let pieces = [Ok(Bytes::from_static(b"{\"records\":[")), Err(std::io::Error::other("cut off"))];
                json_body(Body::from_stream(stream::iter(pieces)))
            }
            Self::Endless => {
                let pieces = stream::repeat(Bytes::from_static(&[b' '; 64 * 1024])).map(Ok::<_, std::io::Error>);
                json_body(Body::from_stream(pieces))
            }
            Self::Page => axum::response::Html("<!DOCTYPE html><title>Sign in</title>").into_response(),
            Self::NotFound => refusal(kind, 404, "NOT_FOUND", "The requested resource does not exist"),
            Self::Redirect { to } => {
                let mut answer = StatusCode::FOUND.into_response();
                if let Ok(to) = HeaderValue::from_str(to) {
                    answer.headers_mut().insert(header::LOCATION, to);
                }
                answer
            }
            Self::Hang | Self::Truncated | Self::NextElsewhere { .. } => return None,
        })
    }
}

fn json_text(status: StatusCode, text: &'static str) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn json_body(body: Body) -> Response<Body> {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn after(mut answer: Response<Body>, wait: Option<&str>) -> Response<Body> {
    if let Some(wait) = wait.and_then(|wait| HeaderValue::from_str(wait).ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    answer
}

/// What a CRM says when it does not know a cursor.
pub(super) fn cursor_expired(kind: Kind) -> Response<Body> {
    match kind {
        Kind::Salesforce => refusal(kind, 400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        _ => refusal(kind, 400, "BAD_REQUEST", "The paging cursor is not valid or has expired."),
    }
}

/// A refusal in the form that the CRM gives it.
pub(super) fn refusal(kind: Kind, status: u16, code: &str, message: &str) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body: Value = match kind {
        Kind::Salesforce => json!([{ "errorCode": code, "message": message }]),
        Kind::OracleSales => json!({ "title": code, "status": status.as_str(), "detail": message }),
        Kind::Dynamics365 => json!({ "error": { "code": code, "message": message } }),
        Kind::HubSpot => json!({ "status": "error", "category": code, "message": message }),
    };
    (status, axum::Json(body)).into_response()
}
