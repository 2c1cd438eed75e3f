//! The pages and what they load, all of it from the program itself.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What `make web` built. Without it the program builds too, and says so to whoever asks for a page.
#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Built;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub async fn start(headers: HeaderMap) -> Response {
    page("index.html", &headers)
}

pub async fn graphiql(headers: HeaderMap) -> Response {
    page("graphiql.html", &headers)
}

pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let path = format!("assets/{path}");
    match Built::get(&path) {
        Some(file) => send(&path, &file, &headers),
        None => (StatusCode::NOT_FOUND, "There is nothing at this address.\n").into_response(),
    }
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    match Built::get(name) {
        Some(file) => send(name, &file, headers),
        None => {
            let text = "This server was built without its pages: run `make web`, then build it again.\n\
                The GraphQL API is at /graphql, its schema at /schema.graphql.\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

fn send(path: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag =
        format!("\"{}\"", file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let caching = if has_hash(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common: [(HeaderName, &str); 3] =
        [(header::ETAG, &tag), (header::CACHE_CONTROL, caching), (header::CONTENT_SECURITY_POLICY, POLICY)];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_() {
        mime::TEXT => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    (common, [(header::CONTENT_TYPE, kind)], file.data.clone()).into_response()
}

/// Whether the name carries a hash of the content (`codicon-3SC7JKJY.ttf`), as the bundler names the files that pages
/// refer to from within.
fn has_hash(path: &str) -> bool {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    stem.rsplit_once('-')
        .is_some_and(|(_, hash)| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_with_a_hash_never_changes() {
        assert!(has_hash("assets/codicon-3SC7JKJY.ttf"));
        assert!(!has_hash("assets/index.js"));
        assert!(!has_hash("assets/some-font.woff2"));
    }
}
