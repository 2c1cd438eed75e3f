use serde_json::json;

use super::{World, codes};

/// A chain of fragments that spells out as 2^`length` fields.
fn chain(length: usize) -> String {
    let mut document = String::from("{ viewer { ...F0 } }");
    for i in 0..length {
        document += &format!(" fragment F{i} on User {{ ...F{} ...F{} }}", i + 1, i + 1);
    }
    document + &format!(" fragment F{length} on User {{ id }}")
}

#[tokio::test]
async fn documents_that_ask_too_much_are_refused() {
    let world = World::each().await.swap_remove(0);
    let aliases: String = (0..6_000).map(|i| format!("a{i}: __typename ")).collect();
    let deep = "{ children { nodes ".repeat(20) + "{ id }" + &"} }".repeat(20);
    let operations: String = (0..100).map(|i| format!("query Q{i} {{ ...F }} ")).collect();
    let team = "team(by: {path: \"EMEA\"})";
    for (document, code) in [
        (chain(30), "LIMIT_EXCEEDED"),
        (chain(3_000), "LIMIT_EXCEEDED"),
        (format!("{{ {aliases} }}"), "LIMIT_EXCEEDED"),
        (format!("{operations} fragment F on Query {{ nodes(ids: {:?}) {{ id }} }}", vec!["x"; 150]), "LIMIT_EXCEEDED"),
        (format!("{{ {team} {deep} }}"), "LIMIT_EXCEEDED"),
        ("{ teams(first: 200) { nodes { children(first: 200) { nodes { members(first: 200) { nodes { id } } } } } } }".into(), "LIMIT_EXCEEDED"),
        ("{ users(first: 201) { totalCount } }".into(), "LIMIT_EXCEEDED"),
        (format!("{{ nodes(ids: {:?}) {{ id }} }}", vec!["x"; 201]), "LIMIT_EXCEEDED"),
        ("{ users(first: -1) { totalCount } }".into(), "BAD_REQUEST"),
        ("{ users(first: 1, last: 1) { totalCount } }".into(), "BAD_REQUEST"),
        ("{ users(after: \"x\") { totalCount } }".into(), "BAD_REQUEST"),
        ("{ users(filter: {team: {path: \"Nowhere\"}}) { totalCount } }".into(), "NOT_FOUND"),
        ("{ viewer { ...A } } fragment A on User { ...B } fragment B on User { ...A }".into(), "BAD_REQUEST"),
        ("{ nothing }".into(), "BAD_REQUEST"),
        ("{ viewer { ".into(), "BAD_REQUEST"),
        ("{ user(by: {id: \"x\", email: \"y\"}) { id } }".into(), "BAD_REQUEST"),
        ("{ user(by: {email: \"a\\u0000b\"}) { id } }".into(), "BAD_REQUEST"),
        ("{ user(by: {email: \"\\u0023__graphql_file__:7\"}) { id } }".into(), "BAD_REQUEST"),
    ] {
        let started = std::time::Instant::now();
        let found = world.codes(world.admin().await, &document).await;
        assert!(found.iter().all(|found| found == code) && !found.is_empty(), "{found:?} for {document:.200}");
        assert!(started.elapsed().as_secs() < 2, "{document:.200}");
    }
    let introspection = "{ __schema { types { name fields { name args { name type { ...T } } type { ...T } } } } }
        fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    world.read(introspection).await;
}

#[tokio::test]
async fn variables_are_checked_and_their_defaults_used() {
    let world = World::each().await.swap_remove(0);
    let query = "query ($yes: Boolean = true, $email: String!) { viewer { id @include(if: $yes) } user(by: {email: $email}) { id } }";
    let response = world.respond(world.admin().await, query, json!({"email": "a\u{0}b"})).await;
    assert_eq!(codes(&response), ["BAD_REQUEST"]);
    let read = world.read_as(world.admin().await, query, json!({"email": "ADMIN@acme.example"})).await;
    assert_eq!(read["viewer"]["id"], read["user"]["id"]);
}
