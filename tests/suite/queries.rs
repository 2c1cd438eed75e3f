//! What is read: every query, filter, order and page of the contract, and what it costs.

use std::fmt::Write;

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{
    World, scene,
    show::{each, lines, short},
    socket::Client,
};

both!(
    users_are_found_by_every_filter,
    users_are_paged_in_every_order,
    teams_are_found,
    a_team_knows_its_place,
    every_object_has_an_id,
    mappings_are_found_by_every_filter,
    mappings_of_another_moment_are_found,
    a_users_history_is_paged,
    crm_users_are_found_by_every_filter,
    every_state_is_explained_and_counted,
    candidates_come_best_first,
    imports_and_receipts_are_listed,
    an_import_is_followed_to_its_end,
    a_receipt_is_followed,
    a_tree_costs_the_same_whatever_its_size,
    a_page_of_users_costs_the_same_whatever_its_size,
    links_and_candidates_of_a_page_cost_the_same,
);

/// People in teams, some of them mapped.
async fn company(world: &World) {
    for path in ["Sales:East", "Sales:West:Coast", r"R\:D", "Sales Operations"] {
        scene::team(world, path).await;
    }
    let users = [
        (
            "ann@x.com",
            json!({ "firstName": "Ann", "lastName": "Lee", "title": "VP, Sales", "team": { "path": "Sales" } }),
        ),
        (
            "bob@x.com",
            json!({ "firstName": "bob", "lastName": "Ray", "team": { "path": "Sales:East" }, "role": "MANAGER" }),
        ),
        ("carl@x.com", json!({ "firstName": "Carl", "lastName": "Lee", "team": { "path": "Sales:West:Coast" } })),
        (
            "zoe@y.org",
            json!({ "firstName": "Zoë", "lastName": "Ångström", "team": { "path": r"R\:D" }, "role": "DATA" }),
        ),
        ("nameless@y.org", json!({ "managerOf": [{ "path": "Sales:West" }, { "path": "Sales" }] })),
        (
            "away@x.com",
            json!({ "firstName": "Ann", "lastName": "Lee", "title": "SDR", "team": { "path": "Sales:East" } }),
        ),
    ];
    for (email, attributes) in users {
        scene::user(world, email, attributes).await;
        world.services.clock.advance(Duration::seconds(1));
    }
    world.change(r#"suspendUser(input: {user: {email: "away@x.com"}}) { user { id } }"#).await;
    scene::integration(world, "CRM", "OTHER").await;
    let crm_users = [
        json!({ "externalId": "1", "email": "ann@x.com", "name": "Ann Lee" }),
        json!({ "externalId": "2", "email": "bob@x.com", "name": "Robert Ray" }),
        json!({ "externalId": "3", "email": "bob@x.com" }),
        json!({ "externalId": "4", "email": "carl@x.com", "isActive": false }),
        json!({ "externalId": "5", "email": "zoe@y.org", "name": "Somebody Else" }),
    ];
    scene::push_all(world, "CRM", crm_users.into()).await;
}

async fn users_are_found_by_every_filter(world: World) {
    company(&world).await;
    let mut text = String::new();
    for filter in [
        "",
        r#"search: """#,
        r#"search: "ann""#,
        r#"search: "lee an""#,
        r#"search: "nn""#,
        r#"search: "x.com""#,
        r#"search: "ZOE angstrom""#,
        r#"search: "vp""#,
        r#"search: "%""#,
        "status: [SUSPENDED]",
        "status: [ACTIVE, SUSPENDED]",
        "status: [DELETED]",
        "status: []",
        "role: [ADMIN, MANAGER]",
        "role: [DATA]",
        r#"team: {path: "Sales"}"#,
        r#"team: {path: "Sales"}, includeSubteams: false"#,
        r#"team: {path: "Sales:West"}"#,
        r#"team: {path: "R\\:D"}"#,
        r#"link: {integration: {name: "CRM"}, state: [MAPPED]}"#,
        r#"link: {integration: {name: "CRM"}, state: [AMBIGUOUS, MATCH_INACTIVE]}"#,
        r#"link: {integration: {name: "CRM"}, state: []}"#,
        r#"search: "lee", status: [ACTIVE], team: {path: "Sales"}, link: {integration: {name: "CRM"}, state: [MAPPED, NO_MATCH]}"#,
    ] {
        let found = world.read(&format!("{{ users(filter: {{{filter}}}) {{ totalCount nodes {{ email }} }} }}")).await;
        let emails = each(&found["users"]["nodes"], "/email");
        assert_eq!(found["users"]["totalCount"], json!(emails.split_whitespace().count()), "{filter}");
        writeln!(text, "{filter} -> [{emails}]").unwrap();
    }
    assert_snapshot!(text, @r#"
     -> [admin@acme.example ann@x.com away@x.com bob@x.com carl@x.com nameless@y.org zoe@y.org]
    search: "" -> [admin@acme.example ann@x.com away@x.com bob@x.com carl@x.com nameless@y.org zoe@y.org]
    search: "ann" -> [ann@x.com away@x.com]
    search: "lee an" -> [ann@x.com away@x.com]
    search: "nn" -> []
    search: "x.com" -> [ann@x.com away@x.com bob@x.com carl@x.com]
    search: "ZOE angstrom" -> [zoe@y.org]
    search: "vp" -> [ann@x.com]
    search: "%" -> [admin@acme.example ann@x.com away@x.com bob@x.com carl@x.com nameless@y.org zoe@y.org]
    status: [SUSPENDED] -> [away@x.com]
    status: [ACTIVE, SUSPENDED] -> [admin@acme.example ann@x.com away@x.com bob@x.com carl@x.com nameless@y.org zoe@y.org]
    status: [DELETED] -> []
    status: [] -> []
    role: [ADMIN, MANAGER] -> [admin@acme.example bob@x.com]
    role: [DATA] -> [zoe@y.org]
    team: {path: "Sales"} -> [ann@x.com away@x.com bob@x.com carl@x.com]
    team: {path: "Sales"}, includeSubteams: false -> [ann@x.com]
    team: {path: "Sales:West"} -> [carl@x.com]
    team: {path: "R\\:D"} -> [zoe@y.org]
    link: {integration: {name: "CRM"}, state: [MAPPED]} -> [ann@x.com zoe@y.org]
    link: {integration: {name: "CRM"}, state: [AMBIGUOUS, MATCH_INACTIVE]} -> [bob@x.com carl@x.com]
    link: {integration: {name: "CRM"}, state: []} -> []
    search: "lee", status: [ACTIVE], team: {path: "Sales"}, link: {integration: {name: "CRM"}, state: [MAPPED, NO_MATCH]} -> [ann@x.com]
    "#);
}

/// Reads a list of users, teams or mappings in pages of `size`, from the start or from the end, `what` of each node.
async fn paged(world: &World, list: &str, arguments: &str, what: &str, size: usize, backward: bool) -> Vec<String> {
    let (count, cursor, more, end) = if backward {
        ("last", "before", "hasPreviousPage", "startCursor")
    } else {
        ("first", "after", "hasNextPage", "endCursor")
    };
    let mut all = Vec::new();
    let mut at = Value::Null;
    loop {
        let query = format!(
            "query ($at: String) {{ {list}({count}: {size}, {cursor}: $at{arguments}) {{
                 totalCount edges {{ cursor node {{ {what} }} }}
                 pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let page = world.admin().graphql(&query, json!({ "at": at })).await.ok()[list].take();
        let edges = page["edges"].as_array().unwrap();
        assert!(edges.len() <= size);
        let info = &page["pageInfo"];
        assert_eq!(
            (&info["startCursor"], &info["endCursor"]),
            (
                edges.first().map_or(&Value::Null, |edge| &edge["cursor"]),
                edges.last().map_or(&Value::Null, |edge| &edge["cursor"]),
            )
        );
        // Behind the page there are the pages that have been read.
        let behind = if backward { "hasNextPage" } else { "hasPreviousPage" };
        assert_eq!(info[behind], json!(!at.is_null()));
        let rows: Vec<String> = edges.iter().map(|edge| short(&edge["node"])).collect();
        if backward {
            all.splice(0..0, rows);
        } else {
            all.extend(rows);
        }
        if info[more] == false {
            assert_eq!(page["totalCount"], json!(all.len()));
            return all;
        }
        at = info[end].clone();
    }
}

async fn users_are_paged_in_every_order(world: World) {
    company(&world).await;
    // The same name twice, and a whole batch of the same moment.
    scene::users(&world, &["d1@x.com,Ann,Lee,,,,,,,,Add".into(), "d2@x.com,Ann,Lee,,,,,,,,Add".into()]).await;
    let mut text = String::new();
    for field in ["EMAIL", "NAME", "CREATED_AT", "UPDATED_AT"] {
        let mut up = Vec::new();
        for direction in ["ASC", "DESC"] {
            let arguments = format!(", orderBy: {{field: {field}, direction: {direction}}}");
            let whole = paged(&world, "users", &arguments, "email", 200, false).await;
            for size in [1, 4] {
                for backward in [false, true] {
                    assert_eq!(paged(&world, "users", &arguments, "email", size, backward).await, whole, "{arguments}");
                }
            }
            if direction == "ASC" {
                up = whole;
                writeln!(text, "{field}: {}", up.join(" ").replace("{email: ", "").replace('}', "")).unwrap();
            } else {
                assert!(whole.iter().rev().eq(&up), "{field}");
            }
        }
    }
    assert_snapshot!(text, @r"
    EMAIL: admin@acme.example ann@x.com away@x.com bob@x.com carl@x.com d1@x.com d2@x.com nameless@y.org zoe@y.org
    NAME: admin@acme.example ann@x.com away@x.com d1@x.com d2@x.com bob@x.com carl@x.com nameless@y.org zoe@y.org
    CREATED_AT: admin@acme.example ann@x.com bob@x.com carl@x.com zoe@y.org nameless@y.org away@x.com d1@x.com d2@x.com
    UPDATED_AT: admin@acme.example ann@x.com bob@x.com carl@x.com zoe@y.org nameless@y.org away@x.com d1@x.com d2@x.com
    ");
}

async fn teams_are_found(world: World) {
    company(&world).await;
    let mut text = String::new();
    for filter in [
        "",
        "rootsOnly: true",
        r#"search: "sa""#,
        r#"search: "oper sales""#,
        r#"search: "west", rootsOnly: true"#,
        r#"search: "d""#,
    ] {
        let found = world.read(&format!("{{ teams(filter: {{{filter}}}) {{ totalCount nodes {{ path }} }} }}")).await;
        let count = found["teams"]["nodes"].as_array().unwrap().len();
        assert_eq!(found["teams"]["totalCount"], json!(count), "{filter}");
        writeln!(text, "{filter} -> {}", short(&found["teams"]["nodes"])).unwrap();
    }
    assert_snapshot!(text, @r#"
     -> [{path: Sales:West:Coast}, {path: Sales:East}, {path: R\:D}, {path: Sales}, {path: Sales Operations}, {path: Sales:West}]
    rootsOnly: true -> [{path: R\:D}, {path: Sales}, {path: Sales Operations}]
    search: "sa" -> [{path: Sales}, {path: Sales Operations}]
    search: "oper sales" -> [{path: Sales Operations}]
    search: "west", rootsOnly: true -> []
    search: "d" -> [{path: R\:D}]
    "#);

    let whole = paged(&world, "teams", "", "path", 200, false).await;
    for backward in [false, true] {
        assert_eq!(paged(&world, "teams", "", "path", 2, backward).await, whole);
    }

    let id = scene::team(&world, "Sales:West").await;
    for (by, path) in [
        (json!({ "path": "Sales:West" }), json!("Sales:West")),
        (json!({ "id": id }), json!("Sales:West")),
        (json!({ "path": r"R\:D" }), json!(r"R\:D")),
        (json!({ "path": "R:D" }), Value::Null),
        (json!({ "path": "West" }), Value::Null),
        (json!({ "path": "sales" }), Value::Null),
        (json!({ "path": "Sales:" }), Value::Null),
        (json!({ "path": r"Sales\West" }), Value::Null),
        (json!({ "path": "" }), Value::Null),
        (json!({ "id": "nonsense" }), Value::Null),
    ] {
        let query = "query ($by: TeamRef!) { team(by: $by) { path } }";
        let found = world.admin().graphql(query, json!({ "by": by })).await.ok();
        assert_eq!(found["team"]["path"], path, "{by}");
    }
}

async fn a_team_knows_its_place(world: World) {
    company(&world).await;
    let found = world
        .read(
            r#"{ teams { nodes { path name parent { path } ancestors { path } children { nodes { name } }
                 members { nodes { email } } all: members(includeSubteams: true) { totalCount nodes { email } }
                 managers { nodes { email } } } } }"#,
        )
        .await;
    let mut text = String::new();
    for team in found["teams"]["nodes"].as_array().unwrap() {
        writeln!(text, "{}", short(&team["path"])).unwrap();
        writeln!(text, "    below {}, above it {}", short(&team["parent"]), short(&team["ancestors"])).unwrap();
        writeln!(text, "    children [{}]", each(&team["children"]["nodes"], "/name")).unwrap();
        let [members, all] = ["members", "all"].map(|list| each(&team[list]["nodes"], "/email"));
        writeln!(text, "    members [{members}], with those below [{all}]").unwrap();
        writeln!(text, "    managers [{}]", each(&team["managers"]["nodes"], "/email")).unwrap();
    }
    assert_snapshot!(text, @r"
    Sales:West:Coast
        below {path: Sales:West}, above it [{path: Sales:West}, {path: Sales}]
        children []
        members [carl@x.com], with those below [carl@x.com]
        managers []
    Sales:East
        below {path: Sales}, above it [{path: Sales}]
        children []
        members [away@x.com bob@x.com], with those below [away@x.com bob@x.com]
        managers []
    R\:D
        below null, above it []
        children []
        members [zoe@y.org], with those below [zoe@y.org]
        managers []
    Sales
        below null, above it []
        children [East West]
        members [ann@x.com], with those below [ann@x.com away@x.com bob@x.com carl@x.com]
        managers [nameless@y.org]
    Sales Operations
        below null, above it []
        children []
        members [], with those below []
        managers []
    Sales:West
        below {path: Sales}, above it [{path: Sales}]
        children [Coast]
        members [], with those below [carl@x.com]
        managers [nameless@y.org]
    ");
}

async fn every_object_has_an_id(world: World) {
    company(&world).await;
    world.change(r#"createApiToken(input: {name: "T"}) { apiToken { id } }"#).await;
    scene::users(&world, &["d@x.com,D,,,,,,,,,Add".into()]).await;
    let found = world
        .read(
            r#"{ organization { id licenses { id } configurationProfiles { id } } viewer { id apiTokens { id } }
                 team(by: {path: "Sales"}) { id } mappings(first: 1) { nodes { id crmUser { id } } }
                 integration(by: {name: "CRM"}) { id lastSync { id } } importJobs { nodes { id } } }"#,
        )
        .await;
    let mut ids = Vec::new();
    collect(&found, &mut ids);
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let nodes = world.admin().graphql(query, json!({ "ids": ids })).await.ok()["nodes"].take();
    let same: Vec<&Value> = nodes.as_array().unwrap().iter().map(|node| &node["id"]).collect();
    assert_eq!(same, ids.iter().collect::<Vec<_>>());
    let mut kinds: Vec<&str> =
        nodes.as_array().unwrap().iter().map(|node| node["__typename"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_snapshot!(kinds.join(" "), @"ApiToken ConfigurationProfile CrmUser ImportJob Integration License Mapping Organization SyncRun Team User");
    for id in &ids {
        let node = world.admin().graphql("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await.ok();
        assert_eq!(node["node"]["id"], *id);
    }

    // What is deleted is there no more, and neither is what never was; the others keep their places.
    let gone = scene::user(&world, "gone@x.com", json!({})).await;
    world.change(r#"deleteUser(input: {user: {email: "gone@x.com"}}) { deletedId }"#).await;
    let answer = world.admin().graphql(query, json!({ "ids": [gone, "nonsense", ids[0], "", ids[0]] })).await.ok();
    let found: Vec<bool> = answer["nodes"].as_array().unwrap().iter().map(|node| !node.is_null()).collect();
    assert_eq!(found, [false, false, true, false, true]);
}

/// Every `id` in the answer.
fn collect(found: &Value, ids: &mut Vec<Value>) {
    match found {
        Value::Object(fields) => {
            ids.extend(fields.get("id").cloned());
            fields.values().for_each(|field| collect(field, ids));
        }
        Value::Array(list) => list.iter().for_each(|entry| collect(entry, ids)),
        _ => {}
    }
}

async fn mappings_are_found_by_every_filter(world: World) {
    company(&world).await;
    scene::integration(&world, "Other CRM", "OTHER").await;
    scene::push(&world, "Other CRM", &[("77", "carl@x.com"), ("78", "")]).await;
    scene::map(&world, "away@x.com", "Other CRM", "78").await;
    let mut text = String::new();
    for filter in [
        "",
        r#"integration: {name: "CRM"}"#,
        r#"integration: {name: "Other CRM"}, source: [AUTOMATIC]"#,
        "source: [MANUAL]",
        "source: []",
        r#"search: "ann""#,
        r#"search: "77""#,
        r#"search: "somebody y.org""#,
        r#"search: "lee 1""#,
        r#"search: "1", integration: {name: "Other CRM"}"#,
        "warning: [NAME_MISMATCH]",
        "warning: [USER_SUSPENDED, NAME_MISMATCH]",
        "warning: []",
    ] {
        let found = world
            .read(&format!(
                "{{ mappings(filter: {{{filter}}}) {{ totalCount nodes {{ user {{ email }} crmUser {{ externalId }} }} }} }}"
            ))
            .await;
        let users = each(&found["mappings"]["nodes"], "/user/email");
        assert_eq!(found["mappings"]["totalCount"], json!(users.split_whitespace().count()), "{filter}");
        writeln!(text, "{filter} -> [{users}]").unwrap();
    }
    assert_snapshot!(text, @r#"
     -> [ann@x.com zoe@y.org carl@x.com away@x.com]
    integration: {name: "CRM"} -> [ann@x.com zoe@y.org]
    integration: {name: "Other CRM"}, source: [AUTOMATIC] -> [carl@x.com]
    source: [MANUAL] -> [away@x.com]
    source: [] -> []
    search: "ann" -> [ann@x.com away@x.com]
    search: "77" -> [carl@x.com]
    search: "somebody y.org" -> [zoe@y.org]
    search: "lee 1" -> [ann@x.com]
    search: "1", integration: {name: "Other CRM"} -> []
    warning: [NAME_MISMATCH] -> [zoe@y.org]
    warning: [USER_SUSPENDED, NAME_MISMATCH] -> [zoe@y.org away@x.com]
    warning: [] -> []
    "#);

    let of_one = world
        .read(r#"{ integration(by: {name: "CRM"}) { mappings(filter: {source: [AUTOMATIC]}) { totalCount nodes { user { email } } } } }"#)
        .await;
    assert_snapshot!(short(&of_one), @"{integration: {mappings: {nodes: [{user: {email: ann@x.com}}, {user: {email: zoe@y.org}}], totalCount: 2}}}");
    let whole = paged(&world, "mappings", "", "user { email }", 200, false).await;
    for backward in [false, true] {
        assert_eq!(paged(&world, "mappings", "", "user { email }", 1, backward).await, whole);
    }
}

async fn mappings_of_another_moment_are_found(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "ann@x.com", json!({})).await;
    let minute = || world.services.clock.advance(Duration::minutes(1));
    scene::push(&world, "CRM", &[("1", "ann@x.com"), ("2", ""), ("3", "")]).await;
    minute();
    scene::map(&world, "ann@x.com", "CRM", "2").await;
    minute();
    let id = scene::map(&world, "ann@x.com", "CRM", "3").await;
    minute();
    world.change(&format!(r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ id }} }}"#)).await;
    minute();
    let mut text = String::new();
    for moment in [
        "2026-03-02T08:59:59.999999Z",
        "2026-03-02T09:00:00Z",
        "2026-03-02T09:00:59.999999Z",
        // At the moment of a change the new one holds.
        "2026-03-02T09:01:00Z",
        "2026-03-02T10:01:59+01:00",
        "2026-03-02T09:02:00Z",
        "2026-03-02T09:03:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ] {
        let query = format!(
            r#"{{ mappings(filter: {{asOf: "{moment}"}}) {{ totalCount nodes {{ crmUser {{ externalId }} }} }} }}"#
        );
        let found = world.read(&query).await;
        writeln!(text, "{moment}: [{}]", each(&found["mappings"]["nodes"], "/crmUser/externalId")).unwrap();
    }
    assert_snapshot!(text, @r"
    2026-03-02T08:59:59.999999Z: []
    2026-03-02T09:00:00Z: [1]
    2026-03-02T09:00:59.999999Z: [1]
    2026-03-02T09:01:00Z: [2]
    2026-03-02T10:01:59+01:00: [2]
    2026-03-02T09:02:00Z: [3]
    2026-03-02T09:03:00Z: [1]
    0001-01-01T00:00:00Z: []
    9999-12-31T23:59:59Z: [1]
    ");
}

async fn a_users_history_is_paged(world: World) {
    for name in ["CRM", "Other CRM"] {
        scene::integration(&world, name, "OTHER").await;
        scene::push(&world, name, &[("1", "ann@x.com"), ("2", ""), ("3", "")]).await;
    }
    scene::user(&world, "ann@x.com", json!({})).await;
    for target in ["2", "3", "1"] {
        world.services.clock.advance(Duration::hours(1));
        scene::map(&world, "ann@x.com", "CRM", target).await;
    }
    let fields = "integration { name } crmUser { externalId } source endReason createdAt endedAt createdBy { email } endedBy { email }
                  replaces { crmUser { externalId } }";
    let found = world
        .read(&format!(
            r#"{{ user(by: {{email: "ann@x.com"}}) {{ mappingHistory {{ totalCount nodes {{ {fields} }} }} }} }}"#
        ))
        .await;
    assert_snapshot!(lines(&found["user"]["mappingHistory"]["nodes"]), @r"
    {createdAt: 2026-03-02T12:00:00+00:00, createdBy: {email: admin@acme.example}, crmUser: {externalId: 1}, endReason: null, endedAt: null, endedBy: null, integration: {name: CRM}, replaces: {crmUser: {externalId: 3}}, source: MANUAL}
    {createdAt: 2026-03-02T11:00:00+00:00, createdBy: {email: admin@acme.example}, crmUser: {externalId: 3}, endReason: REPLACED, endedAt: 2026-03-02T12:00:00+00:00, endedBy: {email: admin@acme.example}, integration: {name: CRM}, replaces: {crmUser: {externalId: 2}}, source: MANUAL}
    {createdAt: 2026-03-02T10:00:00+00:00, createdBy: {email: admin@acme.example}, crmUser: {externalId: 2}, endReason: REPLACED, endedAt: 2026-03-02T11:00:00+00:00, endedBy: {email: admin@acme.example}, integration: {name: CRM}, replaces: {crmUser: {externalId: 1}}, source: MANUAL}
    {createdAt: 2026-03-02T09:00:00+00:00, createdBy: null, crmUser: {externalId: 1}, endReason: null, endedAt: null, endedBy: null, integration: {name: Other CRM}, replaces: null, source: AUTOMATIC}
    {createdAt: 2026-03-02T09:00:00+00:00, createdBy: null, crmUser: {externalId: 1}, endReason: REPLACED, endedAt: 2026-03-02T10:00:00+00:00, endedBy: {email: admin@acme.example}, integration: {name: CRM}, replaces: null, source: AUTOMATIC}
    ");

    let page = async |arguments: &str| {
        let query = format!(
            r#"{{ user(by: {{email: "ann@x.com"}}) {{ mappingHistory({arguments}) {{
                 totalCount nodes {{ crmUser {{ externalId }} }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"#
        );
        world.read(&query).await["user"]["mappingHistory"].take()
    };
    let first = page(r#"first: 3, integration: {name: "CRM"}"#).await;
    assert_eq!(each(&first["nodes"], "/crmUser/externalId"), "1 3 2");
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(4), &json!(true)));
    let cursor = first["pageInfo"]["endCursor"].as_str().unwrap();
    let second = page(&format!(r#"first: 3, integration: {{name: "CRM"}}, after: "{cursor}""#)).await;
    assert_eq!(each(&second["nodes"], "/crmUser/externalId"), "1");
    assert_eq!(
        (&second["pageInfo"]["hasNextPage"], &second["pageInfo"]["hasPreviousPage"]),
        (&json!(false), &json!(true))
    );
    let last = page("last: 2").await;
    assert_eq!(each(&last["nodes"], "/crmUser/externalId"), "1 1");
}

async fn crm_users_are_found_by_every_filter(world: World) {
    company(&world).await;
    let mut text = String::new();
    for filter in [
        "",
        r#"search: "bob""#,
        r#"search: "ray rob""#,
        r#"search: "4""#,
        "isActive: false",
        "isActive: true, isMapped: false",
        "isMapped: true",
        r#"isMapped: true, search: "some""#,
    ] {
        let query = format!(
            r#"{{ integration(by: {{name: "CRM"}}) {{ crmUsers(filter: {{{filter}}}) {{ totalCount
                 nodes {{ externalId mapping {{ user {{ email }} }} }} }} }} }}"#
        );
        let found = world.read(&query).await["integration"]["crmUsers"].take();
        let ids = each(&found["nodes"], "/externalId");
        assert_eq!(found["totalCount"], json!(ids.split_whitespace().count()));
        writeln!(text, "{filter} -> [{ids}]").unwrap();
    }
    assert_snapshot!(text, @r#"
     -> [1 2 3 4 5]
    search: "bob" -> [2 3]
    search: "ray rob" -> [2]
    search: "4" -> [4]
    isActive: false -> [4]
    isActive: true, isMapped: false -> [2 3]
    isMapped: true -> [1 5]
    isMapped: true, search: "some" -> [5]
    "#);
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers(last: 2) { nodes {
        externalId email name username title team isActive createdAt lastSeenAt integration { name } mapping { user { email } } } } } }"#;
    assert_snapshot!(lines(&world.read(query).await["integration"]["crmUsers"]["nodes"]), @r"
    {createdAt: null, email: carl@x.com, externalId: 4, integration: {name: CRM}, isActive: false, lastSeenAt: 2026-03-02T09:00:06+00:00, mapping: null, name: null, team: null, title: null, username: null}
    {createdAt: null, email: zoe@y.org, externalId: 5, integration: {name: CRM}, isActive: true, lastSeenAt: 2026-03-02T09:00:06+00:00, mapping: {user: {email: zoe@y.org}}, name: Somebody Else, team: null, title: null, username: null}
    ");
}

async fn every_state_is_explained_and_counted(world: World) {
    company(&world).await;
    // The company has four states. Of the others, an administrator removes Zoë's mapping, and maps another user to the
    // CRM user that then carries a third one's email.
    let found = world
        .read(r#"{ user(by: {email: "zoe@y.org"}) { link(integration: {name: "CRM"}) { mapping { id } } } }"#)
        .await;
    let id = short(&found["user"]["link"]["mapping"]["id"]);
    world.change(&format!(r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ id }} }}"#)).await;
    scene::user(&world, "taken@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("6", "")]).await;
    scene::map(&world, "nameless@y.org", "CRM", "6").await;
    scene::push(&world, "CRM", &[("6", "taken@x.com")]).await;
    scene::user(&world, "many@x.com", json!({})).await;
    let many: Vec<(String, &str)> = (0..7).map(|n| (format!("m{n}"), "many@x.com")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(id, email)| (id.as_str(), *email)).collect();
    scene::push(&world, "CRM", &many).await;

    let found = world
        .read(
            r#"{ users { nodes { email link(integration: {name: "CRM"}) { state explanation mapping { source crmUser { externalId } } } } }
                 integration(by: {name: "CRM"}) { coverage { users mapped mappedAutomatically mappedManually withWarnings byState { state users } } } }"#,
        )
        .await;
    let mut text = String::new();
    for user in found["users"]["nodes"].as_array().unwrap() {
        let link = &user["link"];
        let mapping = short(&link["mapping"]);
        writeln!(
            text,
            "{} {} {mapping}: {}",
            short(&user["email"]),
            short(&link["state"]),
            short(&link["explanation"])
        )
        .unwrap();
    }
    assert_snapshot!(text, @r"
    admin@acme.example NO_MATCH null: No CRM user of CRM carries admin@acme.example.
    ann@x.com MAPPED {crmUser: {externalId: 1}, source: AUTOMATIC}: Linking mapped ann@x.com to the CRM user 1 on 2026-03-02.
    away@x.com NO_MATCH null: No CRM user of CRM carries away@x.com.
    bob@x.com AMBIGUOUS null: Two active CRM users carry bob@x.com: 2, 3.
    carl@x.com MATCH_INACTIVE null: The one CRM user that carries carl@x.com, 4, is inactive.
    many@x.com AMBIGUOUS null: Seven active CRM users carry many@x.com: m0, m1, m2, m3, m4 and 2 more.
    nameless@y.org MAPPED {crmUser: {externalId: 6}, source: MANUAL}: An administrator mapped nameless@y.org to the CRM user 6 on 2026-03-02.
    taken@x.com MATCH_TAKEN null: The CRM user 6 carries taken@x.com, but is mapped to nameless@y.org.
    zoe@y.org MATCH_AVAILABLE null: The CRM user 5 carries zoe@y.org and is free, but an administrator removed this very mapping, and linking leaves it at that while both emails stay.
    ");
    let coverage = &found["integration"]["coverage"];
    assert_snapshot!(short(coverage), @"{byState: [{state: MAPPED, users: 2}, {state: MATCH_AVAILABLE, users: 1}, {state: NO_MATCH, users: 2}, {state: AMBIGUOUS, users: 2}, {state: MATCH_INACTIVE, users: 1}, {state: MATCH_TAKEN, users: 1}], mapped: 2, mappedAutomatically: 1, mappedManually: 1, users: 9, withWarnings: 0}");
    let counted = coverage["byState"].as_array().unwrap().iter().map(|state| state["users"].as_u64().unwrap());
    assert_eq!(json!(counted.sum::<u64>()), coverage["users"]);
    assert_eq!(found["users"]["nodes"].as_array().unwrap().len(), 9);
}

async fn candidates_come_best_first(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let person = json!({ "firstName": "William", "lastName": "Shakespeare", "title": "Author" });
    scene::user(&world, "william@globe.example", person).await;
    scene::user(&world, "other@globe.example", json!({})).await;
    let crm_users = [
        json!({ "externalId": "email-1", "email": "william@globe.example" }),
        json!({ "externalId": "email-2", "email": "william@globe.example", "name": "William Shakespeare", "title": "Author" }),
        json!({ "externalId": "local", "email": "william@rose.example" }),
        json!({ "externalId": "username", "username": "william@globe.example" }),
        json!({ "externalId": "name", "name": "Shakespeare, William" }),
        json!({ "externalId": "similar", "name": "Bill Shakespeare" }),
        json!({ "externalId": "spelling", "name": "William Shakespear" }),
        json!({ "externalId": "title", "name": "Ben Jonson", "title": "Author" }),
        json!({ "externalId": "taken", "email": "william@globe.example", "name": "William Shakespeare" }),
    ];
    scene::push_all(&world, "CRM", crm_users.into()).await;
    scene::map(&world, "other@globe.example", "CRM", "taken").await;
    let query = r#"{ user(by: {email: "william@globe.example"}) { link(integration: {name: "CRM"}) {
        state candidates(first: 20) { crmUser { externalId } score reasons } few: candidates(first: 2) { crmUser { externalId } }
        some: candidates { score } } } }"#;
    let link = world.read(query).await["user"]["link"].take();
    let mut text = String::new();
    let mut last = 1.0;
    for candidate in link["candidates"].as_array().unwrap() {
        let score = candidate["score"].as_f64().unwrap();
        assert!((0.0..=last).contains(&score), "{candidate}");
        last = score;
        writeln!(text, "{} {score:.2} {}", short(&candidate["crmUser"]["externalId"]), short(&candidate["reasons"]))
            .unwrap();
    }
    assert_snapshot!(text, @r"
    email-2 0.98 [SAME_EMAIL, SAME_NAME, SAME_TITLE]
    email-1 0.95 [SAME_EMAIL]
    username 0.75 [SAME_USERNAME]
    local 0.60 [SAME_LOCAL_PART]
    name 0.55 [SAME_NAME]
    spelling 0.43 [SIMILAR_NAME]
    similar 0.43 [SIMILAR_NAME]
    ");
    assert_eq!(link["few"].as_array().unwrap().len(), 2);
    assert_eq!(link["some"].as_array().unwrap().len(), 5);
}

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

const TREE: &str = "{ teams(first: 5, filter: {rootsOnly: true}) { nodes { name children(first: 5) { nodes { name
    children(first: 5) { nodes { name children(first: 5) { nodes { name members(first: 5) { nodes {
    email mappings { source crmUser { externalId email } } } } } } } } } } } } }";

