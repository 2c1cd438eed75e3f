//! Imports that are asked for twice: by a key that names the request, and from the log of those that failed.

use std::{sync::Arc, sync::atomic::Ordering};

use chrono::Duration;
use counterpart::{bootstrap, service::import::retention};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    World,
    client::Actor,
    import::{self, USERS, adding},
    scene,
    store::{self, Watched},
};

both!(
    the_same_key_and_content_is_the_same_import,
    a_key_that_was_used_for_something_else_is_a_conflict,
    a_refused_request_leaves_its_key_free,
    requests_at_the_same_moment_make_one_import,
    failed_users_are_sent_again_from_their_log,
    failed_mappings_are_sent_again_from_their_log,
    failed_crm_users_are_sent_again_from_their_log,
);

const KEYED: &str = "importUsers(input: {source: {text: $text}, idempotencyKey: \"k\"})";

async fn the_same_key_and_content_is_the_same_import(world: World) {
    let (admin, text) = (world.admin(), adding(0..3));
    let id = import::made(&admin, KEYED, &text).await;
    assert_eq!(import::made(&admin, KEYED, &text).await, id);
    world.work().await;
    assert_eq!(import::made(&admin, KEYED, &text).await, id);
    // The same bytes as an upload, whatever the file is called.
    let query = "mutation ($file: Upload!) { importUsers(input: {source: {file: $file}, idempotencyKey: \"k\"}) {
                 importJob { id } userErrors { code } } }";
    for name in ["a.csv", "b.csv"] {
        let data = admin.upload(query, json!({ "file": null }), "variables.file", name, text.as_bytes()).await.ok();
        assert_eq!(data["importUsers"]["importJob"]["id"], json!(id), "{data}");
    }
    // As long as the import is known, which is for good.
    world.services.clock.advance(Duration::days(200));
    let life = retention::Life::days(90, 7);
    retention::sweep(&world.services, life, &CancellationToken::new()).await;
    assert_eq!(import::made(&admin, KEYED, &text).await, id);
    assert_eq!(import::count(&admin).await, 1);
    assert_eq!(import::counts(&admin, &id).await, "COMPLETED: created 3");
    assert_eq!(store::keys(&*world.services.files).await, Vec::<String>::new(), "nothing was stored for the repeats");

    // Another organisation's keys are its own.
    let other = bootstrap::administrator(&world.services.db, "Other", "admin@other.example").await.unwrap();
    let other = world.bearer(other.token);
    let others = import::made(&other, KEYED, &adding(0..4)).await;
    assert_ne!(others, id);
    assert_eq!(import::made(&other, KEYED, &adding(0..4)).await, others);
}

