//! Imports, as an administrator makes them: what goes in, what the log says of the rest.

use counterpart::service::import::worker::CHUNK_ROWS;
use serde_json::{Value, json};

use crate::support::{World, scene};

/// The same snapshot holds on both databases.
macro_rules! assert_text {
    ($($snapshot:tt)*) => {
        insta::allow_duplicates! { insta::assert_snapshot!($($snapshot)*) }
    };
}

macro_rules! assert_json {
    ($($snapshot:tt)*) => {
        insta::allow_duplicates! { insta::assert_json_snapshot!($($snapshot)*) }
    };
}

both!(
    users_are_imported_and_the_log_says_what_failed,
    an_export_goes_in_again_unchanged,
    edits_leave_clear_and_set,
    mappings_swap_across_the_file,
    a_row_that_counts_on_a_row_that_fails_fails_too,
    crm_users_are_upserted_and_linked,
    a_complete_list_that_forgets_a_company_is_stopped,
    a_file_that_is_no_csv_is_refused_before_there_is_an_import,
    an_import_goes_on_where_a_worker_stopped,
    the_last_administrator_stays,
    a_log_can_be_mended_and_uploaded_as_it_is,
    cells_that_a_spreadsheet_would_run_make_the_round_trip,
    chunks_take_a_handful_of_statements,
    uploads_are_taken_too,
);

const USERS: &str = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation";

/// Runs an import of users to its end; the job and its log.
async fn import_users(world: &World, rows: &[&str], options: &str) -> (Value, String) {
    let text = format!("{USERS}\n{}\n", rows.join("\n"));
    import(world, &format!("importUsers(input: {{source: {{text: $text}}{options}}})"), &text).await
}

async fn import_mappings(world: &World, rows: &[&str], options: &str) -> (Value, String) {
    let text = format!("email,external_id,alias_email,operation\n{}\n", rows.join("\n"));
    let field = format!("importMappings(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}{options}}})");
    import(world, &field, &text).await
}

async fn import_crm_users(world: &World, rows: &[&str], options: &str) -> (Value, String) {
    let text = format!("external_id,email,name,username,title,is_active\n{}\n", rows.join("\n"));
    let field = format!("importCrmUsers(input: {{integration: {{name: \"CRM\"}}, source: {{text: $text}}{options}}})");
    import(world, &field, &text).await
}

async fn import(world: &World, field: &str, text: &str) -> (Value, String) {
    let query =
        format!("mutation ($text: String!) {{ made: {field} {{ importJob {{ id }} userErrors {{ code message }} }} }}");
    let data = world.admin().graphql(&query, json!({ "text": text })).await.ok();
    assert_eq!(data["made"]["userErrors"], json!([]), "{data}");
    world.work().await;
    finished(world, &data["made"]["importJob"]["id"]).await
}

async fn finished(world: &World, id: &Value) -> (Value, String) {
    let query = "query ($id: ID!) { importJob(id: $id) { status totalRows processedRows created updated unchanged deleted \
                 skipped failed progress logUrl error { code message } } }";
    let mut job = world.admin().graphql(query, json!({ "id": id })).await.ok()["importJob"].take();
    let log = match job["logUrl"].as_str() {
        Some(url) => world.download(url).await,
        None => String::new(),
    };
    job.as_object_mut().unwrap().remove("logUrl");
    (job, log)
}

/// The counts of a job that are not zero, in one line.
fn counts(job: &Value) -> String {
    let names = ["created", "updated", "unchanged", "deleted", "skipped", "failed"];
    let counts = names.iter().filter(|name| job[**name] != json!(0)).map(|name| format!("{name} {}", job[*name]));
    format!("{}: {}", job["status"].as_str().unwrap(), counts.collect::<Vec<_>>().join(", "))
}

