use entity::{ObjectVisibility, UserRole};
use serde_json::{Value as Json, json};

use super::World;

const EVERYTHING: &str =
    "{ users(first: 200) { totalCount nodes { id email apiTokens { name } mappings { id crmUser { id } } } }
    mappings(first: 200) { totalCount nodes { id user { email } importJob { id } syncRun { id } createdBy { email } } }
    teams(first: 200) { nodes { id members(includeSubteams: true) { totalCount nodes { email } }
        managers { totalCount nodes { email } } } }
    integrations { id coverage { users mapped mappedAutomatically mappedManually byState { users } } } }";

fn strings(found: &Json, path: &str) -> Vec<String> {
    let nodes = found["nodes"].as_array().expect("has nodes");
    nodes.iter().map(|node| node.pointer(path).and_then(Json::as_str).expect("is a text").to_owned()).collect()
}

#[tokio::test]
async fn a_viewer_of_visibility_team_meets_only_their_own_people() {
    for world in World::each().await {
        let all = world.read(EVERYTHING).await;
        let viewer = "konrad.zuse@acme.example";
        let session = world.as_user(viewer, UserRole::Member, ObjectVisibility::Team).await;
        let seen = world.read_as(session.clone(), EVERYTHING, json!({})).await;

        let emails = strings(&seen["users"], "/email");
        assert!(emails.contains(&viewer.to_owned()) && emails.len() < strings(&all["users"], "/email").len());
        assert_eq!(seen["users"]["totalCount"], json!(emails.len()));
        for team in seen["teams"]["nodes"].as_array().unwrap() {
            for list in ["members", "managers"] {
                let people = strings(&team[list], "/email");
                assert!(people.iter().all(|email| emails.contains(email)), "{people:?}");
                assert_eq!(team[list]["totalCount"], json!(people.len()));
            }
        }
        assert_eq!(strings(&seen["teams"], "/id"), strings(&all["teams"], "/id"), "teams are everybody's");
        let mapped = strings(&seen["mappings"], "/user/email");
        assert!(mapped.iter().all(|email| emails.contains(email)));
        assert_eq!(seen["mappings"]["totalCount"], json!(mapped.len()));
        let coverage = &seen["integrations"][0]["coverage"];
        assert_eq!(coverage["users"], json!(emails.len()));
        assert_eq!(coverage["mapped"], json!(mapped.len()));
        let tokens = |found: &Json| {
            let nodes = found["users"]["nodes"].as_array().unwrap().clone();
            nodes.into_iter().filter(|user| user["apiTokens"] != json!([])).map(|user| user["email"].clone()).collect()
        };
        let tokens: Vec<Json> = tokens(&seen);
        assert_eq!(tokens, [json!(viewer)], "tokens are one's own");
        assert!(seen["mappings"]["nodes"].as_array().unwrap().iter().all(|mapping| mapping["syncRun"] == Json::Null));

        // Whatever is in no list is nowhere.
        let hidden: Vec<&Json> = all["users"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|user| !emails.contains(&user["email"].as_str().unwrap().to_owned()))
            .collect();
        let mut ids: Vec<Json> = hidden.iter().map(|user| user["id"].clone()).collect();
        for mapping in hidden.iter().flat_map(|user| user["mappings"].as_array().unwrap()) {
            ids.extend([mapping["id"].clone(), mapping["crmUser"]["id"].clone()]);
        }
        let query =
            "query ($ids: [ID!]!, $email: String!) { nodes(ids: $ids) { id } user(by: {email: $email}) { id } }";
        let variables = json!({"ids": ids, "email": hidden[0]["email"]});
        let found = world.read_as(session.clone(), query, variables.clone()).await;
        assert_eq!(found, json!({"nodes": vec![Json::Null; ids.len()], "user": null}));
        let found = world.read_as(world.admin().await, query, variables).await;
        assert_eq!(found["nodes"].as_array().unwrap().iter().filter(|node| node.is_null()).count(), 0);

        for forbidden in [
            "{ importJobs { totalCount } }",
            "{ importJob(id: \"x\") { id } }",
            "{ integrations { crmUsers { totalCount } } }",
            "{ integrations { syncRuns { totalCount } } }",
            "{ integrations { lastSync { id } } }",
            "{ viewer { link(integration: {name: \"Salesforce\"}) { candidates { score } } } }",
        ] {
            assert_eq!(world.codes(session.clone(), forbidden).await, ["FORBIDDEN"], "{forbidden}");
        }
    }
}

#[tokio::test]
async fn a_viewer_of_visibility_full_sees_everybody() {
    for world in World::each().await {
        let session = world.as_user("konrad.zuse@acme.example", UserRole::Manager, ObjectVisibility::Full).await;
        let all = world.read(EVERYTHING).await;
        let seen = world.read_as(session, EVERYTHING, json!({})).await;
        assert_eq!(strings(&seen["users"], "/email"), strings(&all["users"], "/email"));
        assert_eq!(seen["integrations"], all["integrations"]);
        assert_eq!(seen["mappings"]["totalCount"], all["mappings"]["totalCount"]);
    }
}