/// `count` users in each of `teams` teams that lie four deep, each mapped.
async fn tree(world: &World, teams: usize, count: usize) {
    let user = |n: usize| {
        let team = n % teams;
        format!("u{n}@x.com,U,{n},,R{}:S{}:T{}:L{team},,,,R{},,Add", team % 2, team % 3, team % 5, team % 2)
    };
    let rows: Vec<String> = (0..teams * count).map(user).collect();
    scene::users(world, &rows).await;
    scene::integration(world, "CRM", "OTHER").await;
    let crm_users: Vec<Value> =
        (0..teams * count).map(|n| json!({ "externalId": n.to_string(), "email": format!("u{n}@x.com") })).collect();
    scene::push_all(world, "CRM", crm_users).await;
}

async fn a_tree_costs_the_same_whatever_its_size(world: World) {
    tree(&world, 3, 1).await;
    let small = world.admin().graphql(TREE, json!({})).await.statements;
    let rows: Vec<String> = (0..330)
        .map(|n| format!("v{n}@x.com,V,{n},,R{}:S{}:T{}:M{},,,,,,Add", n % 5, n / 5 % 5, n / 25 % 5, n / 125))
        .collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..330).map(|n| json!({ "externalId": format!("v{n}"), "email": format!("v{n}@x.com") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(TREE, json!({})).await;
    let large = answer.statements;
    let members = answer.ok().to_string().matches(r#""source":"AUTOMATIC""#).count();
    assert!(members > 300, "{members}");
    assert!(small <= 8 && large == small, "{small}, {large}");
}

const PAGE: &str = "{ users(first: 50) { nodes { email team { path managers { nodes { email } } } managerOf { name }
    mappings { source crmUser { externalId } } licenses { name } configurationProfile { name } } } }";

