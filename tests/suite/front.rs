//! The front door: how much may be asked for, how often, by whom, and by which documents.

use std::{fs, net::SocketAddr};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use counterpart::config::FrontSettings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{World, client::Actor, unhurried};

both!(
    each_limit_has_a_setting_and_names_its_number,
    operations_come_in_arrays,
    a_document_is_sent_once,
    a_list_of_operations_is_all_there_is,
    tokens_and_addresses_have_a_rate,
    there_is_room_for_so_many,
    the_schema_is_told_unless_a_setting_says_otherwise,
    pages_elsewhere_come_in_by_setting,
    documents_are_checked_by_the_rules,
    what_is_compressed_is_not_unpacked,
    operations_are_counted_by_name_and_code,
);

const VIEWER: &str = "{ viewer { id } }";

fn admin(world: &World, settings: FrontSettings) -> Actor {
    Actor::new(world.behind(settings).unwrap(), Some(world.administrator.token.clone()))
}

async fn each_limit_has_a_setting_and_names_its_number(world: World) {
    let tight = FrontSettings {
        max_body_bytes: 4_000,
        max_document_bytes: 1_500,
        max_document_tokens: 150,
        max_fields: 30,
        max_depth: 5,
        max_aliases: 6,
        max_directives: 4,
        max_complexity: 2_000,
        max_batch: 2,
        ..unhurried()
    };
    let admin = admin(&world, tight);
    admin.graphql(VIEWER, json!({})).await.ok();
    let aliases: String = (0..7).map(|i| format!("a{i}: __typename ")).collect();
    let directives = "id @include(if: true) ".repeat(5);
    let chain = "{ viewer { ...A } } fragment A on User { ...B ...B } fragment B on User { ...C ...C ...C } \
                 fragment C on User { id email id email id email }";
    for (document, says) in [
        (format!("{VIEWER} # {}", "x".repeat(1_500)), "1500"),
        (format!("{{ viewer {{ {} }} }}", "id ".repeat(160)), "150"),
        (chain.to_owned(), "30"),
        ("{ viewer { team { parent { parent { parent { name } } } } } }".to_owned(), "5"),
        (format!("{{ {aliases} }}"), "6"),
        (format!("{{ viewer {{ {directives} }} }}"), "4"),
        ("{ teams(first: 25) { nodes { children(first: 25) { nodes { id } } } } }".to_owned(), "2000"),
        ("{ teams { nodes { children(last: 20) { nodes { id } } } } }".to_owned(), "2000"),
    ] {
        let answer = admin.graphql(&document, json!({})).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{document:.80}: {}", answer.text());
        let message = answer.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(says), "{document:.80}: {message}");
    }
    let pages = "query ($n: Int = 10) { teams(first: $n) { nodes { children(first: $n) { nodes { id } } } } }";
    admin.graphql(pages, json!({})).await.ok();
    assert_eq!(admin.graphql(pages, json!({ "n": 30 })).await.code(), "LIMIT_EXCEEDED");
    let body = json!({ "query": VIEWER, "variables": { "x": "y".repeat(4_000) } }).to_string();
    let answer = admin.post(body).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));
}

