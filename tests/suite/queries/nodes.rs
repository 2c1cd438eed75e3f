//! Objects by their ids.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::company;
use crate::support::{World, scene};

both!(every_object_has_an_id,);

async fn every_object_has_an_id(world: World) {
    company(&world).await;
    world.change(r#"createApiToken(input: {name: "T"}) { apiToken { id } }"#).await;
    scene::users(&world, &["d@x.com,D,,,,,,,,,Add".into()]).await;
    let found = world
        .read(
            r#"{ organization { id licenses { id } configurationProfiles { id } } viewer { id apiTokens { id } }
                 team(by: {path: "Sales"}) { id } mappings(first: 1) { nodes { id crmUser { id } } }
                 integration(by: {name: "CRM"}) { id lastSync { id } } importJobs { nodes { id } } }"#,
        )
        .await;
    let mut ids = Vec::new();
    collect(&found, &mut ids);
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let nodes = world.admin().graphql(query, json!({ "ids": ids })).await.ok()["nodes"].take();
    let same: Vec<&Value> = nodes.as_array().unwrap().iter().map(|node| &node["id"]).collect();
    assert_eq!(same, ids.iter().collect::<Vec<_>>());
    let mut kinds: Vec<&str> =
        nodes.as_array().unwrap().iter().map(|node| node["__typename"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_snapshot!(kinds.join(" "), @"ApiToken ConfigurationProfile CrmUser ImportJob Integration License Mapping Organization SyncRun Team User");
    for id in &ids {
        let node = world.admin().graphql("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await.ok();
        assert_eq!(node["node"]["id"], *id);
    }

    // What is deleted is there no more, and neither is what never was; the others keep their places.
    let gone = scene::user(&world, "gone@x.com", json!({})).await;
    world.change(r#"deleteUser(input: {user: {email: "gone@x.com"}}) { deletedId }"#).await;
    let answer = world.admin().graphql(query, json!({ "ids": [gone, "nonsense", ids[0], "", ids[0]] })).await.ok();
    let found: Vec<bool> = answer["nodes"].as_array().unwrap().iter().map(|node| !node.is_null()).collect();
    assert_eq!(found, [false, false, true, false, true]);
}

/// Every `id` in the answer.
fn collect(found: &Value, ids: &mut Vec<Value>) {
    match found {
        Value::Object(fields) => {
            ids.extend(fields.get("id").cloned());
            fields.values().for_each(|field| collect(field, ids));
        }
        Value::Array(list) => list.iter().for_each(|entry| collect(entry, ids)),
        _ => {}
    }
}
