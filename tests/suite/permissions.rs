//! Who may do what (`contract/http.md`): every field of Query, Mutation and Subscription, as everybody.

use std::{collections::BTreeSet, fmt::Write};

use counterpart::bootstrap;
use entity::{ObjectVisibility, UserRole};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{World, client::Actor, scene, socket::Client};

both!(
    every_field_is_asked_for,
    what_everybody_is_answered,
    refused_mutations_change_nothing,
    a_view_follows_the_hierarchy,
    a_sentence_names_nobody_who_is_hidden,
    tokens_are_ones_own,
);

/// What is asked of every field, where a role or an organisation makes a difference. `$name` is an id of the scene.
const QUERIES: &[&str] = &[
    "node(id: $hidden) { ...on User { email } }",
    "node(id: $seen) { ...on User { email } }",
    "node(id: $hiddenMapping) { ...on Mapping { user { email } } }",
    "node(id: $freeCrmUser) { ...on CrmUser { externalId } }",
    "node(id: $seenCrmUser) { ...on CrmUser { externalId } }",
    "node(id: $job) { ...on ImportJob { kind } }",
    "node(id: $run) { ...on SyncRun { trigger } }",
    "node(id: $token) { ...on ApiToken { name } }",
    "nodes(ids: [$acme, $finance, $crm, $license, $profile, $hidden]) { __typename }",
    "organization { name }",
    "viewer { email }",
    "user(by: {id: $hidden}) { email }",
    r#"user(by: {email: "seen@acme.example"}) { email apiTokens { name } }"#,
    "users { totalCount nodes { email } }",
    r#"users(filter: {search: "acme", team: {path: "Finance"}}) { totalCount nodes { email } }"#,
    r#"users(filter: {link: {integration: {name: "CRM"}, state: [MAPPED]}}) { nodes { email } }"#,
    "team(by: {id: $finance}) { path members { totalCount nodes { email } } managers { totalCount nodes { email } } }",
    "teams { nodes { path members(includeSubteams: true) { totalCount } managers { totalCount } } }",
    "integration(by: {id: $crm}) { name }",
    "integrations { coverage { users mapped } mappings { totalCount nodes { user { email } } } }",
    "integrations { crmUsers { totalCount } }",
    "integrations { syncRuns { totalCount } }",
    "integrations { lastSync { trigger } }",
    r#"viewer { link(integration: {name: "CRM"}) { state } }"#,
    r#"viewer { link(integration: {name: "CRM"}) { candidates { score } } }"#,
    "mappings { totalCount nodes { user { email } syncRun { trigger } } }",
    r#"mappings(filter: {search: "hidden"}) { totalCount }"#,
    "importJob(id: $job) { kind createdBy { email } }",
    "importJobs { totalCount }",
];

