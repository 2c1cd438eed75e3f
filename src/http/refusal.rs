//! Answers to requests that never became an operation: a GraphQL error with its HTTP status.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::accept::MediaType;
use crate::{service::Error, telemetry::access::Told};

/// Why a request was not carried out.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    /// `extensions.code` of the error.
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// For an internal error: what the log has it under.
    pub id: Option<String>,
    pub media: MediaType,
    /// After how long it may be asked again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), id: None, media: MediaType::Json, retry_after: None }
    }

    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// A bad request with the status that says more.
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// For what comes over GET and must not.
    pub fn over_post_only(self) -> Self {
        self.with_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED", message)
    }

    pub fn too_slow(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "LIMIT_EXCEEDED", message)
    }

    /// For an operation that took longer than this.
    pub fn given_up(patience: Duration) -> Self {
        Self::too_slow(format!("The operation took longer than {} s and was given up.", patience.as_secs()))
    }

    /// For who asks more often than is allowed.
    pub fn too_often(message: &str, wait: Duration) -> Self {
        let seconds = seconds(wait);
        let message = format!("{message} Ask again in {seconds} s.");
        Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message) }
    }

    /// For who comes when all places are taken.
    pub fn busy() -> Self {
        let message = "The server is at work on as many operations as it takes. Ask again in 1 s.";
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "RATE_LIMITED", message);
        Self { retry_after: Some(Duration::from_secs(1)), ..refusal }
    }

    /// For a hash without its document; clients know this answer by its words, and send the document.
    pub fn unknown_document() -> Self {
        Self::new(StatusCode::OK, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
    }

    /// For a hash where documents are not kept.
    pub fn no_persisted_documents() -> Self {
        Self::new(StatusCode::OK, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
    }

    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", Error::Unauthenticated.to_string())
    }

    /// `id` is the request's: whoever reads the log finds the cause under it.
    pub fn internal(id: &str) -> Self {
        let message = "Something went wrong on the server. Its log has the cause, under the id in extensions.";
        let refusal = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message);
        Self { id: Some(id.to_owned()), ..refusal }
    }

    /// The failure of a service that was asked outside of GraphQL; an internal one goes to the log.
    pub fn of(error: &Error, id: &str) -> Self {
        match error {
            Error::Unauthenticated => Self::unauthenticated(),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", error.to_string()),
            Error::Faults(_) | Error::BadRequest(_) => Self::bad_request(error.to_string()),
            Error::LimitExceeded(_) => Self::too_large(error.to_string()),
            Error::Internal(cause) => {
                tracing::error!(%cause, "a request failed");
                Self::internal(id)
            }
        }
    }

    /// The same in the media type that the client reads.
    pub fn in_media(self, media: MediaType) -> Self {
        Self { media, ..self }
    }

    /// The GraphQL error.
    pub fn error(&self) -> serde_json::Value {
        let mut extensions = json!({ "code": self.code });
        if let Some(id) = &self.id {
            extensions["id"] = json!(id);
        }
        json!({ "message": self.message, "extensions": extensions })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errors": [self.error()] }).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, self.media.as_str())], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds(wait).into());
        }
        response.extensions_mut().insert(Told { code: Some(self.code.to_owned()), ..Told::default() });
        response
    }
}

/// Whole seconds that are enough.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + 1
}
