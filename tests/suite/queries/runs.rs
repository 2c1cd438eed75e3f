//! Imports and receipts, listed and followed.

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::paged;
use crate::support::{World, scene, show::short, socket::Client};

both!(imports_and_receipts_are_listed, an_import_is_followed_to_its_end, a_receipt_is_followed,);

async fn imports_and_receipts_are_listed(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for n in 0..5 {
        scene::users(&world, &[format!("u{n}@x.com,U,,,,,,,,,Add")]).await;
        world.services.clock.advance(Duration::minutes(1));
        scene::push(&world, "CRM", &[("1", &format!("u{n}@x.com"))]).await;
    }
    let whole = paged(&world, "importJobs", "", "id createdAt status", 200, false).await;
    assert_eq!(whole.len(), 5);
    for backward in [false, true] {
        assert_eq!(paged(&world, "importJobs", "", "id createdAt status", 2, backward).await, whole);
    }
    let query = "{ importJobs(first: 1) { nodes { kind status mode fileName integration { name } createdBy { email } createdAt startedAt
        finishedAt totalRows processedRows created updated unchanged deleted skipped failed progress logUrl error { code } syncRun { id }
        revert { status } rows { totalCount } } } }";
    assert_snapshot!(short(&world.read(query).await["importJobs"]["nodes"][0]), @"{created: 1, createdAt: 2026-03-02T09:04:00+00:00, createdBy: {email: admin@acme.example}, deleted: 0, error: null, failed: 0, fileName: null, finishedAt: 2026-03-02T09:04:00+00:00, integration: null, kind: USERS, logUrl: null, mode: APPLY, processedRows: 1, progress: 1.0, revert: null, rows: {totalCount: 0}, skipped: 0, startedAt: 2026-03-02T09:04:00+00:00, status: COMPLETED, syncRun: null, totalRows: 1, unchanged: 0, updated: 0}");

    let runs = "status trigger triggeredBy { email } startedAt finishedAt received usersCreated linked remapped deactivated leftAlone error";
    let query = format!(
        r#"{{ integration(by: {{name: "CRM"}}) {{ lastSync {{ id }} nextSyncAt syncRuns {{ totalCount nodes {{ id {runs} }} }}
             last: syncRuns(last: 1) {{ nodes {{ linked startedAt }} pageInfo {{ hasPreviousPage }} }} }} }}"#
    );
    let mut found = world.read(&query).await["integration"].take();
    assert_eq!(found["lastSync"]["id"], found["syncRuns"]["nodes"][0]["id"]);
    assert_eq!(found["syncRuns"]["totalCount"], 5);
    assert_snapshot!(short(&found["last"]), @"{nodes: [{linked: 1, startedAt: 2026-03-02T09:01:00+00:00}], pageInfo: {hasPreviousPage: true}}");
    found["syncRuns"]["nodes"][0].as_object_mut().unwrap().remove("id");
    assert_snapshot!(short(&found["syncRuns"]["nodes"][0]), @"{deactivated: 0, error: null, finishedAt: 2026-03-02T09:05:00+00:00, leftAlone: 1, linked: 0, received: 1, remapped: 0, startedAt: 2026-03-02T09:05:00+00:00, status: COMPLETED, trigger: PUSH, triggeredBy: {email: admin@acme.example}, usersCreated: 0}");
    assert_eq!(found["nextSyncAt"], Value::Null);
}

async fn an_import_is_followed_to_its_end(world: World) {
    let rows: Vec<String> = (0..1_500).map(|n| format!("u{n}@x.com,U,,,,,,,,,Add")).collect();
    let head = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation";
    let query = "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { importJob { id } } }";
    let text = format!("{head}\n{}\n", rows.join("\n"));
    let made = world.admin().graphql(query, json!({ "text": text })).await.ok();
    let id = short(&made["importUsers"]["importJob"]["id"]);

    let mut client = Client::signed_in(&world, &world.administrator.token).await;
    client
        .ask("a", &format!(r#"subscription {{ importProgress(id: "{id}") {{ status processedRows progress }} }}"#))
        .await;
    let mut heard = vec![short(&client.hear().await["payload"]["data"]["importProgress"])];
    world.work().await;
    loop {
        let next = client.hear().await;
        if next["type"] == "complete" {
            break;
        }
        heard.push(short(&next["payload"]["data"]["importProgress"]));
    }
    assert_eq!(heard.first().unwrap(), "{processedRows: 0, progress: 0.0, status: QUEUED}");
    assert_eq!(heard.last().unwrap(), "{processedRows: 1500, progress: 1.0, status: COMPLETED}");
}

async fn a_receipt_is_followed(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "a@x.com")]).await;
    let found = world.read(r#"{ integration(by: {name: "CRM"}) { id lastSync { id } } }"#).await;
    let mut client = Client::signed_in(&world, &world.administrator.token).await;
    let id = short(&found["integration"]["lastSync"]["id"]);
    client.ask("a", &format!(r#"subscription {{ syncProgress(id: "{id}") {{ status received }} }}"#)).await;
    assert_eq!(client.hear().await["payload"]["data"]["syncProgress"], json!({ "status": "COMPLETED", "received": 1 }));
    assert_eq!(client.hear().await, json!({ "type": "complete", "id": "a" }));

    // The id of something else names nothing.
    let id = short(&found["integration"]["id"]);
    client.ask("b", &format!(r#"subscription {{ syncProgress(id: "{id}") {{ status received }} }}"#)).await;
    let heard = client.hear().await.to_string();
    assert!(heard.contains("NOT_FOUND"), "{heard}");
}
