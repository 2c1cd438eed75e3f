//! What a test needs to be there before it begins, made as an administrator makes it.

use counterpart::service::value::team_path;
use serde_json::{Value, json};

use super::World;

/// The team at a path and, where they are missing, the teams above it; its id.
pub async fn team(world: &World, path: &str) -> String {
    let names = team_path::parse(path).unwrap();
    let mut id = String::new();
    for depth in 1..=names.len() {
        let (path, above) = (team_path::format(&names[..depth]), team_path::format(&names[..depth - 1]));
        let found = ask(world, "query ($by: TeamRef!) { it: team(by: $by) { id } }", json!({ "by": { "path": path } }));
        let found = found.await;
        id = if found.is_null() {
            let parent = if above.is_empty() { Value::Null } else { json!({ "path": above }) };
            let input = json!({ "name": names[depth - 1], "parent": parent });
            made(world, "createTeam", "CreateTeamInput", "team", input).await
        } else {
            text(&found["id"])
        };
    }
    id
}

/// An integration; its id.
pub async fn integration(world: &World, name: &str, kind: &str) -> String {
    let input = json!({ "name": name, "kind": kind });
    made(world, "createIntegration", "CreateIntegrationInput", "integration", input).await
}

/// Changes an integration's settings.
pub async fn settings(world: &World, name: &str, settings: Value) {
    let input = json!({ "integration": { "name": name }, "settings": settings });
    made(world, "updateIntegration", "UpdateIntegrationInput", "integration", input).await;
}

/// Pushes active CRM users, each by its external id and its email; an email may be empty.
pub async fn push(world: &World, integration: &str, crm_users: &[(&str, &str)]) {
    let one = |(id, email): &(&str, &str)| json!({ "externalId": id, "email": email });
    push_all(world, integration, crm_users.iter().map(one).collect()).await;
}

/// Pushes CRM users as `CrmUserInput` has them.
pub async fn push_all(world: &World, integration: &str, crm_users: Vec<Value>) {
    let input = json!({ "integration": { "name": integration }, "crmUsers": crm_users });
    made(world, "pushCrmUsers", "PushCrmUsersInput", "syncRun", input).await;
}

/// A user with the other attributes of `CreateUserInput`; its id.
pub async fn user(world: &World, email: &str, attributes: Value) -> String {
    let mut input = attributes;
    input["email"] = json!(email);
    made(world, "createUser", "CreateUserInput", "user", input).await
}

/// Maps a user to a CRM user by hand, by email and external id; the mapping's id.
pub async fn map(world: &World, email: &str, integration: &str, external_id: &str) -> String {
    let input = json!({
        "user": { "email": email }, "integration": { "name": integration }, "crmUser": { "externalId": external_id },
    });
    made(world, "setMapping", "SetMappingInput", "mapping", input).await
}

/// Carries out a mutation that must succeed; the id of what it answers.
async fn made(world: &World, mutation: &str, kind: &str, field: &str, input: Value) -> String {
    let query = format!(
        "mutation ($input: {kind}!) {{ it: {mutation}(input: $input) {{ {field} {{ id }} userErrors {{ code field message }} }} }}"
    );
    let answer = ask(world, &query, json!({ "input": input })).await;
    assert_eq!(answer["userErrors"], json!([]), "{mutation} of {input}");
    text(&answer[field]["id"])
}

async fn ask(world: &World, query: &str, variables: Value) -> Value {
    world.admin().graphql(query, variables).await.ok()["it"].take()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
