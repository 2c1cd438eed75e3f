//! How users stand, and whom they could be.

use std::fmt::Write;

use insta::assert_snapshot;
use serde_json::json;

use super::company;
use crate::support::{World, scene, show::short};

both!(every_state_is_explained_and_counted, candidates_come_best_first,);

async fn every_state_is_explained_and_counted(world: World) {
    company(&world).await;
    // The company has four states. Of the others, an administrator removes Zoë's mapping, and maps another user to the
    // CRM user that then carries a third one's email.
    let found = world
        .read(r#"{ user(by: {email: "zoe@y.org"}) { link(integration: {name: "CRM"}) { mapping { id } } } }"#)
        .await;
    let id = short(&found["user"]["link"]["mapping"]["id"]);
    world.change(&format!(r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ id }} }}"#)).await;
    scene::user(&world, "taken@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("6", "")]).await;
    scene::map(&world, "nameless@y.org", "CRM", "6").await;
    scene::push(&world, "CRM", &[("6", "taken@x.com")]).await;
    scene::user(&world, "many@x.com", json!({})).await;
    let many: Vec<(String, &str)> = (0..7).map(|n| (format!("m{n}"), "many@x.com")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, email)| (id.as_str(), *email)).collect();
    scene::push(&world, "CRM", &many).await;

    let found = world
        .read(
            r#"{ users { nodes { email link(integration: {name: "CRM"}) { state explanation mapping { source crmUser { externalId } } } } }
                 integration(by: {name: "CRM"}) { coverage { users mapped mappedAutomatically mappedManually withWarnings byState { state users } } } }"#,
        )
        .await;
    let mut text = String::new();
    for user in found["users"]["nodes"].as_array().unwrap() {
        let link = &user["link"];
        let mapping = short(&link["mapping"]);
        writeln!(
            text,
            "{} {} {mapping}: {}",
            short(&user["email"]),
            short(&link["state"]),
            short(&link["explanation"])
        )
        .unwrap();
    }
    assert_snapshot!(text, @r"
    admin@acme.example NO_MATCH null: No CRM user of CRM carries admin@acme.example.
    ann@x.com MAPPED {crmUser: {externalId: 1}, source: AUTOMATIC}: Linking mapped ann@x.com to the CRM user 1 on 2026-03-02.
    away@x.com NO_MATCH null: No CRM user of CRM carries away@x.com.
    bob@x.com AMBIGUOUS null: Two active CRM users carry bob@x.com: 2, 3.
    carl@x.com MATCH_INACTIVE null: The one CRM user that carries carl@x.com, 4, is inactive.
    many@x.com AMBIGUOUS null: Seven active CRM users carry many@x.com: m0, m1, m2, m3, m4 and 2 more.
    nameless@y.org MAPPED {crmUser: {externalId: 6}, source: MANUAL}: An administrator mapped nameless@y.org to the CRM user 6 on 2026-03-02.
    taken@x.com MATCH_TAKEN null: The CRM user 6 carries taken@x.com, but is mapped to nameless@y.org.
    zoe@y.org MATCH_AVAILABLE null: The CRM user 5 carries zoe@y.org and is free, but an administrator removed this very mapping, and linking leaves it at that while both emails stay.
    ");
    let coverage = &found["integration"]["coverage"];
    assert_snapshot!(short(coverage), @"{byState: [{state: MAPPED, users: 2}, {state: MATCH_AVAILABLE, users: 1}, {state: NO_MATCH, users: 2}, {state: AMBIGUOUS, users: 2}, {state: MATCH_INACTIVE, users: 1}, {state: MATCH_TAKEN, users: 1}], mapped: 2, mappedAutomatically: 1, mappedManually: 1, users: 9, withWarnings: 0}");
    let counted = coverage["byState"].as_array().unwrap().iter().map(|state| state["users"].as_u64().unwrap());
    assert_eq!(json!(counted.sum::<u64>()), coverage["users"]);
    assert_eq!(found["users"]["nodes"].as_array().unwrap().len(), 9);
}

async fn candidates_come_best_first(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let person = json!({ "firstName": "William", "lastName": "Shakespeare", "title": "Author" });
    scene::user(&world, "william@globe.example", person).await;
    scene::user(&world, "other@globe.example", json!({})).await;
    let crm_users = [
        json!({ "externalId": "email-1", "email": "william@globe.example" }),
        json!({ "externalId": "email-2", "email": "william@globe.example", "name": "William Shakespeare", "title": "Author" }),
        json!({ "externalId": "local", "email": "william@rose.example" }),
        json!({ "externalId": "username", "username": "william@globe.example" }),
        json!({ "externalId": "name", "name": "Shakespeare, William" }),
        json!({ "externalId": "similar", "name": "Bill Shakespeare" }),
        json!({ "externalId": "spelling", "name": "William Shakespear" }),
        json!({ "externalId": "title", "name": "Ben Jonson", "title": "Author" }),
        json!({ "externalId": "taken", "email": "william@globe.example", "name": "William Shakespeare" }),
    ];
    scene::push_all(&world, "CRM", crm_users.into()).await;
    scene::map(&world, "other@globe.example", "CRM", "taken").await;
    let query = r#"{ user(by: {email: "william@globe.example"}) { link(integration: {name: "CRM"}) {
        state candidates(first: 20) { crmUser { externalId } score reasons } few: candidates(first: 2) { crmUser { externalId } }
        some: candidates { score } } } }"#;
    let link = world.read(query).await["user"]["link"].take();
    let mut text = String::new();
    let mut last = 1.0;
    for candidate in link["candidates"].as_array().unwrap() {
        let score = candidate["score"].as_f64().unwrap();
        assert!((0.0..=last).contains(&score), "{candidate}");
        last = score;
        writeln!(text, "{} {score:.2} {}", short(&candidate["crmUser"]["externalId"]), short(&candidate["reasons"]))
            .unwrap();
    }
    assert_snapshot!(text, @r"
    email-2 0.98 [SAME_EMAIL, SAME_NAME, SAME_TITLE]
    email-1 0.95 [SAME_EMAIL]
    username 0.75 [SAME_USERNAME]
    local 0.60 [SAME_LOCAL_PART]
    name 0.55 [SAME_NAME]
    spelling 0.43 [SIMILAR_NAME]
    similar 0.43 [SIMILAR_NAME]
    ");
    assert_eq!(link["few"].as_array().unwrap().len(), 2);
    assert_eq!(link["some"].as_array().unwrap().len(), 5);
}
