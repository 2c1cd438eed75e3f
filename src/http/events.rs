//! Operations whose results come as server-sent events: the protocol of the npm package `graphql-sse` (its PROTOCOL.md,
//! "Distinct connections mode"). A request is a stream of its own: `next` with each result, then `complete`.
//!
//! A stream that the server cuts off, because it stops, ends without `complete`: whoever follows something may ask again.

use std::convert::Infallible;

use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use serde_json::json;

use super::{
    App,
    refusal::Refusal,
    steps::{Asked, Step, steps},
};

/// Asks a proxy not to collect events before it passes them on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream of an operation's results. The work ends with it: when all is said, when the client goes, and when the
/// server stops.
pub fn answer(app: &App, asked: Asked) -> Response {
    let id = asked.id.clone();
    let next = move |step| {
        let data = match step {
            Step::Result(body) => body.get().to_owned(),
            Step::Refused(errors) => json!({ "errors": errors }).to_string(),
            Step::SignedOut(error) => json!({ "errors": [Refusal::of(&error, &id.0).error()] }).to_string(),
        };
        Event::default().event("next").data(data)
    };
    // Without a line of data, a browser would keep the event to itself.
    let complete = stream::once(async { Event::default().event("complete").data("") });
    let events = steps(app, asked).map(next).chain(complete).take_until(app.stop.clone().cancelled_owned());
    let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new());
    ([(X_ACCEL_BUFFERING, HeaderValue::from_static("no"))], events).into_response()
}
