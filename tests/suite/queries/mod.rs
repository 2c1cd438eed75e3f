//! What is read: every query, filter, order and page of the contract, and what it costs.

mod cost;
mod mappings;
mod nodes;
mod runs;
mod standing;
mod teams;
mod users;

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::{World, scene, show::short};

/// People in teams, some of them mapped.
async fn company(world: &World) {
    for path in ["Sales:East", "Sales:West:Coast", r"R\:D", "Sales Operations"] {
        scene::team(world, path).await;
    }
    let users = [
        (
            "ann@x.com",
            json!({ "firstName": "Ann", "lastName": "Lee", "title": "VP, Sales", "team": { "path": "Sales" } }),
        ),
        (
            "bob@x.com",
            json!({ "firstName": "bob", "lastName": "Ray", "team": { "path": "Sales:East" }, "role": "MANAGER" }),
        ),
        ("carl@x.com", json!({ "firstName": "Carl", "lastName": "Lee", "team": { "path": "Sales:West:Coast" } })),
        (
            "zoe@y.org",
            json!({ "firstName": "Zoë", "lastName": "Ångström", "team": { "path": r"R\:D" }, "role": "DATA" }),
        ),
        ("nameless@y.org", json!({ "managerOf": [{ "path": "Sales:West" }, { "path": "Sales" }] })),
        (
            "away@x.com",
            json!({ "firstName": "Ann", "lastName": "Lee", "title": "SDR", "team": { "path": "Sales:East" } }),
        ),
    ];
    for (email, attributes) in users {
        scene::user(world, email, attributes).await;
        world.services.clock.advance(Duration::seconds(1));
    }
    world.change(r#"suspendUser(input: {user: {email: "away@x.com"}}) { user { id } }"#).await;
    scene::integration(world, "CRM", "OTHER").await;
    let crm_users = [
        json!({ "externalId": "1", "email": "ann@x.com", "name": "Ann Lee" }),
        json!({ "externalId": "2", "email": "bob@x.com", "name": "Robert Ray" }),
        json!({ "externalId": "3", "email": "bob@x.com" }),
        json!({ "externalId": "4", "email": "carl@x.com", "isActive": false }),
        json!({ "externalId": "5", "email": "zoe@y.org", "name": "Somebody Else" }),
    ];
    scene::push_all(world, "CRM", crm_users.into()).await;
}

/// Reads a list of users, teams or mappings in pages of `size`, from the start or from the end, `what` of each node.
async fn paged(world: &World, list: &str, arguments: &str, what: &str, size: usize, backward: bool) -> Vec<String> {
    let (count, cursor, more, end) = if backward {
        ("last", "before", "hasPreviousPage", "startCursor")
    } else {
        ("first", "after", "hasNextPage", "endCursor")
    };
    let mut all = Vec::new();
    let mut at = Value::Null;
    loop {
        let query = format!(
            "query ($at: String) {{ {list}({count}: {size}, {cursor}: $at{arguments}) {{
                 totalCount edges {{ cursor node {{ {what} }} }}
                 pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let page = world.admin().graphql(&query, json!({ "at": at })).await.ok()[list].take();
        let edges = page["edges"].as_array().unwrap();
        assert!(edges.len() <= size);
        let info = &page["pageInfo"];
        assert_eq!(
            (&info["startCursor"], &info["endCursor"]),
            (
                edges.first().map_or(&Value::Null, |edge| &edge["cursor"]),
                edges.last().map_or(&Value::Null, |edge| &edge["cursor"]),
            )
        );
        // Behind the page there are the pages that have been read.
        let behind = if backward { "hasNextPage" } else { "hasPreviousPage" };
        assert_eq!(info[behind], json!(!at.is_null()));
        let rows: Vec<String> = edges.iter().map(|edge| short(&edge["node"])).collect();
        if backward {
            all.splice(0..0, rows);
        } else {
            all.extend(rows);
        }
        if info[more] == false {
            assert_eq!(page["totalCount"], json!(all.len()));
            return all;
        }
        at = info[end].clone();
    }
}