async fn a_key_that_was_used_for_something_else_is_a_conflict(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::integration(&world, "Second", "OTHER").await;
    let (admin, text) = (world.admin(), adding(0..3));
    import::made(&admin, KEYED, &text).await;
    let mapping = "email,external_id,alias_email,operation\nu1@x.com,1,,add\n";
    let map = |integration: &str, options: &str| {
        format!("importMappings(input: {{integration: {{name: \"{integration}\"}}, source: {{text: $text}}{options}}})")
    };
    import::made(&admin, &map("CRM", ", idempotencyKey: \"m\""), mapping).await;
    let before = store::keys(&*world.services.files).await;
    let conflict = json!([{
        "code": "IDEMPOTENCY_CONFLICT",
        "field": ["idempotencyKey"],
        "message": "This key was used for another import: another file, or other options. To ask for that import again, \
                    send the very same; for a new import, take a new key.",
    }]);
    let option =
        |options: &str| format!("importUsers(input: {{source: {{text: $text}}, idempotencyKey: \"k\", {options}}})");
    for (field, text) in [
        (KEYED, &*adding(0..4)),
        (KEYED, &*format!("{text}\n")),
        // Not even a file that would be refused.
        (KEYED, "nonsense"),
        (&option("createMissingTeams: true"), &text),
        (&option("headers: BY_NAME"), &text),
        (&map("CRM", ", idempotencyKey: \"k\""), mapping),
        (&map("CRM", ", idempotencyKey: \"m\", onExisting: REPLACE"), mapping),
        (&map("Second", ", idempotencyKey: \"m\""), mapping),
    ] {
        let payload = import::ask(&admin, field, text).await;
        assert_eq!(payload, json!({ "importJob": null, "userErrors": conflict }), "{field}");
    }
    assert_eq!(import::count(&admin).await, 2);
    assert_eq!(store::keys(&*world.services.files).await, before);

    // Integrations have ids and names: which one is used makes no difference.
    let data = world.read(r#"{ integration(by: {name: "CRM"}) { id } }"#).await;
    let by_id =
        map("CRM", ", idempotencyKey: \"m\"").replace("name: \"CRM\"", &format!("id: {}", data["integration"]["id"]));
    import::made(&admin, &by_id, mapping).await;
    assert_eq!(import::count(&admin).await, 2);

    let long = "é".repeat(255);
    let keyed = |key: &str| KEYED.replace("\"k\"", &json!(key).to_string());
    import::made(&admin, &keyed(&long), &text).await;
    for key in ["", &format!("{long}e"), "a\tb"] {
        let payload = import::ask(&admin, &keyed(key), &text).await;
        let error = &payload["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID"), &json!(["idempotencyKey"])), "{payload}");
    }
}

async fn a_refused_request_leaves_its_key_free(world: World) {
    let admin = world.admin();
    let payload = import::ask(&admin, KEYED, "nonsense\n").await;
    assert_eq!(payload["userErrors"][0]["code"], "HEADER_MISMATCH");
    // In manage mode AUTO the file is stored before it is refused; it must not stay.
    scene::integration(&world, "CRM", "SALESFORCE").await;
    let auto = "updateOrganization(input: {manageMode: AUTO, managedBy: {name: \"CRM\"}}) { organization { id } }";
    world.change(auto).await;
    let payload = import::ask(&admin, KEYED, &adding(0..2)).await;
    assert_eq!(payload["userErrors"][0]["code"], "AUTO_MANAGE_MODE", "{payload}");
    assert_eq!(store::keys(&*world.services.files).await, Vec::<String>::new());
    world.change("updateOrganization(input: {manageMode: MANUAL}) { organization { id } }").await;
    let id = import::made(&admin, KEYED, &adding(0..3)).await;
    // An import that there is stays to be had, whatever has changed since.
    world.change(auto).await;
    assert_eq!(import::made(&admin, KEYED, &adding(0..3)).await, id);
}

