//! GraphQL over HTTP, as far as it is HTTP.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::{World, socket::Client};

both!(
    the_client_chooses_the_media_type,
    a_document_that_can_not_be_carried_out_has_no_data,
    what_is_not_json_is_refused,
    json_in_strings_is_not_read,
    requests_have_a_shape,
    over_get_there_are_queries_only,
    bodies_have_a_limit,
    a_file_that_is_not_there_can_not_be_named,
    every_answer_has_an_id_and_headers,
    unknown_addresses_and_methods,
);

const VIEWER: &str = "{ viewer { id } }";
const NEWER: &str = "application/graphql-response+json";

async fn the_client_chooses_the_media_type(world: World) {
    let admin = world.admin();
    for (accept, chosen) in [
        ("*/*", "application/json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        (
            "application/graphql-response+json, application/json;q=0.9",
            "application/graphql-response+json; charset=utf-8",
        ),
    ] {
        let request = Request::post("/graphql")
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        let answer = admin.send(request, json!({ "query": VIEWER }).to_string()).await;
        assert_eq!(answer.header("content-type"), chosen);
        answer.ok();
    }
}

async fn a_document_that_can_not_be_carried_out_has_no_data(world: World) {
    let admin = world.admin();
    for query in ["{", "{ nothingLikeThis }", "query A { viewer { id } } query B { viewer { id } }"] {
        let body = json!({ "query": query }).to_string();
        let json = admin.post(body.clone()).await;
        let newer =
            Request::post("/graphql").header(header::ACCEPT, NEWER).header(header::CONTENT_TYPE, "application/json");
        let newer = admin.send(newer, body).await;
        assert_eq!((json.status, newer.status), (StatusCode::OK, StatusCode::BAD_REQUEST), "{query}");
        assert_eq!(json.json.get("data"), None);
        assert!(json.json["errors"][0]["message"].is_string());
        assert_eq!(json.json, newer.json);
    }
}

async fn what_is_not_json_is_refused(world: World) {
    let admin = world.admin();
    let body = json!({ "query": VIEWER }).to_string();
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/json; charset=utf-16"),
        Some("application/graphql"),
    ] {
        let mut request = Request::post("/graphql");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let answer = admin.send(request, body.clone()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_REQUEST"));
    }
}

