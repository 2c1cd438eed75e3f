//! Mappings by hand, and what linking makes of them.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{standing, told};
use crate::support::{World, scene, show::short};

both!(
    a_user_is_mapped_by_hand,
    users_are_remapped_together_or_not_at_all,
    a_removed_mapping_is_not_made_again_until_an_email_changes,
    warnings_are_kept_up,
    linking_is_switched_off_and_on,
);

const MAPPED: &str = "mapping { source aliasEmail user { email } crmUser { externalId } replaces { source crmUser { externalId } endReason } }";

fn set(arguments: &str) -> String {
    format!(r#"setMapping(input: {{integration: {{name: "CRM"}}, {arguments}}}) {{ {MAPPED} }}"#)
}

async fn a_user_is_mapped_by_hand(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["ann@x.com", "bob@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    scene::push(
        &world,
        "CRM",
        &[("1", "ann@x.com"), ("2", "free@y.com"), ("3", "two@y.com"), ("4", "two@y.com"), ("5", "")],
    )
    .await;
    let ann = r#"user: {email: "ann@x.com"}"#;
    let mutations = [
        set(&format!(r#"{ann}, crmUser: {{externalId: "2"}}, onExisting: ERROR"#)),
        set(&format!(r#"{ann}, crmUser: {{email: "FREE@y.com"}}, onExisting: OVERRIDE_AUTOMATIC, aliasEmail: "Old@X.com""#)),
        set(&format!(r#"{ann}, crmUser: {{externalId: "5"}}, onExisting: OVERRIDE_AUTOMATIC"#)),
        set(&format!(r#"{ann}, crmUser: {{externalId: "5"}}"#)),
        // As it is already; another alias is another mapping.
        set(&format!(r#"{ann}, crmUser: {{externalId: "5"}}"#)),
        set(&format!(r#"{ann}, crmUser: {{externalId: "5"}}, aliasEmail: "other@x.com""#)),
        set(&format!(r#"{ann}, crmUser: {{externalId: "5"}}, aliasEmail: """#)),
        set(r#"user: {email: "bob@x.com"}, crmUser: {externalId: "5"}"#),
        set(r#"user: {email: "bob@x.com"}, crmUser: {email: "two@y.com"}"#),
        set(r#"user: {email: "bob@x.com"}, crmUser: {email: "none@y.com"}, aliasEmail: "not an email""#),
        set(r#"user: {email: "who@x.com"}, crmUser: {externalId: "9"}"#),
        set(r#"user: {id: "x"}, crmUser: {id: "x"}"#),
        set(r#"user: {email: "bob@x.com"}, crmUser: {externalId: "2"}"#),
        r#"setMapping(input: {integration: {name: "None"}, user: {email: "x"}, crmUser: {externalId: "1"}}) { mapping { id } }"#.to_owned(),
    ];
    let mutations: Vec<&str> = mutations.iter().map(String::as_str).collect();
    assert_snapshot!(told(&world, &mutations).await.replace(MAPPED, "…"), @r#"
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "2"}, onExisting: ERROR}) { … }
        MAPPING_EXISTS user: ann@x.com already has an automatic mapping, to 1. Use `replace`, or let the call replace it.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {email: "FREE@y.com"}, onExisting: OVERRIDE_AUTOMATIC, aliasEmail: "Old@X.com"}) { … }
        {aliasEmail: old@x.com, crmUser: {externalId: 2}, replaces: {crmUser: {externalId: 1}, endReason: REPLACED, source: AUTOMATIC}, source: MANUAL, user: {email: ann@x.com}}
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "5"}, onExisting: OVERRIDE_AUTOMATIC}) { … }
        MAPPING_EXISTS user: ann@x.com already has a manual mapping, to 2. Use `replace`, or let the call replace it.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "5"}}) { … }
        {aliasEmail: null, crmUser: {externalId: 5}, replaces: {crmUser: {externalId: 2}, endReason: REPLACED, source: MANUAL}, source: MANUAL, user: {email: ann@x.com}}
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "5"}}) { … }
        {aliasEmail: null, crmUser: {externalId: 5}, replaces: {crmUser: {externalId: 2}, endReason: REPLACED, source: MANUAL}, source: MANUAL, user: {email: ann@x.com}}
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "5"}, aliasEmail: "other@x.com"}) { … }
        {aliasEmail: other@x.com, crmUser: {externalId: 5}, replaces: {crmUser: {externalId: 5}, endReason: REPLACED, source: MANUAL}, source: MANUAL, user: {email: ann@x.com}}
    setMapping(input: {integration: {name: "CRM"}, user: {email: "ann@x.com"}, crmUser: {externalId: "5"}, aliasEmail: ""}) { … }
        {aliasEmail: null, crmUser: {externalId: 5}, replaces: {crmUser: {externalId: 5}, endReason: REPLACED, source: MANUAL}, source: MANUAL, user: {email: ann@x.com}}
    setMapping(input: {integration: {name: "CRM"}, user: {email: "bob@x.com"}, crmUser: {externalId: "5"}}) { … }
        CRM_USER_TAKEN crmUser: 5 is mapped to ann@x.com. Remove or move that mapping, in this call or before it.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "bob@x.com"}, crmUser: {email: "two@y.com"}}) { … }
        CRM_USER_AMBIGUOUS crmUser: two@y.com belongs to several CRM users: 3, 4. Give the id of the right one.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "bob@x.com"}, crmUser: {email: "none@y.com"}, aliasEmail: "not an email"}) { … }
        CRM_USER_NOT_FOUND crmUser: "CRM" has no CRM user with the email none@y.com.
        INVALID_EMAIL aliasEmail: "not an email" contains white space.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "who@x.com"}, crmUser: {externalId: "9"}}) { … }
        USER_NOT_FOUND user: There is no user with the email who@x.com.
        CRM_USER_NOT_FOUND crmUser: "CRM" has no CRM user with the id 9. Has it been synced, pushed or imported?
    setMapping(input: {integration: {name: "CRM"}, user: {id: "x"}, crmUser: {id: "x"}}) { … }
        NOT_FOUND user: There is no user with this id.
        NOT_FOUND crmUser: There is no CRM user with this id in the integration.
    setMapping(input: {integration: {name: "CRM"}, user: {email: "bob@x.com"}, crmUser: {externalId: "2"}}) { … }
        {aliasEmail: null, crmUser: {externalId: 2}, replaces: null, source: MANUAL, user: {email: bob@x.com}}
    setMapping(input: {integration: {name: "None"}, user: {email: "x"}, crmUser: {externalId: "1"}}) { mapping { id } }
        NOT_FOUND integration: There is no integration named "None".
    "#);
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED MANUAL 5
    bob@x.com MAPPED MANUAL 2
    ");
}