/// What requests that are sent at the same moment answer; each has stored its file before any is decided about.
async fn at_once(world: &World, texts: Vec<String>) -> (Vec<Value>, Vec<String>) {
    let files = Arc::new(Watched::new(Arc::new(InMemory::new())).together(texts.len()));
    let world = world.storing(Arc::clone(&files) as _);
    let running: Vec<_> = texts
        .into_iter()
        .map(|text| {
            let admin: Actor = world.admin();
            tokio::spawn(async move { import::ask(&admin, KEYED, &text).await })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in running {
        answers.push(answer.await.unwrap());
    }
    assert_eq!(files.begun.load(Ordering::Relaxed), answers.len(), "all of them came as far as the store");
    (answers, store::keys(&*files).await)
}

async fn requests_at_the_same_moment_make_one_import(mut world: World) {
    let (answers, stored) = at_once(&world, vec![adding(0..3); 4]).await;
    for answer in &answers {
        assert_eq!(answer["userErrors"], json!([]), "{answer}");
        assert_eq!(answer["importJob"]["id"], answers[0]["importJob"]["id"]);
    }
    assert_eq!(import::count(&world.admin()).await, 1);
    assert_eq!(stored.len(), 1, "the others' files are deleted: {stored:?}");

    // Of several that differ, one has the key.
    world.administrator = bootstrap::administrator(&world.services.db, "Other", "admin@other.example").await.unwrap();
    let (answers, stored) = at_once(&world, (1..5).map(|n| adding(0..n)).collect()).await;
    let mut codes: Vec<&str> =
        answers.iter().map(|answer| answer["userErrors"][0]["code"].as_str().unwrap_or("made")).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["IDEMPOTENCY_CONFLICT", "IDEMPOTENCY_CONFLICT", "IDEMPOTENCY_CONFLICT", "made"]);
    assert_eq!(import::count(&world.admin()).await, 1);
    assert_eq!(stored.len(), 1, "{stored:?}");
}

/// Runs an import; what came of it, and its log.
async fn run(world: &World, field: &str, text: &str) -> (String, String) {
    let admin = world.admin();
    let id = import::made(&admin, field, text).await;
    world.work().await;
    let log = match import::job(&admin, &id).await["logUrl"].as_str() {
        Some(url) => world.download(url).await,
        None => String::new(),
    };
    (import::counts(&admin, &id).await, log)
}

/// A log without its column of lines, which are those of the file that was sent last, and without the repeated header.
fn without_lines(log: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().from_reader(log.as_bytes());
    let line = reader.headers().unwrap().iter().position(|name| name == "_line").unwrap();
    let cells = |row: csv::StringRecord| {
        row.iter().enumerate().filter(|(at, _)| *at != line).map(|(_, c)| c.to_owned()).collect()
    };
    reader.records().map(|row| cells(row.unwrap())).collect()
}

async fn failed_users_are_sent_again_from_their_log(world: World) {
    const BY_NAME: &str = "importUsers(input: {source: {text: $text}, headers: BY_NAME})";
    let exact = format!(
        "{USERS}\n'=a@x.com,\"'=A, \"\"B\"\"\",,,,Boss,,,,,Add\nb@x.com,\"Two\nlines\",,,Nowhere,,,,,Gold,Add\n\
         who@x.com,,#N/A,,,,,,,,Edit\ngood@x.com,,,,,,,,,,Add\ngood@x.com,,,,,,,,,,Suspend\n"
    );
    let by_name = "OPERATION,email address,role,_note,team\nadd,c@x.com,Boss,mine,\nEDIT,nobody@x.com,Member,,\n";
    for (field, file, made, repaired, mend) in [
        (
            "importUsers(input: {source: {text: $text}})",
            &*exact,
            "COMPLETED: created 1, failed 4",
            "COMPLETED: created 2, updated 1",
            &[
                ("'=a@x.com", "a@x.com"),
                ("Boss", "Admin"),
                ("Nowhere", ""),
                ("Gold", ""),
                ("Two\nlines", "Two"),
                ("who@x.com", "a.l@x.com"),
            ][..],
        ),
        (
            BY_NAME,
            by_name,
            "COMPLETED: failed 2",
            "COMPLETED: created 1, unchanged 1",
            &[("Boss", "Data"), ("nobody@x.com", "a.l@x.com")],
        ),
    ] {
        scene::user(&world, "a.l@x.com", json!({ "lastName": "Lee" })).await;
        let (counts, first) = run(&world, field, file).await;
        assert_eq!(counts, made, "{first}");
        // As it is: the same rows fail for the same reasons, but for the one whose double is done.
        let (counts, second) = run(&world, field, &first).await;
        let (_, third) = run(&world, field, &second).await;
        let failed = without_lines(&second);
        assert_eq!(failed, without_lines(&third), "{counts}");
        let again: Vec<_> =
            without_lines(&first).into_iter().filter(|row| !row.contains(&"DUPLICATE_IN_FILE".to_owned())).collect();
        assert_eq!(failed, again);
        // Mended in the log, and sent as it is.
        let mended = mend.iter().fold(second.clone(), |log, (wrong, right)| log.replace(wrong, right));
        let (counts, log) = run(&world, field, &mended).await;
        assert_eq!((&*counts, &*log), (repaired, ""), "{mended}");
        world.change(r#"deleteUser(input: {user: {email: "a.l@x.com"}}) { deletedId }"#).await;
    }
    // What looks like a formula came through four files as it was.
    let data = world.read(r#"{ user(by: {email: "a@x.com"}) { firstName role } }"#).await;
    assert_eq!(data["user"], json!({ "firstName": "=A, \"B\"", "role": "ADMIN" }));
}

async fn failed_mappings_are_sent_again_from_their_log(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", ""), ("2", ""), ("3", "")]).await;
    for email in ["a@x.com", "b@x.com", "c@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    scene::map(&world, "a@x.com", "CRM", "1").await;
    let field = |headers: &str| {
        format!(
            "importMappings(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}, headers: {headers}}})"
        )
    };
    let exact = "email,external_id,alias_email,operation\na@x.com,2,,add\nlate@x.com,3,,add\nb@x.com,9,,add\n\
                 c@x.com,1,,add\nb@x.com,2,no alias,replace\n";
    let (counts, first) = run(&world, &field("EXACT"), exact).await;
    assert_eq!(counts, "COMPLETED: failed 5", "{first}");
    let (counts, second) = run(&world, &field("EXACT"), &first).await;
    assert_eq!((&*counts, second.replace("\r\n", "\n")), ("COMPLETED: failed 5", first.replace("\r\n", "\n")));
    // The world is mended, not the file, for one of them; the cells for the others.
    scene::user(&world, "late@x.com", json!({})).await;
    let mended = second.replace("a@x.com,2,,add", "a@x.com,2,,replace").replace("b@x.com,9,,add", "b@x.com,9,,");
    let (counts, log) = run(&world, &field("EXACT"), &mended).await;
    assert_eq!(counts, "COMPLETED: created 2, updated 1, skipped 1, failed 1", "{log}");
    assert!(log.contains("no alias"), "{log}");

    let by_name = "Operation,EXTERNAL_ID,email\nadd,2,nobody@x.com\nadd,7,b@x.com\n";
    let (counts, first) = run(&world, &field("BY_NAME"), by_name).await;
    assert_eq!(counts, "COMPLETED: failed 2", "{first}");
    let (counts, second) = run(&world, &field("BY_NAME"), &first).await;
    assert_eq!((&*counts, &second), ("COMPLETED: failed 2", &first));
    scene::push(&world, "CRM", &[("7", "")]).await;
    let (counts, _) = run(&world, &field("BY_NAME"), &second).await;
    assert_eq!(counts, "COMPLETED: created 1, failed 1");
}

async fn failed_crm_users_are_sent_again_from_their_log(world: World) {
    scene::integration(&world, "CRM", "SALESFORCE").await;
    let field = |headers: &str| {
        format!(
            "importCrmUsers(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}, headers: {headers}}})"
        )
    };
    for (headers, file) in [
        (
            "EXACT",
            "external_id,email,name,username,title,is_active\n0050Y000000fL1W,a@x.com,A,,,maybe\n\
             00G0Y000000fL1W,q@x.com,Q,,,1\n0050Y000000fL1X,not an email,B,,,\n0050Y000000fL1Z,z@x.com,Z,,,yes\n",
        ),
        (
            "BY_NAME",
            "IS_ACTIVE,Email,external_id\nmaybe,a@x.com,0050Y000000fL2W\n1,q@x.com,00G0Y000000fL2W\n\
             ,not an email,0050Y000000fL2X\nyes,z@x.com,0050Y000000fL2Z\n",
        ),
    ] {
        let (counts, first) = run(&world, &field(headers), file).await;
        assert_eq!(counts, "COMPLETED: created 1, failed 3", "{first}");
        let (counts, second) = run(&world, &field(headers), &first).await;
        assert_eq!((&*counts, &second), ("COMPLETED: failed 3", &first));
        let mended = second.replace("maybe", "no").replace("00G0Y", "0050Z").replace("not an email,", "b@x.com,");
        let (counts, log) = run(&world, &field(headers), &mended).await;
        assert_eq!((&*counts, &*log), ("COMPLETED: created 3", ""), "{mended}");
    }
}
