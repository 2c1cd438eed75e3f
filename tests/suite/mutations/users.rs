//! Users, by hand.

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::json;

use super::{standing, told};
use crate::support::{
    World, scene,
    show::{lines, short},
};

both!(
    a_user_is_made_and_changed,
    left_out_stays_and_null_clears,
    users_come_and_go,
    the_last_administrator_stays,
    titles_and_teams_are_the_crms_in_manage_mode_auto,
);

const USER: &str = "user { email firstName lastName title team { path } role objectVisibility status
    configurationProfile { name } managerOf { path } licenses { name } }";

async fn user(world: &World, email: &str) -> String {
    let query =
        format!("query ($email: String!) {{ user(by: {{email: $email}}) {} }}", USER.strip_prefix("user ").unwrap());
    short(&world.admin().graphql(&query, json!({ "email": email })).await.ok()["user"])
}

async fn a_user_is_made_and_changed(world: World) {
    scene::team(&world, "Sales:East").await;
    scene::team(&world, "Finance").await;
    let text = told(
        &world,
        &[
            r#"createUser(input: {email: "Ann@X.com"}) { user { email role objectVisibility status configurationProfile { name } } }"#,
            r#"createUser(input: {email: " ann@x.COM", firstName: "Twice"}) { user { email } }"#,
            r#"createUser(input: {email: "ann@x.COM", firstName: "Twice"}) { user { email } }"#,
            r#"createUser(input: {email: "bob@x.com", firstName: " Bob ", lastName: "Ray", title: "AE", team: {path: "Sales:East"},
                 role: MANAGER, objectVisibility: FULL, configurationProfile: {name: "Default: Intake Off"},
                 managerOf: [{path: "Sales"}, {path: "Finance"}, {path: "Sales"}], licenses: [{name: "Forecasting"}, {name: "Foundation"}]}) { user { email } }"#,
            r#"createUser(input: {email: "nobody", firstName: "a\tb", team: {path: "Nowhere"}, configurationProfile: {name: "None"},
                 managerOf: [{path: "Sales"}, {path: "Sales:"}, {id: "x"}], licenses: [{name: "Gold"}, {id: "x"}]}) { user { email } }"#,
            r#"updateUser(input: {user: {email: "BOB@x.com"}, email: "Robert@X.com", role: ADMIN}) { user { email role firstName title } }"#,
            r#"updateUser(input: {user: {email: "robert@x.com"}, email: "ann@x.com"}) { user { email } }"#,
            r#"updateUser(input: {user: {email: "bob@x.com"}, title: "X"}) { user { email } }"#,
            r#"updateUser(input: {user: {id: "x"}, title: "X"}) { user { email } }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    createUser(input: {email: "Ann@X.com"}) { user { email role objectVisibility status configurationProfile { name } } }
        {configurationProfile: {name: Default: Intake Off}, email: ann@x.com, objectVisibility: TEAM, role: MEMBER, status: ACTIVE}
    createUser(input: {email: " ann@x.COM", firstName: "Twice"}) { user { email } }
        INVALID_EMAIL email: " ann@x.COM" contains white space. Did you mean ann@x.com?
    createUser(input: {email: "ann@x.COM", firstName: "Twice"}) { user { email } }
        ALREADY_EXISTS email: There already is a user with the email ann@x.com.
    createUser(input: {email: "bob@x.com", firstName: " Bob ", lastName: "Ray", title: "AE", team: {path: "Sales:East"},
                     role: MANAGER, objectVisibility: FULL, configurationProfile: {name: "Default: Intake Off"},
                     managerOf: [{path: "Sales"}, {path: "Finance"}, {path: "Sales"}], licenses: [{name: "Forecasting"}, {name: "Foundation"}]}) { user { email } }
        {email: bob@x.com}
    createUser(input: {email: "nobody", firstName: "a\tb", team: {path: "Nowhere"}, configurationProfile: {name: "None"},
                     managerOf: [{path: "Sales"}, {path: "Sales:"}, {id: "x"}], licenses: [{name: "Gold"}, {id: "x"}]}) { user { email } }
        INVALID_EMAIL email: "nobody" is not an email address: it has no @.
        INVALID firstName: "a\tb" holds a control character, such as a tab or a line break.
        TEAM_NOT_FOUND team: There is no team "Nowhere".
        INVALID configurationProfile: There is no configuration profile "None". There are: Default: Intake Off.
        TEAM_NOT_FOUND managerOf.1: The team path "Sales:" has an empty name in it. Write Parent:Sub-Team, and \: for a colon in a name.
        NOT_FOUND managerOf.2: There is no team with this id.
        INVALID licenses.0: There is no licence "Gold". There are: Engagement Dashboard, Forecasting, Foundation, Unified Backstory Application Enterprise.
        NOT_FOUND licenses.1: There is no licence with this id.
    updateUser(input: {user: {email: "BOB@x.com"}, email: "Robert@X.com", role: ADMIN}) { user { email role firstName title } }
        {email: robert@x.com, firstName: Bob, role: ADMIN, title: AE}
    updateUser(input: {user: {email: "robert@x.com"}, email: "ann@x.com"}) { user { email } }
        ALREADY_EXISTS email: There already is a user with the email ann@x.com.
    updateUser(input: {user: {email: "bob@x.com"}, title: "X"}) { user { email } }
        USER_NOT_FOUND user: There is no user with the email bob@x.com.
    updateUser(input: {user: {id: "x"}, title: "X"}) { user { email } }
        NOT_FOUND user: There is no user with this id.
    "#);
    assert_snapshot!(user(&world, "robert@x.com").await, @"{configurationProfile: {name: Default: Intake Off}, email: robert@x.com, firstName: Bob, lastName: Ray, licenses: [{name: Forecasting}, {name: Foundation}], managerOf: [{path: Finance}, {path: Sales}], objectVisibility: FULL, role: ADMIN, status: ACTIVE, team: {path: Sales:East}, title: AE}");
}

