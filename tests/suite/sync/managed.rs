//! Manage mode AUTO: teams follow the CRM's roles, users' titles and teams their CRM users.

use counterpart::crm::fake::{FakeRole, FakeUser};
use entity::CrmKind;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{Pulled, id, last_run, person};
use crate::support::{World, scene, show};

both!(
    teams_follow_the_roles,
    a_push_places_people_by_path,
    switching_shows_first_and_loses_nothing,
    what_the_crm_owns_is_locked,
);

const CRM: CrmKind = CrmKind::Salesforce;

/// Teams, and who is where with which title.
async fn placed(world: &World) -> String {
    let data = world
        .read("{ users(first: 200) { nodes { email title team { path } } } teams(first: 200) { nodes { path } } }")
        .await;
    let mut paths: Vec<String> =
        data["teams"]["nodes"].as_array().unwrap().iter().map(|t| show::short(&t["path"])).collect();
    paths.sort();
    let user = |user: &Value| {
        format!(
            "{}: {} in {}",
            show::short(&user["email"]),
            show::short(&user["title"]),
            show::short(&user["team"]["path"])
        )
    };
    let users: Vec<String> = data["users"]["nodes"].as_array().unwrap().iter().map(user).collect();
    format!("{}\n{}", paths.join(", "), users.join("\n"))
}

async fn auto(world: &World) {
    let done = world
        .change("updateOrganization(input: {manageMode: AUTO}) { organization { manageMode managedBy { name } } }");
    assert_eq!(done.await, "{manageMode: AUTO, managedBy: {name: CRM}}");
}

fn role(id: &str, name: &str, parent: Option<&str>) -> FakeRole {
    FakeRole { id: id.to_owned(), name: name.to_owned(), parent: parent.map(str::to_owned), modified_at: None }
}

fn placed_person(n: usize, role: &str, title: &str) -> FakeUser {
    FakeUser { role: Some(role.to_owned()), title: Some(title.to_owned()), ..person(n) }
}

const R: [&str; 6] =
    ["00E8Z0000000001", "00E8Z0000000002", "00E8Z0000000003", "00E8Z0000000004", "00E8Z0000000005", "00E8Z0000000006"];

