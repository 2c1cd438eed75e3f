//! Users, found and paged.

use std::fmt::Write;

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::json;

use super::{company, paged};
use crate::support::{
    World, scene,
    show::{each, lines},
};

both!(users_are_found_by_every_filter, users_are_paged_in_every_order, a_users_history_is_paged,);

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
