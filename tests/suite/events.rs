//! Server-sent events, as `graphql-sse` has them; and what following an import tells.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use counterpart::service::{
    clock::Time,
    db::Sql,
    user::{UserRef, change},
};
use entity::{ObjectVisibility, UserRole};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{World, events::Events, socket::serve};

both!(
    an_import_is_followed_to_its_end,
    following_ends_with_the_import,
    queries_and_mutations_have_one_result,
    what_never_becomes_an_operation_is_refused_over_http,
    the_work_ends_when_the_client_goes,
    a_suspended_user_hears_no_more,
    a_server_that_stops_leaves_the_stream_incomplete,
    an_import_says_how_fast_it_goes,
);

const PROGRESS: &str =
    "subscription ($id: ID!) { importProgress(id: $id) { status processedRows totalRows progress } }";

/// An import of two users that waits for a worker; its id.
async fn waiting(world: &World) -> Value {
    let text = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                Licenses,Operation\na@x.com,,,,,,,,,,Add\nb@x.com,,,,,,,,,,Add\n";
    let query = "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { importJob { id } } }";
    let made = world.admin().graphql(query, json!({ "text": text })).await.ok();
    made["importUsers"]["importJob"]["id"].clone()
}

/// Changes the one import, as another process would.
async fn elsewhere(world: &World, changes: &[(&str, sea_orm::Value)]) {
    let mut sql = Sql::new(world.services.db.backend());
    sql.push("UPDATE import_job SET ");
    for (i, (column, value)) in changes.iter().enumerate() {
        sql.push(if i == 0 { "" } else { ", " }).push(column).push(" = ").bind(value.clone());
    }
    world.services.db.writer().execute_raw(sql.statement()).await.unwrap();
}

async fn an_import_is_followed_to_its_end(world: World) {
    let (address, _stop) = serve(&world).await;
    let id = waiting(&world).await;
    let events = Events::of(address, &world.administrator.token);
    let mut by_post = events.post(PROGRESS, json!({ "id": id })).await;
    let mut by_get = events.get(PROGRESS, json!({ "id": id })).await;
    for stream in [&mut by_post, &mut by_get] {
        assert_eq!((stream.status(), stream.header("content-type")), (200, "text/event-stream"));
        let queued = json!({ "status": "QUEUED", "processedRows": 0, "totalRows": 2, "progress": 0.0 });
        assert_eq!(stream.result().await, json!({ "data": { "importProgress": queued } }));
    }
    // Whoever works on it: what is followed is what the database says.
    elsewhere(&world, &[("processed_rows", 1_i64.into())]).await;
    for stream in [&mut by_post, &mut by_get] {
        let half = json!({ "status": "QUEUED", "processedRows": 1, "totalRows": 2, "progress": 0.5 });
        assert_eq!(stream.result().await, json!({ "data": { "importProgress": half } }));
    }
    elsewhere(&world, &[("processed_rows", 0_i64.into())]).await;
    world.work().await;
    for mut stream in [by_post, by_get] {
        let (results, complete) = stream.rest().await;
        let done = json!({ "status": "COMPLETED", "processedRows": 2, "totalRows": 2, "progress": 1.0 });
        assert_eq!(results.last(), Some(&json!({ "data": { "importProgress": done } })));
        assert!(complete);
    }
}

async fn following_ends_with_the_import(world: World) {
    let (address, _stop) = serve(&world).await;
    let id = waiting(&world).await;
    let events = Events::of(address, &world.administrator.token);
    for status in ["PLANNED", "COMPLETED", "FAILED", "CANCELED", "REVERTED"] {
        elsewhere(&world, &[("status", "RUNNING".into())]).await;
        let mut stream = events.post(PROGRESS, json!({ "id": id })).await;
        assert_eq!(stream.result().await["data"]["importProgress"]["status"], "RUNNING");
        elsewhere(&world, &[("status", status.into())]).await;
        let (results, complete) = stream.rest().await;
        let told: Vec<&Value> = results.iter().map(|result| &result["data"]["importProgress"]["status"]).collect();
        assert_eq!((told, complete), (vec![&json!(status)], true));
    }
    // While it is undone there is something to follow still.
    elsewhere(&world, &[("status", "COMPLETED".into()), ("revert_status", "RUNNING".into())]).await;
    let mut stream = events.post(PROGRESS, json!({ "id": id })).await;
    assert_eq!(stream.result().await["data"]["importProgress"]["status"], "COMPLETED");
    elsewhere(&world, &[("status", "REVERTED".into()), ("revert_status", "COMPLETED".into())]).await;
    let (results, complete) = stream.rest().await;
    assert_eq!(
        (&results[0]["data"]["importProgress"]["status"], results.len(), complete),
        (&json!("REVERTED"), 1, true)
    );
}

