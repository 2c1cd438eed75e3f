//! Pulls: what comes of a CRM's answer, of half of one, and of a process that dies over it.

use counterpart::crm::fake::{FakeUser, Fault};
use entity::CrmKind;
use insta::assert_snapshot;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Pulled, id, last_run, mapped, person, remapping};
use crate::support::{World, scene};

both!(
    a_pull_links_and_tells_what_it_did,
    the_next_pull_asks_for_changes_only,
    a_complete_pull_notices_who_is_gone,
    a_simulation_changes_nothing,
    a_truncated_list_is_halted_until_somebody_has_looked,
    half_an_answer_changes_nothing,
    a_pull_begins_again_where_the_crm_forgot_it,
    a_process_that_dies_loses_a_piece,
    what_can_not_be_used_is_left_out,
    remapping_follows_the_crm,
);

const CRM: CrmKind = CrmKind::Salesforce;

async fn a_pull_links_and_tells_what_it_did(world: World) {
    for email in ["p1@acme.example", "p2@acme.example", "p9@acme.example"] {
        scene::user(&world, email, json!({})).await;
    }
    let pulled = Pulled::from(world).await;
    pulled.people(3);
    pulled.fake.put(CRM, FakeUser::new(id(4), "P2@acme.example"));
    pulled.fake.set_page_sizes(CRM, vec![2, 0, 1]);
    assert_snapshot!(pulled.sync().await, @"
    COMPLETED received 4 linked 1 leftAlone 1
    LINKED: p1@acme.example was mapped to the CRM user 0058Z0000000001QAA, which carries that email.
    AMBIGUOUS: p2@acme.example was not mapped: several active CRM users carry that email (0058Z0000000002QAA, 0058Z0000000004QAA).
    ");
    assert_snapshot!(mapped(&pulled.world).await, @"
    p1@acme.example 0058Z0000000001QAA AUTOMATIC
    p2@acme.example AMBIGUOUS
    p9@acme.example NO_MATCH
    ");
    let query = r#"{ integration(by: {name: "CRM"}) { nextSyncAt lastSync { trigger triggeredBy { email } isComplete isSimulation
        changes(kind: [AMBIGUOUS]) { totalCount nodes { user { email } crmUser { externalId } } } } } }"#;
    assert_snapshot!(pulled.world.read(query).await, @r#"{"integration":{"lastSync":{"changes":{"nodes":[{"crmUser":null,"user":{"email":"p2@acme.example"}}],"totalCount":1},"isComplete":true,"isSimulation":false,"trigger":"REQUEST","triggeredBy":{"email":"admin@acme.example"}},"nextSyncAt":"2026-03-02T09:15:00+00:00"}}"#);
    // The same again: nothing is new.
    assert_snapshot!(pulled.sync().await, @"COMPLETED received 4");
}

async fn the_next_pull_asks_for_changes_only(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.people(20);
    assert!(pulled.sync().await.starts_with("COMPLETED received 20"));
    pulled.world.services.clock.advance(chrono::Duration::hours(1));
    pulled.patch(7, json!({ "title": "VP" }));
    // The last change that came may have had others beside it: they are asked for again.
    assert_snapshot!(pulled.sync().await, @"COMPLETED received 20");
    pulled.world.services.clock.advance(chrono::Duration::hours(1));
    pulled.patch(8, json!({ "title": "VP" }));
    assert_snapshot!(pulled.sync().await, @"COMPLETED received 2");
    // After a day all are asked for again.
    pulled.world.services.clock.advance(chrono::Duration::hours(24));
    assert_snapshot!(pulled.sync().await, @"COMPLETED received 20");
    scene::settings(&pulled.world, "CRM", json!({ "fullSyncIntervalHours": 48 })).await;
    pulled.world.services.clock.advance(chrono::Duration::hours(24));
    assert_snapshot!(pulled.sync().await, @"COMPLETED");
}

