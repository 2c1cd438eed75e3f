//! What a client reads: one of the two media types of GraphQL over HTTP, or a stream of events.

use axum::http::{HeaderMap, header};
use mime::Mime;

/// The media type of a GraphQL answer. Under [`MediaType::Json`] the status speaks of HTTP only; under
/// [`MediaType::GraphqlResponse`] a document that can't be carried out is a bad request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Json,
    GraphqlResponse,
}

impl MediaType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// What `Accept` asks for most; JSON where it names neither or is not there.
    pub fn of(headers: &HeaderMap) -> Self {
        let (mut json, mut graphql) = (0.0_f32, 0.0_f32);
        for (media, quality) in ranges(headers) {
            match media.essence_str() {
                "application/graphql-response+json" => graphql = quality,
                "application/json" => json = quality,
                _ => {}
            }
        }
        if graphql > 0.0 && graphql >= json { Self::GraphqlResponse } else { Self::Json }
    }
}

/// The media ranges that a client names, each with its quality.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (Mime, f32)> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|list| list.split(',')).filter_map(|range| {
        let range = range.trim().parse::<Mime>().ok()?;
        let quality = range.get_param("q").and_then(|q| q.as_str().parse().ok()).unwrap_or(1.0);
        Some((range, quality))
    })
}

/// Whether the answer is to be a stream of events: where the client asks for one more than for JSON, or first among
/// equals. A subscription has no other answer, so that for one it is enough to be able to read them.
pub fn takes_events(headers: &HeaderMap, is_subscription: bool) -> bool {
    let (mut events, mut others) = (0.0_f32, 0.0_f32);
    let mut is_first = false;
    for (media, quality) in ranges(headers) {
        match media.essence_str() {
            "text/event-stream" => (events, is_first) = (quality, others < quality),
            "application/graphql-response+json" | "application/json" => others = others.max(quality),
            _ => {}
        }
    }
    events > 0.0 && (is_subscription || events > others || (events >= others && is_first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses() {
        for (accept, chosen) in [
            ("", MediaType::Json),
            ("*/*", MediaType::Json),
            ("text/html, application/json", MediaType::Json),
            ("application/graphql-response+json", MediaType::GraphqlResponse),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                MediaType::GraphqlResponse,
            ),
            ("application/json, application/graphql-response+json", MediaType::GraphqlResponse),
            ("application/json, application/graphql-response+json;q=0.5", MediaType::Json),
            ("application/graphql-response+json;q=0, */*", MediaType::Json),
            ("nonsense", MediaType::Json),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(MediaType::of(&headers), chosen, "{accept}");
        }
    }

    #[test]
    fn a_stream_of_events_is_asked_for() {
        for (accept, query, subscription) in [
            ("", false, false),
            ("*/*", false, false),
            ("application/json", false, false),
            ("text/event-stream", true, true),
            ("text/event-stream, application/json", true, true),
            ("text/event-stream;q=0.5, application/json", false, true),
            ("application/graphql-response+json, application/json, text/event-stream, multipart/mixed", false, true),
            ("text/event-stream;q=0", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(
                (takes_events(&headers, false), takes_events(&headers, true)),
                (query, subscription),
                "{accept}"
            );
        }
    }
}
