//! Which pages of other origins may use the API from a browser: none, unless a setting names them.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told.
const MAX_AGE: Duration = Duration::from_secs(3_600);

/// None where no origin may. Tokens travel in a header that a page sets by itself: cookies play no part, and credentials
/// need not be allowed.
pub fn layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else if origins.is_empty() {
        return None;
    } else {
        AllowOrigin::list(origins.iter().cloned())
    };
    let request_id = HeaderName::from_static("x-request-id");
    Some(
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, request_id.clone()])
            .expose_headers([request_id, header::RETRY_AFTER])
            .max_age(MAX_AGE),
    )
}
