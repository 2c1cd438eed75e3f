//! Operations whose results come as server-sent events: the protocol of the npm package `graphql-sse` (its PROTOCOL.md,
//! "Distinct connections mode"). A request is a stream of its own: `next` with each result, then `complete`.
//!
//! A stream that the server cuts off, because it stops, ends without `complete`: whoever follows something may ask again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_graphql::ServerError;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{
    App,
    refusal::Refusal,
    steps::{Asked, Step, steps},
};
use crate::service::scope;

/// Asks a proxy not to collect events before it passes them on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long nothing is sent, at most: a proxy may take a silent connection for a dead one.
const SILENCE: Duration = Duration::from_secs(12);
/// What is sent then. Readers pass over it.
const COMMENT: &str = ":\n\n";
/// Its line of data is empty; without one, a browser would keep the event to itself.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// The stream of an operation's results. The work ends with it: when all is said, when the client goes, and when the
/// server stops.
pub fn answer(app: &App, asked: Asked) -> Response {
    let (id, request) = (asked.id.clone(), asked.id.clone());
    let next = move |step| match step {
        Step::Result(body) => next(body.get()),
        Step::Refused(errors) => refusal(&errors),
        Step::SignedOut(error) => refusal(&json!([Refusal::of(&error, &id.0).error()])),
    };
    let events = steps(app, asked).map(next).chain(stream::once(async { COMPLETE.to_owned() }));
    let kept_alive = stream::unfold(events.boxed(), move |mut events| {
        scope::within(Arc::clone(&request.0), async move {
            match tokio::time::timeout(SILENCE, events.next()).await {
                Ok(event) => Some((event?, events)),
                Err(_) => Some((COMMENT.to_owned(), events)),
            }
        })
    });
    let body = kept_alive.take_until(app.stop.clone().cancelled_owned()).map(Ok::<_, Infallible>);
    streamed(Body::from_stream(body))
}

/// The stream of an operation that can't be carried out. A browser would not show the body of another status.
pub fn refused(errors: &[ServerError]) -> Response {
    streamed(Body::from(refusal(&json!(errors)) + COMPLETE))
}

/// JSON that a program writes has no line breaks.
fn next(result: &str) -> String {
    format!("event: next\ndata: {result}\n\n")
}

fn refusal(errors: &serde_json::Value) -> String {
    next(&json!({ "errors": errors }).to_string())
}

fn streamed(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}
