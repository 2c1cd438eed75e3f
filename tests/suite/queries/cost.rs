//! What a page costs, whatever its size.

use serde_json::{Value, json};

use crate::support::{World, scene};

both!(
    a_tree_costs_the_same_whatever_its_size,
    a_page_of_users_costs_the_same_whatever_its_size,
    links_and_candidates_of_a_page_cost_the_same,
);

const TREE: &str = "{ teams(first: 5, filter: {rootsOnly: true}) { nodes { name children(first: 5) { nodes { name
    children(first: 5) { nodes { name children(first: 5) { nodes { name members(first: 5) { nodes {
    email mappings { source crmUser { externalId email } } } } } } } } } } } } }";

/// `count` users in each of `teams` teams that lie four deep, each mapped.
async fn tree(world: &World, teams: usize, count: usize) {
    let user = |n: usize| {
        let team = n % teams;
        format!("u{n}@x.com,U,{n},,R{}:S{}:T{}:L{team},,,,R{},,Add", team % 2, team % 3, team % 5, team % 2)
    };
    let rows: Vec<String> = (0..teams * count).map(user).collect();
    scene::users(world, &rows).await;
    scene::integration(world, "CRM", "OTHER").await;
    let crm_users: Vec<Value> =
        (0..teams * count).map(|n| json!({ "externalId": n.to_string(), "email": format!("u{n}@x.com") })).collect();
    scene::push_all(world, "CRM", crm_users).await;
}

async fn a_tree_costs_the_same_whatever_its_size(world: World) {
    tree(&world, 3, 1).await;
    let small = world.admin().graphql(TREE, json!({})).await.statements;
    let rows: Vec<String> = (0..330)
        .map(|n| format!("v{n}@x.com,V,{n},,R{}:S{}:T{}:M{},,,,,,Add", n % 5, n / 5 % 5, n / 25 % 5, n / 125))
        .collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..330).map(|n| json!({ "externalId": format!("v{n}"), "email": format!("v{n}@x.com") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(TREE, json!({})).await;
    let large = answer.statements;
    let members = answer.ok().to_string().matches(r#""source":"AUTOMATIC""#).count();
    assert!(members > 300, "{members}");
    assert!(small <= 8 && large == small, "{small}, {large}");
}

const PAGE: &str = "{ users(first: 50) { nodes { email team { path managers { nodes { email } } } managerOf { name }
    mappings { source crmUser { externalId } } licenses { name } configurationProfile { name } } } }";

async fn a_page_of_users_costs_the_same_whatever_its_size(world: World) {
    let page = "{ users(first: 50) { nodes { email team { name managers { nodes { email } } } mappings { source crmUser { externalId } } } } }";
    tree(&world, 3, 1).await;
    let (small, small_wide) = (
        world.admin().graphql(page, json!({})).await.statements,
        world.admin().graphql(PAGE, json!({})).await.statements,
    );
    let rows: Vec<String> =
        (0..60).map(|n| format!("a{n}@x.com,A,{n},,R{}:S{n},,,,R0;R1,Foundation,Add", n % 3)).collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..60).map(|n| json!({ "externalId": format!("a{n}"), "email": format!("a{n}@x.com") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(page, json!({})).await;
    assert_eq!(answer.statements, small);
    assert!(small <= 8, "{small}");
    assert_eq!(answer.ok()["users"]["nodes"].as_array().unwrap().len(), 50);
    assert_eq!(world.admin().graphql(PAGE, json!({})).await.statements, small_wide);
}

async fn links_and_candidates_of_a_page_cost_the_same(world: World) {
    let query = r#"{ users(first: 40) { nodes { email link(integration: {name: "CRM"}) { state explanation mapping { source }
        candidates(first: 3) { score reasons crmUser { externalId mapping { source } } } } } } }"#;
    tree(&world, 3, 1).await;
    let small = world.admin().graphql(query, json!({})).await.statements;
    let rows: Vec<String> = (0..60).map(|n| format!("a{n}@x.com,Ann,Lee {n},,,,,,,,Add")).collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..60).map(|n| json!({ "externalId": format!("a{n}"), "name": format!("Ann Lee {n}") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(query, json!({})).await;
    assert_eq!(answer.statements, small);
    assert!(small <= 11, "{small}");
    assert!(answer.ok().to_string().contains("SAME_NAME"));
}