async fn users_are_imported_and_the_log_says_what_failed(world: World) {
    scene::team(&world, "Sales:Mid-West").await;
    let (job, log) = import_users(
        &world,
        &[
            "Jane@X.com,Jane,Doe,\"VP, Sales\",Sales:Mid-West,manager,full,,Sales,Foundation;Forecasting,Add",
            "bob@x.com,Bob,,,,,,,,,add",
            "jane@x.com,Jane,Again,,,,,,,,Add",
            "admin@acme.example,A,,,,,,,,,Add",
            "not an email,N,,,Nowhere,Boss,,,,Gold,Add",
            " lead@x.com,L,,,,,,,,,Add",
            "few@x.com,F,Add",
            "who@x.com,,,,,,,,,,Edit",
            "who@x.com,,,,,,,,,,Frobnicate",
            "skip@x.com,,,,,,,,,,",
            "",
        ],
        "",
    )
    .await;
    assert_text!(counts(&job), @"COMPLETED: created 2, skipped 2, failed 7");
    assert_text!(log, @r#"
        Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation,_line,_column,_code,_message
        jane@x.com,Jane,Again,,,,,,,,Add,4,Email Address,DUPLICATE_IN_FILE,Line 2 has the same email; a file can do one thing to a user. This row was left out.
        admin@acme.example,A,,,,,,,,,Add,5,Email Address,ALREADY_EXISTS,There already is a user with the email admin@acme.example.
        not an email,N,,,Nowhere,Boss,,,,Gold,Add,6,Role; Email Address; Team; Licenses,INVALID; INVALID_EMAIL; TEAM_NOT_FOUND; INVALID,"""Boss"" is not one of Admin, Manager, Member, Data.; ""not an email"" contains white space.; There is no team ""Nowhere"".; There is no licence ""Gold"". There are: Engagement Dashboard, Forecasting, Foundation, Unified Backstory Application Enterprise."
         lead@x.com,L,,,,,,,,,Add,7,Email Address,SURROUNDING_SPACES,Email Address has white space before or after its value; take it away.
        few@x.com,F,Add,,,,,,,,,8,,COLUMN_COUNT,"The row has 3 cells and the header 11. Put a cell that holds a comma in double quotes. The whole line: few@x.com,F,Add"
        who@x.com,,,,,,,,,,Edit,9,Email Address,USER_NOT_FOUND,There is no user with the email who@x.com.
        who@x.com,,,,,,,,,,Frobnicate,10,Operation; Email Address,INVALID_OPERATION; DUPLICATE_IN_FILE,"""Frobnicate"" is not an operation. Write Add, Edit, Suspend, Reactivate or Delete.; Line 9 has the same email; a file can do one thing to a user. This row was left out."
    "#);
    let found = world
        .admin()
        .graphql(
            r#"{ user(by: {email: "JANE@x.com"}) { email firstName lastName title role objectVisibility status
                 team { path } managerOf { path } licenses { name } configurationProfile { name } } }"#,
            json!({}),
        )
        .await
        .ok();
    assert_json!(found["user"], @r#"
        {
          "configurationProfile": {
            "name": "Default: Intake Off"
          },
          "email": "jane@x.com",
          "firstName": "Jane",
          "lastName": "Doe",
          "licenses": [
            {
              "name": "Forecasting"
            },
            {
              "name": "Foundation"
            }
          ],
          "managerOf": [
            {
              "path": "Sales"
            }
          ],
          "objectVisibility": "FULL",
          "role": "MANAGER",
          "status": "ACTIVE",
          "team": {
            "path": "Sales:Mid-West"
          },
          "title": "VP, Sales"
        }
    "#);
}

