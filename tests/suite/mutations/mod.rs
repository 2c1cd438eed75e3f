//! What is changed by hand, and what follows from it.

mod mappings;
mod push;
mod settings;
mod teams;
mod users;

use std::fmt::Write;

use crate::support::{World, show::short};

/// Carries out each mutation in turn, and says what it answered.
async fn told(world: &World, mutations: &[&str]) -> String {
    let mut text = String::new();
    for mutation in mutations {
        writeln!(text, "{mutation}").unwrap();
        for line in world.change(mutation).await.lines() {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

/// Every user's standing towards the integration `CRM`, the administrator aside.
async fn standing(world: &World) -> String {
    let query = r#"{ users(first: 200) { nodes { email link(integration: {name: "CRM"}) { state mapping { source crmUser { externalId } warnings { kind } } } } } }"#;
    let found = world.read(query).await;
    let mut text = String::new();
    for user in found["users"]["nodes"].as_array().unwrap() {
        let (email, link) = (short(&user["email"]), &user["link"]);
        if email == "admin@acme.example" {
            continue;
        }
        let mapping = &link["mapping"];
        write!(text, "{email} {}", short(&link["state"])).unwrap();
        if !mapping.is_null() {
            write!(text, " {} {}", short(&mapping["source"]), short(&mapping["crmUser"]["externalId"])).unwrap();
            for warning in mapping["warnings"].as_array().unwrap() {
                write!(text, " {}", short(&warning["kind"])).unwrap();
            }
        }
        text.push('\n');
    }
    text
}
