//! The linking rules, met by pushes: the path from a receipt on is one for all.

use insta::assert_snapshot;
use serde_json::json;

use super::{crm_user, last_run, mapped, remapping};
use crate::support::{World, scene};

both!(
    an_outreach_user_is_remapped_to_the_active_salesforce_user,
    without_the_setting_the_mapping_stays_and_warns,
    who_becomes_active_again_gets_nobody_back,
    of_several_the_oldest_is_taken,
    a_mapping_follows_the_email,
    two_exchange_their_targets_in_one_receipt,
    a_chain_moves_up_in_one_receipt,
    a_manual_mapping_is_in_the_way,
    what_an_administrator_removed_stays_removed,
    users_are_made_for_crm_users_without_one,
    an_email_in_use_is_told,
    a_setting_that_is_switched_on_is_caught_up_with,
    moving_too_many_is_halted,
    thousands_move_in_one_circle,
);

/// In the source's words: User ID: X in Salesforce with email abc@def.com inbound creates to User ID: 1. Now a new User ID: Y
/// is created in Salesforce with the same email, IsActive = True, and User ID: X changes IsActive=False. When User ID: Y is
/// synced, User ID: 1 is remapped to User ID: Y.
async fn an_outreach_user_is_remapped_to_the_active_salesforce_user(world: World) {
    let email = "abc@def.com";
    let (x, y) = (crm_user("X", email, true), crm_user("Y", email, true));
    let (x_left, y) = (crm_user("X", email, false), y);
    let orders = [
        ("X leaves, then Y comes", vec![vec![&x_left], vec![&y]]),
        ("Y comes, then X leaves", vec![vec![&y], vec![&x_left]]),
        ("both at once", vec![vec![&x_left, &y]]),
        ("both at once, Y first", vec![vec![&y, &x_left]]),
        ("both, and both again", vec![vec![&y, &x_left], vec![&x_left, &y], vec![&y]]),
    ];
    for (n, (order, receipts)) in orders.into_iter().enumerate() {
        let name = format!("CRM {n}");
        scene::integration(&world, &name, "OTHER").await;
        let settings = json!({ "inboundCreate": true, "emailDedupe": "BOTH", "autoRemapInactive": true });
        scene::settings(&world, &name, settings).await;
        scene::push_all(&world, &name, vec![x.clone()]).await;
        for receipt in receipts {
            scene::push_all(&world, &name, receipt.into_iter().cloned().collect()).await;
        }
        let query = format!(
            r#"{{ user(by: {{email: "abc@def.com"}}) {{ mappingHistory(integration: {{name: "{name}"}}) {{ nodes {{
                crmUser {{ externalId }} source endReason replaces {{ crmUser {{ externalId }} }} warnings {{ kind }} }} }} }}
                users {{ totalCount }} }}"#
        );
        let data = world.read(&query).await;
        let expected = json!({
            "user": { "mappingHistory": { "nodes": [
                { "crmUser": { "externalId": "Y" }, "source": "AUTOMATIC", "endReason": null,
                  "replaces": { "crmUser": { "externalId": "X" } }, "warnings": [] },
                { "crmUser": { "externalId": "X" }, "source": "AUTOMATIC", "endReason": "AUTO_REMAPPED", "replaces": null,
                  "warnings": data["user"]["mappingHistory"]["nodes"][1]["warnings"] },
            ] } },
            "users": { "totalCount": 2 },
        });
        assert_eq!(data, expected, "{order}");
    }
}

async fn without_the_setting_the_mapping_stays_and_warns(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "a@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    scene::push_all(&world, "CRM", vec![crm_user("X", "a@x.com", false), crm_user("Y", "a@x.com", true)]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com X AUTOMATIC CRM_USER_INACTIVE");
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED received 2 deactivated 1
    DEACTIVATED: The CRM user X (a@x.com) became inactive.
    ");
    // Switched on, it is done at once.
    remapping(&world).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com Y AUTOMATIC");
}

