//! Connections: who may be asked, what is said of a CRM that does not answer, and that secrets stay.

use counterpart::{
    crm::fake::{CLIENT_SECRET, Fault},
    service::{connection, db::Sql, seal::Seal},
};
use entity::CrmKind;
use insta::assert_snapshot;
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{Pulled, connect, serve_fake};
use crate::support::{World, scene};

both!(
    secrets_go_in_and_never_come_out,
    a_test_says_what_is_wrong,
    only_a_crm_is_called,
    a_new_key_seals_anew,
    without_a_connection_there_is_nothing_to_pull_from,
);

const CRM: CrmKind = CrmKind::Salesforce;

async fn sealed(world: &World) -> Vec<u8> {
    let mut sql = Sql::new(world.services.db.backend());
    sql.push("SELECT connection FROM integration WHERE connection IS NOT NULL");
    sql.map(world.services.db.reader(), |row| row.try_get("", "connection")).await.unwrap().remove(0)
}

async fn secrets_go_in_and_never_come_out(world: World) {
    let pulled = Pulled::from(world).await;
    let data = pulled.world.read("{ integrations { connection { url signIn account connectedAt } } }").await;
    let shown = data.to_string().replace(&pulled.address.to_string(), "ADDRESS");
    assert_snapshot!(shown, @r#"{"integrations":[{"connection":{"account":"fake-client","connectedAt":"2026-03-02T09:00:00+00:00","signIn":"CLIENT_CREDENTIALS","url":"http://ADDRESS/"}}]}"#);
    let kept = sealed(&pulled.world).await;
    assert!(!kept.windows(CLIENT_SECRET.len()).any(|part| part == CLIENT_SECRET.as_bytes()));
    // No column of the integration has it in the clear.
    let mut sql = Sql::new(pulled.world.services.db.backend());
    sql.push("SELECT name, kind, connection_summary FROM integration");
    let rows = pulled.world.services.db.reader().query_all_raw(sql.statement()).await.unwrap();
    let text: Vec<String> = rows.iter().map(|row| row.try_get::<String>("", "connection_summary").unwrap()).collect();
    assert!(!text.concat().contains(CLIENT_SECRET), "{text:?}");
    // Moved to another integration, it can't be opened.
    scene::integration(&pulled.world, "Other", "SALESFORCE").await;
    let mut sql = Sql::new(pulled.world.services.db.backend());
    sql.push("UPDATE integration SET ").equals("connection", kept).push(" WHERE ").equals("name", "Other");
    pulled.world.services.db.writer().execute_raw(sql.statement()).await.unwrap();
    let asked = r#"syncIntegration(input: {integration: {name: "Other"}}) { syncRun { status } }"#;
    assert_snapshot!(pulled.world.change(asked).await, @r#"WRONG_STATE integration: The credentials of "Other" were sealed under another secret key. Give that key in COUNTERPART_FORMER_SECRET_KEYS, or connect the integration again."#);
    // Only an administrator sees that there is one.
    let member = pulled.world.member().await;
    let answer = member.graphql("{ integrations { connection { url } } }", json!({})).await;
    assert!(answer.text().contains("FORBIDDEN"), "{}", answer.text());
}

async fn tested(pulled: &Pulled, secret: Option<&str>) -> String {
    let connection = secret.map_or(String::new(), |secret| {
        format!(
            r#", connection: {{salesforce: {{url: "http://{}", signIn: {{clientCredentials: {{clientId: "fake-client", clientSecret: "{secret}"}}}}}}}}"#,
            pulled.address
        )
    });
    let mutation =
        format!(r#"testConnection(input: {{integration: {{name: "CRM"}}{connection}}}) {{ ok problem message }}"#);
    pulled.world.change(&mutation).await.replace(&pulled.address.to_string(), "ADDRESS")
}

async fn a_test_says_what_is_wrong(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.people(1);
    let mut text = format!("{}\n{}\n", tested(&pulled, None).await, tested(&pulled, Some("wrong")).await);
    for fault in [Fault::Forbidden, Fault::Page, Fault::NotFound, Fault::MalformedJson] {
        pulled.fake.fail_next(CRM, fault, 20);
        text.push_str(&format!("{}\n", tested(&pulled, None).await));
        pulled.fake.clear_faults(CRM);
    }
    assert_snapshot!(text, @"
    null true null
    Salesforce does not take the credentials: check the client id and secret, and that the app allows the client credentials flow. It says: invalid_client invalid client credentials false WRONG_CREDENTIALS
    Salesforce does not let this account read its users: give it the permission. It says: INSUFFICIENT_ACCESS Insufficient access rights on this object false MISSING_PERMISSION
    127.0.0.1 answers with a web page, not as Salesforce's API does: check the address. false WRONG_HOST
    Salesforce does not know version v66.0 of its API: give another, such as v66.0. It says: NOT_FOUND The requested resource does not exist false WRONG_HOST
    An answer of Salesforce at 127.0.0.1 can't be read: it is not JSON (line 1, column 19). false MALFORMED
    ");
    assert!(!text.contains(CLIENT_SECRET) && !text.contains("\"wrong\""));
}

async fn only_a_crm_is_called(world: World) {
    scene::integration(&world, "CRM", "SALESFORCE").await;
    let mut text = String::new();
    for url in [
        "http://127.0.0.1:5432",
        "https://169.254.169.254",
        "https://salesforce.com.evil.example",
        "http://acme.my.salesforce.com",
    ] {
        let mutation = format!(
            r#"connectIntegration(input: {{integration: {{name: "CRM"}}, connection: {{salesforce: {{url: "{url}",
                signIn: {{clientCredentials: {{clientId: "a", clientSecret: "b"}}}}}}}}}}) {{ integration {{ connection {{ url }} }} }}"#
        );
        text.push_str(&format!("{}\n", world.change(&mutation).await));
    }
    let other = r#"connectIntegration(input: {integration: {name: "CRM"}, connection: {hubspot: {accessToken: "x"}}}) { integration { name } }"#;
    text.push_str(&world.change(other).await);
    assert_snapshot!(text, @r#"
    INVALID connection: 127.0.0.1 is not a host of Salesforce: it may be one of *.salesforce.com. Others are allowed by whoever runs this server, with the setting COUNTERPART_CRM_HOSTS.
    INVALID connection: 169.254.169.254 is not a host of Salesforce: it may be one of *.salesforce.com. Others are allowed by whoever runs this server, with the setting COUNTERPART_CRM_HOSTS.
    INVALID connection: salesforce.com.evil.example is not a host of Salesforce: it may be one of *.salesforce.com. Others are allowed by whoever runs this server, with the setting COUNTERPART_CRM_HOSTS.
    INVALID connection: acme.my.salesforce.com is called over https only, on its usual port: give https://acme.my.salesforce.com. Others are allowed by whoever runs this server, with the setting COUNTERPART_CRM_HOSTS.
    INVALID connection: "CRM" is an integration of kind SALESFORCE; the connection is one of kind HUBSPOT.
    "#);
    let fine = r#"connectIntegration(input: {integration: {name: "CRM"}, connection: {salesforce: {url: "https://acme.my.salesforce.com",
        signIn: {jwtBearer: {clientId: "a", username: "u", privateKey: "none"}}}}}) { integration { connection { url signIn account } } }"#;
    assert_snapshot!(world.change(fine).await, @"{connection: {account: u, signIn: JWT_BEARER, url: https://acme.my.salesforce.com/}}");
}

