//! What an administrator does with an import beside making it: looks at the plan, applies it, cancels it, undoes it.

use chrono::Duration;
use counterpart::service::import::worker::CHUNK_ROWS;
use serde_json::{Value, json};

use crate::support::{World, scene};

both!(
    a_plan_shows_every_row_and_changes_nothing,
    a_plan_is_applied_as_it_stands,
    a_stale_plan_is_refused_and_changes_nothing,
    a_later_row_of_a_plan_sees_what_an_earlier_one_does,
    a_plan_that_was_interrupted_goes_on,
    a_rejected_file_changes_nothing,
    a_file_without_mistakes_is_not_rejected,
    users_are_undone,
    what_has_changed_since_is_left_alone,
    an_interrupted_undoing_goes_on,
    crm_users_are_planned_and_applied,
    crm_users_are_undone,
    mappings_are_planned_and_applied,
    mappings_are_undone,
    a_file_without_aliases_leaves_them,
    an_import_is_canceled,
    what_can_not_be_done_says_why,
);

const USERS: &str = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation";
const JOB: &str = "id status totalRows processedRows created updated unchanged deleted skipped failed \
    error { code message } revert { status revertedRows leftAlone \
    rowsLeftAlone(first: 100) { nodes { line outcome revertError { code message } } } } \
    rows(first: 100) { nodes { line outcome values errors { code } changes { field before after } } }";

/// Makes an import of users; nobody has worked on it yet.
async fn users(world: &World, rows: &[&str], options: &str) -> String {
    let text = format!("{USERS}\n{}\n", rows.join("\n"));
    make(world, &format!("importUsers(input: {{source: {{text: $text}}{options}}})"), &text).await
}

async fn crm_users(world: &World, rows: &[&str], options: &str) -> String {
    let text = format!("external_id,email,name,username,title,is_active\n{}\n", rows.join("\n"));
    let field = format!("importCrmUsers(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}{options}}})");
    make(world, &field, &text).await
}

async fn make(world: &World, field: &str, text: &str) -> String {
    let query =
        format!("mutation ($text: String!) {{ it: {field} {{ importJob {{ id }} userErrors {{ code message }} }} }}");
    let data = world.admin().graphql(&query, json!({ "text": text })).await.ok();
    assert_eq!(data["it"]["userErrors"], json!([]), "{data}");
    data["it"]["importJob"]["id"].as_str().unwrap().to_owned()
}

/// Asks for `applyImport`, `cancelImport` or `revertImport`; what is wrong with that.
async fn ask(world: &World, mutation: &str, id: &str) -> String {
    let query = format!(
        "mutation ($id: ID!) {{ it: {mutation}(input: {{id: $id}}) {{ importJob {{ id }} userErrors {{ code message }} }} }}"
    );
    let data = world.admin().graphql(&query, json!({ "id": id })).await.ok();
    let errors = data["it"]["userErrors"].as_array().unwrap();
    errors.iter().map(|e| format!("{}: {}", e["code"].as_str().unwrap(), e["message"].as_str().unwrap())).collect()
}

/// The same, which must go well; time goes on and the worker does it.
async fn done(world: &World, mutation: &str, id: &str) -> Value {
    world.services.clock.advance(Duration::seconds(1));
    assert_eq!(ask(world, mutation, id).await, "");
    world.work().await;
    job(world, id).await
}

async fn worked(world: &World, id: &str) -> Value {
    world.services.clock.advance(Duration::seconds(1));
    world.work().await;
    job(world, id).await
}

async fn job(world: &World, id: &str) -> Value {
    let query = format!("query ($id: ID!) {{ importJob(id: $id) {{ {JOB} }} }}");
    world.admin().graphql(&query, json!({ "id": id })).await.ok()["importJob"].take()
}

/// The status, the counts that are not zero, and what stopped it.
fn summary(job: &Value) -> String {
    let names = ["created", "updated", "unchanged", "deleted", "skipped", "failed"];
    let counts = names.iter().filter(|name| job[**name] != json!(0)).map(|name| format!("{name} {}", job[*name]));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let error = job["error"]["message"].as_str().map(|message| format!(" {}: {message}", job["error"]["code"]));
    format!("{} ({counts}){}", job["status"].as_str().unwrap(), error.unwrap_or_default())
}