/// The same of the mutations; each selection is left open for the errors.
const MUTATIONS: &[&str] = &[
    "updateOrganization(input: {managedBy: {id: $crm}}) { organization { name }",
    r#"createUser(input: {email: "new@acme.example", team: {id: $finance}}) { user { email }"#,
    r#"updateUser(input: {user: {id: $hidden}, title: "Changed"}) { user { email }"#,
    r#"updateUser(input: {user: {email: "seen@acme.example"}, title: "Changed"}) { user { email }"#,
    "suspendUser(input: {user: {id: $hidden}}) { user { email }",
    "reactivateUser(input: {user: {id: $hidden}}) { user { email }",
    r#"createTeam(input: {name: "New", parent: {id: $finance}}) { team { path }"#,
    r#"renameTeam(input: {team: {id: $empty}, name: "Changed"}) { team { path }"#,
    r#"moveTeam(input: {team: {id: $empty}, destination: {parent: {id: $finance}}}) { team { path }"#,
    "deleteTeam(input: {team: {id: $empty}}) { deletedId",
    r#"updateIntegration(input: {integration: {id: $crm}, settings: {syncSchedule: "0 4 * * *"}}) { integration { name }"#,
    r#"pushCrmUsers(input: {integration: {id: $crm}, crmUsers: [{externalId: "9"}]}) { syncRun { received }"#,
    "syncIntegration(input: {integration: {id: $crm}}) { syncRun { status }",
    "simulateSync(input: {integration: {id: $crm}}) { syncRun { status }",
    "continueSync(input: {id: $run}) { syncRun { status }",
    r#"connectIntegration(input: {integration: {id: $crm}, connection: {hubspot: {accessToken: "t"}}}) { integration { name }"#,
    "disconnectIntegration(input: {integration: {id: $crm}}) { integration { name }",
    "testConnection(input: {integration: {id: $crm}}) { ok",
    "simulateManageMode(input: {manageMode: AUTO, managedBy: {id: $crm}}) { simulation { usersChanged }",
    r#"setMapping(input: {user: {id: $hidden}, integration: {id: $crm}, crmUser: {id: $freeCrmUser}}) { mapping { source }"#,
    r#"remapUsers(input: {integration: {id: $crm}, items: [{user: {id: $hidden}, crmUser: {externalId: "2"}}]}) { mappings { source }"#,
    "removeMapping(input: {id: $seenMapping}) { mapping { endReason }",
    r#"importUsers(input: {source: {text: "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation\nx@x.com,,,,,,,,,,Add\n"}}) { importJob { kind }"#,
    r#"importMappings(input: {integration: {id: $crm}, source: {text: "email,external_id,alias_email,operation\nx@x.com,1,,add\n"}}) { importJob { kind }"#,
    r#"importCrmUsers(input: {integration: {id: $crm}, source: {text: "external_id\n9\n"}}) { importJob { kind }"#,
    "applyImport(input: {id: $job}) { importJob { kind }",
    "cancelImport(input: {id: $job}) { importJob { kind }",
    "revertImport(input: {id: $job}) { importJob { kind }",
    "exportUsers(input: {filter: {team: {id: $finance}}}) { expiresAt",
    "exportMappings(input: {filter: {integration: {id: $crm}}}) { expiresAt",
    r#"createApiToken(input: {name: "For another", user: {id: $hidden}}) { apiToken { name }"#,
    "revokeApiToken(input: {id: $token}) { deletedId",
    r#"renameLicense(input: {license: {id: $license}, name: "Changed"}) { license { name }"#,
    "deleteLicense(input: {license: {id: $license}}) { deletedId",
    r#"renameConfigurationProfile(input: {configurationProfile: {id: $profile}, name: "Changed"}) { configurationProfile { name }"#,
    "deleteConfigurationProfile(input: {configurationProfile: {id: $profile}}) { deletedId",
    "deleteUser(input: {user: {id: $hidden}}) { deletedId",
    "deleteIntegration(input: {integration: {id: $crm}}) { deletedId",
];

/// Mutations that name nothing of the organisation: an administrator of another makes these in its own.
const MAKERS: &[&str] = &[
    r#"createIntegration(input: {name: "Another", kind: OTHER}) { integration { name }"#,
    r#"createLicense(input: {name: "Another"}) { license { name }"#,
    r#"createConfigurationProfile(input: {name: "Another"}) { configurationProfile { name }"#,
];

/// The same of the subscriptions.
const SUBSCRIPTIONS: &[&str] = &["importProgress(id: $job) { kind }", "syncProgress(id: $run) { trigger }"];

