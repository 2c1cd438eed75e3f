//! Mappings and CRM users, found.

use std::fmt::Write;

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::json;

use super::{company, paged};
use crate::support::{
    World, scene,
    show::{each, lines, short},
};

both!(mappings_are_found_by_every_filter, mappings_of_another_moment_are_found, crm_users_are_found_by_every_filter,);

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