/// A row a line: its outcome, what is wrong with it, what it changes.
fn rows(job: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = job["rows"]["nodes"].as_array().unwrap().iter().map(|row| {
        let errors = row["errors"].as_array().unwrap().iter().map(|error| text(&error["code"]));
        let changes = row["changes"].as_array().unwrap().iter().map(|change| {
            format!("{} {} > {}", text(&change["field"]), text(&change["before"]), text(&change["after"]))
        });
        let details: Vec<String> = errors.chain(changes).collect();
        format!("{} {} {}", row["line"], text(&row["outcome"]), details.join("; "))
    });
    rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn reverted(job: &Value) -> String {
    let revert = &job["revert"];
    let alone = revert["rowsLeftAlone"]["nodes"].as_array().unwrap().iter().map(|row| {
        format!(
            "\n{} {} {}",
            row["line"],
            row["outcome"].as_str().unwrap(),
            row["revertError"]["code"].as_str().unwrap()
        )
    });
    let head = format!(
        "{}, {}: {} undone, {} left alone",
        job["status"].as_str().unwrap(),
        revert["status"].as_str().unwrap(),
        revert["revertedRows"],
        revert["leftAlone"]
    );
    alone.fold(head, |text, line| text + &line)
}

/// Every user with all that an import can change, one a line, and every team.
async fn everybody(world: &World) -> String {
    let query = "{ users(first: 200) { nodes { email firstName title role status team { path } managerOf { path }
        licenses { name } mappings { source aliasEmail crmUser { externalId } } } }
        teams(first: 200) { nodes { path } } }";
    let found = world.read(query).await;
    let mut lines: Vec<String> =
        found["users"]["nodes"].as_array().unwrap().iter().map(crate::support::show::short).collect();
    lines.push(crate::support::show::short(&found["teams"]["nodes"]));
    lines.join("\n")
}

async fn crm(world: &World) -> String {
    let query =
        "{ integration(by: {name: \"CRM\"}) { crmUsers(first: 200) { nodes { externalId email name title isActive
        mapping { source user { email } } } } } }";
    let found = world.read(query).await;
    crate::support::show::lines(&found["integration"]["crmUsers"]["nodes"])
}

/// An administrator, people in teams, and an integration with two CRM users, one of them linked.
async fn people(world: &World) {
    scene::integration(world, "CRM", "OTHER").await;
    scene::push(world, "CRM", &[("1", "ann@x.com"), ("2", "other@y.com")]).await;
    scene::team(world, "Sales:West").await;
    scene::user(world, "ann@x.com", json!({ "firstName": "Ann", "team": { "path": "Sales" } })).await;
    scene::user(world, "bob@x.com", json!({ "firstName": "Bob", "licenses": [{ "name": "Forecasting" }] })).await;
    scene::user(world, "cid@x.com", json!({ "firstName": "Cid", "managerOf": [{ "path": "Sales:West" }] })).await;
    scene::map(world, "cid@x.com", "CRM", "2").await;
    world.services.clock.advance(Duration::seconds(1));
}

const MIXED: &[&str] = &[
    "new@x.com,New,,,East:North,,,,,Foundation,Add",
    "ann@x.com,Anne,,Boss,Sales:West,,,,,,Edit",
    "bob@x.com,,,,,,,,,#N/A,Edit",
    "cid@x.com,,,,,,,,,,Delete",
    "nobody@x.com,,,,,,,,,,Edit",
    "admin@acme.example,,,,,,,,,,Suspend",
    "skip@x.com,,,,,,,,,,",
    "new@x.com,Again,,,,,,,,,Add",
];

