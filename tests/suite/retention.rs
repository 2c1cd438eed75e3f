//! What has been kept for long enough goes, and nothing else.

use std::{pin::pin, sync::Arc, sync::atomic::Ordering};

use axum::http::StatusCode;
use chrono::Duration;
use counterpart::service::{clock::Clock, db::Sql, import::retention};
use futures::poll;
use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use crate::support::{
    World,
    import::{self, USERS, adding},
    store::{self, Watched},
};

both!(
    files_and_rows_have_their_life_and_imports_stay,
    what_goes_on_or_may_is_left_alone,
    two_processes_clean_up_at_once_and_one_dies,
    files_without_an_import_go_after_a_day,
    a_store_that_deletes_nothing_is_asked_again,
);

const ADD: &str = "importUsers(input: {source: {text: $text}})";

async fn sweep(world: &World) {
    retention::sweep(&world.services, retention::Life::days(90, 7), &CancellationToken::new()).await;
}

async fn files(world: &World) -> usize {
    store::keys(&*world.services.files).await.len()
}

/// How many rows a table holds.
async fn rows(world: &World, table: &str) -> i64 {
    let mut sql = Sql::new(world.services.db.backend());
    sql.push("SELECT COUNT(*) AS n FROM ").push(table);
    sql.number(world.services.db.reader()).await.unwrap()
}