async fn queries_and_mutations_have_one_result(world: World) {
    let (address, _stop) = serve(&world).await;
    let events = Events::of(address, &world.administrator.token);
    let viewer = json!({ "data": { "viewer": { "email": "admin@acme.example" } } });
    for mut stream in
        [events.post("{ viewer { email } }", json!({})).await, events.get("{ viewer { email } }", json!({})).await]
    {
        assert_eq!(stream.rest().await, (vec![viewer.clone()], true));
    }
    let team = "mutation { createTeam(input: {name: \"Sales\"}) { team { path } } }";
    let made = json!({ "data": { "createTeam": { "team": { "path": "Sales" } } } });
    assert_eq!(events.post(team, json!({})).await.rest().await, (vec![made], true));
    // An operation that is not valid is a result, too: a browser would not show the body of another status.
    let (results, complete) = events.post("{ nothingLikeThis }", json!({})).await.rest().await;
    assert_eq!((results[0]["errors"][0]["extensions"]["code"].as_str(), complete), (Some("BAD_REQUEST"), true));
    assert_eq!((results.len(), results[0].get("data")), (1, None));
    let (results, complete) = events.post(PROGRESS, json!({ "id": "x" })).await.rest().await;
    assert_eq!((results[0]["errors"][0]["extensions"]["code"].as_str(), complete), (Some("NOT_FOUND"), true));
    let member = world.member().await;
    let events = Events::of(address, member.token.as_deref().unwrap());
    let (results, complete) = events.post(PROGRESS, json!({ "id": waiting(&world).await })).await.rest().await;
    assert_eq!((results[0]["errors"][0]["extensions"]["code"].as_str(), complete), (Some("FORBIDDEN"), true));
}

async fn what_never_becomes_an_operation_is_refused_over_http(world: World) {
    let (address, _stop) = serve(&world).await;
    let events = Events::of(address, &world.administrator.token);
    let refused = [
        (Events::of(address, "cpt_x").post(PROGRESS, json!({})).await, 401, "UNAUTHENTICATED"),
        (Events::of(address, "").anonymous().get(PROGRESS, json!({})).await, 401, "UNAUTHENTICATED"),
        (events.post(PROGRESS, json!([])).await, 400, "BAD_REQUEST"),
        (events.get("mutation { __typename }", json!({})).await, 405, "BAD_REQUEST"),
    ];
    for (stream, status, code) in refused {
        assert_eq!((stream.status(), stream.header("content-type")), (status, "application/json; charset=utf-8"));
        assert_eq!(stream.json().await["errors"][0]["extensions"]["code"], code);
    }
}

async fn the_work_ends_when_the_client_goes(world: World) {
    let (address, _stop) = serve(&world).await;
    let id = waiting(&world).await;
    let idle = Arc::strong_count(&world.services);
    let mut stream = Events::of(address, &world.administrator.token).post(PROGRESS, json!({ "id": id })).await;
    stream.result().await;
    // Whoever follows something holds on to the services.
    assert!(Arc::strong_count(&world.services) > idle);
    drop(stream);
    // Nothing changes that could be sent to nobody: that the client has gone is noticed by itself.
    for _ in 0..500 {
        if Arc::strong_count(&world.services) <= idle {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the work goes on");
}

async fn a_suspended_user_hears_no_more(world: World) {
    let (address, _stop) = serve(&world).await;
    let id = waiting(&world).await;
    let other = world.user("other@acme.example", UserRole::Admin, ObjectVisibility::Full).await;
    let mut stream = Events::of(address, other.token.as_deref().unwrap()).post(PROGRESS, json!({ "id": id })).await;
    stream.result().await;
    change::suspend(&world.session().await, UserRef::Email("other@acme.example".into())).await.unwrap();
    let (results, complete) = stream.rest().await;
    assert_eq!((results[0]["errors"][0]["extensions"]["code"].as_str(), complete), (Some("UNAUTHENTICATED"), true));
    assert_eq!((results.len(), results[0].get("data")), (1, None));
}

async fn a_server_that_stops_leaves_the_stream_incomplete(world: World) {
    let (address, stop) = serve(&world).await;
    let id = waiting(&world).await;
    let mut stream = Events::of(address, &world.administrator.token).post(PROGRESS, json!({ "id": id })).await;
    stream.result().await;
    stop.cancel();
    // Who hears no `complete` asks again.
    assert_eq!(stream.rest().await, (Vec::new(), false));
}

async fn an_import_says_how_fast_it_goes(world: World) {
    let id = waiting(&world).await;
    let now: Time = world.services.clock.now();
    let ago = |seconds| sea_orm::Value::from(now - TimeDelta::seconds(seconds));
    let speed = async || {
        let query = "query ($id: ID!) { importJob(id: $id) { rowsPerSecond secondsLeft } }";
        let found = world.admin().graphql(query, json!({ "id": id })).await.ok();
        (found["importJob"]["rowsPerSecond"].clone(), found["importJob"]["secondsLeft"].clone())
    };
    let total = ("total_rows", 100_i64.into());
    assert_eq!(speed().await, (Value::Null, Value::Null));
    elsewhere(&world, &[("status", "RUNNING".into()), ("started_at", ago(10)), total.clone()]).await;
    assert_eq!(speed().await, (Value::Null, Value::Null));
    elsewhere(&world, &[("processed_rows", 30_i64.into())]).await;
    // 70 rows are left, at 3 a second.
    assert_eq!(speed().await, (json!(3.0), json!(24)));
    elsewhere(&world, &[("processed_rows", 100_i64.into())]).await;
    assert_eq!(speed().await, (json!(10.0), json!(0)));
    elsewhere(&world, &[("status", "COMPLETED".into()), ("finished_at", ago(5))]).await;
    assert_eq!(speed().await, (json!(20.0), Value::Null));
    elsewhere(&world, &[("status", "PLANNED".into()), ("planned_at", ago(8))]).await;
    assert_eq!(speed().await, (json!(50.0), Value::Null));
}