async fn operations_come_in_arrays(world: World) {
    let admin = admin(&world, FrontSettings { max_batch: 4, ..unhurried() });
    let batch = json!([
        { "query": "mutation { createTeam(input: {name: \"A\"}) { team { name } } }" },
        { "query": "{ nothing }" },
        { "variables": {} },
        { "query": "query ($n: Int!) { teams(first: $n) { nodes { name } } }", "variables": { "n": 1 } },
    ]);
    let answer = admin.post(batch.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answers = answer.json.as_array().unwrap();
    assert_eq!(answers[0]["data"]["createTeam"]["team"]["name"], "A");
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert_eq!(answers[1].get("data"), None);
    assert_eq!(answers[2]["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    // One after the other: the team is there already.
    assert_eq!(answers[3], json!({ "data": { "teams": { "nodes": [{ "name": "A" }] } } }));

    let answer = admin.post(json!(vec![json!({ "query": VIEWER }); 5]).to_string()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));
    let answer = admin.post("[]").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    let subscription = "subscription { importProgress(id: \"x\") { id } }";
    let answer = admin.post(json!([{ "query": subscription }]).to_string()).await;
    assert_eq!(answer.json[0]["errors"][0]["extensions"]["code"], "BAD_REQUEST");
}

/// The extensions that name a document by its hash.
fn hashed(document: &str) -> Value {
    use sha2::{Digest, Sha256};
    let hash: String = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn a_document_is_sent_once(world: World) {
    let caller = admin(&world, unhurried());
    let by_hash = json!({ "extensions": hashed(VIEWER) }).to_string();
    let answer = caller.post(by_hash.clone()).await;
    assert_eq!(
        (answer.status, answer.json),
        (
            StatusCode::OK,
            json!({ "errors": [{
                "message": "PersistedQueryNotFound",
                "extensions": { "code": "PERSISTED_QUERY_NOT_FOUND" },
            }] })
        )
    );
    caller.post(json!({ "query": VIEWER, "extensions": hashed(VIEWER) }).to_string()).await.ok();
    caller.post(by_hash.clone()).await.ok();
    let parameters: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("extensions", &hashed(VIEWER).to_string())
        .finish();
    caller.get(&format!("/graphql?{parameters}")).await.ok();
    let forged = json!({ "query": "{ teams { totalCount } }", "extensions": hashed(VIEWER) });
    assert_eq!(caller.post(forged.to_string()).await.status, StatusCode::BAD_REQUEST);

    let without = admin(&world, FrontSettings { persisted_queries: false, ..unhurried() });
    assert_eq!(without.post(by_hash).await.code(), "PERSISTED_QUERY_NOT_SUPPORTED");
}

async fn a_list_of_operations_is_all_there_is(world: World) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("operations.json");
    let listing = |file: &std::path::Path| FrontSettings { operations: Some(file.to_owned()), ..unhurried() };
    fs::write(
        &file,
        json!({ "me": VIEWER, "team": "mutation { createTeam(input: {name: \"A\"}) { team { name } } }" }).to_string(),
    )
    .unwrap();
    let caller = admin(&world, listing(&file));
    for known in [
        json!({ "query": VIEWER }),
        json!({ "documentId": "me" }),
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "me" } } }),
        json!({ "documentId": "team" }),
    ] {
        caller.post(known.to_string()).await.ok();
    }
    for unknown in [json!({ "query": "{ viewer { email } }" }), json!({ "documentId": "you" })] {
        let answer = caller.post(unknown.to_string()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    }
    // A list that can't be carried out stops the start.
    fs::write(&file, json!({ "me": "{ nothing }" }).to_string()).unwrap();
    let refused = world.behind(listing(&file)).unwrap_err();
    assert!(
        refused.starts_with("COUNTERPART_OPERATIONS (--operations): ") && refused.contains("operation me"),
        "{refused}"
    );
    assert!(world.behind(listing(&folder.path().join("none"))).is_err());
}