/// Changes the import that was made last behind the program's back.
async fn set(world: &World, what: impl FnOnce(&mut Sql)) {
    let tx = world.services.db.write(world.administrator.organization_id).await.unwrap();
    let mut sql = tx.sql();
    sql.push("UPDATE import_job SET ");
    what(&mut sql);
    sql.push(" WHERE id = (SELECT id FROM import_job ORDER BY created_at DESC, id DESC LIMIT 1)");
    assert_eq!(tx.execute(sql).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// A file of rows that fail.
fn failing(n: usize) -> String {
    let rows: String = (0..n).map(|n| format!("u{n}@x.com,,,,,,,,,,Frobnicate\n")).collect();
    format!("{USERS}\n{rows}")
}

async fn files_and_rows_have_their_life_and_imports_stay(world: World) {
    let (admin, clock) = (world.admin(), &world.services.clock);
    let id = import::made(&admin, ADD, &failing(3)).await;
    world.work().await;
    clock.advance(Duration::days(6));
    sweep(&world).await;
    assert_eq!(files(&world).await, 1);

    clock.advance(Duration::days(2));
    sweep(&world).await;
    assert_eq!(files(&world).await, 0);
    let job = import::job(&admin, &id).await;
    let log = world.download(job["logUrl"].as_str().unwrap()).await;
    assert_eq!(
        (log.lines().count(), &job["rows"], &job["rowsDeletedAt"]),
        (4, &json!({ "totalCount": 3 }), &json!(null))
    );

    clock.advance(Duration::days(83));
    let job = import::job(&admin, &id).await;
    let url = Url::parse(job["logUrl"].as_str().unwrap()).unwrap();
    sweep(&world).await;
    assert_eq!(rows(&world, "import_row").await, 0);
    let job = import::job(&admin, &id).await;
    assert_eq!(
        job,
        json!({
            "status": "COMPLETED", "totalRows": 3, "processedRows": 3, "created": 0, "updated": 0, "unchanged": 0,
            "deleted": 0, "skipped": 0, "failed": 3, "logUrl": null, "rowsDeletedAt": "2026-06-01T09:00:00+00:00",
            "error": null, "rows": { "totalCount": 0 },
        })
    );
    let answer = world.anonymous().get(url.path()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text().starts_with("What this address gave is gone. The rows and the log"), "{}", answer.text());
}

async fn what_goes_on_or_may_is_left_alone(world: World) {
    let (admin, clock) = (world.admin(), &world.services.clock);
    // A plan that nobody has applied: its end is when it was complete.
    let planned = import::made(&admin, ADD, &failing(2)).await;
    world.work().await;
    clock.advance(Duration::days(3));
    let now = clock.now();
    set(&world, |sql| {
        sql.push("status = 'PLANNED', finished_at = NULL, ").equals("planned_at", now);
    })
    .await;
    // One that is being undone.
    let reverting = import::made(&admin, ADD, &failing(2)).await;
    world.work().await;
    set(&world, |sql| {
        sql.push("revert_status = 'QUEUED'");
    })
    .await;
    // One whose worker died a while ago, with rows of its first chunk, and one that waits behind it.
    let running = import::made(&admin, ADD, &format!("{}{}", failing(2), &adding(9..2_500)[USERS.len() + 1..])).await;
    clock.advance(Duration::seconds(1));
    let waiting = import::made(&admin, ADD, &failing(2)).await;
    world.work_one_chunk_and_die().await;
    assert_eq!((files(&world).await, rows(&world, "import_row").await), (4, 6));

    clock.advance(Duration::days(6));
    sweep(&world).await;
    assert_eq!(files(&world).await, 4);
    clock.advance(Duration::days(100));
    sweep(&world).await;
    assert_eq!((files(&world).await, rows(&world, "import_row").await), (3, 4), "the plan's are gone");
    for (id, status) in [(&planned, "PLANNED"), (&reverting, "COMPLETED"), (&running, "RUNNING"), (&waiting, "QUEUED")]
    {
        let job = import::job(&admin, id).await;
        assert_eq!((&job["status"], job["rowsDeletedAt"].is_null()), (&json!(status), id != &planned), "{job}");
    }
    world.work().await;
    assert_eq!(import::counts(&admin, &running).await, "COMPLETED: created 2491, failed 2");
    assert_eq!(import::counts(&admin, &waiting).await, "COMPLETED: failed 2");
}

async fn two_processes_clean_up_at_once_and_one_dies(world: World) {
    let admin = world.admin();
    // More than two transactions delete at once.
    let id = import::made(&admin, ADD, &failing(12_000)).await;
    world.work().await;
    world.services.clock.advance(Duration::days(91));
    {
        let mut dying = pin!(sweep(&world));
        while rows(&world, "import_row").await == 12_000 {
            assert!(poll!(&mut dying).is_pending(), "all was deleted at once");
        }
    }
    assert!(rows(&world, "import_row").await > 0);
    let job = import::job(&admin, &id).await;
    assert_eq!((&job["rows"]["totalCount"], &job["logUrl"]), (&json!(0), &json!(null)), "nobody sees half a log");

    let second = world.storing(Arc::clone(&world.services.files));
    tokio::join!(sweep(&world), sweep(&second));
    assert_eq!((rows(&world, "import_row").await, files(&world).await), (0, 0));
    assert_eq!(import::counts(&admin, &id).await, "COMPLETED: failed 12000");
}

async fn files_without_an_import_go_after_a_day(world: World) {
    // The store has its own clock, which nobody here moves.
    let clock = &world.services.clock;
    clock.advance(Clock::system().now() - clock.now());
    let id = import::made(&world.admin(), ADD, &adding(0..2)).await;
    let organization = world.administrator.organization_id.0;
    let kept = store::keys(&*world.services.files).await;
    let orphan = format!("imports/{organization}/{}.csv", clock.id::<Uuid>());
    let foreign = format!("imports/{}/{}.csv", clock.id::<Uuid>(), clock.id::<Uuid>());
    let others = [foreign.as_str(), "imports/notes.txt", "other/file.csv"];
    for key in others.iter().chain([&orphan.as_str()]) {
        world.services.files.put(&Path::from(*key), "x".into()).await.unwrap();
    }
    clock.advance(Duration::hours(23));
    sweep(&world).await;
    assert!(store::keys(&*world.services.files).await.contains(&orphan));

    clock.advance(Duration::hours(2));
    sweep(&world).await;
    let mut left = kept;
    left.extend(others.map(str::to_owned));
    left.sort_unstable();
    assert_eq!(store::keys(&*world.services.files).await, left);
    world.work().await;
    assert_eq!(import::counts(&world.admin(), &id).await, "COMPLETED: created 2");
}

async fn a_store_that_deletes_nothing_is_asked_again(world: World) {
    let clock = &world.services.clock;
    clock.advance(Clock::system().now() - clock.now());
    let files = Arc::new(Watched::new(Arc::new(InMemory::new())));
    let world = world.storing(Arc::clone(&files) as _);
    import::made(&world.admin(), ADD, &failing(1)).await;
    world.work().await;
    files.keeps.store(true, Ordering::Relaxed);
    world.services.clock.advance(Duration::days(100));
    sweep(&world).await;
    // The rows go all the same.
    assert_eq!((rows(&world, "import_row").await, store::keys(&*files).await.len()), (0, 1));
    files.keeps.store(false, Ordering::Relaxed);
    sweep(&world).await;
    assert_eq!(store::keys(&*files).await, Vec::<String>::new());
}