async fn a_complete_pull_notices_who_is_gone(world: World) {
    scene::user(&world, "p1@acme.example", json!({})).await;
    scene::user(&world, "p2@acme.example", json!({})).await;
    let pulled = Pulled::from(world).await;
    pulled.people(2);
    pulled.sync().await;
    pulled.world.services.clock.advance(chrono::Duration::hours(25));
    pulled.fake.set_users(CRM, vec![person(2)]);
    assert_snapshot!(pulled.sync().await, @"
    COMPLETED received 1 deactivated 1
    DEACTIVATED: The CRM user 0058Z0000000001QAA (p1@acme.example) became inactive. The CRM's list no longer has it.
    ");
    assert_snapshot!(mapped(&pulled.world).await, @"
    p1@acme.example 0058Z0000000001QAA AUTOMATIC CRM_USER_INACTIVE
    p2@acme.example 0058Z0000000002QAA AUTOMATIC
    ");
}

async fn a_simulation_changes_nothing(world: World) {
    scene::user(&world, "p1@acme.example", json!({})).await;
    let pulled = Pulled::from(world).await;
    scene::settings(&pulled.world, "CRM", json!({ "inboundCreate": true })).await;
    pulled.people(2);
    assert_snapshot!(pulled.ask("simulateSync").await, @"
    COMPLETED received 2 usersCreated 1 linked 1
    LINKED: p1@acme.example was mapped to the CRM user 0058Z0000000001QAA, which carries that email.
    CREATED: The CRM user 0058Z0000000002QAA had no user: p2@acme.example was made, and mapped to it.
    ");
    assert_snapshot!(mapped(&pulled.world).await, @"p1@acme.example NO_MATCH");
    let query = r#"{ users { totalCount } integration(by: {name: "CRM"}) { crmUsers { totalCount }
        lastSync { isSimulation changes { nodes { kind email user { email } crmUser { externalId } } } } } }"#;
    assert_snapshot!(pulled.world.read(query).await, @r#"{"integration":{"crmUsers":{"totalCount":0},"lastSync":{"changes":{"nodes":[{"crmUser":null,"email":"p1@acme.example","kind":"LINKED","user":{"email":"p1@acme.example"}},{"crmUser":null,"email":"p2@acme.example","kind":"CREATED","user":null}]},"isSimulation":true}},"users":{"totalCount":2}}"#);
    // What was simulated is what is done.
    let simulated = last_run(&pulled.world).await;
    assert_eq!(pulled.sync().await, simulated);
}

async fn a_truncated_list_is_halted_until_somebody_has_looked(world: World) {
    let pulled = Pulled::from(world).await;
    scene::settings(&pulled.world, "CRM", json!({ "inboundCreate": true })).await;
    pulled.people(40);
    pulled.sync().await;
    pulled.world.services.clock.advance(chrono::Duration::hours(25));
    let before = mapped(&pulled.world).await;
    pulled.fake.set_users(CRM, (1..=4).map(person).collect());
    let halted = pulled.sync().await;
    assert_snapshot!(halted.lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
    HALTED received 4 deactivated 36
    This would make the CRM users of 36 of 40 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Look at its changes; if they are right, let it go on with continueSync, or raise the limit of "CRM".
    DEACTIVATED: The CRM user 0058Z0000000005QAA (p5@acme.example) became inactive. The CRM's list no longer has it.
    "#);
    assert_eq!(halted.lines().count(), 2 + 36, "what it would have done is there to be looked at");
    assert_eq!(mapped(&pulled.world).await, before);

    let run = pulled.world.read(r#"{ integration(by: {name: "CRM"}) { lastSync { id } } }"#).await;
    let run = run["integration"]["lastSync"]["id"].as_str().unwrap().to_owned();
    let go_on = format!(r#"continueSync(input: {{id: "{run}"}}) {{ syncRun {{ status }} }}"#);
    assert_eq!(pulled.world.change(&go_on).await, "{status: QUEUED}");
    let asked = pulled.fake.requests(CRM);
    pulled.world.sync().await;
    assert!(pulled.fake.requests(CRM) - asked <= 2, "users are not asked for again");
    assert!(last_run(&pulled.world).await.starts_with("COMPLETED received 4 deactivated 36"));
    assert_eq!(mapped(&pulled.world).await.matches("CRM_USER_INACTIVE").count(), 36);
    assert_snapshot!(pulled.world.change(&go_on).await, @"WRONG_STATE id: This sync run was not halted: there is nothing to go on with.");

    // Another pull makes an older halt past.
    pulled.people(40);
    pulled.world.services.clock.advance(chrono::Duration::hours(25));
    pulled.sync().await;
    pulled.fake.set_users(CRM, vec![person(1)]);
    pulled.world.services.clock.advance(chrono::Duration::hours(25));
    assert!(pulled.sync().await.starts_with("HALTED"));
    let run = pulled.world.read(r#"{ integration(by: {name: "CRM"}) { lastSync { id } } }"#).await;
    let run = run["integration"]["lastSync"]["id"].as_str().unwrap().to_owned();
    pulled.people(40);
    assert!(pulled.sync().await.starts_with("COMPLETED"));
    let go_on = format!(r#"continueSync(input: {{id: "{run}"}}) {{ syncRun {{ status }} }}"#);
    assert_snapshot!(pulled.world.change(&go_on).await, @"WRONG_STATE id: Another sync run has come since: what this one brought in is old. Look at that one.");
}

async fn half_an_answer_changes_nothing(world: World) {
    scene::user(&world, "p1@acme.example", json!({})).await;
    let pulled = Pulled::from(world).await;
    pulled.people(9);
    pulled.sync().await;
    let before = mapped(&pulled.world).await;
    pulled.fake.set_page_sizes(CRM, vec![3]);
    for (fault, says) in [
        (Fault::Truncated, "not complete"),
        (Fault::MalformedJson, ""),
        (Fault::Forbidden, ""),
        (Fault::Unavailable { status: 503, retry_after: None }, ""),
        (Fault::Page, ""),
    ] {
        pulled.world.services.clock.advance(chrono::Duration::hours(25));
        pulled.fake.patch(CRM, &id(1), &json!({ "email": "other@acme.example" })).unwrap();
        pulled.fake.fail_after(CRM, 1, fault.clone(), 20);
        let run = pulled.sync().await;
        assert!(run.starts_with("FAILED") && run.contains(says), "{fault:?}: {run}");
        assert_eq!(mapped(&pulled.world).await, before, "{fault:?}");
        pulled.fake.clear_faults(CRM);
    }
    assert!(pulled.sync().await.starts_with("COMPLETED received 9"));
}

async fn a_pull_begins_again_where_the_crm_forgot_it(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.people(9);
    pulled.fake.set_page_sizes(CRM, vec![2]);
    pulled.fake.fail_after(CRM, 2, Fault::CursorExpired, 1);
    assert!(pulled.sync().await.starts_with("COMPLETED received 9"));
    pulled.world.services.clock.advance(chrono::Duration::hours(25));
    pulled.fake.fail_after(CRM, 1, Fault::CursorExpired, 100);
    let run = pulled.sync().await;
    assert!(run.starts_with("FAILED"), "{run}");
    pulled.fake.clear_faults(CRM);
    // A session that ends in the middle is begun again without a word.
    pulled.fake.fail_after(CRM, 2, Fault::SignedOut, 1);
    assert!(pulled.sync().await.starts_with("COMPLETED received 9"));
}

async fn a_process_that_dies_loses_a_piece(world: World) {
    scene::user(&world, "p1@acme.example", json!({})).await;
    let pulled = Pulled::from(world).await;
    pulled.people(9);
    pulled.fake.set_page_sizes(CRM, vec![2]);
    // It hangs at the third piece, and is gone.
    pulled.fake.fail_after(CRM, 2, Fault::Hang, 1);
    let asked = r#"syncIntegration(input: {integration: {name: "CRM"}}) { syncRun { status } }"#;
    pulled.world.change(asked).await;
    let (owner, stop) = (Uuid::from_u128(1), CancellationToken::new());
    let services = &pulled.world.services;
    let step = counterpart::service::sync_run::worker::step(services, owner, &stop);
    let dead = tokio::time::timeout(std::time::Duration::from_millis(900), step).await;
    assert!(dead.is_err(), "it hangs");
    let query = r#"{ integration(by: {name: "CRM"}) { lastSync { status received } } }"#;
    assert_snapshot!(pulled.world.read(query).await, @r#"{"integration":{"lastSync":{"received":4,"status":"RUNNING"}}}"#);
    // Nobody takes it over while its lease holds.
    let other = Uuid::from_u128(2);
    assert!(!counterpart::service::sync_run::worker::step(services, other, &stop).await.unwrap());
    services.clock.advance(chrono::Duration::minutes(2));
    let requests = pulled.fake.requests(CRM);
    assert!(counterpart::service::sync_run::worker::step(services, other, &stop).await.unwrap());
    assert!(pulled.fake.requests(CRM) - requests < 6, "it goes on where it stood");
    assert!(last_run(&pulled.world).await.starts_with("COMPLETED received 9 linked 1"));
}

async fn what_can_not_be_used_is_left_out(world: World) {
    let pulled = Pulled::from(world).await;
    scene::settings(&pulled.world, "CRM", json!({ "inboundCreate": true, "stripInvalidSuffix": true })).await;
    let broken = |n: usize, email: &str| FakeUser::new(id(n), email);
    pulled.fake.set_users(
        CRM,
        vec![
            broken(1, "no email at all"),
            broken(2, "Jane@Acme.example.invalid"),
            FakeUser { email: None, ..broken(3, "") },
            FakeUser::new("00G8Z0000000001", "queue@acme.example"),
            FakeUser { is_person: false, ..broken(5, "robot@acme.example") },
            broken(6, "JÖRG@acme.example"),
        ],
    );
    assert_snapshot!(pulled.sync().await, @r#"
    COMPLETED received 3 usersCreated 2 leftAlone 1
    INVALID: The CRM user 0058Z0000000001 was left out. "no email at all" contains white space.
    CREATED: The CRM user 0058Z0000000002QAA had no user: jane@acme.example was made, and mapped to it.
    CREATED: The CRM user 0058Z0000000006QAA had no user: jörg@acme.example was made, and mapped to it.
    "#);
    assert_snapshot!(mapped(&pulled.world).await, @"
    jane@acme.example 0058Z0000000002QAA AUTOMATIC
    jörg@acme.example 0058Z0000000006QAA AUTOMATIC
    ");
}

async fn remapping_follows_the_crm(world: World) {
    let pulled = Pulled::from(world).await;
    remapping(&pulled.world).await;
    pulled.people(2);
    pulled.sync().await;
    pulled.world.services.clock.advance(chrono::Duration::minutes(15));
    pulled.patch(1, json!({ "isActive": false }));
    pulled.fake.put(CRM, FakeUser::new(id(7), "p1@acme.example"));
    assert_snapshot!(pulled.sync().await, @"
    COMPLETED received 3 remapped 1 deactivated 1
    DEACTIVATED: The CRM user 0058Z0000000001QAA (p1@acme.example) became inactive.
    REMAPPED: p1@acme.example moved to the CRM user 0058Z0000000007QAA: the one before had become inactive.
    ");
    assert_snapshot!(mapped(&pulled.world).await, @"
    p1@acme.example 0058Z0000000007QAA AUTOMATIC
    p2@acme.example 0058Z0000000002QAA AUTOMATIC
    ");
}