async fn tokens_and_addresses_have_a_rate(world: World) {
    let settings = FrontSettings {
        operations_per_minute: 30,
        failed_sign_ins_per_minute: 20,
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..FrontSettings::default()
    };
    let admin = admin(&world, settings);
    let member = world.member().await;
    let member = Actor::new(admin.app.clone(), member.token);
    for _ in 0..3 {
        admin.graphql(VIEWER, json!({})).await.ok();
    }
    let answer = admin.graphql(VIEWER, json!({})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=4).contains(&wait), "{wait}");
    // Each operation of an array counts; other tokens are not concerned.
    let answer = member.post(json!(vec![json!({ "query": VIEWER }); 4]).to_string()).await;
    assert_eq!(answer.json[2].get("errors"), None);
    assert_eq!(answer.json[3]["errors"][0]["extensions"]["code"], "RATE_LIMITED");

    let stranger = Actor::new(admin.app.clone(), Some("cpt_wrong".to_owned()));
    let from = |address: &str| {
        let peer: SocketAddr = address.parse().unwrap();
        Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .extension(counterpart::http::Peer(peer))
    };
    let body = || json!({ "query": VIEWER }).to_string();
    for _ in 0..2 {
        assert_eq!(stranger.send(from("192.0.2.1:9"), body()).await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = stranger.send(from("192.0.2.1:9"), body()).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    assert_eq!(stranger.send(from("192.0.2.2:9"), body()).await.status, StatusCode::UNAUTHORIZED);
    // Of whom a trusted proxy names it is the same.
    let forwarded = |address: &str| from("10.0.0.1:9").header("x-forwarded-for", address);
    let answer = stranger.send(forwarded("192.0.2.1"), body()).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(stranger.send(forwarded("192.0.2.3"), body()).await.status, StatusCode::UNAUTHORIZED);
}

async fn there_is_room_for_so_many(world: World) {
    let admin = admin(&world, FrontSettings { max_operations: 1, ..unhurried() });
    let answers = futures::future::join_all((0..20).map(|_| admin.graphql(VIEWER, json!({})))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
    assert!(!done.is_empty() && !refused.is_empty(), "{} and {}", done.len(), refused.len());
    for answer in &refused {
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "RATE_LIMITED"));
        assert_eq!(answer.header("retry-after"), "2");
    }
    admin.graphql(VIEWER, json!({})).await.ok();
}

async fn the_schema_is_told_unless_a_setting_says_otherwise(world: World) {
    let silent = admin(&world, FrontSettings { introspection: false, ..unhurried() });
    for query in [
        "{ __schema { types { name } } }",
        "{ viewer { id } ...A } fragment A on Query { __type(name: \"User\") { name } }",
    ] {
        admin(&world, unhurried()).graphql(query, json!({})).await.ok();
        let answer = silent.graphql(query, json!({})).await;
        assert_eq!(answer.code(), "BAD_REQUEST");
        assert_eq!(answer.json.get("data"), None);
    }
    silent.graphql("{ __typename viewer { __typename } }", json!({})).await.ok();
    // What is mistyped is not answered with what there is.
    let answer = silent.graphql("{ viewer { emial } }", json!({})).await;
    assert!(!answer.text().contains("email"), "{}", answer.text());
    // Lists of the schema's own can't be nested into each other for ever.
    let deep = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    assert_eq!(admin(&world, unhurried()).graphql(deep, json!({})).await.code(), "BAD_REQUEST");
}

async fn pages_elsewhere_come_in_by_setting(world: World) {
    let preflight = |origin: &str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/graphql")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type")
    };
    let closed = world.anonymous().send(preflight("https://app.example.com"), Body::empty()).await;
    assert_eq!(closed.header("access-control-allow-origin"), "");

    let origins = vec!["https://app.example.com".parse().unwrap()];
    let app = world.behind(FrontSettings { cors_origins: origins, ..unhurried() }).unwrap();
    let respond = async |request: axum::http::request::Builder, body: String| {
        use tower::ServiceExt;
        app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    };
    for (origin, allowed) in [("https://app.example.com", true), ("https://evil.example", false)] {
        let answer = respond(preflight(origin), String::new()).await;
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
        let request = Request::post("/graphql")
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.administrator.token));
        let answer = respond(request, json!({ "query": VIEWER }).to_string()).await;
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(answer.headers().get("access-control-allow-credentials"), None);
    }
}