async fn users_are_remapped_together_or_not_at_all(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["a@x.com", "b@x.com", "c@x.com", "d@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    scene::push(&world, "CRM", &[("1", "a@x.com"), ("2", "b@x.com"), ("3", "c@x.com"), ("4", "")]).await;
    let remap = async |items: &[(&str, &str)]| {
        let items = items.iter().map(|(user, target)| {
            format!(r#"{{user: {{email: "{user}@x.com"}}, crmUser: {{externalId: "{target}"}}}}"#)
        });
        let items = items.collect::<Vec<_>>().join(", ");
        let mutation = format!(
            r#"remapUsers(input: {{integration: {{name: "CRM"}}, items: [{items}]}}) {{ mappings {{ user {{ email }} crmUser {{ externalId }} }} }}"#
        );
        world.change(&mutation).await
    };
    assert_snapshot!(remap(&[("a", "2"), ("b", "3"), ("c", "1")]).await, @"[{crmUser: {externalId: 2}, user: {email: a@x.com}}, {crmUser: {externalId: 3}, user: {email: b@x.com}}, {crmUser: {externalId: 1}, user: {email: c@x.com}}]");
    let before = standing(&world).await;
    assert_snapshot!(before, @r"
    a@x.com MAPPED MANUAL 2
    b@x.com MAPPED MANUAL 3
    c@x.com MAPPED MANUAL 1
    d@x.com NO_MATCH
    ");
    let history = r#"{ users { nodes { mappingHistory { totalCount } } } }"#;
    let counts = world.read(history).await;
    // One that fails fails all: one who is not there, one who is named twice, a target that is kept.
    assert_snapshot!(remap(&[("a", "4"), ("z", "1"), ("b", "9")]).await, @r#"
    USER_NOT_FOUND items.1.user: There is no user with the email z@x.com.
    CRM_USER_NOT_FOUND items.2.crmUser: "CRM" has no CRM user with the id 9. Has it been synced, pushed or imported?
    "#);
    assert_snapshot!(remap(&[("a", "4"), ("a", "1")]).await, @"INVALID items.1.user: a@x.com stands in item 0 already; name each user once.");
    assert_snapshot!(remap(&[("a", "3"), ("d", "2")]).await, @r"
    CRM_USER_TAKEN items.0.crmUser: 3 is mapped to b@x.com. Remove or move that mapping, in this call or before it.
    CRM_USER_TAKEN items.1.crmUser: 2 is mapped to a@x.com. Remove or move that mapping, in this call or before it.
    ");
    assert_snapshot!(remap(&[("a", "4"), ("b", "4")]).await, @"CRM_USER_TAKEN items.1.crmUser: An earlier entry, a@x.com, is mapped to the same CRM user. Each can belong to one user only.");
    assert_eq!(standing(&world).await, before);
    assert_eq!(world.read(history).await, counts);
    // What one frees another takes, whatever the order; who asks for nothing new keeps the mapping.
    assert_snapshot!(remap(&[("d", "2"), ("a", "4"), ("b", "3")]).await, @"[{crmUser: {externalId: 2}, user: {email: d@x.com}}, {crmUser: {externalId: 4}, user: {email: a@x.com}}, {crmUser: {externalId: 3}, user: {email: b@x.com}}]");
    assert_snapshot!(standing(&world).await, @r"
    a@x.com MAPPED MANUAL 4
    b@x.com MAPPED MANUAL 3
    c@x.com MAPPED MANUAL 1
    d@x.com MAPPED MANUAL 2
    ");
    assert_eq!(remap(&[]).await, "[]");
}

/// Ends the one mapping of a user.
async fn remove(world: &World, email: &str) -> String {
    let query = "query ($email: String!) { user(by: {email: $email}) { mappings { id } } }";
    let found = world.admin().graphql(query, json!({ "email": email })).await.ok();
    let id = short(&found["user"]["mappings"][0]["id"]);
    world
        .change(&format!(
            r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ endReason endedAt endedBy {{ email }} }} }}"#
        ))
        .await
}

async fn a_removed_mapping_is_not_made_again_until_an_email_changes(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "ann@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", "ann@x.com")]).await;
    assert_snapshot!(remove(&world, "ann@x.com").await, @"{endReason: REMOVED, endedAt: 2026-03-02T09:00:00+00:00, endedBy: {email: admin@acme.example}}");
    let available = "ann@x.com MATCH_AVAILABLE\n";
    assert_eq!(standing(&world).await, available);
    scene::push_all(&world, "CRM", vec![json!({ "externalId": "1", "email": "ann@x.com", "name": "Ann" })]).await;
    scene::edit(&world, "ann@x.com", json!({ "firstName": "Ann" })).await;
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": false })).await;
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": true })).await;
    assert_eq!(standing(&world).await, available);

    // Another CRM user with the email is another matter, and so is the same one once its email was another.
    scene::push(&world, "CRM", &[("1", "else@x.com"), ("2", "ann@x.com")]).await;
    assert_eq!(standing(&world).await, "ann@x.com MAPPED AUTOMATIC 2\n");
    remove(&world, "ann@x.com").await;
    scene::push(&world, "CRM", &[("2", "else@x.com")]).await;
    assert_eq!(standing(&world).await, "ann@x.com NO_MATCH\n");
    // By hand it can be made at any time, and removed and made again.
    scene::map(&world, "ann@x.com", "CRM", "2").await;
    assert_eq!(standing(&world).await, "ann@x.com MAPPED MANUAL 2\n");
    remove(&world, "ann@x.com").await;
    scene::edit(&world, "ann@x.com", json!({ "email": "Else@X.com" })).await;
    assert_eq!(standing(&world).await, "else@x.com AMBIGUOUS\n");
    scene::push(&world, "CRM", &[("1", "")]).await;
    assert_eq!(standing(&world).await, "else@x.com MAPPED AUTOMATIC 2\n");

    let query = r#"{ user(by: {email: "else@x.com"}) { mappingHistory(last: 1) { nodes { id } } } }"#;
    let id = short(&world.read(query).await["user"]["mappingHistory"]["nodes"][0]["id"]);
    let twice = world.change(&format!(r#"removeMapping(input: {{id: "{id}"}}) {{ mapping {{ id }} }}"#)).await;
    assert_eq!(twice, "WRONG_STATE id: This mapping has ended already.");
    let none = world.change(r#"removeMapping(input: {id: "x"}) { mapping { id } }"#).await;
    assert_eq!(none, "NOT_FOUND id: There is no mapping with this id.");
}

async fn warnings_are_kept_up(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "ann@x.com", json!({ "firstName": "Ann", "lastName": "Lee" })).await;
    let push = async |crm_users: Value| scene::push_all(&world, "CRM", crm_users.as_array().unwrap().clone()).await;
    let linked = |warnings: &str| format!("ann@x.com MAPPED AUTOMATIC 1{warnings}\n");
    push(json!([{ "externalId": "1", "email": "ann@x.com", "name": "Ann Lee" }])).await;
    assert_eq!(standing(&world).await, linked(""));

    push(json!([{ "externalId": "1", "email": "ann@x.com", "name": "Zachary Quill" }])).await;
    assert_eq!(standing(&world).await, linked(" NAME_MISMATCH"));
    scene::edit(&world, "ann@x.com", json!({ "firstName": "Zachary", "lastName": "Quill" })).await;
    assert_eq!(standing(&world).await, linked(""));

    push(json!([{ "externalId": "1", "email": "other@x.com", "name": "Z. Quill" }])).await;
    assert_eq!(standing(&world).await, linked(" EMAIL_MISMATCH"));
    push(json!([{ "externalId": "1", "email": "ann@x.com" }, { "externalId": "2", "email": "ann@x.com" }])).await;
    assert_eq!(standing(&world).await, linked(" EMAIL_NOW_AMBIGUOUS"));
    push(json!([{ "externalId": "2", "email": "ann@x.com", "isActive": false }])).await;
    assert_eq!(standing(&world).await, linked(""));

    push(json!([{ "externalId": "1", "email": "ann@x.com", "isActive": false }])).await;
    assert_eq!(standing(&world).await, linked(" CRM_USER_INACTIVE"));
    world.change(r#"suspendUser(input: {user: {email: "ann@x.com"}}) { user { id } }"#).await;
    assert_eq!(standing(&world).await, linked(" CRM_USER_INACTIVE USER_SUSPENDED"));
    let query = "{ mappings(filter: {warning: [USER_SUSPENDED]}) { nodes { warnings { kind message } } }
        integrations { coverage { withWarnings } } }";
    assert_snapshot!(short(&world.read(query).await), @"{integrations: [{coverage: {withWarnings: 1}}], mappings: {nodes: [{warnings: [{kind: CRM_USER_INACTIVE, message: The CRM user 1 is inactive.}, {kind: USER_SUSPENDED, message: The user ann@x.com is suspended.}]}]}}");
    world.change(r#"reactivateUser(input: {user: {email: "ann@x.com"}}) { user { id } }"#).await;
    push(json!([{ "externalId": "1", "email": "ann@x.com" }])).await;
    assert_eq!(standing(&world).await, linked(""));

    // By hand, that the emails differ is the point of it.
    push(json!([{ "externalId": "3", "email": "third@x.com", "name": "Ann Lee" }])).await;
    scene::map(&world, "ann@x.com", "CRM", "3").await;
    assert_eq!(standing(&world).await, "ann@x.com MAPPED MANUAL 3 NAME_MISMATCH\n");
    let found = world.read("{ mappings { nodes { warnings { message } } } }").await;
    assert_snapshot!(short(&found), @"{mappings: {nodes: [{warnings: [{message: The user is called Zachary Quill, the CRM user Ann Lee.}]}]}}");
}

async fn linking_is_switched_off_and_on(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "ann@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("1", "ann@x.com"), ("2", "bob@x.com"), ("3", "carl@x.com"), ("4", "carl@x.com")])
        .await;
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": false })).await;
    scene::user(&world, "bob@x.com", json!({})).await;
    scene::user(&world, "carl@x.com", json!({})).await;
    scene::user(&world, "dora@x.com", json!({})).await;
    scene::push(&world, "CRM", &[("5", "dora@x.com")]).await;
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MATCH_AVAILABLE
    carl@x.com AMBIGUOUS
    dora@x.com MATCH_AVAILABLE
    ");
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": true })).await;
    let linked = standing(&world).await;
    assert_snapshot!(linked, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MAPPED AUTOMATIC 2
    carl@x.com AMBIGUOUS
    dora@x.com MAPPED AUTOMATIC 5
    ");
    // Switched off, it undoes nothing.
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": false })).await;
    assert_eq!(standing(&world).await, linked);
}
