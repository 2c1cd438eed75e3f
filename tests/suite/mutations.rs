//! What is changed by hand, and what follows from it.

use std::fmt::Write;

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::{Value, json};

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
    teams_are_made_moved_and_deleted,
    integrations_are_set_up,
    a_deleted_integration_leaves_its_history,
    catalogues_are_kept,
    a_token_works_until_it_ends,
    a_push_says_what_is_wrong,
    a_push_upserts_and_links,
    a_push_that_would_unlink_a_company_is_halted,
    a_user_is_mapped_by_hand,
    users_are_remapped_together_or_not_at_all,
    a_removed_mapping_is_not_made_again_until_an_email_changes,
    warnings_are_kept_up,
    linking_is_switched_off_and_on,
);

/// Carries out each mutation in turn, and says what it answered.
async fn told(world: &World, mutations: &[&str]) -> String {
    let mut text = String::new();
    for mutation in mutations {
        writeln!(text, "{mutation}").unwrap();
        for line in world.change(mutation).await.lines() {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

/// Every user's standing towards the integration `CRM`, the administrator aside.
async fn standing(world: &World) -> String {
    let query = r#"{ users(first: 200) { nodes { email link(integration: {name: "CRM"}) { state mapping { source crmUser { externalId } warnings { kind } } } } } }"#;
    let found = world.read(query).await;
    let mut text = String::new();
    for user in found["users"]["nodes"].as_array().unwrap() {
        let (email, link) = (short(&user["email"]), &user["link"]);
        if email == "admin@acme.example" {
            continue;
        }
        let mapping = &link["mapping"];
        write!(text, "{email} {}", short(&link["state"])).unwrap();
        if !mapping.is_null() {
            write!(text, " {} {}", short(&mapping["source"]), short(&mapping["crmUser"]["externalId"])).unwrap();
            for warning in mapping["warnings"].as_array().unwrap() {
                write!(text, " {}", short(&warning["kind"])).unwrap();
            }
        }
        text.push('\n');
    }
    text
}

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

async fn teams_are_made_moved_and_deleted(world: World) {
    let text = told(
        &world,
        &[
            r#"createTeam(input: {name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "R:D\\Lab", parent: {path: "Sales"}}) { team { name path } }"#,
            r#"createTeam(input: {name: "West", parent: {path: "Sales:R\\:D\\\\Lab"}}) { team { path ancestors { name } } }"#,
            r#"createTeam(input: {name: "West", parent: {path: "Nowhere"}}) { team { path } }"#,
            r#"createTeam(input: {name: "West", parent: {id: "x"}}) { team { path } }"#,
            r#"createTeam(input: {name: ""}) { team { path } }"#,
            r#"createTeam(input: {name: " West"}) { team { path } }"#,
            r#"createTeam(input: {name: "We\nst"}) { team { path } }"#,
            r#"renameTeam(input: {team: {path: "Sales:R\\:D\\\\Lab"}, name: "Lab"}) { team { path children { nodes { path } } } }"#,
            r#"renameTeam(input: {team: {path: "Sales"}, name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "West"}) { team { path } }"#,
            r#"renameTeam(input: {team: {path: "West"}, name: "Sales"}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales:Lab:West"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "West"}, destination: {parent: {path: "Sales:Lab"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "West"}, destination: {root: false}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales:Lab:West"}, destination: {root: true}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales:Lab"}, destination: {root: true}}) { team { path children { nodes { path } } } }"#,
            r#"createUser(input: {email: "ann@x.com", team: {path: "West"}, managerOf: [{path: "Sales"}]}) { user { email } }"#,
            r#"deleteTeam(input: {team: {path: "Lab"}}) { deletedId }"#,
            r#"deleteTeam(input: {team: {path: "West"}}) { deletedId }"#,
            r#"deleteTeam(input: {team: {path: "Nowhere"}}) { deletedId }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    createTeam(input: {name: "Sales"}) { team { path } }
        {path: Sales}
    createTeam(input: {name: "Sales"}) { team { path } }
        ALREADY_EXISTS name: There already is a root team named "Sales". Choose another name.
    createTeam(input: {name: "R:D\\Lab", parent: {path: "Sales"}}) { team { name path } }
        {name: R:D\Lab, path: Sales:R\:D\\Lab}
    createTeam(input: {name: "West", parent: {path: "Sales:R\\:D\\\\Lab"}}) { team { path ancestors { name } } }
        {ancestors: [{name: R:D\Lab}, {name: Sales}], path: Sales:R\:D\\Lab:West}
    createTeam(input: {name: "West", parent: {path: "Nowhere"}}) { team { path } }
        TEAM_NOT_FOUND parent: There is no team "Nowhere".
    createTeam(input: {name: "West", parent: {id: "x"}}) { team { path } }
        NOT_FOUND parent: There is no team with this id.
    createTeam(input: {name: ""}) { team { path } }
        INVALID name: A team needs a name; this is empty.
    createTeam(input: {name: " West"}) { team { path } }
        INVALID name: The team name " West" has white space before or after it; take it away.
    createTeam(input: {name: "We\nst"}) { team { path } }
        INVALID name: The team name "We\nst" holds a control character, such as a tab or a line break.
    renameTeam(input: {team: {path: "Sales:R\\:D\\\\Lab"}, name: "Lab"}) { team { path children { nodes { path } } } }
        {children: {nodes: [{path: Sales:Lab:West}]}, path: Sales:Lab}
    renameTeam(input: {team: {path: "Sales"}, name: "Sales"}) { team { path } }
        {path: Sales}
    createTeam(input: {name: "West"}) { team { path } }
        {path: West}
    renameTeam(input: {team: {path: "West"}, name: "Sales"}) { team { path } }
        ALREADY_EXISTS name: There already is a root team named "Sales". Choose another name.
    moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales"}}}) { team { path } }
        TEAM_CYCLE destination: "Sales" can't hang under "Sales": that is the team itself or lies below it.
    moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales:Lab:West"}}}) { team { path } }
        TEAM_CYCLE destination: "Sales" can't hang under "Sales:Lab:West": that is the team itself or lies below it.
    moveTeam(input: {team: {path: "West"}, destination: {parent: {path: "Sales:Lab"}}}) { team { path } }
        ALREADY_EXISTS destination: "Sales:Lab" already has a sub-team named "West". Choose another name.
    moveTeam(input: {team: {path: "West"}, destination: {root: false}}) { team { path } }
        INVALID destination.root: `root` takes true alone. Name a parent instead.
    moveTeam(input: {team: {path: "Sales:Lab:West"}, destination: {root: true}}) { team { path } }
        ALREADY_EXISTS destination: There already is a root team named "West". Choose another name.
    moveTeam(input: {team: {path: "Sales:Lab"}, destination: {root: true}}) { team { path children { nodes { path } } } }
        {children: {nodes: [{path: Lab:West}]}, path: Lab}
    createUser(input: {email: "ann@x.com", team: {path: "West"}, managerOf: [{path: "Sales"}]}) { user { email } }
        {email: ann@x.com}
    deleteTeam(input: {team: {path: "Lab"}}) { deletedId }
        TEAM_NOT_EMPTY team: "Lab" is not empty (members: 0, sub-teams: 1). Move them first.
    deleteTeam(input: {team: {path: "West"}}) { deletedId }
        TEAM_NOT_EMPTY team: "West" is not empty (members: 1, sub-teams: 0). Move them first.
    deleteTeam(input: {team: {path: "Nowhere"}}) { deletedId }
        TEAM_NOT_FOUND team: There is no team "Nowhere".
    "#);

    // Who manages a team that goes manages it no more; a user who is gone holds no team back.
    let id = scene::team(&world, "Sales").await;
    assert_eq!(world.change(r#"deleteTeam(input: {team: {path: "Sales"}}) { deletedId }"#).await, id);
    let found = world.read(r#"{ user(by: {email: "ann@x.com"}) { managerOf { path } team { path } } }"#).await;
    assert_eq!(short(&found["user"]), "{managerOf: [], team: {path: West}}");
    world.change(r#"deleteUser(input: {user: {email: "ann@x.com"}}) { deletedId }"#).await;
    let id = scene::team(&world, "West").await;
    assert_eq!(world.change(r#"deleteTeam(input: {team: {path: "West"}}) { deletedId }"#).await, id);
}

async fn integrations_are_set_up(world: World) {
    let settings =
        "integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
        syncSchedule massChangeLimitPercent stripInvalidSuffix } }";
    let change = |settings: &str, selected: &str| {
        format!(r#"updateIntegration(input: {{integration: {{name: "CRM"}}, settings: {settings}}}) {{ {selected} }}"#)
    };
    let mutations = [
        format!(r#"createIntegration(input: {{name: "CRM", kind: DYNAMICS_365}}) {{ {settings} }}"#),
        r#"createIntegration(input: {name: "CRM", kind: HUBSPOT}) { integration { name } }"#.to_owned(),
        r#"createIntegration(input: {name: "", kind: HUBSPOT, settings: {massChangeLimitPercent: 101, syncSchedule: "soon", autoRemapInactive: true}}) { integration { name } }"#.to_owned(),
        change(r#"{syncSchedule: "*/15 * * * *"}"#, settings),
        change(r#"{syncSchedule: "61 * * * *"}"#, settings),
        change("{massChangeLimitPercent: -1}", settings),
        change("{massChangeLimitPercent: 0, stripInvalidSuffix: true}", "integration { settings { massChangeLimitPercent syncSchedule stripInvalidSuffix } }"),
        change("{autoRemapInactive: true}", settings),
        change("{autoRemapInactive: true, inboundCreate: true}", settings),
        change("{autoRemapInactive: true, inboundCreate: true, emailDedupe: BOTH}", "integration { settings { autoRemapInactive } }"),
        // What it needs can't be taken from under it.
        change("{emailDedupe: INBOUND}", settings),
        change("{autoRemapInactive: false, emailDedupe: INBOUND, syncSchedule: null}", settings),
        r#"createIntegration(input: {name: "Second", kind: OTHER}) { integration { name } }"#.to_owned(),
        r#"updateIntegration(input: {integration: {name: "Second"}, name: "CRM"}) { integration { name } }"#.to_owned(),
        r#"updateIntegration(input: {integration: {name: "Second"}, name: "Zweite"}) { integration { name kind } }"#.to_owned(),
        r#"updateIntegration(input: {integration: {name: "Second"}}) { integration { name } }"#.to_owned(),
        r#"syncIntegration(input: {integration: {name: "Zweite"}}) { syncRun { status } }"#.to_owned(),
    ];
    let mutations: Vec<&str> = mutations.iter().map(String::as_str).collect();
    assert_snapshot!(told(&world, &mutations).await, @r#"
    createIntegration(input: {name: "CRM", kind: DYNAMICS_365}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        {kind: DYNAMICS_365, name: CRM, nextSyncAt: null, settings: {autoLinkByEmail: true, autoRemapInactive: false, emailDedupe: NEVER, inboundCreate: false, massChangeLimitPercent: 20, stripInvalidSuffix: false, syncSchedule: 0 * * * *}}
    createIntegration(input: {name: "CRM", kind: HUBSPOT}) { integration { name } }
        ALREADY_EXISTS name: There already is an integration named "CRM". Choose another name.
    createIntegration(input: {name: "", kind: HUBSPOT, settings: {massChangeLimitPercent: 101, syncSchedule: "soon", autoRemapInactive: true}}) { integration { name } }
        INVALID name: The integration needs a name; this is empty.
        INVALID settings.syncSchedule: "soon" is not a cron expression (Invalid pattern: Pattern must have between 5 and 7 fields.). Write, for example, `*/15 * * * *`, in UTC.
        INVALID settings.massChangeLimitPercent: 101 is not a share from 0 to 100.
        REMAP_NEEDS_INBOUND_CREATE settings.autoRemapInactive: Remapping to a new CRM user needs inboundCreate to be on.
        REMAP_NEEDS_DEDUPE_BOTH settings.autoRemapInactive: Remapping to a new CRM user needs emailDedupe to be BOTH.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {syncSchedule: "*/15 * * * *"}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        {kind: DYNAMICS_365, name: CRM, nextSyncAt: null, settings: {autoLinkByEmail: true, autoRemapInactive: false, emailDedupe: NEVER, inboundCreate: false, massChangeLimitPercent: 20, stripInvalidSuffix: false, syncSchedule: */15 * * * *}}
    updateIntegration(input: {integration: {name: "CRM"}, settings: {syncSchedule: "61 * * * *"}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        INVALID settings.syncSchedule: "61 * * * *" is not a cron expression (Component error: Number out of bounds.). Write, for example, `*/15 * * * *`, in UTC.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {massChangeLimitPercent: -1}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        INVALID settings.massChangeLimitPercent: -1 is not a share from 0 to 100.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {massChangeLimitPercent: 0, stripInvalidSuffix: true}}) { integration { settings { massChangeLimitPercent syncSchedule stripInvalidSuffix } } }
        {settings: {massChangeLimitPercent: 0, stripInvalidSuffix: true, syncSchedule: */15 * * * *}}
    updateIntegration(input: {integration: {name: "CRM"}, settings: {autoRemapInactive: true}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        REMAP_NEEDS_INBOUND_CREATE settings.autoRemapInactive: Remapping to a new CRM user needs inboundCreate to be on.
        REMAP_NEEDS_DEDUPE_BOTH settings.autoRemapInactive: Remapping to a new CRM user needs emailDedupe to be BOTH.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {autoRemapInactive: true, inboundCreate: true}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        REMAP_NEEDS_DEDUPE_BOTH settings.autoRemapInactive: Remapping to a new CRM user needs emailDedupe to be BOTH.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {autoRemapInactive: true, inboundCreate: true, emailDedupe: BOTH}}) { integration { settings { autoRemapInactive } } }
        {settings: {autoRemapInactive: true}}
    updateIntegration(input: {integration: {name: "CRM"}, settings: {emailDedupe: INBOUND}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        REMAP_NEEDS_DEDUPE_BOTH settings.autoRemapInactive: Remapping to a new CRM user needs emailDedupe to be BOTH.
    updateIntegration(input: {integration: {name: "CRM"}, settings: {autoRemapInactive: false, emailDedupe: INBOUND, syncSchedule: null}}) { integration { name kind nextSyncAt settings { autoLinkByEmail inboundCreate emailDedupe autoRemapInactive
            syncSchedule massChangeLimitPercent stripInvalidSuffix } } }
        {kind: DYNAMICS_365, name: CRM, nextSyncAt: null, settings: {autoLinkByEmail: true, autoRemapInactive: false, emailDedupe: INBOUND, inboundCreate: true, massChangeLimitPercent: 0, stripInvalidSuffix: true, syncSchedule: null}}
    createIntegration(input: {name: "Second", kind: OTHER}) { integration { name } }
        {name: Second}
    updateIntegration(input: {integration: {name: "Second"}, name: "CRM"}) { integration { name } }
        ALREADY_EXISTS name: There already is an integration named "CRM". Choose another name.
    updateIntegration(input: {integration: {name: "Second"}, name: "Zweite"}) { integration { name kind } }
        {kind: OTHER, name: Zweite}
    updateIntegration(input: {integration: {name: "Second"}}) { integration { name } }
        NOT_FOUND integration: There is no integration named "Second".
    syncIntegration(input: {integration: {name: "Zweite"}}) { syncRun { status } }
        WRONG_STATE integration: "Zweite" has no connection to pull from: connect it with connectIntegration, push its CRM users with pushCrmUsers, or import them.
    "#);
    let found = world.read("{ integrations { name } }").await;
    assert_eq!(short(&found["integrations"]), "[{name: CRM}, {name: Zweite}]");
}

async fn a_deleted_integration_leaves_its_history(world: World) {
    let first = scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "ann@x.com")]).await;
    scene::user(&world, "ann@x.com", json!({})).await;
    assert_eq!(world.change(r#"deleteIntegration(input: {integration: {name: "CRM"}}) { deletedId }"#).await, first);
    let second = scene::integration(&world, "CRM", "OTHER").await;
    assert_ne!(first, second);
    let query = r#"{ user(by: {email: "ann@x.com"}) { mappings { source } link(integration: {name: "CRM"}) { state }
        mappingHistory { nodes { endReason endedBy { email } integration { name } crmUser { externalId } } } } integrations { name } }"#;
    assert_snapshot!(short(&world.read(query).await), @"{integrations: [{name: CRM}], user: {link: {state: NO_MATCH}, mappingHistory: {nodes: [{crmUser: {externalId: 1}, endReason: INTEGRATION_DELETED, endedBy: {email: admin@acme.example}, integration: {name: CRM}}]}, mappings: []}}");
    let by_id = format!(r#"deleteIntegration(input: {{integration: {{id: "{first}"}}}}) {{ deletedId }}"#);
    assert_snapshot!(world.change(&by_id).await, @"NOT_FOUND integration: There is no integration with this id.");
}

async fn catalogues_are_kept(world: World) {
    let text = told(
        &world,
        &[
            r#"createLicense(input: {name: "Gold"}) { license { name } }"#,
            r#"createLicense(input: {name: "Gold"}) { license { name } }"#,
            r#"createLicense(input: {name: " "}) { license { name } }"#,
            r#"createUser(input: {email: "ann@x.com", licenses: [{name: "Gold"}]}) { user { licenses { name } } }"#,
            r#"renameLicense(input: {license: {name: "Gold"}, name: "Platinum"}) { license { name } }"#,
            r#"renameLicense(input: {license: {name: "Platinum"}, name: "Foundation"}) { license { name } }"#,
            r#"renameLicense(input: {license: {name: "Gold"}, name: "Silver"}) { license { name } }"#,
            r#"deleteLicense(input: {license: {name: "Platinum"}}) { deletedId }"#,
            r#"createConfigurationProfile(input: {name: "Intake On"}) { configurationProfile { name isDefault } }"#,
            r#"createConfigurationProfile(input: {name: "Intake On"}) { configurationProfile { name } }"#,
            r#"renameConfigurationProfile(input: {configurationProfile: {name: "Intake On"}, name: "Everything"}) { configurationProfile { name } }"#,
            r#"updateUser(input: {user: {email: "ann@x.com"}, configurationProfile: {name: "Everything"}}) { user { configurationProfile { name } licenses { name } } }"#,
            r#"deleteConfigurationProfile(input: {configurationProfile: {name: "Everything"}}) { deletedId }"#,
            r#"deleteConfigurationProfile(input: {configurationProfile: {name: "Default: Intake Off"}}) { deletedId }"#,
            r#"deleteConfigurationProfile(input: {configurationProfile: {id: "x"}}) { deletedId }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    createLicense(input: {name: "Gold"}) { license { name } }
        {name: Gold}
    createLicense(input: {name: "Gold"}) { license { name } }
        ALREADY_EXISTS name: There already is a licence named "Gold". Choose another name.
    createLicense(input: {name: " "}) { license { name } }
        INVALID name: The licence needs a name; this is empty.
    createUser(input: {email: "ann@x.com", licenses: [{name: "Gold"}]}) { user { licenses { name } } }
        {licenses: [{name: Gold}]}
    renameLicense(input: {license: {name: "Gold"}, name: "Platinum"}) { license { name } }
        {name: Platinum}
    renameLicense(input: {license: {name: "Platinum"}, name: "Foundation"}) { license { name } }
        ALREADY_EXISTS name: There already is a licence named "Foundation". Choose another name.
    renameLicense(input: {license: {name: "Gold"}, name: "Silver"}) { license { name } }
        NOT_FOUND license: There is no such licence.
    deleteLicense(input: {license: {name: "Platinum"}}) { deletedId }
        WRONG_STATE license: A user has this licence. Take it from them first.
    createConfigurationProfile(input: {name: "Intake On"}) { configurationProfile { name isDefault } }
        {isDefault: false, name: Intake On}
    createConfigurationProfile(input: {name: "Intake On"}) { configurationProfile { name } }
        ALREADY_EXISTS name: There already is a configuration profile named "Intake On". Choose another name.
    renameConfigurationProfile(input: {configurationProfile: {name: "Intake On"}, name: "Everything"}) { configurationProfile { name } }
        {name: Everything}
    updateUser(input: {user: {email: "ann@x.com"}, configurationProfile: {name: "Everything"}}) { user { configurationProfile { name } licenses { name } } }
        {configurationProfile: {name: Everything}, licenses: [{name: Platinum}]}
    deleteConfigurationProfile(input: {configurationProfile: {name: "Everything"}}) { deletedId }
        WRONG_STATE configurationProfile: A user has this configuration profile. Take it from them first.
    deleteConfigurationProfile(input: {configurationProfile: {name: "Default: Intake Off"}}) { deletedId }
        WRONG_STATE configurationProfile: The default configuration profile can't be deleted: new users get it.
    deleteConfigurationProfile(input: {configurationProfile: {id: "x"}}) { deletedId }
        NOT_FOUND configurationProfile: There is no such configuration profile.
    "#);
    // A user who is gone holds neither back.
    world.change(r#"deleteUser(input: {user: {email: "ann@x.com"}}) { deletedId }"#).await;
    for gone in [
        r#"deleteLicense(input: {license: {name: "Platinum"}}) { deletedId }"#,
        r#"deleteConfigurationProfile(input: {configurationProfile: {name: "Everything"}}) { deletedId }"#,
    ] {
        let answer = world.change(gone).await;
        assert!(!answer.contains(' '), "{answer}");
    }
    let found = world.read("{ organization { licenses { name } configurationProfiles { name isDefault } } }").await;
    assert_snapshot!(short(&found["organization"]), @"{configurationProfiles: [{isDefault: true, name: Default: Intake Off}], licenses: [{name: Engagement Dashboard}, {name: Forecasting}, {name: Foundation}, {name: Unified Backstory Application Enterprise}]}");
}

async fn a_token_works_until_it_ends(world: World) {
    scene::user(&world, "ann@x.com", json!({})).await;
    scene::user(&world, "data@x.com", json!({ "role": "DATA" })).await;
    let make = async |user: &str, expires: &str| {
        let query = "mutation ($input: CreateApiTokenInput!) { it: createApiToken(input: $input) {
            apiToken { id name createdAt expiresAt lastUsedAt user { email } } secret userErrors { code field message } } }";
        let expires = if expires.is_empty() { Value::Null } else { json!(expires) };
        let input = json!({ "name": "A script", "user": { "email": user }, "expiresAt": expires });
        world.admin().graphql(query, json!({ "input": input })).await.ok()["it"].take()
    };
    let works = async |token: &Value| {
        let actor = world.bearer(token["secret"].as_str().unwrap());
        actor.graphql("{ viewer { email } }", json!({})).await.status == 200
    };
    let tokens = async || {
        let found = world.read(r#"{ user(by: {email: "ann@x.com"}) { apiTokens { name expiresAt } } }"#).await;
        short(&found["user"]["apiTokens"])
    };
    let mut forever = make("ann@x.com", "").await;
    let hour = make("ann@x.com", "2026-03-02T10:00:00Z").await;
    assert!(works(&forever).await && works(&hour).await);
    assert_snapshot!(tokens().await, @"[{expiresAt: null, name: A script}, {expiresAt: 2026-03-02T10:00:00+00:00, name: A script}]");
    forever["apiToken"].as_object_mut().unwrap().remove("id");
    assert_snapshot!(short(&forever["apiToken"]), @"{createdAt: 2026-03-02T09:00:00+00:00, expiresAt: null, lastUsedAt: null, name: A script, user: {email: ann@x.com}}");

    world.services.clock.advance(Duration::minutes(59));
    assert!(works(&hour).await);
    world.services.clock.advance(Duration::minutes(1));
    assert!(!works(&hour).await, "it ends at its end");
    assert!(works(&forever).await);
    assert_snapshot!(tokens().await, @"[{expiresAt: null, name: A script}]");

    let mut text = String::new();
    for (user, expires) in
        [("ann@x.com", "2026-03-02T10:00:00Z"), ("data@x.com", ""), ("nobody@x.com", ""), ("nobody", "")]
    {
        let refused = make(user, expires).await;
        assert_eq!((&refused["apiToken"], &refused["secret"]), (&Value::Null, &Value::Null));
        writeln!(text, "{user} {expires}: {}", short(&refused["userErrors"])).unwrap();
    }
    assert_snapshot!(text, @r#"
    ann@x.com 2026-03-02T10:00:00Z: [{code: INVALID, field: [expiresAt], message: This moment has passed already.}]
    data@x.com : [{code: INVALID, field: [user], message: data@x.com has the role Data and can't sign in.}]
    nobody@x.com : [{code: USER_NOT_FOUND, field: [user], message: There is no user with the email nobody@x.com.}]
    nobody : [{code: INVALID_EMAIL, field: [user], message: "nobody" is not an email address: it has no @.}]
    "#);

    // A suspension stops a token, its end wakes it; with its user it is gone for good.
    world.change(r#"suspendUser(input: {user: {email: "ann@x.com"}}) { user { id } }"#).await;
    assert!(!works(&forever).await);
    world.change(r#"reactivateUser(input: {user: {email: "ann@x.com"}}) { user { id } }"#).await;
    assert!(works(&forever).await);
    world.change(r#"deleteUser(input: {user: {email: "ann@x.com"}}) { deletedId }"#).await;
    assert!(!works(&forever).await);
}

const RUN: &str = "syncRun { status trigger received linked deactivated leftAlone remapped usersCreated error }";

async fn push(world: &World, crm_users: Value) -> String {
    let query = format!(
        "mutation ($input: PushCrmUsersInput!) {{ it: pushCrmUsers(input: $input) {{ {RUN} userErrors {{ code field message }} }} }}"
    );
    let input = json!({ "integration": { "name": "CRM" }, "crmUsers": crm_users });
    let answer = world.admin().graphql(&query, json!({ "input": input })).await.ok();
    format!("{}\n{}", short(&answer["it"]["syncRun"]), lines(&answer["it"]["userErrors"]))
}

async fn a_push_says_what_is_wrong(world: World) {
    scene::integration(&world, "CRM", "SALESFORCE").await;
    let text = push(
        &world,
        json!([
            { "externalId": "0050Y000000fL1W", "email": "ann@x.com" },
            { "externalId": "0050Y000000fL1WQAU" },
            { "externalId": "00G0Y000000fL1W", "email": "a queue" },
            { "externalId": "", "team": "Sales:", "name": "a\u{1}b" },
            { "externalId": "0050Y000000fL1X", "email": "" },
        ]),
    )
    .await;
    assert_snapshot!(text, @r#"
    null
    {code: INVALID, field: [crmUsers, 1, externalId], message: 0050Y000000fL1WQAU stands at 0 already; send each CRM user once.}
    {code: INVALID_EXTERNAL_ID, field: [crmUsers, 2, externalId], message: A Salesforce user's id starts with 005; this one starts with 00G, as a queue's or group's does.}
    {code: INVALID_EMAIL, field: [crmUsers, 2, email], message: "a queue" contains white space.}
    {code: INVALID_EXTERNAL_ID, field: [crmUsers, 3, externalId], message: An external id is needed; this is empty.}
    {code: INVALID, field: [crmUsers, 3, name], message: "a\u{1}b" holds a control character, such as a tab or a line break.}
    {code: INVALID, field: [crmUsers, 3, team], message: The team path "Sales:" has an empty name in it. Write Parent:Sub-Team, and \: for a colon in a name.}
    "#);
    let found =
        world.read(r#"{ integration(by: {name: "CRM"}) { crmUsers { totalCount } syncRuns { totalCount } } }"#).await;
    assert_eq!(short(&found["integration"]), "{crmUsers: {totalCount: 0}, syncRuns: {totalCount: 0}}");
    let many: Vec<Value> = (0..1_001).map(|n| json!({ "externalId": n.to_string() })).collect();
    assert_snapshot!(push(&world, json!(many)).await, @r"
    null
    {code: TOO_MANY, field: [crmUsers], message: 1001 CRM users came; 1000 a call at most. Send several calls.}
    ");
    assert_snapshot!(push(&world, json!([])).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 0, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(push(&world, json!([{ "externalId": "0050Y000000fL1W" }])).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 1, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    let found = world.read(r#"{ integration(by: {name: "CRM"}) { crmUsers { nodes { externalId } } } }"#).await;
    assert_eq!(short(&found["integration"]["crmUsers"]["nodes"]), "[{externalId: 0050Y000000fL1WQAU}]");
}

async fn a_push_upserts_and_links(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    for email in ["ann@x.com", "bob@x.com", "carl@x.com", "dora@x.com"] {
        scene::user(&world, email, json!({})).await;
    }
    let first = json!([
        { "externalId": "1", "email": "ANN@x.com", "name": "Ann", "username": "ann", "title": "AE", "team": "Sales:East",
          "createdAt": "2020-01-02T03:04:05+01:00" },
        { "externalId": "2", "email": "bob@x.com" }, { "externalId": "3", "email": "bob@x.com" },
        { "externalId": "4", "email": "carl@x.com", "isActive": false },
        { "externalId": "5", "email": "nobody@x.com" },
    ]);
    assert_snapshot!(push(&world, first.clone()).await, @"{deactivated: 0, error: null, leftAlone: 1, linked: 1, received: 5, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com AMBIGUOUS
    carl@x.com MATCH_INACTIVE
    dora@x.com NO_MATCH
    ");
    let before = standing(&world).await;
    world.services.clock.advance(Duration::minutes(1));
    assert_snapshot!(push(&world, first).await, @"{deactivated: 0, error: null, leftAlone: 0, linked: 0, received: 5, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_eq!(standing(&world).await, before, "the same again changes nothing");

    // A push describes each CRM user whole: what it leaves out is empty now, but for the moment it was created at.
    world.services.clock.advance(Duration::minutes(1));
    let second = json!([
        { "externalId": "1", "email": "ann@x.com" },
        { "externalId": "3", "email": "bob@x.com", "isActive": false },
        { "externalId": "4", "email": "carl@x.com" },
        { "externalId": "5", "email": "dora@x.com" },
    ]);
    assert_snapshot!(push(&world, second).await, @"{deactivated: 1, error: null, leftAlone: 0, linked: 3, received: 4, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MAPPED AUTOMATIC 2
    carl@x.com MAPPED AUTOMATIC 4
    dora@x.com MAPPED AUTOMATIC 5
    ");
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers { nodes { externalId email name username title team isActive createdAt lastSeenAt } } } }"#;
    assert_snapshot!(lines(&world.read(query).await["integration"]["crmUsers"]["nodes"]), @"
    {createdAt: 2020-01-02T02:04:05+00:00, email: ann@x.com, externalId: 1, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: bob@x.com, externalId: 2, isActive: true, lastSeenAt: 2026-03-02T09:00:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: bob@x.com, externalId: 3, isActive: false, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: carl@x.com, externalId: 4, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    {createdAt: null, email: dora@x.com, externalId: 5, isActive: true, lastSeenAt: 2026-03-02T09:02:00+00:00, name: null, team: null, title: null, username: null}
    ");
}

async fn a_push_that_would_unlink_a_company_is_halted(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let users: Vec<String> = (0..50).map(|n| format!("u{n}@x.com,U,,,,,,,,,Add")).collect();
    scene::users(&world, &users).await;
    let crm_users = |n: usize, is_active: bool| {
        let one =
            |n: usize| json!({ "externalId": n.to_string(), "email": format!("u{n}@x.com"), "isActive": is_active });
        (0..n).map(one).collect::<Vec<_>>()
    };
    scene::push_all(&world, "CRM", crm_users(50, true)).await;
    let before = standing(&world).await;
    assert_eq!(before.matches("MAPPED").count(), 50);

    assert_snapshot!(push(&world, json!(crm_users(11, false))).await, @r#"
    {deactivated: 0, error: This would make the CRM users of 11 of 50 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the limit of "CRM" and send it again., leftAlone: 0, linked: 0, received: 11, remapped: 0, status: HALTED, trigger: PUSH, usersCreated: 0}
    {code: MASS_CHANGE_LIMIT, field: null, message: This would make the CRM users of 11 of 50 mappings inactive, more than the 20% that massChangeLimitPercent allows, so nothing was changed. Is the list complete? If it is right, raise the limit of "CRM" and send it again.}
    "#);
    assert_eq!(standing(&world).await, before);
    let query = r#"{ integration(by: {name: "CRM"}) { crmUsers(filter: {isActive: true}) { totalCount } lastSync { status } } }"#;
    assert_snapshot!(short(&world.read(query).await["integration"]), @"{crmUsers: {totalCount: 50}, lastSync: {status: HALTED}}");
    // Ten may always go, and a higher limit lets more go.
    assert_snapshot!(push(&world, json!(crm_users(10, false))).await, @"{deactivated: 10, error: null, leftAlone: 0, linked: 0, received: 10, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    scene::settings(&world, "CRM", json!({ "massChangeLimitPercent": 80 })).await;
    assert_snapshot!(push(&world, json!(crm_users(50, false))).await, @"{deactivated: 40, error: null, leftAlone: 0, linked: 0, received: 50, remapped: 0, status: COMPLETED, trigger: PUSH, usersCreated: 0}");
    assert_eq!(standing(&world).await.matches("CRM_USER_INACTIVE").count(), 50);
}

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
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MAPPED AUTOMATIC 2
    carl@x.com AMBIGUOUS
    dora@x.com MAPPED AUTOMATIC 5
    ");
    // Switched off, it undoes nothing.
    scene::settings(&world, "CRM", json!({ "autoLinkByEmail": false })).await;
    assert_snapshot!(standing(&world).await, @r"
    ann@x.com MAPPED AUTOMATIC 1
    bob@x.com MAPPED AUTOMATIC 2
    carl@x.com AMBIGUOUS
    dora@x.com MAPPED AUTOMATIC 5
    ");
}