async fn who_becomes_active_again_gets_nobody_back(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    remapping(&world).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    scene::push_all(&world, "CRM", vec![crm_user("X", "a@x.com", false), crm_user("Y", "a@x.com", true)]).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com Y AUTOMATIC EMAIL_NOW_AMBIGUOUS");
}

async fn of_several_the_oldest_is_taken(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    remapping(&world).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    let made = |id: &str, at: &str| json!({ "externalId": id, "email": "A@x.com", "createdAt": at });
    let found = vec![
        made("Y1", "2025-03-01T00:00:00Z"),
        made("Y3", "2025-02-01T00:00:00Z"),
        made("Y2", "2025-02-01T00:00:00Z"),
        crm_user("Y0", "a@x.com", true),
        crm_user("X", "a@x.com", false),
    ];
    scene::push_all(&world, "CRM", found).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com Y2 AUTOMATIC EMAIL_NOW_AMBIGUOUS");
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED received 5 remapped 1 deactivated 1
    DEACTIVATED: The CRM user X (a@x.com) became inactive.
    REMAPPED: a@x.com moved to the CRM user Y2: the one before had become inactive.
    ");
}

async fn a_mapping_follows_the_email(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "a@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", "a@x.com")]).await;
    // Nobody else carries it: the mapping stays.
    scene::push(&world, "CRM", &[("1", "b@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com 1 AUTOMATIC EMAIL_MISMATCH");
    scene::push(&world, "CRM", &[("2", "a@x.com"), ("3", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com 1 AUTOMATIC EMAIL_MISMATCH");
    // Now it is clear who is meant.
    scene::push(&world, "CRM", &[("3", "c@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com 2 AUTOMATIC");
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED received 1 remapped 1
    RELINKED: a@x.com moved to the CRM user 2: the one before no longer carried that email.
    ");
    // So does the user's own change of email.
    scene::edit(&world, "a@x.com", json!({ "email": "b@x.com" })).await;
    assert_snapshot!(mapped(&world).await, @"b@x.com 1 AUTOMATIC");
}

async fn two_exchange_their_targets_in_one_receipt(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["a@x.com", "b@x.com", "c@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com"), ("3", "c@x.com")]).await;
    scene::push(&world, "CRM", &[("1", "b@x.com"), ("2", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 2 AUTOMATIC
    b@x.com 1 AUTOMATIC
    c@x.com 3 AUTOMATIC
    ");
    scene::push(&world, "CRM", &[("1", "c@x.com"), ("3", "a@x.com"), ("2", "b@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 3 AUTOMATIC
    b@x.com 2 AUTOMATIC
    c@x.com 1 AUTOMATIC
    ");
}

async fn a_chain_moves_up_in_one_receipt(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["a@x.com", "b@x.com", "c@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 1 AUTOMATIC
    b@x.com 2 AUTOMATIC
    c@x.com NO_MATCH
    ");
    // 3 frees 2, which frees 1, which is the one that c is waiting for.
    scene::push(&world, "CRM", &[("1", "c@x.com"), ("2", "a@x.com"), ("3", "b@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 2 AUTOMATIC
    b@x.com 3 AUTOMATIC
    c@x.com 1 AUTOMATIC
    ");
    // Piece by piece, each waits for what comes later; in the end all stand as if it had come at once.
    scene::push(&world, "CRM", &[("2", "c@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 2 AUTOMATIC EMAIL_MISMATCH
    b@x.com 3 AUTOMATIC
    c@x.com 1 AUTOMATIC EMAIL_NOW_AMBIGUOUS
    ");
    scene::push(&world, "CRM", &[("1", "d@x.com")]).await;
    scene::push(&world, "CRM", &[("4", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 4 AUTOMATIC
    b@x.com 3 AUTOMATIC
    c@x.com 2 AUTOMATIC
    ");
}

async fn a_manual_mapping_is_in_the_way(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    remapping(&world).await;
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com")]).await;
    scene::map(&world, "b@x.com", "CRM", "2").await;
    // b's own stays, though a is to be found there now, and though it becomes inactive.
    scene::push(&world, "CRM", &[("1", "z@x.com"), ("2", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 1 AUTOMATIC EMAIL_MISMATCH
    b@x.com 2 MANUAL
    ");
    scene::push_all(&world, "CRM", vec![crm_user("2", "b@x.com", false), crm_user("3", "b@x.com", true)]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 1 AUTOMATIC EMAIL_MISMATCH
    b@x.com 2 MANUAL CRM_USER_INACTIVE
    ");
}

async fn what_an_administrator_removed_stays_removed(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    remapping(&world).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    let id = scene::map(&world, "a@x.com", "CRM", "X").await;
    world.change(&format!(r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ endReason }} }}"#)).await;
    scene::push(&world, "CRM", &[("X", "a@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com MATCH_AVAILABLE");
    // Another one with that email is another matter; the one that was removed is not what remapping goes to.
    scene::push_all(&world, "CRM", vec![crm_user("X", "b@x.com", true), crm_user("Y", "a@x.com", true)]).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com Y AUTOMATIC
    b@x.com X AUTOMATIC
    ");
}

async fn users_are_made_for_crm_users_without_one(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::settings(&world, "CRM", json!({ "inboundCreate": true, "emailDedupe": "INBOUND" })).await;
    let made = |id: &str, email: &str, name: &str, at: &str| json!({ "externalId": id, "email": email, "name": name, "title": "AE", "createdAt": at });
    let receipt = vec![
        made("2", "twice@x.com", "Second Person", "2025-02-02T00:00:00Z"),
        made("1", "Twice@x.com", "First van der Person", "2025-01-01T00:00:00Z"),
        crm_user("3", "gone@x.com", false),
        json!({ "externalId": "4", "email": null, "name": "Nobody" }),
        json!({ "externalId": "5", "email": "one@x.com", "name": "Cher" }),
    ];
    scene::push_all(&world, "CRM", receipt.clone()).await;
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED received 5 usersCreated 2
    CREATED: The CRM user 5 had no user: one@x.com was made, and mapped to it.
    CREATED: The CRM user 1 had no user: twice@x.com was made, and mapped to it.
    ");
    assert_snapshot!(mapped(&world).await, @"
    one@x.com 5 AUTOMATIC
    twice@x.com 1 AUTOMATIC EMAIL_NOW_AMBIGUOUS
    ");
    let query = r#"{ user(by: {email: "twice@x.com"}) { firstName lastName title role objectVisibility team { path }
        configurationProfile { name } mappings { syncRun { trigger } createdBy { email } } } }"#;
    assert_snapshot!(world.read(query).await, @r#"{"user":{"configurationProfile":{"name":"Default: Intake Off"},"firstName":"First van der","lastName":"Person","mappings":[{"createdBy":null,"syncRun":{"trigger":"PUSH"}}],"objectVisibility":"TEAM","role":"MEMBER","team":null,"title":"AE"}}"#);
    // Receiving it again makes nobody.
    scene::push_all(&world, "CRM", receipt).await;
    assert_snapshot!(last_run(&world).await, @"COMPLETED received 5");
}

async fn an_email_in_use_is_told(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::settings(&world, "CRM", json!({ "inboundCreate": true })).await;
    scene::user(&world, "a@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", "a@x.com")]).await;
    for (dedupe, id) in [("NEVER", "2"), ("OUTBOUND", "3"), ("INBOUND", "4"), ("BOTH", "5")] {
        scene::settings(&world, "CRM", json!({ "emailDedupe": dedupe })).await;
        scene::push(&world, "CRM", &[(id, "a@x.com")]).await;
        let run = last_run(&world).await;
        let told =
            format!("leftAlone 1\nEMAIL_IN_USE: No user was made for the CRM user {id}: a@x.com is a user's already");
        assert_eq!(run.contains(&told), matches!(dedupe, "NEVER" | "OUTBOUND"), "{dedupe}: {run}");
    }
    assert_snapshot!(mapped(&world).await, @"a@x.com 1 AUTOMATIC EMAIL_NOW_AMBIGUOUS");
}

async fn a_setting_that_is_switched_on_is_caught_up_with(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": false })).await;
    scene::user(&world, "a@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com")]).await;
    assert_snapshot!(mapped(&world).await, @"a@x.com MATCH_AVAILABLE");
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": true, "inboundCreate": true })).await;
    assert_snapshot!(mapped(&world).await, @"
    a@x.com 1 AUTOMATIC
    b@x.com 2 AUTOMATIC
    ");
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED usersCreated 1
    CREATED: The CRM user 2 had no user: b@x.com was made, and mapped to it.
    ");
}

async fn moving_too_many_is_halted(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let email = |n: usize| format!("u{n:02}@x.com");
    for n in 0..12 {
        scene::user(&world, &email(n), json!({})).await;
    }
    let receipt = |shift: usize| {
        (0..12).map(|n| crm_user(&format!("{n:02}"), &email((n + shift) % 12), true)).collect::<Vec<_>>()
    };
    scene::push_all(&world, "CRM", receipt(0)).await;
    let before = mapped(&world).await;
    // Each moves on by one: nobody is deactivated, but all mappings move.
    let input = json!({ "integration": { "name": "CRM" }, "crmUsers": receipt(1) });
    let query = "mutation ($input: PushCrmUsersInput!) { it: pushCrmUsers(input: $input) { syncRun { status remapped } userErrors { code } } }";
    let answer = world.admin().graphql(query, json!({ "input": input })).await.ok();
    assert_snapshot!(answer["it"], @r#"{"syncRun":{"remapped":0,"status":"HALTED"},"userErrors":[{"code":"MASS_CHANGE_LIMIT"}]}"#);
    assert_eq!(mapped(&world).await, before);
    scene::settings(&world, "CRM", json!({ "massChangeLimitPercent": 100 })).await;
    scene::push_all(&world, "CRM", receipt(1)).await;
    assert_snapshot!(mapped(&world).await.lines().next().unwrap(), @"u00@x.com 11 AUTOMATIC");
}

/// More than one statement takes at once: whoever moves up may stand in another chunk.
async fn thousands_move_in_one_circle(world: World) {
    const MANY: usize = 2_100;
    scene::integration(&world, "CRM", "OTHER").await;
    scene::settings(&world, "CRM", json!({ "massChangeLimitPercent": 100 })).await;
    let rows: Vec<String> = (0..MANY).map(|n| format!("u{n}@x.com,,,,,,,,,,Add")).collect();
    scene::users(&world, &rows).await;
    for shift in [0, 1, 1_050] {
        let line = |n: usize| format!("{n},u{}@x.com\n", (n + shift) % MANY);
        let text: String = std::iter::once("external_id,email\n".to_owned()).chain((0..MANY).map(line)).collect();
        let query =
            "mutation ($text: String!) { it: importCrmUsers(input: {integration: {name: \"CRM\"}, headers: BY_NAME,
            source: {text: $text}}) { userErrors { message } } }";
        let asked = world.admin().graphql(query, json!({ "text": text })).await.ok();
        assert_eq!(asked["it"]["userErrors"], json!([]));
        world.work().await;
        let run = last_run(&world).await;
        let expected = if shift == 0 { "linked" } else { "remapped" };
        assert!(run.starts_with(&format!("COMPLETED received {MANY} {expected} {MANY}")), "{}", &run[..200]);
        for n in [0, 1, 999, 2_000, MANY - 1] {
            let query = format!(
                r#"{{ user(by: {{email: "u{}@x.com"}}) {{ mappings {{ crmUser {{ externalId }} }} }} }}"#,
                (n + shift) % MANY
            );
            let data = world.read(&query).await;
            assert_eq!(data["user"]["mappings"][0]["crmUser"]["externalId"], json!(n.to_string()));
        }
    }
}