/// An organisation where whoever has the visibility Team sees `seen@acme.example` and never `hidden@acme.example`.
struct Scene {
    /// The ids of the scene's things by their names in the tables above.
    ids: Vec<(&'static str, String)>,
    /// Who asks, by what a line of a snapshot calls them.
    actors: Vec<(&'static str, Actor)>,
}

impl Scene {
    async fn set(world: &World) -> Self {
        use ObjectVisibility::{Full, Team};
        use UserRole::{Data, Manager, Member};

        let user =
            async |name: &str, role, visibility| world.user(&format!("{name}@acme.example"), role, visibility).await;
        let [nobody, admin] = [world.anonymous(), world.admin()];
        let suspended = user("suspended", Member, Full).await;
        let deleted = user("deleted", Member, Full).await;
        let data_only = user("data", Data, Full).await;
        let other = bootstrap::administrator(&world.services.db, "Other", "admin@other.example").await.unwrap();
        let other = world.bearer(other.token);
        let manager = user("manager", Manager, Team).await;
        let member = user("member", Member, Team).await;
        let manager_full = user("manager.full", Manager, Full).await;
        let member_full = user("member.full", Member, Full).await;

        for path in ["Sales:Mid-West", "Finance", "Empty"] {
            scene::team(world, path).await;
        }
        scene::user(world, "seen@acme.example", json!({ "team": { "path": "Sales:Mid-West" } })).await;
        scene::user(
            world,
            "hidden@acme.example",
            json!({
                "team": { "path": "Finance" }, "managerOf": [{ "path": "Finance" }, { "path": "Sales" }],
            }),
        )
        .await;
        scene::edit(world, "manager@acme.example", json!({ "managerOf": [{ "path": "Sales" }] })).await;
        scene::edit(world, "member@acme.example", json!({ "team": { "path": "Sales:Mid-West" } })).await;
        for query in [
            r#"suspendUser(input: {user: {email: "suspended@acme.example"}}) { userErrors { code } }"#,
            r#"deleteUser(input: {user: {email: "deleted@acme.example"}}) { userErrors { code } }"#,
            r#"createLicense(input: {name: "Gold"}) { userErrors { code } }"#,
            r#"createConfigurationProfile(input: {name: "Intake On"}) { userErrors { code } }"#,
            r#"createApiToken(input: {name: "A secret", user: {email: "hidden@acme.example"}}) { userErrors { code } }"#,
        ] {
            let data = admin.graphql(&format!("mutation {{ it: {query} }}"), json!({})).await.ok();
            assert_eq!(data["it"]["userErrors"], json!([]), "{query}");
        }
        scene::integration(world, "CRM", "OTHER").await;
        scene::push(
            world,
            "CRM",
            &[("1", "seen@acme.example"), ("2", "hidden@acme.example"), ("3", "free@acme.example")],
        )
        .await;
        let text = "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,\
                    Licenses,Operation\nseen@acme.example,Ann,,,,,,,,,Edit\n";
        let query = "mutation ($text: String!) { importUsers(input: {source: {text: $text}}) { userErrors { code } } }";
        admin.graphql(query, json!({ "text": text })).await.ok();
        world.work().await;

        let query = r#"{
            acme: organization { id licenses { id name } configurationProfiles { id name } }
            hidden: user(by: {email: "hidden@acme.example"}) { id apiTokens { id } mappings { id } }
            seen: user(by: {email: "seen@acme.example"}) { id mappings { id crmUser { id } } }
            finance: team(by: {path: "Finance"}) { id } empty: team(by: {path: "Empty"}) { id }
            crm: integration(by: {name: "CRM"}) { id crmUsers(last: 1) { nodes { id } } lastSync { id } }
            jobs: importJobs { nodes { id } } }"#;
        let data = admin.graphql(query, json!({})).await.ok();
        let named = |list: &str, name: &str| {
            let entries = data["acme"][list].as_array().unwrap();
            entries.iter().position(|entry| entry["name"] == name).unwrap()
        };
        let license = format!("/acme/licenses/{}/id", named("licenses", "Gold"));
        let profile = format!("/acme/configurationProfiles/{}/id", named("configurationProfiles", "Intake On"));
        let ids = [
            // A name that another begins with comes after it.
            ("hiddenMapping", "/hidden/mappings/0/id"),
            ("hidden", "/hidden/id"),
            ("seenMapping", "/seen/mappings/0/id"),
            ("seenCrmUser", "/seen/mappings/0/crmUser/id"),
            ("seen", "/seen/id"),
            ("token", "/hidden/apiTokens/0/id"),
            ("acme", "/acme/id"),
            ("finance", "/finance/id"),
            ("empty", "/empty/id"),
            ("crm", "/crm/id"),
            ("freeCrmUser", "/crm/crmUsers/nodes/0/id"),
            ("run", "/crm/lastSync/id"),
            ("job", "/jobs/nodes/0/id"),
            ("license", &license),
            ("profile", &profile),
        ];
        let ids = ids.map(|(name, path)| (name, data.pointer(path).unwrap().as_str().unwrap().to_owned()));
        Self {
            ids: ids.into(),
            actors: vec![
                ("nobody", nobody),
                ("suspended", suspended),
                ("deleted", deleted),
                ("data", data_only),
                ("other admin", other),
                ("manager (team)", manager),
                ("member (team)", member),
                ("manager (full)", manager_full),
                ("member (full)", member_full),
                ("admin", admin),
            ],
        }
    }

    /// The text with the scene's ids in it.
    fn fill(&self, text: &str) -> String {
        self.ids
            .iter()
            .fold(text.to_owned(), |text, (name, id)| text.replace(&format!("${name}"), &format!("\"{id}\"")))
    }

    /// What everybody is answered, those together who are answered the same.
    async fn answers(&self, kind: &str, field: &str) -> String {
        let closed = if kind == "mutation" { " userErrors { code } }" } else { "" };
        let query = format!("{kind} {{ it: {}{closed} }}", self.fill(field));
        let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
        for (name, actor) in &self.actors {
            let line = outcome(actor, &query).await;
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, names)) => names.push(name),
                None => lines.push((line, vec![name])),
            }
        }
        lines.into_iter().fold(format!("{field}\n"), |mut text, (line, names)| {
            writeln!(text, "    {}: {line}", names.join(", ")).unwrap();
            text
        })
    }
}