async fn a_page_of_users_costs_the_same_whatever_its_size(world: World) {
    let page = "{ users(first: 50) { nodes { email team { name managers { nodes { email } } } mappings { source crmUser { externalId } } } } }";
    tree(&world, 3, 1).await;
    let (small, small_wide) = (
        world.admin().graphql(page, json!({})).await.statements,
        world.admin().graphql(PAGE, json!({})).await.statements,
    );
    let rows: Vec<String> =
        (0..60).map(|n| format!("a{n}@x.com,A,{n},,R{}:S{n},,,,R0;R1,Foundation,Add", n % 3)).collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..60).map(|n| json!({ "externalId": format!("a{n}"), "email": format!("a{n}@x.com") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(page, json!({})).await;
    assert_eq!(answer.statements, small);
    assert!(small <= 8, "{small}");
    assert_eq!(answer.ok()["users"]["nodes"].as_array().unwrap().len(), 50);
    assert_eq!(world.admin().graphql(PAGE, json!({})).await.statements, small_wide);
}

async fn links_and_candidates_of_a_page_cost_the_same(world: World) {
    let query = r#"{ users(first: 40) { nodes { email link(integration: {name: "CRM"}) { state explanation mapping { source }
        candidates(first: 3) { score reasons crmUser { externalId mapping { source } } } } } } }"#;
    tree(&world, 3, 1).await;
    let small = world.admin().graphql(query, json!({})).await.statements;
    let rows: Vec<String> = (0..60).map(|n| format!("a{n}@x.com,Ann,Lee {n},,,,,,,,Add")).collect();
    scene::users(&world, &rows).await;
    let crm_users: Vec<Value> =
        (0..60).map(|n| json!({ "externalId": format!("a{n}"), "name": format!("Ann Lee {n}") })).collect();
    scene::push_all(&world, "CRM", crm_users).await;
    let answer = world.admin().graphql(query, json!({})).await;
    assert_eq!(answer.statements, small);
    assert!(small <= 11, "{small}");
    assert!(answer.ok().to_string().contains("SAME_NAME"));
}
