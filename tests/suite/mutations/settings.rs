//! Integrations, catalogues and tokens.

use std::fmt::Write;

use chrono::Duration;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::told;
use crate::support::{World, scene, show::short};

both!(
    integrations_are_set_up,
    a_deleted_integration_leaves_its_history,
    catalogues_are_kept,
    a_token_works_until_it_ends,
);

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