/// An answer in a few words: what came, or the codes of what went wrong.
async fn outcome(actor: &Actor, query: &str) -> String {
    let answer = actor.graphql(query, json!({})).await;
    match answer.status.as_u16() {
        200 if answer.json["errors"].is_array() => answer.code().to_owned(),
        200 => shown(&answer.ok()["it"]),
        status => status.to_string(),
    }
}

fn shown(found: &Value) -> String {
    match found["userErrors"].as_array() {
        Some(errors) if errors.is_empty() => "done".to_owned(),
        Some(errors) => errors.iter().map(|error| error["code"].as_str().unwrap()).collect::<Vec<_>>().join(", "),
        None => found.to_string().replace('"', ""),
    }
}

async fn every_field_is_asked_for(world: World) {
    let query = "{ __schema { query: queryType { fields { name } } mutation: mutationType { fields { name } }
                              subscription: subscriptionType { fields { name } } } }";
    let data = world.admin().graphql(query, json!({})).await.ok();
    let makers: Vec<&str> = MUTATIONS.iter().chain(MAKERS).copied().collect();
    for (kind, asked) in [("query", QUERIES), ("mutation", &makers), ("subscription", SUBSCRIPTIONS)] {
        let served = data["__schema"][kind]["fields"].as_array().unwrap();
        let served: BTreeSet<&str> = served.iter().map(|field| field["name"].as_str().unwrap()).collect();
        let asked: BTreeSet<&str> = asked.iter().map(|field| field.split(['(', ' ']).next().unwrap()).collect();
        assert_eq!(asked, served, "each {kind} stands in the tables of this file, with what everybody is answered");
    }
}