/// To `serde_json`, an object with this member is the JSON that stands in its string; in which there can be such an object.
async fn json_in_strings_is_not_read(world: World) {
    let mut nested = "1".to_owned();
    for _ in 0..30 {
        let text = nested.replace('\\', r"\u005c").replace('"', r"\u0022");
        let (opened, closed) = ("[".repeat(100), "]".repeat(100));
        nested = format!(r#"{opened}{{"$serde_json::private::RawValue": "{text}"}}{closed}"#);
    }
    let admin = world.admin();
    let body = format!(r#"{{"query": "{VIEWER}", "variables": {{"a": {nested}}}, "extensions": {{"a": {nested}}}}}"#);
    admin.post(body.clone()).await.ok();
    admin.post(format!("[{body}]")).await;
    for name in ["variables", "extensions"] {
        let parameters = [("query", VIEWER), (name, &format!(r#"{{"a": {nested}}}"#))];
        let parameters = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        admin.send(Request::get(format!("/graphql?{parameters}")), Body::empty()).await;
    }
    let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"["n", {nested}]"#));
    let query = "query ($after: String) { users(first: 1, after: $after) { nodes { id } } }";
    admin.post(json!({ "query": query, "variables": { "after": cursor } }).to_string()).await;

    // Nobody has to sign in for this one.
    let mut client = Client::connect(&world).await;
    client.say_text(format!(r#"{{"type": "ping", "payload": {nested}}}"#)).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
}

async fn requests_have_a_shape(world: World) {
    let admin = world.admin();
    for body in [
        "",
        "{",
        "null",
        "\"{ viewer { id } }\"",
        "{}",
        r#"{"query": null}"#,
        r#"{"query": 1}"#,
        r#"{"query": "{ viewer { id } }", "variables": []}"#,
        r#"{"query": "{ viewer { id } }", "variables": "{}"}"#,
        r#"{"query": "{ viewer { id } }", "operationName": 1}"#,
        r#"{"query": "{ viewer { id } }", "extensions": "a"}"#,
        "[]",
        r#"{"query": "{ viewer { id } }"} {}"#,
    ] {
        let answer = admin.post(body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{body}");
    }
    let nulls = json!({ "query": VIEWER, "variables": null, "operationName": null, "extensions": null, "more": 1 });
    admin.post(nulls.to_string()).await.ok();
}

async fn over_get_there_are_queries_only(world: World) {
    let admin = world.admin();
    let query = "/graphql?query=query+A+%7Bviewer%7Bid%7D%7D+query+B+%7Bviewer%7Bid%7D%7D";
    admin.get(&format!("{query}&operationName=B&variables=%7B%7D")).await.ok();
    for parameters in ["", "?query", "?query={viewer{id}}&variables=%7B", "?query={viewer{id}}&variables=[]"] {
        let answer = admin.get(&format!("/graphql{parameters}")).await;
        let refused = answer.status == StatusCode::BAD_REQUEST || parameters == "?query";
        assert!(refused && answer.json.get("data").is_none(), "{parameters}: {}", answer.text());
    }
    for operation in ["mutation{__typename}", "subscription{importProgress(id:%22x%22){id}}"] {
        let answer = admin.get(&format!("/graphql?query={operation}")).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::METHOD_NOT_ALLOWED, "BAD_REQUEST"));
        assert_eq!(answer.header("allow"), "POST");
    }
}

async fn bodies_have_a_limit(world: World) {
    let admin = world.admin();
    let query = json!({ "query": VIEWER }).to_string();
    let padded = |bytes: usize| query.clone() + &" ".repeat(bytes - query.len());
    admin.post(padded(2 * 1024 * 1024)).await.ok();
    let answer = admin.post(padded(2 * 1024 * 1024 + 1)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));
}

async fn a_file_that_is_not_there_can_not_be_named(world: World) {
    let admin = world.admin();
    let mark = "#__graphql_file__:0";
    for variables in [json!({ "a": mark }), json!({ "a": [mark] }), json!({ "a": { "b": [{ "c": mark }] } })] {
        let answer = admin.graphql(VIEWER, variables).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    }
    let answer = admin.graphql(&format!("{{ viewer(file: {mark:?}) {{ id }} }}"), json!({})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
}

async fn every_answer_has_an_id_and_headers(world: World) {
    let anybody = world.anonymous();
    let answer = anybody.get("/health/live").await;
    assert_eq!(answer.header("x-request-id").len(), 36);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(answer.header("cache-control"), "no-store");
    let addresses = [
        "/",
        "/assets/none",
        "/downloads/none/none",
        "/graphiql",
        "/graphql",
        "/health/ready",
        "/metrics",
        "/none",
        "/schema.graphql",
        "/templates/users.csv",
    ];
    for address in addresses {
        for request in [Request::get(address), Request::post(address), Request::put(address)] {
            let answer = anybody.send(request, Body::empty()).await;
            assert_eq!(answer.header("x-request-id").len(), 36, "{address}");
        }
    }
    let with_id = |id: &str| Request::get("/health/live").header("x-request-id", id);
    assert_eq!(anybody.send(with_id("abc-1.2"), Body::empty()).await.header("x-request-id"), "abc-1.2");
    for forged in ["a b", "a\"b", &"a".repeat(101)] {
        assert_eq!(anybody.send(with_id(forged), Body::empty()).await.header("x-request-id").len(), 36);
    }
}

async fn unknown_addresses_and_methods(world: World) {
    let admin = world.admin();
    assert_eq!(admin.get("/nothing/here").await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get("/assets/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
    let answer = admin.send(Request::put("/graphql"), Body::empty()).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,POST"));
}