async fn a_plan_shows_every_row_and_changes_nothing(world: World) {
    people(&world).await;
    let before = everybody(&world).await;
    let id = users(&world, MIXED, ", mode: PLAN, createMissingTeams: true").await;
    let plan = worked(&world, &id).await;
    insta::assert_snapshot!(summary(&plan), @"PLANNED (created 1, updated 2, deleted 1, skipped 1, failed 3)");
    insta::assert_snapshot!(rows(&plan), @r#"
        2 CREATED email - > new@x.com; firstName - > New; team - > East:North; role - > MEMBER; objectVisibility - > TEAM; configurationProfile - > Default: Intake Off; licenses - > Foundation; status - > ACTIVE
        3 UPDATED firstName Ann > Anne; title - > Boss; team Sales > Sales:West
        4 UPDATED licenses Forecasting > -
        5 DELETED status ACTIVE > DELETED
        6 FAILED USER_NOT_FOUND
        7 FAILED LAST_ADMIN
        8 SKIPPED
        9 FAILED DUPLICATE_IN_FILE
    "#);
    assert_eq!(plan["rows"]["nodes"][0]["values"][0], "new@x.com");
    assert_eq!(everybody(&world).await, before);
    assert_eq!(ask(&world, "cancelImport", &id).await, "");
    assert_eq!(job(&world, &id).await["status"], "CANCELED");
}

async fn a_plan_is_applied_as_it_stands(world: World) {
    people(&world).await;
    let plan_id = users(&world, MIXED, ", mode: PLAN, createMissingTeams: true").await;
    let plan = worked(&world, &plan_id).await;
    let applied = done(&world, "applyImport", &plan_id).await;
    assert_eq!(summary(&applied), summary(&plan).replace("PLANNED", "COMPLETED"));
    let kept = |row: &&str| !["CREATED", "UNCHANGED", "SKIPPED"].iter().any(|outcome| row.contains(outcome));
    let planned = rows(&plan);
    assert_eq!(rows(&applied), planned.lines().filter(kept).collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!(everybody(&world).await, @r#"
        {email: admin@acme.example, firstName: null, licenses: [], managerOf: [], mappings: [], role: ADMIN, status: ACTIVE, team: null, title: null}
        {email: ann@x.com, firstName: Anne, licenses: [], managerOf: [], mappings: [{aliasEmail: null, crmUser: {externalId: 1}, source: AUTOMATIC}], role: MEMBER, status: ACTIVE, team: {path: Sales:West}, title: Boss}
        {email: bob@x.com, firstName: Bob, licenses: [], managerOf: [], mappings: [], role: MEMBER, status: ACTIVE, team: null, title: null}
        {email: new@x.com, firstName: New, licenses: [{name: Foundation}], managerOf: [], mappings: [], role: MEMBER, status: ACTIVE, team: {path: East:North}, title: null}
        [{path: East}, {path: East:North}, {path: Sales}, {path: Sales:West}]
    "#);
    insta::assert_snapshot!(ask(&world, "applyImport", &plan_id).await, @"WRONG_STATE: This plan has been applied already.");
}

async fn a_stale_plan_is_refused_and_changes_nothing(world: World) {
    people(&world).await;
    let id = users(&world, MIXED, ", mode: PLAN, createMissingTeams: true").await;
    let plan = worked(&world, &id).await;
    scene::edit(&world, "ann@x.com", json!({ "title": "Queen" })).await;
    scene::user(&world, "new@x.com", json!({})).await;
    let before = everybody(&world).await;
    let refused = done(&world, "applyImport", &id).await;
    insta::assert_snapshot!(summary(&refused), @r#"FAILED () "STALE_PLAN": 2 rows would now come out differently from what the plan shows, the first on line 2, so nothing was changed. Import the file again with mode PLAN, and look at the new plan."#);
    assert_eq!(rows(&refused), rows(&plan));
    assert_eq!(everybody(&world).await, before);
    insta::assert_snapshot!(ask(&world, "applyImport", &id).await, @"WRONG_STATE: This plan can no longer be applied. Import the file again with mode PLAN.");
    insta::assert_snapshot!(ask(&world, "revertImport", &id).await, @"WRONG_STATE: This import changed nothing: there is nothing to undo.");
}

/// More rows than a chunk has: the second administrator of a file stays, and a team is made once.
fn long_file() -> Vec<String> {
    let mut rows = vec!["admin@acme.example,,,,,,,,,,Suspend".to_owned()];
    rows.extend((0..1_200).map(|n| format!("u{n}@x.com,U,,,New:Team,,,,,,Add")));
    rows.push("second@x.com,,,,,,,,,,Delete".to_owned());
    rows.push("last@x.com,L,,,New:Team,,,,,,Add".to_owned());
    rows
}

async fn a_later_row_of_a_plan_sees_what_an_earlier_one_does(world: World) {
    scene::user(&world, "second@x.com", json!({ "role": "ADMIN" })).await;
    let file = long_file();
    let file: Vec<&str> = file.iter().map(String::as_str).collect();
    let id = users(&world, &file, ", mode: PLAN, createMissingTeams: true").await;
    let plan = worked(&world, &id).await;
    assert_eq!(summary(&plan), "PLANNED (created 1201, updated 1, failed 1)");
    let query = "query ($id: ID!) { importJob(id: $id) { rows(first: 5, outcome: [FAILED]) { nodes { line errors { code } } } } }";
    let failed = world.admin().graphql(query, json!({ "id": id })).await.ok();
    assert_eq!(failed["importJob"]["rows"]["nodes"], json!([{ "line": 1203, "errors": [{ "code": "LAST_ADMIN" }] }]));
}

async fn a_plan_that_was_interrupted_goes_on(world: World) {
    scene::user(&world, "second@x.com", json!({ "role": "ADMIN" })).await;
    let file = long_file();
    let file: Vec<&str> = file.iter().map(String::as_str).collect();
    let id = users(&world, &file, ", mode: PLAN, createMissingTeams: true").await;
    world.work_one_chunk_and_die().await;
    world.services.clock.advance(Duration::minutes(2));
    let plan = worked(&world, &id).await;
    assert_eq!(summary(&plan), "PLANNED (created 1201, updated 1, failed 1)");
    assert_eq!(plan["processedRows"], plan["totalRows"]);
}

async fn a_rejected_file_changes_nothing(world: World) {
    people(&world).await;
    let before = everybody(&world).await;
    let id = users(&world, MIXED, ", errorPolicy: REJECT_FILE, createMissingTeams: true").await;
    let refused = worked(&world, &id).await;
    insta::assert_snapshot!(summary(&refused), @r#"FAILED (skipped 1, failed 3) "ROWS_FAILED": 3 rows failed, so nothing was changed. Mend what the log names, or import with SKIP_FAILED_ROWS."#);
    insta::assert_snapshot!(rows(&refused), @r#"
        6 FAILED USER_NOT_FOUND
        7 FAILED LAST_ADMIN
        9 FAILED DUPLICATE_IN_FILE
    "#);
    assert_eq!(everybody(&world).await, before);

    let id = users(&world, MIXED, ", mode: PLAN, errorPolicy: REJECT_FILE, createMissingTeams: true").await;
    let plan = worked(&world, &id).await;
    insta::assert_snapshot!(summary(&plan), @"PLANNED (created 1, updated 2, deleted 1, skipped 1, failed 3)");
    let refused = done(&world, "applyImport", &id).await;
    insta::assert_snapshot!(summary(&refused), @r#"FAILED (failed 3) "ROWS_FAILED": 3 rows failed, so nothing was changed. Mend what the log names, or import with SKIP_FAILED_ROWS."#);
    assert_eq!(everybody(&world).await, before);

    let before = crm(&world).await;
    let id = crm_users(&world, &["3,c@x.com,C,,,", "4,not an email,D,,,"], ", errorPolicy: REJECT_FILE").await;
    insta::assert_snapshot!(summary(&worked(&world, &id).await), @r#"FAILED (failed 1) "ROWS_FAILED": 1 row failed, so nothing was changed. Mend what the log names, or import with SKIP_FAILED_ROWS."#);
    assert_eq!(crm(&world).await, before);
}

async fn a_file_without_mistakes_is_not_rejected(world: World) {
    people(&world).await;
    let good: Vec<&str> = MIXED.iter().copied().take(4).collect();
    let id = users(&world, &good, ", errorPolicy: REJECT_FILE, createMissingTeams: true").await;
    let went_in = worked(&world, &id).await;
    assert_eq!(summary(&went_in), "COMPLETED (created 1, updated 2, deleted 1)");
    assert_eq!(went_in["processedRows"], 4);
}

async fn users_are_undone(world: World) {
    people(&world).await;
    let before = everybody(&world).await;
    for options in [", createMissingTeams: true", ", mode: PLAN, createMissingTeams: true"] {
        let id = users(&world, MIXED, options).await;
        let mut job = worked(&world, &id).await;
        if job["status"] == "PLANNED" {
            job = done(&world, "applyImport", &id).await;
        }
        assert_eq!(summary(&job), "COMPLETED (created 1, updated 2, deleted 1, skipped 1, failed 3)");
        assert_ne!(everybody(&world).await, before);
        let undone = done(&world, "revertImport", &id).await;
        assert_eq!(reverted(&undone), "REVERTED, COMPLETED: 4 undone, 0 left alone");
        assert_eq!(everybody(&world).await, before);
        assert_eq!(ask(&world, "revertImport", &id).await, "WRONG_STATE: This import has been undone already.");
    }
    let history = "{ user(by: {email: \"cid@x.com\"}) { mappingHistory(first: 5) { nodes { source endReason replaces { endReason } } } } }";
    insta::assert_snapshot!(crate::support::show::short(&world.read(history).await["user"]["mappingHistory"]), @"{nodes: [{endReason: null, replaces: {endReason: USER_DELETED}, source: MANUAL}, {endReason: USER_DELETED, replaces: {endReason: USER_DELETED}, source: MANUAL}, {endReason: USER_DELETED, replaces: null, source: MANUAL}]}");
}

async fn what_has_changed_since_is_left_alone(world: World) {
    people(&world).await;
    let rows = [
        "made@x.com,M,,,Sales,,,,,,Add",
        "mapped@x.com,M,,,Sales,,,,,,Add",
        "gone@x.com,M,,,Sales,,,,,,Add",
        "kept@x.com,M,,,Sales,,,,,,Add",
        "ann@x.com,Anne,,,,,,,,,Edit",
        "bob@x.com,Rob,,,,,,,,,Edit",
        "cid@x.com,,,,,,,,,,Delete",
    ];
    let id = users(&world, &rows, "").await;
    worked(&world, &id).await;
    world.services.clock.advance(Duration::seconds(1));
    scene::edit(&world, "made@x.com", json!({ "title": "Boss" })).await;
    scene::push(&world, "CRM", &[("3", "third@y.com")]).await;
    scene::map(&world, "mapped@x.com", "CRM", "3").await;
    world.change("deleteUser(input: {user: {email: \"gone@x.com\"}}) { deletedId }").await;
    scene::edit(&world, "ann@x.com", json!({ "title": "Queen" })).await;
    // The CRM user that the deletion set free is somebody else's by now.
    scene::map(&world, "bob@x.com", "CRM", "2").await;
    let undone = done(&world, "revertImport", &id).await;
    insta::assert_snapshot!(reverted(&undone), @r#"
        REVERTED, COMPLETED: 2 undone, 5 left alone
        2 CREATED WRONG_STATE
        3 CREATED WRONG_STATE
        4 CREATED WRONG_STATE
        6 UPDATED WRONG_STATE
        8 DELETED CRM_USER_TAKEN
    "#);
    insta::assert_snapshot!(everybody(&world).await, @r#"
        {email: admin@acme.example, firstName: null, licenses: [], managerOf: [], mappings: [], role: ADMIN, status: ACTIVE, team: null, title: null}
        {email: ann@x.com, firstName: Anne, licenses: [], managerOf: [], mappings: [{aliasEmail: null, crmUser: {externalId: 1}, source: AUTOMATIC}], role: MEMBER, status: ACTIVE, team: {path: Sales}, title: Queen}
        {email: bob@x.com, firstName: Bob, licenses: [{name: Forecasting}], managerOf: [], mappings: [{aliasEmail: null, crmUser: {externalId: 2}, source: MANUAL}], role: MEMBER, status: ACTIVE, team: null, title: null}
        {email: made@x.com, firstName: M, licenses: [], managerOf: [], mappings: [], role: MEMBER, status: ACTIVE, team: {path: Sales}, title: Boss}
        {email: mapped@x.com, firstName: M, licenses: [], managerOf: [], mappings: [{aliasEmail: null, crmUser: {externalId: 3}, source: MANUAL}], role: MEMBER, status: ACTIVE, team: {path: Sales}, title: null}
        [{path: Sales}, {path: Sales:West}]
    "#);
}

async fn an_interrupted_undoing_goes_on(world: World) {
    let file: Vec<String> = (0..2_500).map(|n| format!("u{n}@x.com,U,,,New:Team,,,,,,Add")).collect();
    let file: Vec<&str> = file.iter().map(String::as_str).collect();
    let before = everybody(&world).await;
    let id = users(&world, &file, ", createMissingTeams: true").await;
    worked(&world, &id).await;
    assert_eq!(ask(&world, "revertImport", &id).await, "");
    assert_eq!(job(&world, &id).await["revert"]["status"], "QUEUED");
    world.undo_one_chunk_and_die().await;
    assert_eq!(job(&world, &id).await["revert"]["status"], "RUNNING");
    assert_eq!(job(&world, &id).await["status"], "COMPLETED");
    world.services.clock.advance(Duration::minutes(2));
    let undone = worked(&world, &id).await;
    assert_eq!(reverted(&undone), "REVERTED, COMPLETED: 2500 undone, 0 left alone");
    assert_eq!(everybody(&world).await, before);
}

const CRM_USERS: &[&str] = &["1,ann@x.com,Ann A,,,", "2,other@y.com,,,,false", "3,bob@x.com,Bob,,,", "4,no,,,,"];

async fn crm_users_are_planned_and_applied(world: World) {
    people(&world).await;
    let before = crm(&world).await;
    let id = crm_users(&world, CRM_USERS, ", mode: PLAN").await;
    let plan = worked(&world, &id).await;
    insta::assert_snapshot!(summary(&plan), @"PLANNED (created 1, updated 2, failed 1)");
    insta::assert_snapshot!(rows(&plan), @r#"
        2 UPDATED name - > Ann A
        3 UPDATED isActive true > false
        4 CREATED email - > bob@x.com; name - > Bob; isActive - > true
        5 FAILED INVALID_EMAIL
    "#);
    assert_eq!(crm(&world).await, before);
    let applied = done(&world, "applyImport", &id).await;
    assert_eq!(summary(&applied), summary(&plan).replace("PLANNED", "COMPLETED"));
    insta::assert_snapshot!(crm(&world).await, @r#"
        {email: ann@x.com, externalId: 1, isActive: true, mapping: {source: AUTOMATIC, user: {email: ann@x.com}}, name: Ann A, title: null}
        {email: other@y.com, externalId: 2, isActive: false, mapping: {source: MANUAL, user: {email: cid@x.com}}, name: null, title: null}
        {email: bob@x.com, externalId: 3, isActive: true, mapping: {source: AUTOMATIC, user: {email: bob@x.com}}, name: Bob, title: null}
    "#);

    let id = crm_users(&world, &["5,e@x.com,E,,,", "1,ann@x.com,A,,,"], ", mode: PLAN").await;
    worked(&world, &id).await;
    scene::push(&world, "CRM", &[("5", "f@x.com")]).await;
    let before = crm(&world).await;
    insta::assert_snapshot!(summary(&done(&world, "applyImport", &id).await), @r#"FAILED () "STALE_PLAN": 1 row would now come out differently from what the plan shows, the first on line 2, so nothing was changed. Import the file again with mode PLAN, and look at the new plan."#);
    assert_eq!(crm(&world).await, before);
}

async fn crm_users_are_undone(world: World) {
    people(&world).await;
    scene::push(&world, "CRM", &[("8", "eight@y.com"), ("9", "nine@y.com")]).await;
    let before = crm(&world).await;
    let id = crm_users(&world, &CRM_USERS[..3], ", isComplete: true").await;
    assert_eq!(summary(&worked(&world, &id).await), "COMPLETED (created 1, updated 2)");
    insta::assert_snapshot!(crm(&world).await, @r#"
        {email: ann@x.com, externalId: 1, isActive: true, mapping: {source: AUTOMATIC, user: {email: ann@x.com}}, name: Ann A, title: null}
        {email: other@y.com, externalId: 2, isActive: false, mapping: {source: MANUAL, user: {email: cid@x.com}}, name: null, title: null}
        {email: bob@x.com, externalId: 3, isActive: true, mapping: {source: AUTOMATIC, user: {email: bob@x.com}}, name: Bob, title: null}
        {email: eight@y.com, externalId: 8, isActive: false, mapping: null, name: null, title: null}
        {email: nine@y.com, externalId: 9, isActive: false, mapping: null, name: null, title: null}
    "#);
    world.services.clock.advance(Duration::seconds(1));
    scene::push(&world, "CRM", &[("1", "ann@x.com")]).await;
    let undone = done(&world, "revertImport", &id).await;
    insta::assert_snapshot!(reverted(&undone), @r#"
        REVERTED, COMPLETED: 2 undone, 1 left alone
        2 UPDATED WRONG_STATE
    "#);
    // Ann's has changed since; Bob's has been mapped, and stays for history.
    let after = crm(&world).await;
    let changed: Vec<&str> = after.lines().filter(|line| !before.contains(*line)).collect();
    insta::assert_snapshot!(changed.join("\n"), @"{email: bob@x.com, externalId: 3, isActive: false, mapping: null, name: Bob, title: null}");
    insta::assert_snapshot!(before, @r#"
        {email: ann@x.com, externalId: 1, isActive: true, mapping: {source: AUTOMATIC, user: {email: ann@x.com}}, name: null, title: null}
        {email: other@y.com, externalId: 2, isActive: true, mapping: {source: MANUAL, user: {email: cid@x.com}}, name: null, title: null}
        {email: eight@y.com, externalId: 8, isActive: true, mapping: null, name: null, title: null}
        {email: nine@y.com, externalId: 9, isActive: true, mapping: null, name: null, title: null}
    "#);
}

async fn an_import_is_canceled(world: World) {
    let file: Vec<String> = (0..CHUNK_ROWS * 3 / 2).map(|n| format!("u{n}@x.com,U,,,,,,,,,Add")).collect();
    let file: Vec<&str> = file.iter().map(String::as_str).collect();
    let id = users(&world, &file, "").await;
    world.work_one_chunk_and_die().await;
    assert_eq!(ask(&world, "cancelImport", &id).await, "");
    world.services.clock.advance(Duration::minutes(2));
    let canceled = worked(&world, &id).await;
    assert_eq!(summary(&canceled), format!("CANCELED (created {CHUNK_ROWS})"));
    assert_eq!(canceled["processedRows"], CHUNK_ROWS);
    let undone = done(&world, "revertImport", &id).await;
    assert_eq!(reverted(&undone), format!("REVERTED, COMPLETED: {CHUNK_ROWS} undone, 0 left alone"));

    scene::integration(&world, "CRM", "OTHER").await;
    let id = crm_users(&world, CRM_USERS, "").await;
    assert_eq!(ask(&world, "cancelImport", &id).await, "");
    assert_eq!(summary(&worked(&world, &id).await), "CANCELED ()");
    insta::assert_snapshot!(ask(&world, "cancelImport", &id).await, @"WRONG_STATE: This import has ended already; revertImport undoes what it did.");
}

async fn what_can_not_be_done_says_why(world: World) {
    let id = users(&world, &["a@x.com,A,,,,,,,,,Add"], "").await;
    insta::assert_snapshot!(ask(&world, "applyImport", &id).await, @"WRONG_STATE: This import was not made with mode PLAN: there is no plan to apply.");
    insta::assert_snapshot!(ask(&world, "revertImport", &id).await, @"WRONG_STATE: This import is still at work; cancel it first.");
    worked(&world, &id).await;
    insta::assert_snapshot!(ask(&world, "cancelImport", &id).await, @"WRONG_STATE: This import has ended already; revertImport undoes what it did.");
    let id = users(&world, &["b@x.com,B,,,,,,,,,Add"], ", mode: PLAN").await;
    insta::assert_snapshot!(ask(&world, "applyImport", &id).await, @"WRONG_STATE: The plan is still being made; wait until the import is PLANNED.");
    worked(&world, &id).await;
    insta::assert_snapshot!(ask(&world, "revertImport", &id).await, @"WRONG_STATE: This import changed nothing: there is nothing to undo.");
    for mutation in ["applyImport", "cancelImport", "revertImport"] {
        assert_eq!(ask(&world, mutation, "bm8").await, "NOT_FOUND: There is no import with this id.");
    }
}

async fn mappings(world: &World, rows: &[&str], options: &str) -> String {
    let text = format!("email,external_id,alias_email,operation\n{}\n", rows.join("\n"));
    let field = format!("importMappings(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}{options}}})");
    make(world, &field, &text).await
}

/// Five people: Ann is linked, Bob and Cid are mapped by hand, Dan and Eve are not.
async fn mapped_people(world: &World) {
    people(world).await;
    scene::push(world, "CRM", &[("3", "three@y.com"), ("4", "four@y.com"), ("5", "five@y.com")]).await;
    scene::map(world, "bob@x.com", "CRM", "3").await;
    for email in ["dan@x.com", "eve@x.com"] {
        scene::user(world, email, json!({})).await;
    }
    world.services.clock.advance(Duration::seconds(1));
}

/// A swap, an automatic mapping taken over, a new one, one that stays, one removed by name that is not there.
const MAPPINGS: &[&str] = &[
    "bob@x.com,2,,replace",
    "cid@x.com,3,old@x.com,replace",
    "ann@x.com,1,,replace",
    "dan@x.com,4,,add",
    "eve@x.com,,,remove",
    "eve@x.com,5,,add",
    ",,,",
];

async fn mappings_are_planned_and_applied(world: World) {
    mapped_people(&world).await;
    let before = crm(&world).await;
    let id = mappings(&world, MAPPINGS, ", mode: PLAN").await;
    let plan = worked(&world, &id).await;
    insta::assert_snapshot!(summary(&plan), @"PLANNED (created 1, updated 3, skipped 1, failed 2)");
    insta::assert_snapshot!(rows(&plan), @r#"
        2 UPDATED externalId 3 > 2
        3 UPDATED externalId 2 > 3; aliasEmail - > old@x.com
        4 UPDATED source AUTOMATIC > MANUAL
        5 CREATED externalId - > 4; source - > MANUAL
        6 FAILED NOT_FOUND
        7 FAILED DUPLICATE_IN_FILE
        8 SKIPPED
    "#);
    assert_eq!(crm(&world).await, before);
    let applied = done(&world, "applyImport", &id).await;
    assert_eq!(summary(&applied), summary(&plan).replace("PLANNED", "COMPLETED"));
    insta::assert_snapshot!(crm(&world).await, @r#"
        {email: ann@x.com, externalId: 1, isActive: true, mapping: {source: MANUAL, user: {email: ann@x.com}}, name: null, title: null}
        {email: other@y.com, externalId: 2, isActive: true, mapping: {source: MANUAL, user: {email: bob@x.com}}, name: null, title: null}
        {email: three@y.com, externalId: 3, isActive: true, mapping: {source: MANUAL, user: {email: cid@x.com}}, name: null, title: null}
        {email: four@y.com, externalId: 4, isActive: true, mapping: {source: MANUAL, user: {email: dan@x.com}}, name: null, title: null}
        {email: five@y.com, externalId: 5, isActive: true, mapping: null, name: null, title: null}
    "#);

    let id = mappings(&world, &["eve@x.com,5,,add", "nobody@x.com,5,,add"], ", mode: PLAN").await;
    worked(&world, &id).await;
    scene::map(&world, "eve@x.com", "CRM", "5").await;
    let before = crm(&world).await;
    insta::assert_snapshot!(summary(&done(&world, "applyImport", &id).await), @r#"FAILED () "STALE_PLAN": 1 row would now come out differently from what the plan shows, the first on line 2, so nothing was changed. Import the file again with mode PLAN, and look at the new plan."#);
    assert_eq!(crm(&world).await, before);

    let id = mappings(&world, &["dan@x.com,,,remove", "nobody@x.com,5,,add"], ", errorPolicy: REJECT_FILE").await;
    insta::assert_snapshot!(summary(&worked(&world, &id).await), @r#"FAILED (failed 1) "ROWS_FAILED": 1 row failed, so nothing was changed. Mend what the log names, or import with SKIP_FAILED_ROWS."#);
    assert_eq!(crm(&world).await, before);
}

async fn mappings_are_undone(world: World) {
    mapped_people(&world).await;
    let before = crm(&world).await;
    for options in ["", ", mode: PLAN"] {
        let id = mappings(&world, &[&MAPPINGS[..4], &["admin@acme.example,5,,add"]].concat(), options).await;
        if worked(&world, &id).await["status"] == "PLANNED" {
            done(&world, "applyImport", &id).await;
        }
        let undone = done(&world, "revertImport", &id).await;
        assert_eq!(reverted(&undone), "REVERTED, COMPLETED: 5 undone, 0 left alone");
        assert_eq!(crm(&world).await, before);
    }

    let id = mappings(&world, &["bob@x.com,,,remove", "cid@x.com,,,remove", "dan@x.com,4,,add"], "").await;
    worked(&world, &id).await;
    world.services.clock.advance(Duration::seconds(1));
    // Of what the import set free one is taken, and what it made is mapped otherwise.
    scene::map(&world, "eve@x.com", "CRM", "3").await;
    scene::map(&world, "dan@x.com", "CRM", "5").await;
    let undone = done(&world, "revertImport", &id).await;
    insta::assert_snapshot!(reverted(&undone), @r#"
        REVERTED, COMPLETED: 1 undone, 2 left alone
        2 DELETED CRM_USER_TAKEN
        4 CREATED WRONG_STATE
    "#);
    insta::assert_snapshot!(crm(&world).await, @r#"
        {email: ann@x.com, externalId: 1, isActive: true, mapping: {source: AUTOMATIC, user: {email: ann@x.com}}, name: null, title: null}
        {email: other@y.com, externalId: 2, isActive: true, mapping: {source: MANUAL, user: {email: cid@x.com}}, name: null, title: null}
        {email: three@y.com, externalId: 3, isActive: true, mapping: {source: MANUAL, user: {email: eve@x.com}}, name: null, title: null}
        {email: four@y.com, externalId: 4, isActive: true, mapping: null, name: null, title: null}
        {email: five@y.com, externalId: 5, isActive: true, mapping: {source: MANUAL, user: {email: dan@x.com}}, name: null, title: null}
    "#);
}

async fn a_file_without_aliases_leaves_them(world: World) {
    mapped_people(&world).await;
    let first = ["bob@x.com,3,bob@old.com,replace", "cid@x.com,2,cid@old.com,replace"];
    let id = mappings(&world, &first, "").await;
    assert_eq!(summary(&worked(&world, &id).await), "COMPLETED (updated 2)");
    let text = "email,external_id,operation\nbob@x.com,3,replace\ncid@x.com,5,replace\ndan@x.com,4,add\n";
    let field = "importMappings(input: {integration: {name: \"CRM\"}, source: {text: $text}, headers: BY_NAME})";
    let id = make(&world, field, text).await;
    assert_eq!(summary(&worked(&world, &id).await), "COMPLETED (created 1, updated 1, unchanged 1)");
    let query = "{ integration(by: {name: \"CRM\"}) { mappings(first: 9) { nodes { user { email } aliasEmail crmUser { externalId } } } } }";
    let found = world.read(query).await;
    let mut lines: Vec<String> =
        found["integration"]["mappings"]["nodes"].as_array().unwrap().iter().map(crate::support::show::short).collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        {aliasEmail: bob@old.com, crmUser: {externalId: 3}, user: {email: bob@x.com}}
        {aliasEmail: cid@old.com, crmUser: {externalId: 5}, user: {email: cid@x.com}}
        {aliasEmail: null, crmUser: {externalId: 1}, user: {email: ann@x.com}}
        {aliasEmail: null, crmUser: {externalId: 4}, user: {email: dan@x.com}}
    "#);
}