async fn what_everybody_is_answered(world: World) {
    let scene = Scene::set(&world).await;
    let mut text = String::new();
    for field in QUERIES {
        text += &scene.answers("query", field).await;
    }
    assert_snapshot!(text, @r#"
    node(id: $hidden) { ...on User { email } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team): null
        manager (full), member (full), admin: {email:hidden@acme.example}
    node(id: $seen) { ...on User { email } }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team), manager (full), member (full), admin: {email:seen@acme.example}
    node(id: $hiddenMapping) { ...on Mapping { user { email } } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team): null
        manager (full), member (full), admin: {user:{email:hidden@acme.example}}
    node(id: $freeCrmUser) { ...on CrmUser { externalId } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team), manager (full), member (full): null
        admin: {externalId:3}
    node(id: $seenCrmUser) { ...on CrmUser { externalId } }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team), manager (full), member (full), admin: {externalId:1}
    node(id: $job) { ...on ImportJob { kind } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team), manager (full), member (full): null
        admin: {kind:USERS}
    node(id: $run) { ...on SyncRun { trigger } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team), manager (full), member (full): null
        admin: {trigger:PUSH}
    node(id: $token) { ...on ApiToken { name } }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team), manager (full), member (full): null
        admin: {name:A secret}
    nodes(ids: [$acme, $finance, $crm, $license, $profile, $hidden]) { __typename }
        nobody, suspended, deleted, data: 401
        other admin: [null,null,null,null,null,null]
        manager (team), member (team): [{__typename:Organization},{__typename:Team},{__typename:Integration},{__typename:License},{__typename:ConfigurationProfile},null]
        manager (full), member (full), admin: [{__typename:Organization},{__typename:Team},{__typename:Integration},{__typename:License},{__typename:ConfigurationProfile},{__typename:User}]
    organization { name }
        nobody, suspended, deleted, data: 401
        other admin: {name:Other}
        manager (team), member (team), manager (full), member (full), admin: {name:Acme}
    viewer { email }
        nobody, suspended, deleted, data: 401
        other admin: {email:admin@other.example}
        manager (team): {email:manager@acme.example}
        member (team): {email:member@acme.example}
        manager (full): {email:manager.full@acme.example}
        member (full): {email:member.full@acme.example}
        admin: {email:admin@acme.example}
    user(by: {id: $hidden}) { email }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team): null
        manager (full), member (full), admin: {email:hidden@acme.example}
    user(by: {email: "seen@acme.example"}) { email apiTokens { name } }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team), manager (full), member (full), admin: {apiTokens:[],email:seen@acme.example}
    users { totalCount nodes { email } }
        nobody, suspended, deleted, data: 401
        other admin: {nodes:[{email:admin@other.example}],totalCount:1}
        manager (team): {nodes:[{email:manager@acme.example},{email:member@acme.example},{email:seen@acme.example}],totalCount:3}
        member (team): {nodes:[{email:member@acme.example},{email:seen@acme.example}],totalCount:2}
        manager (full), member (full), admin: {nodes:[{email:admin@acme.example},{email:data@acme.example},{email:hidden@acme.example},{email:manager.full@acme.example},{email:manager@acme.example},{email:member.full@acme.example},{email:member@acme.example},{email:seen@acme.example},{email:suspended@acme.example}],totalCount:9}
    users(filter: {search: "acme", team: {path: "Finance"}}) { totalCount nodes { email } }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team): {nodes:[],totalCount:0}
        manager (full), member (full), admin: {nodes:[{email:hidden@acme.example}],totalCount:1}
    users(filter: {link: {integration: {name: "CRM"}, state: [MAPPED]}}) { nodes { email } }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team): {nodes:[{email:seen@acme.example}]}
        manager (full), member (full), admin: {nodes:[{email:hidden@acme.example},{email:seen@acme.example}]}
    team(by: {id: $finance}) { path members { totalCount nodes { email } } managers { totalCount nodes { email } } }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team): {managers:{nodes:[],totalCount:0},members:{nodes:[],totalCount:0},path:Finance}
        manager (full), member (full), admin: {managers:{nodes:[{email:hidden@acme.example}],totalCount:1},members:{nodes:[{email:hidden@acme.example}],totalCount:1},path:Finance}
    teams { nodes { path members(includeSubteams: true) { totalCount } managers { totalCount } } }
        nobody, suspended, deleted, data: 401
        other admin: {nodes:[]}
        manager (team): {nodes:[{managers:{totalCount:0},members:{totalCount:0},path:Empty},{managers:{totalCount:0},members:{totalCount:0},path:Finance},{managers:{totalCount:0},members:{totalCount:2},path:Sales:Mid-West},{managers:{totalCount:1},members:{totalCount:2},path:Sales}]}
        member (team): {nodes:[{managers:{totalCount:0},members:{totalCount:0},path:Empty},{managers:{totalCount:0},members:{totalCount:0},path:Finance},{managers:{totalCount:0},members:{totalCount:2},path:Sales:Mid-West},{managers:{totalCount:0},members:{totalCount:2},path:Sales}]}
        manager (full), member (full), admin: {nodes:[{managers:{totalCount:0},members:{totalCount:0},path:Empty},{managers:{totalCount:1},members:{totalCount:1},path:Finance},{managers:{totalCount:0},members:{totalCount:2},path:Sales:Mid-West},{managers:{totalCount:2},members:{totalCount:2},path:Sales}]}
    integration(by: {id: $crm}) { name }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team), manager (full), member (full), admin: {name:CRM}
    integrations { coverage { users mapped } mappings { totalCount nodes { user { email } } } }
        nobody, suspended, deleted, data: 401
        other admin: []
        manager (team): [{coverage:{mapped:1,users:3},mappings:{nodes:[{user:{email:seen@acme.example}}],totalCount:1}}]
        member (team): [{coverage:{mapped:1,users:2},mappings:{nodes:[{user:{email:seen@acme.example}}],totalCount:1}}]
        manager (full), member (full), admin: [{coverage:{mapped:2,users:9},mappings:{nodes:[{user:{email:seen@acme.example}},{user:{email:hidden@acme.example}}],totalCount:2}}]
    integrations { crmUsers { totalCount } }
        nobody, suspended, deleted, data: 401
        other admin: []
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: [{crmUsers:{totalCount:3}}]
    integrations { syncRuns { totalCount } }
        nobody, suspended, deleted, data: 401
        other admin: []
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: [{syncRuns:{totalCount:1}}]
    integrations { lastSync { trigger } }
        nobody, suspended, deleted, data: 401
        other admin: []
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: [{lastSync:{trigger:PUSH}}]
    viewer { link(integration: {name: "CRM"}) { state } }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full), admin: {link:{state:NO_MATCH}}
    viewer { link(integration: {name: "CRM"}) { candidates { score } } }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: {link:{candidates:[]}}
    mappings { totalCount nodes { user { email } syncRun { trigger } } }
        nobody, suspended, deleted, data: 401
        other admin: {nodes:[],totalCount:0}
        manager (team), member (team): {nodes:[{syncRun:null,user:{email:seen@acme.example}}],totalCount:1}
        manager (full), member (full): {nodes:[{syncRun:null,user:{email:seen@acme.example}},{syncRun:null,user:{email:hidden@acme.example}}],totalCount:2}
        admin: {nodes:[{syncRun:{trigger:PUSH},user:{email:seen@acme.example}},{syncRun:{trigger:PUSH},user:{email:hidden@acme.example}}],totalCount:2}
    mappings(filter: {search: "hidden"}) { totalCount }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team): {totalCount:0}
        manager (full), member (full), admin: {totalCount:1}
    importJob(id: $job) { kind createdBy { email } }
        nobody, suspended, deleted, data: 401
        other admin: null
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: {createdBy:{email:admin@acme.example},kind:USERS}
    importJobs { totalCount }
        nobody, suspended, deleted, data: 401
        other admin: {totalCount:0}
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: {totalCount:1}
    "#);

    let mut text = String::new();
    for field in SUBSCRIPTIONS {
        writeln!(text, "{field}").unwrap();
        for (name, actor) in &scene.actors {
            let token = actor.token.as_deref().unwrap_or_default();
            let answer = follow(&world, token, &format!("subscription {{ it: {} }}", scene.fill(field))).await;
            writeln!(text, "    {name}: {answer}").unwrap();
        }
    }
    assert_snapshot!(text, @r"
    importProgress(id: $job) { kind }
        nobody: 4403
        suspended: 4403
        deleted: 4403
        data: 4403
        other admin: NOT_FOUND
        manager (team): FORBIDDEN
        member (team): FORBIDDEN
        manager (full): FORBIDDEN
        member (full): FORBIDDEN
        admin: {kind:USERS}
    syncProgress(id: $run) { trigger }
        nobody: 4403
        suspended: 4403
        deleted: 4403
        data: 4403
        other admin: NOT_FOUND
        manager (team): FORBIDDEN
        member (team): FORBIDDEN
        manager (full): FORBIDDEN
        member (full): FORBIDDEN
        admin: {trigger:PUSH}
    ");

    let mut text = String::new();
    for field in MUTATIONS.iter().chain(MAKERS) {
        text += &scene.answers("mutation", field).await;
    }
    assert_snapshot!(text, @r#"
    updateOrganization(input: {managedBy: {id: $crm}}) { organization { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    createUser(input: {email: "new@acme.example", team: {id: $finance}}) { user { email }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    updateUser(input: {user: {id: $hidden}, title: "Changed"}) { user { email }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    updateUser(input: {user: {email: "seen@acme.example"}, title: "Changed"}) { user { email }
        nobody, suspended, deleted, data: 401
        other admin: USER_NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    suspendUser(input: {user: {id: $hidden}}) { user { email }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    reactivateUser(input: {user: {id: $hidden}}) { user { email }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    createTeam(input: {name: "New", parent: {id: $finance}}) { team { path }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    renameTeam(input: {team: {id: $empty}, name: "Changed"}) { team { path }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    moveTeam(input: {team: {id: $empty}, destination: {parent: {id: $finance}}}) { team { path }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    deleteTeam(input: {team: {id: $empty}}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    updateIntegration(input: {integration: {id: $crm}, settings: {syncSchedule: "0 4 * * *"}}) { integration { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    pushCrmUsers(input: {integration: {id: $crm}, crmUsers: [{externalId: "9"}]}) { syncRun { received }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    syncIntegration(input: {integration: {id: $crm}}) { syncRun { status }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    simulateSync(input: {integration: {id: $crm}}) { syncRun { status }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    continueSync(input: {id: $run}) { syncRun { status }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    connectIntegration(input: {integration: {id: $crm}, connection: {hubspot: {accessToken: "t"}}}) { integration { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: INVALID
    disconnectIntegration(input: {integration: {id: $crm}}) { integration { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    testConnection(input: {integration: {id: $crm}}) { ok
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    simulateManageMode(input: {manageMode: AUTO, managedBy: {id: $crm}}) { simulation { usersChanged }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    setMapping(input: {user: {id: $hidden}, integration: {id: $crm}, crmUser: {id: $freeCrmUser}}) { mapping { source }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    remapUsers(input: {integration: {id: $crm}, items: [{user: {id: $hidden}, crmUser: {externalId: "2"}}]}) { mappings { source }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    removeMapping(input: {id: $seenMapping}) { mapping { endReason }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    importUsers(input: {source: {text: "Email Address,First Name,Last Name,Title,Team,Role,Object Visibility,Configuration Profile,Manager Of,Licenses,Operation\nx@x.com,,,,,,,,,,Add\n"}}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin, admin: done
        manager (team), member (team), manager (full), member (full): FORBIDDEN
    importMappings(input: {integration: {id: $crm}, source: {text: "email,external_id,alias_email,operation\nx@x.com,1,,add\n"}}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    importCrmUsers(input: {integration: {id: $crm}, source: {text: "external_id\n9\n"}}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    applyImport(input: {id: $job}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    cancelImport(input: {id: $job}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: WRONG_STATE
    revertImport(input: {id: $job}) { importJob { kind }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    exportUsers(input: {filter: {team: {id: $finance}}}) { expiresAt
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    exportMappings(input: {filter: {integration: {id: $crm}}}) { expiresAt
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    createApiToken(input: {name: "For another", user: {id: $hidden}}) { apiToken { name }
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team): NOT_FOUND
        manager (full), member (full): FORBIDDEN
        admin: done
    revokeApiToken(input: {id: $token}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin, manager (team), member (team), manager (full), member (full): NOT_FOUND
        admin: done
    renameLicense(input: {license: {id: $license}, name: "Changed"}) { license { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    deleteLicense(input: {license: {id: $license}}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    renameConfigurationProfile(input: {configurationProfile: {id: $profile}, name: "Changed"}) { configurationProfile { name }
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    deleteConfigurationProfile(input: {configurationProfile: {id: $profile}}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    deleteUser(input: {user: {id: $hidden}}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    deleteIntegration(input: {integration: {id: $crm}}) { deletedId
        nobody, suspended, deleted, data: 401
        other admin: NOT_FOUND
        manager (team), member (team), manager (full), member (full): FORBIDDEN
        admin: done
    createIntegration(input: {name: "Another", kind: OTHER}) { integration { name }
        nobody, suspended, deleted, data: 401
        other admin, admin: done
        manager (team), member (team), manager (full), member (full): FORBIDDEN
    createLicense(input: {name: "Another"}) { license { name }
        nobody, suspended, deleted, data: 401
        other admin, admin: done
        manager (team), member (team), manager (full), member (full): FORBIDDEN
    createConfigurationProfile(input: {name: "Another"}) { configurationProfile { name }
        nobody, suspended, deleted, data: 401
        other admin, admin: done
        manager (team), member (team), manager (full), member (full): FORBIDDEN
    "#);
}

/// What a subscription to something that is over says first.
async fn follow(world: &World, token: &str, query: &str) -> String {
    let mut client = Client::connect(world).await;
    client.say(json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } })).await;
    let heard = client.hear().await;
    if heard.is_array() {
        return heard[0].to_string();
    }
    client.ask("a", query).await;
    let heard = client.hear().await;
    let payload = &heard["payload"];
    let errors = if payload.is_array() { payload } else { &payload["errors"] };
    match errors[0]["extensions"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => shown(&payload["data"]["it"]),
    }
}

/// All of the organisation that a mutation of the tables could change.
async fn portrait(world: &World) -> Value {
    let query = r#"{
        organization { name manageMode managedBy { name } licenses { name } configurationProfiles { name } }
        users(first: 200) { nodes { email title status role team { path } managerOf { path } apiTokens { name }
            mappingHistory { nodes { source crmUser { externalId } endReason } } } }
        teams(first: 200) { nodes { path } }
        integrations { name settings { syncSchedule } crmUsers { nodes { externalId } } syncRuns { totalCount } }
        importJobs { nodes { status kind } } }"#;
    world.admin().graphql(query, json!({})).await.ok()
}

async fn refused_mutations_change_nothing(world: World) {
    let scene = Scene::set(&world).await;
    let before = portrait(&world).await;
    for (name, actor) in scene.actors.iter().filter(|(name, _)| *name != "admin") {
        for field in MUTATIONS.iter().chain(MAKERS) {
            let query = format!("mutation {{ it: {} userErrors {{ code }} }} }}", scene.fill(field));
            let answer = actor.graphql(&query, json!({})).await;
            let data = answer.json["data"].to_string();
            assert!(scene.ids.iter().all(|(_, id)| !data.contains(id)), "{name}, {field}: {data}");
            assert!(!data.contains("acme.example"), "{name}, {field}: {data}");
        }
        assert_eq!(portrait(&world).await, before, "{name}");
    }
}

/// The emails that a viewer's list of users has.
async fn seen_by(actor: &Actor) -> Vec<String> {
    let data = actor.graphql("{ users { nodes { email } } }", json!({})).await.ok();
    let nodes = data["users"]["nodes"].as_array().unwrap().iter();
    nodes.map(|user| user["email"].as_str().unwrap().trim_end_matches("@acme.example").to_owned()).collect()
}

async fn a_view_follows_the_hierarchy(world: World) {
    let scene = Scene::set(&world).await;
    let actor = |name: &str| &scene.actors.iter().find(|(known, _)| *known == name).unwrap().1;
    let (manager, member) = (actor("manager (team)"), actor("member (team)"));
    assert_eq!(seen_by(manager).await, ["manager", "member", "seen"]);
    assert_eq!(seen_by(member).await, ["member", "seen"]);

    let query = r#"mutation { moveTeam(input: {team: {path: "Sales:Mid-West"}, destination: {parent: {path: "Finance"}}}) { userErrors { code } } }"#;
    world.admin().graphql(query, json!({})).await.ok();
    assert_eq!(seen_by(manager).await, ["manager"]);
    assert_eq!(seen_by(member).await, ["member", "seen"]);

    scene::edit(&world, "member@acme.example", json!({ "team": { "path": "Finance" } })).await;
    assert_eq!(seen_by(member).await, ["hidden", "member", "seen"]);
    scene::edit(&world, "member@acme.example", json!({ "objectVisibility": "FULL" })).await;
    assert_eq!(seen_by(member).await.len(), 9);
    scene::edit(&world, "member@acme.example", json!({ "objectVisibility": "TEAM", "team": null })).await;
    assert_eq!(seen_by(member).await, ["member"]);
}

async fn a_sentence_names_nobody_who_is_hidden(world: World) {
    let scene = Scene::set(&world).await;
    // Another user is mapped to the CRM user that carries the member's email.
    scene::push(&world, "CRM", &[("4", "")]).await;
    scene::map(&world, "hidden@acme.example", "CRM", "4").await;
    scene::push(&world, "CRM", &[("4", "member@acme.example")]).await;
    let query = r#"{ user(by: {email: "member@acme.example"}) { link(integration: {name: "CRM"}) { state explanation mapping { id } } } }"#;
    let mut text = String::new();
    for (name, actor) in &scene.actors[5..] {
        let data = actor.graphql(query, json!({})).await.ok();
        writeln!(text, "{name}: {}", data["user"]["link"]).unwrap();
    }
    assert_snapshot!(text, @r#"
    manager (team): {"explanation":"The CRM user 4 carries member@acme.example, but is mapped to another user.","mapping":null,"state":"MATCH_TAKEN"}
    member (team): {"explanation":"The CRM user 4 carries member@acme.example, but is mapped to another user.","mapping":null,"state":"MATCH_TAKEN"}
    manager (full): {"explanation":"The CRM user 4 carries member@acme.example, but is mapped to hidden@acme.example.","mapping":null,"state":"MATCH_TAKEN"}
    member (full): {"explanation":"The CRM user 4 carries member@acme.example, but is mapped to hidden@acme.example.","mapping":null,"state":"MATCH_TAKEN"}
    admin: {"explanation":"The CRM user 4 carries member@acme.example, but is mapped to hidden@acme.example.","mapping":null,"state":"MATCH_TAKEN"}
    "#);
}

async fn tokens_are_ones_own(world: World) {
    let (member, manager) = (world.member().await, world.manager().await);
    let make = r#"mutation { it: createApiToken(input: {name: "Mine"}) { apiToken { id name user { email } } secret userErrors { code } } }"#;
    let made = member.graphql(make, json!({})).await.ok()["it"].take();
    assert_eq!(made["apiToken"]["user"]["email"], "member@acme.example");
    let own = world.bearer(made["secret"].as_str().unwrap());
    own.graphql("{ viewer { id } }", json!({})).await.ok();

    let revoke = "mutation ($id: ID!) { it: revokeApiToken(input: {id: $id}) { deletedId userErrors { code } } }";
    let id = json!({ "id": made["apiToken"]["id"] });
    let refused = manager.graphql(revoke, id.clone()).await.ok();
    assert_eq!(refused["it"], json!({ "deletedId": null, "userErrors": [{ "code": "NOT_FOUND" }] }));
    own.graphql("{ viewer { id } }", json!({})).await.ok();

    let revoked = own.graphql(revoke, id.clone()).await.ok();
    assert_eq!(revoked["it"], json!({ "deletedId": id["id"], "userErrors": [] }));
    assert_eq!(own.graphql("{ viewer { id } }", json!({})).await.status, 401);
    member.graphql("{ viewer { id } }", json!({})).await.ok();
}
