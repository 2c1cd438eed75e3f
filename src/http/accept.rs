//! Which of the two media types of GraphQL over HTTP a client reads.

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
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in accepted.flat_map(|list| list.split(',')).filter_map(|range| range.trim().parse::<Mime>().ok()) {
            let quality = range.get_param("q").and_then(|q| q.as_str().parse().ok()).unwrap_or(1.0);
            match range.essence_str() {
                "application/graphql-response+json" => graphql = quality,
                "application/json" => json = quality,
                _ => {}
            }
        }
        if graphql > 0.0 && graphql >= json { Self::GraphqlResponse } else { Self::Json }
    }
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
}