async fn left_out_stays_and_null_clears(world: World) {
    scene::team(&world, "Sales").await;
    let all = json!({ "firstName": "Bob", "lastName": "Ray", "title": "AE", "team": { "path": "Sales" }, "role": "MANAGER",
        "objectVisibility": "FULL", "managerOf": [{ "path": "Sales" }], "licenses": [{ "name": "Foundation" }] });
    scene::user(&world, "bob@x.com", all).await;
    let before = user(&world, "bob@x.com").await;
    assert_snapshot!(before, @"{configurationProfile: {name: Default: Intake Off}, email: bob@x.com, firstName: Bob, lastName: Ray, licenses: [{name: Foundation}], managerOf: [{path: Sales}], objectVisibility: FULL, role: MANAGER, status: ACTIVE, team: {path: Sales}, title: AE}");
    scene::edit(&world, "bob@x.com", json!({})).await;
    assert_eq!(user(&world, "bob@x.com").await, before);

    // What can't be empty is not cleared, and then nothing is.
    let query = "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } userErrors { code field message } } }";
    let input = json!({ "user": { "email": "bob@x.com" }, "email": null, "role": null, "objectVisibility": null,
        "configurationProfile": null, "title": null });
    let refused = world.admin().graphql(query, json!({ "input": input })).await.ok();
    assert_snapshot!(lines(&refused["updateUser"]["userErrors"]), @r"
    {code: INVALID, field: [email], message: A user can't be without an email.}
    {code: INVALID, field: [role], message: role can't be empty.}
    {code: INVALID, field: [objectVisibility], message: objectVisibility can't be empty.}
    {code: INVALID, field: [configurationProfile], message: configurationProfile can't be empty.}
    ");
    assert_eq!(user(&world, "bob@x.com").await, before);

    let nulls = json!({ "firstName": null, "lastName": null, "title": null, "team": null, "managerOf": null, "licenses": null });
    scene::edit(&world, "bob@x.com", nulls).await;
    assert_snapshot!(user(&world, "bob@x.com").await, @"{configurationProfile: {name: Default: Intake Off}, email: bob@x.com, firstName: null, lastName: null, licenses: [], managerOf: [], objectVisibility: FULL, role: MANAGER, status: ACTIVE, team: null, title: null}");
    // Nothing but white space is nothing; an empty list is none.
    scene::edit(&world, "bob@x.com", json!({ "title": "  ", "firstName": " B ", "managerOf": [], "licenses": [] }))
        .await;
    assert_snapshot!(user(&world, "bob@x.com").await, @"{configurationProfile: {name: Default: Intake Off}, email: bob@x.com, firstName: B, lastName: null, licenses: [], managerOf: [], objectVisibility: FULL, role: MANAGER, status: ACTIVE, team: null, title: null}");
}

async fn users_come_and_go(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "ann@x.com")]).await;
    let first = scene::user(&world, "ann@x.com", json!({ "licenses": [{ "name": "Foundation" }] })).await;
    world.services.clock.advance(Duration::minutes(1));
    let text = told(
        &world,
        &[
            r#"suspendUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt updatedAt mappings { endedAt } } }"#,
            r#"suspendUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt } }"#,
            r#"reactivateUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt } }"#,
            r#"reactivateUser(input: {user: {email: "ann@x.com"}}) { user { status } }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    suspendUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt updatedAt mappings { endedAt } } }
        {mappings: [{endedAt: null}], status: SUSPENDED, suspendedAt: 2026-03-02T09:01:00+00:00, updatedAt: 2026-03-02T09:01:00+00:00}
    suspendUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt } }
        {status: SUSPENDED, suspendedAt: 2026-03-02T09:01:00+00:00}
    reactivateUser(input: {user: {email: "ann@x.com"}}) { user { status suspendedAt } }
        {status: ACTIVE, suspendedAt: null}
    reactivateUser(input: {user: {email: "ann@x.com"}}) { user { status } }
        {status: ACTIVE}
    "#);

    assert_eq!(world.change(r#"deleteUser(input: {user: {email: "ann@x.com"}}) { deletedId }"#).await, first);
    for mutation in ["suspendUser", "reactivateUser", "deleteUser"] {
        let selection = if mutation == "deleteUser" { "deletedId" } else { "user { id }" };
        let by_id = format!(r#"{mutation}(input: {{user: {{id: "{first}"}}}}) {{ {selection} }}"#);
        assert_eq!(world.change(&by_id).await, "NOT_FOUND user: There is no user with this id.");
    }
    assert_eq!(user(&world, "ann@x.com").await, "null");

    // Another user of the same email is another user, and is linked like any other.
    world.services.clock.advance(Duration::minutes(1));
    let second = scene::user(&world, "ann@x.com", json!({})).await;
    assert_ne!(first, second);
    assert_eq!(standing(&world).await, "ann@x.com MAPPED AUTOMATIC 1\n");
    let query = r#"{ before: mappings(filter: {asOf: "2026-03-02T09:00:30Z"}) { nodes { user { id email status licenses { name } } endReason endedBy { email } } }
        now: mappings { nodes { user { email status licenses { name } } } } }"#;
    let found = world.read(query).await;
    assert_eq!(found["before"]["nodes"][0]["user"]["id"], json!(first));
    assert_eq!(found["before"]["nodes"][0]["endReason"], "USER_DELETED");
    assert_eq!(found["before"]["nodes"][0]["user"]["status"], "DELETED");
    assert_snapshot!(short(&found["now"]), @"{nodes: [{user: {email: ann@x.com, licenses: [], status: ACTIVE}}]}");
}

async fn the_last_administrator_stays(world: World) {
    let mutations = [
        r#"updateUser(input: {user: {email: "admin@acme.example"}, role: MEMBER}) { user { role } }"#,
        r#"suspendUser(input: {user: {email: "admin@acme.example"}}) { user { status } }"#,
        r#"deleteUser(input: {user: {email: "admin@acme.example"}}) { deletedId }"#,
    ];
    assert_snapshot!(told(&world, &mutations).await, @r#"
    updateUser(input: {user: {email: "admin@acme.example"}, role: MEMBER}) { user { role } }
        LAST_ADMIN role: admin@acme.example is the last active administrator. Make another user an administrator first.
    suspendUser(input: {user: {email: "admin@acme.example"}}) { user { status } }
        LAST_ADMIN user: admin@acme.example is the last active administrator. Make another user an administrator first.
    deleteUser(input: {user: {email: "admin@acme.example"}}) { deletedId }
        LAST_ADMIN user: admin@acme.example is the last active administrator. Make another user an administrator first.
    "#);
    // One who is suspended does not count.
    scene::user(&world, "second@x.com", json!({ "role": "ADMIN" })).await;
    world.change(r#"suspendUser(input: {user: {email: "second@x.com"}}) { user { id } }"#).await;
    for mutation in mutations {
        assert!(world.change(mutation).await.starts_with("LAST_ADMIN"));
    }
    world.change(r#"reactivateUser(input: {user: {email: "second@x.com"}}) { user { id } }"#).await;
    assert_eq!(world.change(mutations[0]).await, "{role: MEMBER}");
    let answer = world.admin().graphql("{ importJobs { totalCount } }", json!({})).await;
    assert_eq!(answer.code(), "FORBIDDEN");
}

async fn titles_and_teams_are_the_crms_in_manage_mode_auto(world: World) {
    scene::team(&world, "Sales").await;
    scene::team(&world, "Finance").await;
    scene::user(&world, "ann@x.com", json!({ "title": "AE", "team": { "path": "Sales" } })).await;
    let text = told(
        &world,
        &[
            "updateOrganization(input: {manageMode: AUTO}) { organization { manageMode } }",
            r#"createIntegration(input: {name: "CRM", kind: OTHER}) { integration { name } }"#,
            r#"createIntegration(input: {name: "Second", kind: OTHER}) { integration { name } }"#,
            "updateOrganization(input: {manageMode: AUTO}) { organization { manageMode } }",
            r#"updateOrganization(input: {manageMode: AUTO, managedBy: {name: "Third"}}) { organization { manageMode } }"#,
            r#"updateOrganization(input: {manageMode: AUTO, managedBy: {name: "CRM"}}) { organization { manageMode managedBy { name } } }"#,
            r#"updateUser(input: {user: {email: "ann@x.com"}, title: "VP", team: {path: "Finance"}}) { user { title } }"#,
            r#"updateUser(input: {user: {email: "ann@x.com"}, team: null}) { user { title } }"#,
            r#"updateUser(input: {user: {email: "ann@x.com"}, title: "AE", team: {path: "Sales"}, firstName: "Ann"}) { user { firstName lockedFields } }"#,
            r#"createTeam(input: {name: "New"}) { team { path } }"#,
            r#"renameTeam(input: {team: {path: "Sales"}, name: "New"}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Finance"}}}) { team { path } }"#,
            r#"deleteTeam(input: {team: {path: "Finance"}}) { deletedId }"#,
            r#"importUsers(input: {source: {text: "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation\nx@x.com,,,,,,,,,,Add\n"}}) { importJob { id } }"#,
            r#"deleteIntegration(input: {integration: {name: "CRM"}}) { deletedId }"#,
            r#"updateOrganization(input: {managedBy: {name: "Second"}}) { organization { managedBy { name } } }"#,
            "updateOrganization(input: {manageMode: MANUAL}) { organization { manageMode managedBy { name } } }",
            r#"updateUser(input: {user: {email: "ann@x.com"}, title: "VP"}) { user { title lockedFields } }"#,
            r#"updateOrganization(input: {name: "Acme Ltd"}) { organization { name } }"#,
            r#"updateOrganization(input: {name: " "}) { organization { name } }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    updateOrganization(input: {manageMode: AUTO}) { organization { manageMode } }
        REQUIRED managedBy: AUTO follows an integration: name it, unless the organisation has exactly one.
    createIntegration(input: {name: "CRM", kind: OTHER}) { integration { name } }
        {name: CRM}
    createIntegration(input: {name: "Second", kind: OTHER}) { integration { name } }
        {name: Second}
    updateOrganization(input: {manageMode: AUTO}) { organization { manageMode } }
        REQUIRED managedBy: AUTO follows an integration: name it, unless the organisation has exactly one.
    updateOrganization(input: {manageMode: AUTO, managedBy: {name: "Third"}}) { organization { manageMode } }
        NOT_FOUND managedBy: There is no integration named "Third".
    updateOrganization(input: {manageMode: AUTO, managedBy: {name: "CRM"}}) { organization { manageMode managedBy { name } } }
        {manageMode: AUTO, managedBy: {name: CRM}}
    updateUser(input: {user: {email: "ann@x.com"}, title: "VP", team: {path: "Finance"}}) { user { title } }
        LOCKED_BY_CRM title: In manage mode AUTO the CRM owns the title. Change it there, or switch to MANUAL.
        LOCKED_BY_CRM team: In manage mode AUTO the CRM owns the team. Change it there, or switch to MANUAL.
    updateUser(input: {user: {email: "ann@x.com"}, team: null}) { user { title } }
        LOCKED_BY_CRM team: In manage mode AUTO the CRM owns the team. Change it there, or switch to MANUAL.
    updateUser(input: {user: {email: "ann@x.com"}, title: "AE", team: {path: "Sales"}, firstName: "Ann"}) { user { firstName lockedFields } }
        {firstName: Ann, lockedFields: [title, team]}
    createTeam(input: {name: "New"}) { team { path } }
        LOCKED_BY_CRM name: Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.
    renameTeam(input: {team: {path: "Sales"}, name: "New"}) { team { path } }
        LOCKED_BY_CRM name: Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.
    moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Finance"}}}) { team { path } }
        LOCKED_BY_CRM destination: Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.
    deleteTeam(input: {team: {path: "Finance"}}) { deletedId }
        LOCKED_BY_CRM team: Teams follow the CRM's hierarchy in manage mode AUTO. Change it there, or switch to MANUAL.
    importUsers(input: {source: {text: "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation\nx@x.com,,,,,,,,,,Add\n"}}) { importJob { id } }
        AUTO_MANAGE_MODE: In manage mode AUTO users follow the CRM and can't be imported. Change them there, or switch to MANUAL.
    deleteIntegration(input: {integration: {name: "CRM"}}) { deletedId }
        WRONG_STATE integration: Users and teams follow this integration. Switch the manage mode to MANUAL or name another one first.
    updateOrganization(input: {managedBy: {name: "Second"}}) { organization { managedBy { name } } }
        {managedBy: {name: Second}}
    updateOrganization(input: {manageMode: MANUAL}) { organization { manageMode managedBy { name } } }
        {manageMode: MANUAL, managedBy: null}
    updateUser(input: {user: {email: "ann@x.com"}, title: "VP"}) { user { title lockedFields } }
        {lockedFields: [], title: VP}
    updateOrganization(input: {name: "Acme Ltd"}) { organization { name } }
        {name: Acme Ltd}
    updateOrganization(input: {name: " "}) { organization { name } }
        INVALID name: The organisation needs a name; this is empty.
    "#);
}
