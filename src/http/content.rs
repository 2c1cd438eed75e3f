//! The body of a request, as far as nothing is made of it yet.

use std::time::Duration;

use axum::{
    body::{BodyDataStream, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use futures::{FutureExt, StreamExt};
use mime::Mime;
use tokio::time::{Instant, timeout, timeout_at};

use super::refusal::Refusal;

/// How much of a refused body is still read, for a client that only listens when it has sent everything.
const MAX_DRAINED_BYTES: u64 = 16 * 1024 * 1024;

/// What a body is.
pub enum Content {
    Json,
    Multipart(String),
}

/// Another type, or none, is what a page elsewhere can send without asking the browser: it is refused.
pub fn content_type(headers: &HeaderMap) -> Result<Content, Refusal> {
    let unsupported = || {
        Refusal::bad_request("Send `Content-Type: application/json`, or multipart/form-data for a file.")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    };
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        // A little that is compressed may be a lot.
        return Err(Refusal::bad_request("Send the body as it is, without Content-Encoding.")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(unsupported)?;
    if content == "application/json" {
        // As most send it.
        return Ok(Content::Json);
    }
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

/// The whole body, which may be so many bytes, may stop for so long, and has to be here by then.
pub async fn read_whole(
    body: &mut BodyDataStream,
    limit: usize,
    silence: Duration,
    end: Instant,
) -> Result<Vec<u8>, Refusal> {
    let mut read = Vec::new();
    while let Some(chunk) = next(body, silence, end).await? {
        if read.len() + chunk.len() > limit {
            return Err(Refusal::too_large(format!("The body is larger than {limit} bytes.")));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

async fn next(body: &mut BodyDataStream, silence: Duration, end: Instant) -> Result<Option<Bytes>, Refusal> {
    let chunk = match body.next().now_or_never() {
        // What is here already, as the most are, needs no clock.
        Some(chunk) => chunk,
        None => timeout_at(end.min(Instant::now() + silence), body.next()).await.map_err(|_| late())?,
    };
    chunk.transpose().map_err(|_| Refusal::bad_request("The body broke off."))
}

/// For a body that comes too slowly.
pub fn late() -> Refusal {
    Refusal::too_slow("The body did not arrive in time.").with_status(StatusCode::REQUEST_TIMEOUT)
}

/// Reads what is left of a body that was refused, and throws it away.
pub async fn drain(body: &mut BodyDataStream) {
    let mut left = MAX_DRAINED_BYTES;
    let _ = timeout(Duration::from_secs(5), async {
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    })
    .await;
}
