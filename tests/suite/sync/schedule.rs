//! Schedules: when a pull is due, and that it is made once.

use entity::CrmKind;
use insta::assert_snapshot;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Pulled, last_run};
use crate::support::{World, scene};

both!(a_pull_is_due_by_its_schedule, two_processes_make_one_run, every_kind_has_its_schedule);

async fn next(world: &World) -> String {
    let data = world.read(r#"{ integration(by: {name: "CRM"}) { nextSyncAt syncRuns { totalCount } } }"#).await;
    data["integration"].to_string()
}

async fn a_pull_is_due_by_its_schedule(world: World) {
    let pulled = Pulled::from(world).await;
    let world = &pulled.world;
    pulled.people(2);
    assert_snapshot!(next(world).await, @r#"{"nextSyncAt":"2026-03-02T09:15:00+00:00","syncRuns":{"totalCount":0}}"#);
    world.sync().await;
    world.services.clock.advance(chrono::Duration::minutes(14));
    world.sync().await;
    assert_snapshot!(next(world).await, @r#"{"nextSyncAt":"2026-03-02T09:15:00+00:00","syncRuns":{"totalCount":0}}"#);
    world.services.clock.advance(chrono::Duration::minutes(1));
    world.sync().await;
    assert_snapshot!(next(world).await, @r#"{"nextSyncAt":"2026-03-02T09:30:00+00:00","syncRuns":{"totalCount":1}}"#);
    assert!(last_run(world).await.starts_with("COMPLETED received 2"));
    // Nobody was there for a day: what was missed is made up once.
    world.services.clock.advance(chrono::Duration::minutes(24 * 60 + 3));
    world.sync().await;
    assert_snapshot!(next(world).await, @r#"{"nextSyncAt":"2026-03-03T09:30:00+00:00","syncRuns":{"totalCount":2}}"#);
    let trigger =
        world.read(r#"{ integration(by: {name: "CRM"}) { lastSync { trigger triggeredBy { email } } } }"#).await;
    assert_snapshot!(trigger, @r#"{"integration":{"lastSync":{"trigger":"SCHEDULE","triggeredBy":null}}}"#);
    for (schedule, due) in [("0 4 * * *", "2026-03-04T04:00:00+00:00"), ("30 * * * *", "2026-03-03T09:30:00+00:00")] {
        scene::settings(world, "CRM", json!({ "syncSchedule": schedule })).await;
        assert!(next(world).await.contains(due), "{schedule}: {}", next(world).await);
    }
    scene::settings(world, "CRM", json!({ "syncSchedule": null })).await;
    assert!(next(world).await.contains(r#""nextSyncAt":null"#));
    scene::settings(world, "CRM", json!({ "syncSchedule": "*/5 * * * *" })).await;
    let gone = r#"disconnectIntegration(input: {integration: {name: "CRM"}}) { integration { nextSyncAt connection { url } } }"#;
    assert_snapshot!(world.change(gone).await, @"{connection: null, nextSyncAt: null}");
}

async fn two_processes_make_one_run(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.people(2);
    let other = pulled.world.reaching(pulled.address);
    let stop = CancellationToken::new();
    for _ in 0..5 {
        pulled.world.services.clock.advance(chrono::Duration::minutes(15));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (one, two) = tokio::join!(
            counterpart::service::sync_run::worker::step(&pulled.world.services, one, &stop),
            counterpart::service::sync_run::worker::step(&other.services, two, &stop),
        );
        assert!(one.unwrap() | two.unwrap());
    }
    let runs = r#"{ integration(by: {name: "CRM"}) { syncRuns { nodes { status trigger } } } }"#;
    let runs = pulled.world.read(runs).await;
    let run = json!({ "status": "COMPLETED", "trigger": "SCHEDULE" });
    assert_eq!(runs["integration"]["syncRuns"]["nodes"], json!(vec![run; 5]));
    assert!(pulled.fake.requests(CrmKind::Salesforce) > 0);
}

async fn every_kind_has_its_schedule(world: World) {
    for kind in ["SALESFORCE", "ORACLE_SALES", "DYNAMICS_365", "HUBSPOT", "OTHER"] {
        scene::integration(&world, kind, kind).await;
    }
    let data = world.read("{ integrations { name nextSyncAt settings { syncSchedule fullSyncIntervalHours } } }").await;
    assert_snapshot!(crate::support::show::lines(&data["integrations"]), @"
    {name: DYNAMICS_365, nextSyncAt: null, settings: {fullSyncIntervalHours: 24, syncSchedule: 0 * * * *}}
    {name: HUBSPOT, nextSyncAt: null, settings: {fullSyncIntervalHours: 24, syncSchedule: 0 * * * *}}
    {name: ORACLE_SALES, nextSyncAt: null, settings: {fullSyncIntervalHours: 24, syncSchedule: 0 * * * *}}
    {name: OTHER, nextSyncAt: null, settings: {fullSyncIntervalHours: 24, syncSchedule: null}}
    {name: SALESFORCE, nextSyncAt: null, settings: {fullSyncIntervalHours: 24, syncSchedule: */15 * * * *}}
    ");
}
