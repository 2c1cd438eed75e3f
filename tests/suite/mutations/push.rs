//! CRM users that a script pushes.

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::standing;
use crate::support::{
    World, scene,
    show::{lines, short},
};

both!(a_push_says_what_is_wrong, a_push_upserts_and_links, a_push_that_would_unlink_a_company_is_halted,);

const RUN: &str = "syncRun { status trigger received linked deactivated leftAlone remapped usersCreated error }";

async fn push(world: &World, crm_users: Value) -> String {
    let query = format!(
        "mutation ($input: PushCrmUsersInput!) {{ it: pushCrmUsers(input: $input) {{ {RUN} userErrors {{ code field message }} }} }}"
    );
    let input = json!({ "integration": { "name": "CRM" }, "crmUsers": crm_users });
    let answer = world.admin().graphql(&query, json!({ "input": input })).await.ok();
    format!("{}\n{}", short(&answer["it"]["syncRun"]), lines(&answer["it"]["userErrors"]))
}

async fn a_push_says_what_is_wrong(world: World) {
    scene::integration(&world, "CRM", "SALESFORCE").await;
    let text = push(
        &world,
        json!([
            { "externalId": "0050Y000000fL1W", "email": "ann@x.com" },
            { "externalId": "0050Y000000fL1WQAU" },
            { "externalId": "00G0Y000000fL1W", "email": "a queue" },
            { "externalId": "", "team": "Sales:", "name": "a\u{1}b" },
            { "externalId": "0050Y000000fL1X", "email": "" },
        ]),
    )
    .await;
    assert_snapshot!(text, @r#"
    null
    {code: INVALID, field: [crmUsers, 1, externalId], message: 0050Y000000fL1WQAU stands at 0 already; send each CRM user once.}
    {code: INVALID_EXTERNAL_ID, field: [crmUsers, 2, externalId], message: A Salesforce user's id starts with 005; this one starts with 00G, as a queue's or group's does.}
    {code: INVALID_EMAIL, field: [crmUsers, 2, email], message: "a queue" contains white space.}
    {code: INVALID_EXTERNAL_ID, field: [crmUsers, 3, externalId], message: An external id is needed; this is empty.}
    {code: INVALID, field: [crmUsers, 3, name], message: "a\u{1}b" holds a control character, such as a tab or a line break.}
    {code: INVALID, field: [crmUsers, 3, team], message: The team path "Sales:" has an empty name in it. Write Parent:Sub-Team, and \: for a colon in a name.}
    "#);
    let found =
        world.read(r#"{ integration(by: {name: "CRM"}) { crmUsers { totalCount } syncRuns { totalCount } } }"#).await;
    assert_eq!(short(&found["integration"]), "{crmUsers: {totalCount: 0}, syncRuns: {totalCount: 0}}");
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "externalId": n.to_string() })).collect();
    assert_snapshot!(push(&world, json!(many)).await, @r"
    null
    {code: TOO_MANY, field: [crmUsers], message: 1001 CRM users came; 1000 a call at most. Send several calls.}
    ");
    assert_snapshot!(push(&world, json!([])).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 0, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(push(&world, json!([{ "externalId": "0050Y000000fL1W" }])).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 1, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    let found = world.read(r#"{ integration(by: {name: "CRM"}) { crmUsers { nodes { externalId } } } }"#).await;
    assert_eq!(short(&found["integration"]["crmUsers"]["nodes"]), "[{externalId: 0050Y000000fL1WQAU}]");
}

async fn a_push_upserts_and_links(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["ann@x.com", "bob@x.com", "carl@x.com", "dora@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    let first = json!([
        { "externalId": "1", "email": "ANN@x.com", "name": "Ann", "username": "ann", "title": "AE", "team": "Sales:East",
          "createdAt": "2020-01-02T03:04:05+01:00" },
        { "externalId": "2", "email": "bob@x.com" }, { "externalId": "3", "email": "bob@x.com" },
        { "externalId": "4", "email": "carl@x.com", "isActive": false },
        { "externalId": "5", "email": "nobody@x.com" },
    ]);
    assert_snapshot!(push(&world, first.clone()).await, @"{deactivated: 0, error: null, leftAlone: 1, linked: 1, received: 5, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com AMBIGUOUS
    carl@x.com MATCH_INACTIVE
    dora@x.com NO_MATCH
    ");
    let before = standing(&world).await;
    world.services.clock.advance(Duration::minutes(1));
    assert_snapshot!(push(&world, first).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 5, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_eq!(standing(&world).await, before, "the same again changes nothing");

    // A push describes each CRM user whole: what it leaves out is empty now, but for the moment it was created at.
    world.services.clock.advance(Duration::minutes(1));
    let second = json!([
        { "externalId": "1", "email": "ann@x.com" },
        { "externalId": "3", "email": "bob@x.com", "isActive": false },
        { "externalId": "4", "email": "carl@x.com" },
        { "externalId": "5", "email": "dora@x.com" },
    ]);
    assert_snapshot!(push(&world, second).await, @"{deactivated: 1, error: null, leftAlone: 0, linked: 3, received: 4, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MAPPED AUTOMATIC 2
    carl@x.com MAPPED AUTOMATIC 4
    dora@x.com MAPPED AUTOMATIC 5
    ");
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers { nodes { externalId email name username title team isActive createdAt lastSeenAt } } } }"#;
    assert_snapshot!(lines(&world.read(query).await["integration"]["crmUsers"]["nodes"]), @"
    {createdAt: 2020-01-02T02:04:05+00:00, email: ann@x.com, externalId: 1, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: bob@x.com, externalId: 2, isActive: true, lastSeenAt: 2026-03-02T09:00:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: bob@x.com, externalId: 3, isActive: false, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: carl@x.com, externalId: 4, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: dora@x.com, externalId: 5, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    ");
}

async fn a_push_that_would_unlink_a_company_is_halted(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let users: Vec<String> = (0..50).map(|n| format!("u{n}@x.com,U,,,,,,,,,Add")).collect();
    scene::users(&world, &users).await;
    let crm_users = |n: usize, is_active: bool| {
        let one =
            |n: usize| json!({ "externalId": n.to_string(), "email": format!("u{n}@x.com"), "isActive": is_active });
        (0..n).map(one).collect::<Vec<_>>()
    };
    scene::push_all(&world, "CRM", crm_users(50, true)).await;
    let before = standing(&world).await;
    assert_eq!(before.matches("MAPPED").count(), 50);

    assert_snapshot!(push(&world, json!(crm_users(11, false))).await, @r#"
    {deactivated: 0, error: This would make the CRM users of 11 of 50 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the limit of "CRM" and send it again., leftAlone: 0, linked: 0, received: 11, remapped: 0, status: HALTED, trigger: PUSH, usersCreated: 0}
    {code: MASS_CHANGE_LIMIT, field: null, message: This would make the CRM users of 11 of 50 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the limit of "CRM" and send it again.}
    "#);
    assert_eq!(standing(&world).await, before);
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers(filter: {isActive: true}) { totalCount } lastSync { status } } }"#;
    assert_snapshot!(short(&world.read(query).await["integration"]), @"{crmUsers: {totalCount: 50}, lastSync: {status: HALTED}}");
    // Ten may always go, and a higher limit lets more go.
    assert_snapshot!(push(&world, json!(crm_users(10, false))).await, @"{deactivated: 10, error: null, leftAlone: 0, linked: 0, received: 10, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    scene::settings(&world, "CRM", json!({ "massChangeLimitPercent": 80 })).await;
    assert_snapshot!(push(&world, json!(crm_users(50, false))).await, @"{deactivated: 40, error: null, leftAlone: 0, linked: 0, received: 50, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_eq!(standing(&world).await.matches("CRM_USER_INACTIVE").count(), 50);
}