/// Rules of the specification that the GraphQL library alone would not keep, or not so.
async fn documents_are_checked_by_the_rules(world: World) {
    let admin = admin(&world, unhurried());
    for (query, variables) in [
        ("{ viewer { __typename @nothing } }", json!({})),
        ("{ viewer { __typename @include } }", json!({})),
        ("{ viewer { id @include(if: \"yes\") } }", json!({})),
        ("query ($x: String) { teams(first: $x) { totalCount } }", json!({})),
        ("query ($x: Int) { teams(first: $x) { totalCount } }", json!({ "x": "1" })),
        ("query ($x: Int) { teams(first: $x) { totalCount } }", json!({ "x": 1.5 })),
        ("query ($x: Int!) { teams(first: $x) { totalCount } }", json!({})),
        ("query ($x: Nothing) { teams(first: $x) { totalCount } }", json!({})),
        ("query ($x: Int, $x: Int) { teams(first: $x) { totalCount } }", json!({})),
        ("query ($x: Int) { teams { totalCount } }", json!({})),
        ("{ teams(first: $x) { totalCount } }", json!({})),
        ("query A { viewer { id } } query A { viewer { id } }", json!({})),
        ("{ viewer { id } } { viewer { id } }", json!({})),
        ("{ viewer { id: email id } }", json!({})),
        ("{ viewer }", json!({})),
        ("{ viewer { id { x } } }", json!({})),
        ("{ viewer { ...A } } fragment A on Team { id }", json!({})),
        ("{ viewer { id } } fragment A on User { id }", json!({})),
        ("{ viewer { ...A } }", json!({})),
        ("subscription { importProgress(id: \"x\") { id } syncProgress(id: \"x\") { id } }", json!({})),
        ("{ user(by: {email: \"a@b.example\", email: \"c@b.example\"}) { id } }", json!({})),
        ("{ user(by: {mail: \"a@b.example\"}) { id } }", json!({})),
        ("type A { b: Int }", json!({})),
        ("", json!({})),
        ("# nothing", json!({})),
    ] {
        let answer = admin.graphql(query, variables.clone()).await;
        assert_eq!(answer.json.get("data"), None, "{query} {variables}: {}", answer.text());
        let errors = answer.json["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["extensions"]["code"] == "BAD_REQUEST"), "{query}: {errors:?}");
    }
    for (query, variables, expected) in [
        (
            "query ($x: Boolean = true) { viewer { email @include(if: $x) } }",
            json!({}),
            json!({ "email": "admin@acme.example" }),
        ),
        (
            "query ($x: Boolean = true) { viewer { __typename email @skip(if: $x) } }",
            json!({}),
            json!({ "__typename": "User" }),
        ),
        ("query ($x: Boolean!) { viewer { email @include(if: $x) } }", json!({ "x": false }), json!(null)),
    ] {
        let answer = admin.graphql(query, variables).await;
        if expected.is_null() {
            // An object without a field: an empty one, and no error.
            assert_eq!(answer.json.get("errors"), None, "{query}: {}", answer.text());
        } else {
            assert_eq!(answer.ok()["viewer"], expected, "{query}");
        }
    }
}

async fn what_is_compressed_is_not_unpacked(world: World) {
    let admin = admin(&world, unhurried());
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip");
    let answer = admin.send(request, vec![0x1f_u8, 0x8b, 8, 0]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_REQUEST"));
    for body in [
        b"{\"query\":\"\xff\xfe\"}".to_vec(),
        format!("{{\"query\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
        format!(
            "{{\"query\":\"{VIEWER}\",\"variables\":{{\"a\":{}1{}}}}}",
            "{\"a\":".repeat(50_000),
            "}".repeat(50_000)
        )
        .into_bytes(),
    ] {
        let answer = admin.post(body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    }
    let lists = format!("{{ viewer(a: {}1{}) {{ id }} }}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(admin.graphql(&lists, json!({})).await.code(), "LIMIT_EXCEEDED");
}

async fn operations_are_counted_by_name_and_code(world: World) {
    let admin = admin(&world, unhurried());
    admin.graphql("query WhoAmI { viewer { id } }", json!({})).await.ok();
    admin
        .graphql("query Lost { team(by: {path: \"Nowhere\"}) { id } teams(after: \"x\") { totalCount } }", json!({}))
        .await;
    let metrics = admin.get("/metrics").await;
    for line in [
        r#"counterpart_graphql_operations_total{kind="query",operation="WhoAmI",code="OK"}"#,
        r#"counterpart_graphql_operations_total{kind="query",operation="Lost",code="BAD_REQUEST"}"#,
        r#"counterpart_graphql_operation_duration_seconds_count{kind="query",operation="WhoAmI"}"#,
        r#"counterpart_queue_jobs{kind="import",status="queued"} 0"#,
        r#"counterpart_database_connections{pool="#,
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
}