async fn a_new_key_seals_anew(world: World) {
    let pulled = Pulled::from(world).await;
    pulled.people(1);
    let before = sealed(&pulled.world).await;
    let services = &pulled.world.services;
    let with = |seal: Seal| {
        counterpart::service::Services::new(
            services.db.clone(),
            services.clock.clone(),
            services.files.clone(),
            services.links.clone(),
            services.crm.clone(),
            seal,
            services.limits,
        )
    };
    connection::reseal(&with(Seal::new(b"another key", &[vec![7; 32]]).unwrap())).await.unwrap();
    let after = sealed(&pulled.world).await;
    assert_ne!(before, after);
    assert!(Seal::new(b"another key", &[]).unwrap().is_current(&after));
    let asked = r#"syncIntegration(input: {integration: {name: "CRM"}}) { syncRun { status } }"#;
    assert!(
        pulled.world.change(asked).await.contains("COUNTERPART_FORMER_SECRET_KEYS"),
        "the old key alone no longer opens it"
    );
    // Connected again, it works again.
    connect(&pulled.world, pulled.address).await;
    assert!(pulled.sync().await.starts_with("COMPLETED received 1"));
}

async fn without_a_connection_there_is_nothing_to_pull_from(world: World) {
    let (_fake, _address, _stop) = serve_fake(&world).await;
    scene::integration(&world, "CRM", "OTHER").await;
    let mut text = String::new();
    for mutation in ["syncIntegration", "simulateSync"] {
        let asked = format!(r#"{mutation}(input: {{integration: {{name: "CRM"}}}}) {{ syncRun {{ status }} }}"#);
        text.push_str(&format!("{}\n", world.change(&asked).await));
    }
    text.push_str(&world.change(r#"testConnection(input: {integration: {name: "CRM"}}) { ok }"#).await);
    assert_snapshot!(text, @r#"
    WRONG_STATE integration: "CRM" has no connection to pull from: connect it with connectIntegration, push its CRM users with pushCrmUsers, or import them.
    WRONG_STATE integration: "CRM" has no connection to pull from: connect it with connectIntegration, push its CRM users with pushCrmUsers, or import them.
    WRONG_STATE integration: "CRM" has no connection to pull from: connect it with connectIntegration, push its CRM users with pushCrmUsers, or import them.
    "#);
}