async fn teams_follow_the_roles(world: World) {
    for n in 1..=4 {
        scene::user(&world, &format!("p{n}@acme.example"), json!({ "title": "By hand" })).await;
    }
    let pulled = Pulled::from(world).await;
    let world = &pulled.world;
    pulled.fake.set_roles(
        CRM,
        vec![
            role(R[0], "CEO", None),
            role(R[1], "Sales: East", Some(R[0])),
            role(R[2], "Loop", Some(R[3])),
            role(R[3], "Pool", Some(R[2])),
            role(R[4], "Orphan", Some("00E8Z0000000009")),
        ],
    );
    pulled.fake.set_users(
        CRM,
        vec![
            placed_person(1, R[0], "Chief"),
            placed_person(2, R[1], "AE"),
            placed_person(3, R[2], "Dizzy"),
            placed_person(4, R[4], "Lost"),
        ],
    );
    auto(world).await;
    assert_snapshot!(pulled.sync().await, @r#"
    COMPLETED received 4 linked 4 leftAlone 3
    ROLE_NOT_FOLLOWED: The role "Loop" lies below itself in the CRM; it is not followed.
    ROLE_NOT_FOLLOWED: The role "Pool" lies below itself in the CRM; it is not followed.
    ROLE_NOT_FOLLOWED: The role "Orphan" lies below 00E8Z0000000009, which the CRM does not have; it is not followed.
    LINKED: p1@acme.example was mapped to the CRM user 0058Z0000000001QAA, which carries that email.
    LINKED: p2@acme.example was mapped to the CRM user 0058Z0000000002QAA, which carries that email.
    LINKED: p3@acme.example was mapped to the CRM user 0058Z0000000003QAA, which carries that email.
    LINKED: p4@acme.example was mapped to the CRM user 0058Z0000000004QAA, which carries that email.
    USER_UPDATED: p1@acme.example followed the CRM: title: By hand → Chief; team: none → CEO.
    USER_UPDATED: p2@acme.example followed the CRM: title: By hand → AE; team: none → CEO:Sales\: East.
    USER_UPDATED: p3@acme.example followed the CRM: title: By hand → Dizzy.
    USER_UPDATED: p4@acme.example followed the CRM: title: By hand → Lost.
    "#);
    assert_snapshot!(placed(world).await, @r#"
    CEO, CEO:Sales\: East
    admin@acme.example: null in null
    p1@acme.example: Chief in CEO
    p2@acme.example: AE in CEO:Sales\: East
    p3@acme.example: Dizzy in null
    p4@acme.example: Lost in null
    "#);
    let data = world.read(
        r#"{ users { nodes { email lockedFields } } integration(by: {name: "CRM"}) { crmUsers { nodes { team } } } }"#,
    );
    assert_snapshot!(data.await, @r#"{"integration":{"crmUsers":{"nodes":[{"team":"CEO"},{"team":"CEO:Sales\\: East"},{"team":null},{"team":null}]}},"users":{"nodes":[{"email":"admin@acme.example","lockedFields":["title","team"]},{"email":"p1@acme.example","lockedFields":["title","team"]},{"email":"p2@acme.example","lockedFields":["title","team"]},{"email":"p3@acme.example","lockedFields":["title","team"]},{"email":"p4@acme.example","lockedFields":["title","team"]}]}}"#);

    // Renamed and moved, the team stays the same one; people move with their roles.
    world.services.clock.advance(chrono::Duration::minutes(20));
    pulled.fake.put_role(CRM, role(R[1], "East", Some(R[0])));
    pulled.fake.put_role(CRM, role(R[5], "Board", None));
    pulled.fake.put_role(CRM, role(R[0], "CEO", Some(R[5])));
    pulled.patch(4, json!({ "role": R[1], "title": "Found" }));
    assert_snapshot!(pulled.sync().await, @r#"
    COMPLETED received 4 leftAlone 3
    ROLE_NOT_FOLLOWED: The role "Loop" lies below itself in the CRM; it is not followed.
    ROLE_NOT_FOLLOWED: The role "Pool" lies below itself in the CRM; it is not followed.
    ROLE_NOT_FOLLOWED: The role "Orphan" lies below 00E8Z0000000009, which the CRM does not have; it is not followed.
    USER_UPDATED: p4@acme.example followed the CRM: title: Lost → Found; team: none → Board:CEO:East.
    "#);
    assert_snapshot!(placed(world).await, @"
    Board, Board:CEO, Board:CEO:East
    admin@acme.example: null in null
    p1@acme.example: Chief in Board:CEO
    p2@acme.example: AE in Board:CEO:East
    p3@acme.example: Dizzy in null
    p4@acme.example: Found in Board:CEO:East
    ");
}

async fn a_push_places_people_by_path(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::user(&world, "a@x.com", json!({})).await;
    scene::team(&world, "Sales").await;
    let at = |team: Value, title: &str| json!({ "externalId": "1", "email": "a@x.com", "team": team, "title": title });
    scene::push_all(&world, "CRM", vec![at(json!("Sales:East"), "AE")]).await;
    auto(&world).await;
    assert_snapshot!(placed(&world).await, @"
    Sales, Sales:East
    a@x.com: AE in Sales:East
    admin@acme.example: null in null
    ");
    scene::push_all(&world, "CRM", vec![at(json!("Sales:West"), "VP")]).await;
    assert_snapshot!(last_run(&world).await, @"
    COMPLETED received 1
    USER_UPDATED: a@x.com followed the CRM: title: AE → VP; team: Sales:East → Sales:West.
    ");
    // Whom the CRM places nowhere stays.
    scene::push_all(&world, "CRM", vec![at(Value::Null, "VP")]).await;
    assert_snapshot!(placed(&world).await, @"
    Sales, Sales:East, Sales:West
    a@x.com: VP in Sales:West
    admin@acme.example: null in null
    ");
    // Who is mapped by hand follows too.
    scene::user(&world, "b@x.com", json!({})).await;
    scene::push_all(
        &world,
        "CRM",
        vec![json!({ "externalId": "2", "email": "z@x.com", "team": "EMEA", "title": "SDR" })],
    )
    .await;
    scene::map(&world, "b@x.com", "CRM", "2").await;
    assert_snapshot!(placed(&world).await, @"
    EMEA, Sales, Sales:East, Sales:West
    a@x.com: VP in Sales:West
    admin@acme.example: null in null
    b@x.com: SDR in EMEA
    ");
}

async fn switching_shows_first_and_loses_nothing(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::team(&world, "By hand").await;
    for email in ["a@x.com", "b@x.com", "c@x.com"] {
        scene::user(&world, email, json!({ "title": "Own", "team": { "path": "By hand" } })).await;
    }
    let at = |id: &str, email: &str| json!({ "externalId": id, "email": email, "team": "CRM:Team", "title": "Theirs" });
    scene::push_all(&world, "CRM", vec![at("1", "a@x.com"), at("2", "b@x.com")]).await;
    let before = placed(&world).await;
    let simulate = |mode: &str| {
        format!(
            "simulateManageMode(input: {{manageMode: {mode}}}) {{ simulation {{ usersChanged teamsCreated
            userChanges {{ user {{ email }} changes {{ field before after }} }} }} }}"
        )
    };
    assert_snapshot!(world.change(&simulate("AUTO")).await, @"{teamsCreated: [CRM, CRM:Team], userChanges: [{changes: [{after: Theirs, before: Own, field: title}, {after: CRM:Team, before: By hand, field: team}], user: {email: a@x.com}}, {changes: [{after: Theirs, before: Own, field: title}, {after: CRM:Team, before: By hand, field: team}], user: {email: b@x.com}}], usersChanged: 2}");
    assert_eq!(placed(&world).await, before);
    auto(&world).await;
    let managed = placed(&world).await;
    assert_snapshot!(managed, @"
    By hand, CRM, CRM:Team
    a@x.com: Theirs in CRM:Team
    admin@acme.example: null in null
    b@x.com: Theirs in CRM:Team
    c@x.com: Own in By hand
    ");
    // The CRM's own come in meanwhile.
    scene::settings(&world, "CRM", json!({ "inboundCreate": true })).await;
    scene::push_all(&world, "CRM", vec![at("3", "d@x.com")]).await;
    assert_snapshot!(world.change(&simulate("MANUAL")).await, @"{teamsCreated: [], userChanges: [{changes: [{after: Own, before: Theirs, field: title}, {after: By hand, before: CRM:Team, field: team}], user: {email: a@x.com}}, {changes: [{after: Own, before: Theirs, field: title}, {after: By hand, before: CRM:Team, field: team}], user: {email: b@x.com}}], usersChanged: 2}");
    world.change("updateOrganization(input: {manageMode: MANUAL}) { organization { manageMode } }").await;
    assert_snapshot!(placed(&world).await, @"
    By hand, CRM, CRM:Team
    a@x.com: Own in By hand
    admin@acme.example: null in null
    b@x.com: Own in By hand
    c@x.com: Own in By hand
    d@x.com: Theirs in CRM:Team
    ");
    auto(&world).await;
    assert_snapshot!(placed(&world).await, @"
    By hand, CRM, CRM:Team
    a@x.com: Theirs in CRM:Team
    admin@acme.example: null in null
    b@x.com: Theirs in CRM:Team
    c@x.com: Own in By hand
    d@x.com: Theirs in CRM:Team
    ");
}

async fn what_the_crm_owns_is_locked(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.fake.set_roles(CRM, vec![role(R[0], "CEO", None)]);
    pulled.fake.set_users(CRM, vec![placed_person(1, R[0], "Chief")]);
    scene::settings(&pulled.world, "CRM", json!({ "inboundCreate": true })).await;
    auto(&pulled.world).await;
    pulled.sync().await;
    assert_eq!(id(1).len(), 15);
    let mut text = String::new();
    for mutation in [
        r#"updateUser(input: {user: {email: "p1@acme.example"}, title: "Mine", team: null}) { user { title } }"#,
        r#"updateUser(input: {user: {email: "p1@acme.example"}, firstName: "Mine"}) { user { firstName title } }"#,
        r#"renameTeam(input: {team: {path: "CEO"}, name: "Mine"}) { team { path } }"#,
        r#"deleteIntegration(input: {integration: {name: "CRM"}}) { deletedId }"#,
        r#"importUsers(input: {source: {text: "Email Address,Operation\na@x.com,Add"}, headers: BY_NAME}) { importJob { status } }"#,
    ] {
        text.push_str(&format!("{}\n", pulled.world.change(mutation).await));
    }
    assert_snapshot!(text, @"
    LOCKED_BY_CRM title: In manage mode AUTO the CRM owns the title. Change it there, or switch to MANUAL.
    LOCKED_BY_CRM team: In manage mode AUTO the CRM owns the team. Change it there, or switch to MANUAL.
    {firstName: Mine, title: Chief}
    LOCKED_BY_CRM name: Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.
    WRONG_STATE integration: Users and teams follow this integration. Switch the manage mode to MANUAL or name another one first.
    AUTO_MANAGE_MODE: In manage mode AUTO users follow the CRM and can't be imported. Change them there, or switch to MANUAL.
    ");
}
