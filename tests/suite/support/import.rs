//! Asking for imports and looking at what became of them.

use serde_json::{Value, json};

use super::client::Actor;

pub const USERS: &str = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation";

/// A file of users who are added.
pub fn adding(users: impl IntoIterator<Item = usize>) -> String {
    let rows: String = users.into_iter().map(|n| format!("u{n}@x.com,U,{n},,,,,,,,Add\n")).collect();
    format!("{USERS}\n{rows}")
}

/// Asks for an import, `importUsers(input: {source: {text: $text}})`; its payload.
pub async fn ask(actor: &Actor, field: &str, text: &str) -> Value {
    let query = format!(
        "mutation ($text: String!) {{ made: {field} {{ importJob {{ id }} userErrors {{ code field message }} }} }}"
    );
    actor.graphql(&query, json!({ "text": text })).await.ok()["made"].take()
}

/// Asks for an import that is made; its id.
pub async fn made(actor: &Actor, field: &str, text: &str) -> String {
    let payload = ask(actor, field, text).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    payload["importJob"]["id"].as_str().unwrap().to_owned()
}

/// The import, its counts and its rows.
pub async fn job(actor: &Actor, id: &str) -> Value {
    let query = "query ($id: ID!) { importJob(id: $id) { status totalRows processedRows created updated unchanged deleted \
                 skipped failed logUrl rowsDeletedAt error { code message } rows { totalCount } } }";
    actor.graphql(query, json!({ "id": id })).await.ok()["importJob"].take()
}

/// Where an import stands and the counts that are not zero, in one line.
pub async fn counts(actor: &Actor, id: &str) -> String {
    let job = job(actor, id).await;
    let names = ["created", "updated", "unchanged", "deleted", "skipped", "failed"];
    let counts = names.iter().filter(|name| job[**name] != json!(0)).map(|name| format!("{name} {}", job[*name]));
    format!("{}: {}", job["status"].as_str().unwrap(), counts.collect::<Vec<_>>().join(", "))
}

/// How many imports the organisation has.
pub async fn count(actor: &Actor) -> Value {
    actor.graphql("{ importJobs { totalCount } }", json!({})).await.ok()["importJobs"]["totalCount"].take()
}