async fn an_export_goes_in_again_unchanged(world: World) {
    scene::team(&world, "Sales:A:B").await;
    import_users(
        &world,
        &[
            "a@x.com,'=A,\"Quo\"\"te\",\"Multi, comma\",Sales:A:B,Member,Team,,Sales:A;Sales,Foundation,Add",
            "b@x.com,Zoë,,,,Data,Full,,,,Add",
            "c@x.com,C,,,,,,,,,Add",
            "c@x.com,,,,,,,,,,Suspend",
        ],
        "",
    )
    .await;
    let data =
        world.admin().graphql("mutation { exportUsers(input: {}) { url userErrors { code } } }", json!({})).await.ok();
    let export = world.download(data["exportUsers"]["url"].as_str().unwrap()).await;
    let mut lines = export.lines();
    assert_eq!(
        lines.next().unwrap(),
        format!("{},Status,Suspended At,Operation", USERS.trim_end_matches(",Operation"))
    );
    // As it is, it is refused: the source says so of these two columns.
    let refused = world
        .admin()
        .graphql(
            "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { importJob { id } userErrors { code message } } }",
            json!({ "text": export }),
        )
        .await
        .ok();
    assert_eq!(refused["importUsers"]["userErrors"][0]["code"], "STATUS_COLUMNS_NOT_ACCEPTED", "{refused}");
    // Without them, and every row saying Edit, nothing changes.
    let rows: Vec<String> = lines
        .map(|line| {
            let cut = line.rsplitn(4, ',').last().unwrap();
            format!("{cut},Edit")
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (job, log) = import_users(&world, &rows, "").await;
    assert_eq!(counts(&job), "COMPLETED: unchanged 4", "{log}");
}

async fn edits_leave_clear_and_set(world: World) {
    import_users(&world, &["a@x.com,Ann,Lee,SDR,,Member,Team,,,Foundation,Add"], "").await;
    let (job, _) =
        import_users(&world, &["A@x.com,,#N/A,AE,New:Team,,,,New,#N/A,Edit"], ", createMissingTeams: true").await;
    assert_text!(counts(&job), @"COMPLETED: updated 1");
    let rows = world
        .admin()
        .graphql(
            "{ importJobs(first: 1) { nodes { rows { nodes { line outcome changes { field before after } } } } } }",
            json!({}),
        )
        .await
        .ok();
    assert_json!(rows["importJobs"]["nodes"][0]["rows"]["nodes"], @r#"
        [
          {
            "changes": [
              {
                "after": null,
                "before": "Lee",
                "field": "lastName"
              },
              {
                "after": "AE",
                "before": "SDR",
                "field": "title"
              },
              {
                "after": "New:Team",
                "before": null,
                "field": "team"
              },
              {
                "after": "New",
                "before": null,
                "field": "managerOf"
              },
              {
                "after": null,
                "before": "Foundation",
                "field": "licenses"
              }
            ],
            "line": 2,
            "outcome": "UPDATED"
          }
        ]
    "#);
}

/// Three users `a`, `b`, `c` and CRM users 1 to 4; `a` to `c` are mapped to 1 to 3 by email.
async fn mapped(world: &World) {
    scene::integration(world, "CRM", "OTHER").await;
    scene::push(world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com"), ("3", "c@x.com"), ("4", "free@y.com")]).await;
    import_users(world, &["a@x.com,A,,,,,,,,,Add", "b@x.com,B,,,,,,,,,Add", "c@x.com,C,,,,,,,,,Add"], "").await;
}

async fn now_mapped(world: &World) -> String {
    let data = world
        .admin()
        .graphql("{ mappings { nodes { source user { email } crmUser { externalId } } } }", json!({}))
        .await
        .ok();
    let mut lines: Vec<String> = data["mappings"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            format!("{} {} {}", text(&m["user"]["email"]), text(&m["crmUser"]["externalId"]), text(&m["source"]))
        })
        .collect();
    lines.sort_unstable();
    lines.join("\n")
}

async fn mappings_swap_across_the_file(world: World) {
    mapped(&world).await;
    let (job, log) =
        import_mappings(&world, &["a@x.com,2,,replace", "b@x.com,3,old@y.com,replace", "c@x.com,1,,replace"], "").await;
    assert_eq!(counts(&job), "COMPLETED: updated 3", "{log}");
    let now = now_mapped(&world).await;
    assert_text!(now, @r"
        a@x.com 2 MANUAL
        b@x.com 3 MANUAL
        c@x.com 1 MANUAL
    ");
    // The default refuses whoever has a mapping.
    let (job, log) = import_mappings(&world, &["a@x.com,4,,add", "b@x.com,,,remove", "b@x.com,4,,add"], "").await;
    assert_text!(counts(&job), @"COMPLETED: deleted 1, failed 2");
    assert_text!(log, @r#"
        email,external_id,alias_email,operation,_line,_column,_code,_message
        a@x.com,4,,add,2,email,MAPPING_EXISTS,"a@x.com already has a manual mapping, to 2. Use `replace`, or let the call replace it."
        b@x.com,4,,add,4,email,DUPLICATE_IN_FILE,Line 3 has the same email; a file can map a user once. This row was left out.
    "#);
}

async fn a_row_that_counts_on_a_row_that_fails_fails_too(world: World) {
    mapped(&world).await;
    let (job, log) = import_mappings(
        &world,
        &[
            "a@x.com,2,,replace",
            "b@x.com,nobody@y.com,,replace",
            "c@x.com,4,,replace",
            "who@x.com,4,,add",
            "admin@acme.example,3,not an email,add",
        ],
        "",
    )
    .await;
    assert_text!(counts(&job), @"COMPLETED: updated 1, failed 4");
    assert_text!(log, @r#"
        email,external_id,alias_email,operation,_line,_column,_code,_message
        a@x.com,2,,replace,2,external_id,CRM_USER_TAKEN,"2 is mapped to b@x.com. Remove or move that mapping, in this call or before it."
        b@x.com,nobody@y.com,,replace,3,external_id,CRM_USER_NOT_FOUND,"""CRM"" has no CRM user with the email nobody@y.com."
        who@x.com,4,,add,5,email,USER_NOT_FOUND,There is no user with the email who@x.com.
        admin@acme.example,3,not an email,add,6,alias_email,INVALID_EMAIL,"""not an email"" contains white space."
    "#);
    let now = now_mapped(&world).await;
    assert_text!(now, @r"
        a@x.com 1 AUTOMATIC
        b@x.com 2 AUTOMATIC
        c@x.com 4 MANUAL
    ");
}

async fn crm_users_are_upserted_and_linked(world: World) {
    scene::integration(&world, "CRM", "SALESFORCE").await;
    import_users(&world, &["jane@x.com,Jane,Doe,,,,,,,,Add", "bob@x.com,Bob,Ray,,,,,,,,Add"], "").await;
    let (job, log) = import_crm_users(
        &world,
        &[
            "0050Y000000fL1W,Jane@X.com,Jane Doe,jane,AE,",
            "0050Y000000fL1WQAU,jane@x.com,Twice,,,yes",
            "00G0Y000000fL1W,queue@x.com,A queue,,,1",
            "0050Y000000fL1X,bob@x.com,Bob Ray,bob,AE,no",
            "0050Y000000fL1Y,z@x.com,Zed,,,maybe",
        ],
        "",
    )
    .await;
    assert_text!(counts(&job), @"COMPLETED: created 2, failed 3");
    assert_text!(log, @r#"
        external_id,email,name,username,title,is_active,_line,_column,_code,_message
        0050Y000000fL1WQAU,jane@x.com,Twice,,,yes,3,external_id,DUPLICATE_IN_FILE,Line 2 has the same id. This row was left out.
        00G0Y000000fL1W,queue@x.com,A queue,,,1,4,external_id,INVALID_EXTERNAL_ID,"A Salesforce user's id starts with 005; this one starts with 00G, as a queue's or group's does."
        0050Y000000fL1Y,z@x.com,Zed,,,maybe,6,is_active,INVALID,"""maybe"" is not one of true, false, 1, 0, yes and no."
    "#);
    let data = world
        .admin()
        .graphql(
            r#"{ users { nodes { email link(integration: {name: "CRM"}) { state explanation } } }
                 integration(by: {name: "CRM"}) { coverage { users mapped byState { state users } } lastSync { status trigger received linked } } }"#,
            json!({}),
        )
        .await
        .ok();
    assert_json!(data, @r#"
        {
          "integration": {
            "coverage": {
              "byState": [
                {
                  "state": "MAPPED",
                  "users": 1
                },
                {
                  "state": "MATCH_AVAILABLE",
                  "users": 0
                },
                {
                  "state": "NO_MATCH",
                  "users": 1
                },
                {
                  "state": "AMBIGUOUS",
                  "users": 0
                },
                {
                  "state": "MATCH_INACTIVE",
                  "users": 1
                },
                {
                  "state": "MATCH_TAKEN",
                  "users": 0
                }
              ],
              "mapped": 1,
              "users": 3
            },
            "lastSync": {
              "linked": 1,
              "received": 2,
              "status": "COMPLETED",
              "trigger": "IMPORT"
            }
          },
          "users": {
            "nodes": [
              {
                "email": "admin@acme.example",
                "link": {
                  "explanation": "No CRM user of CRM carries admin@acme.example.",
                  "state": "NO_MATCH"
                }
              },
              {
                "email": "bob@x.com",
                "link": {
                  "explanation": "The one CRM user that carries bob@x.com, 0050Y000000fL1XQAU, is inactive.",
                  "state": "MATCH_INACTIVE"
                }
              },
              {
                "email": "jane@x.com",
                "link": {
                  "explanation": "Linking mapped jane@x.com to the CRM user 0050Y000000fL1WQAU on 2026-03-02.",
                  "state": "MAPPED"
                }
              }
            ]
          }
        }
    "#);
    let (job, _) = import_crm_users(
        &world,
        &["0050Y000000fL1W,Jane@X.com,Jane Doe-Smith,jane,AE,", "0050Y000000fL1X,bob@x.com,Bob Ray,bob,AE,no"],
        "",
    )
    .await;
    assert_text!(counts(&job), @"COMPLETED: updated 1, unchanged 1");
}

async fn a_complete_list_that_forgets_a_company_is_stopped(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let users: Vec<String> = (0..20).map(|n| format!("u{n}@x.com,U,{n},,,,,,,,Add")).collect();
    import_users(&world, &users.iter().map(String::as_str).collect::<Vec<_>>(), "").await;
    let crm: Vec<String> = (0..20).map(|n| format!("{n},u{n}@x.com,U {n},,,")).collect();
    let crm: Vec<&str> = crm.iter().map(String::as_str).collect();
    let (job, _) = import_crm_users(&world, &crm, ", isComplete: true").await;
    assert_text!(counts(&job), @"COMPLETED: created 20");
    let (job, _) = import_crm_users(&world, &crm[..9], ", isComplete: true").await;
    assert_json!(job, @r#"
        {
          "created": 0,
          "deleted": 0,
          "error": {
            "code": "MASS_CHANGE_LIMIT",
            "message": "This would make the CRM users of 11 of 20 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the limit of \"CRM\" and send it again."
          },
          "failed": 0,
          "processedRows": 0,
          "progress": 0.0,
          "skipped": 0,
          "status": "FAILED",
          "totalRows": 9,
          "unchanged": 0,
          "updated": 0
        }
    "#);
    let count = world.admin().graphql(r#"{ integration(by: {name: "CRM"}) { crmUsers(filter: {isActive: true}) { totalCount } lastSync { status } } }"#, json!({})).await.ok();
    assert_eq!(count["integration"], json!({ "crmUsers": { "totalCount": 20 }, "lastSync": { "status": "HALTED" } }));
    // Up to ten may always go.
    let (job, _) = import_crm_users(&world, &crm[..10], ", isComplete: true").await;
    assert_eq!(job["status"], "COMPLETED");
}

async fn a_file_that_is_no_csv_is_refused_before_there_is_an_import(world: World) {
    let utf16: Vec<u8> = format!("{USERS}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("an .xlsx", b"PK\x03\x04\x14\x00\x06\x00rest of a zip".to_vec()),
        ("UTF-16", [vec![0xff, 0xfe], utf16].concat()),
        ("a NUL", format!("{USERS}\na@x.com,\0,,,,,,,,,Add\n").into_bytes()),
        ("Windows-1252", [USERS.as_bytes(), b"\na@x.com,Zo\xeb,,,,,,,,,Add\n"].concat()),
        ("an open quote", format!("{USERS}\na@x.com,\"A,,,,,,,,,Add\n").into_bytes()),
        ("a header only", format!("{USERS}\n").into_bytes()),
        ("nothing", Vec::new()),
        ("a misspelled header", USERS.replace("Title", "Titel").into_bytes()),
        ("too much", vec![b'a'; 1024 * 1024 + 1]),
    ];
    let query = "mutation ($file: Upload!) { importUsers(input: {source: {file: $file}}) { importJob { id } userErrors { code field message } } }";
    let mut said = String::new();
    for (what, content) in files {
        let data = world.admin().upload(query, json!({ "file": null }), "variables.file", "f.csv", &content).await.ok();
        assert_eq!(data["importUsers"]["importJob"], Value::Null, "{what}");
        for error in data["importUsers"]["userErrors"].as_array().unwrap() {
            said += &format!("{what}: {} {} {}\n", error["code"], error["field"], error["message"]);
        }
    }
    assert_text!(said, @r#"
        an .xlsx: "NOT_CSV" ["source"] "The file is not CSV: it is a zip file, as Excel workbooks (.xlsx) are. In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets File > Download > Comma-separated values (.csv), and upload that file."
        UTF-16: "NOT_UTF8" ["source"] "The file is not UTF-8: it looks like UTF-16, Excel's \"Unicode Text\"; the first bad line is line 1. In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets File > Download > Comma-separated values (.csv), and upload that file."
        a NUL: "NOT_CSV" ["source"] "The file is not CSV: line 2 holds a NUL byte, so it is binary or damaged. In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets File > Download > Comma-separated values (.csv), and upload that file."
        Windows-1252: "NOT_UTF8" ["source"] "The file is not UTF-8: it looks like Windows-1252 (also called ANSI), Excel's plain \"CSV\"; the first bad line is line 2. In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets File > Download > Comma-separated values (.csv), and upload that file."
        an open quote: "NOT_CSV" ["source"] "The file is not CSV: a quote opens on line 2 and never closes. Close it, or write \"\" for a quote inside a cell. In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets File > Download > Comma-separated values (.csv), and upload that file."
        a header only: "EMPTY_FILE" ["source"] "The file has a header row and no row below it."
        nothing: "EMPTY_FILE" ["source"] "The file is empty: it has not even a header row."
        a misspelled header: "HEADER_MISMATCH" ["source"] "The header row does not fit. Missing: \"Title\". Unknown: \"Titel\" (column 4), nearest to \"Title\". The header must be: Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Status,Suspended At,Operation (\"Status\" and \"Suspended At\" may be left out)."
        too much: "TOO_LARGE" ["source"] "The file is larger than 1048576 bytes, the most that this server takes. Split it and upload the parts one after the other, each with the header row."
    "#);
    let jobs = world.admin().graphql("{ importJobs { totalCount } }", json!({})).await.ok();
    assert_eq!(jobs["importJobs"]["totalCount"], 0);
}

async fn an_import_goes_on_where_a_worker_stopped(world: World) {
    // Two and a half chunks; a duplicate of the first row comes last.
    let mut rows: Vec<String> = (0..CHUNK_ROWS * 5 / 2).map(|n| format!("u{n}@x.com,U,{n},,,,,,,,Add")).collect();
    rows.push("u0@x.com,U,0,,,,,,,,Add".into());
    let text = format!("{USERS}\n{}\n", rows.join("\n"));
    let query = "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { importJob { id } } }";
    let data = world.admin().graphql(query, json!({ "text": text })).await.ok();
    let id = &data["importUsers"]["importJob"]["id"];
    // A worker stops after its first chunk, and never comes back.
    world.work_one_chunk_and_die().await;
    let (job, _) = finished(&world, id).await;
    assert_eq!((&job["status"], &job["created"]), (&json!("RUNNING"), &json!(CHUNK_ROWS)));
    world.work().await;
    assert_eq!(finished(&world, id).await.0["status"], "RUNNING", "the lease holds");
    world.services.clock.advance(chrono::Duration::minutes(2));
    world.work().await;
    let (job, log) = finished(&world, id).await;
    assert_text!(counts(&job), @"COMPLETED: created 5000, failed 1");
    assert!(log.contains("Line 2 has the same email"), "{log}");
}

async fn the_last_administrator_stays(world: World) {
    // In the order of the file: the second administrator comes too late for the first row.
    let rows = ["admin@acme.example,,,,,Member,,,,,Edit", "second@x.com,S,,,,Admin,Full,,,,Add"];
    let (job, log) = import_users(&world, &rows, "").await;
    assert_text!(counts(&job), @"COMPLETED: created 1, failed 1");
    assert_text!(log, @r"
        Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation,_line,_column,_code,_message
        admin@acme.example,,,,,Member,,,,,Edit,2,Role,LAST_ADMIN,admin@acme.example is the last active administrator. Make another user an administrator first.
    ");
    let (job, _) = import_users(&world, &["second@x.com,,,,,,,,,,Delete"], "").await;
    assert_text!(counts(&job), @"COMPLETED: deleted 1");
    let (job, log) = import_users(&world, &["admin@acme.example,,,,,,,,,,Suspend"], "").await;
    assert_text!(counts(&job), @"COMPLETED: failed 1");
    assert!(log.contains("LAST_ADMIN"), "{log}");
}

async fn a_log_can_be_mended_and_uploaded_as_it_is(world: World) {
    let (_, log) = import_users(&world, &["a@x,A,,,,,,,,,Add", "b@x.com,B,,,,Boss,,,,,Add"], "").await;
    let mended = log.replace("a@x,", "a@x.com,").replace("Boss", "Admin");
    let (job, log) = import(&world, "importUsers(input: {source: {text: $text}})", &mended).await;
    assert_eq!(counts(&job), "COMPLETED: created 2", "{log}");
}

async fn cells_that_a_spreadsheet_would_run_make_the_round_trip(world: World) {
    let (_, log) = import_users(&world, &["=cmd,'=A,\"-1\n+2\",'@x,,,,,,,Add"], "").await;
    assert_text!(log, @r#"
        Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation,_line,_column,_code,_message
        '=cmd,'=A,"'-1
        +2",'@x,,,,,,,Add,2,Email Address; Last Name,INVALID_EMAIL; INVALID,"""=cmd"" is not an email address: it has no @.; ""-1\n+2"" holds a control character, such as a tab or a line break."
    "#);
}

async fn chunks_take_a_handful_of_statements(world: World) {
    mapped(&world).await;
    let users: Vec<String> = (0..1_000).map(|n| format!("u{n}@x.com,U,{n},,,,,,,Foundation,Add")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let crm: Vec<String> = (0..1_000).map(|n| format!("9{n},v{n}@y.com,V {n},,,")).collect();
    let crm: Vec<&str> = crm.iter().map(String::as_str).collect();
    let mappings: Vec<String> = (0..1_000).map(|n| format!("u{n}@x.com,9{n},,add")).collect();
    let mappings: Vec<&str> = mappings.iter().map(String::as_str).collect();
    let (_, statements) = counterpart::service::scope::counting(import_users(&world, &users, "")).await;
    assert!(statements <= 60, "users: {statements}");
    let (_, statements) = counterpart::service::scope::counting(import_crm_users(&world, &crm, "")).await;
    assert!(statements <= 60, "CRM users: {statements}");
    let ((job, log), statements) = counterpart::service::scope::counting(import_mappings(&world, &mappings, "")).await;
    assert_eq!(counts(&job), "COMPLETED: created 1000", "{log}");
    assert!(statements <= 60, "mappings: {statements}");
}

async fn uploads_are_taken_too(world: World) {
    mapped(&world).await;
    let query = "mutation ($file: Upload!) { importMappings(input: {integration: {name: \"CRM\"}, source: {file: $file}}) { importJob { id fileName } userErrors { code } } }";
    let file = "\u{feff}email,external_id,alias_email,operation\r\nadmin@acme.example,4,,add\r\n";
    let data =
        world.admin().upload(query, json!({ "file": null }), "variables.file", "m.csv", file.as_bytes()).await.ok();
    assert_eq!(data["importMappings"]["importJob"]["fileName"], "m.csv");
    world.work().await;
    let (job, log) = finished(&world, &data["importMappings"]["importJob"]["id"]).await;
    assert_eq!(counts(&job), "COMPLETED: created 1", "{log}");
}
