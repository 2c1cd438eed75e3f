//! No secret is shown, whatever the CRM says.

use axum::{Json, Router, http::StatusCode};
use counterpart::crm::{Problem, SalesforceSignIn, Secret};
use serde_json::json;

use super::*;

const WRONG: &str = "a-secret-that-nobody-may-see";

/// The same connection with another secret, in every place that has one.
fn with_secret(connection: Connection, old: &str) -> Connection {
    let text = serde_json::to_string(&connection).unwrap();
    serde_json::from_str(&text.replace(old, WRONG)).unwrap()
}

fn wrong(crms: &Crms) -> Vec<Connection> {
    let mut all: Vec<_> = KINDS.iter().map(|kind| crms.connection(*kind)).collect();
    let Connection::OracleSales(mut oracle) = crms.connection(CrmKind::OracleSales) else { panic!("another CRM") };
    oracle.sign_in = Fake::oauth_sign_in(&crms.base);
    all.push(Connection::OracleSales(oracle));
    let all = all.into_iter().map(|connection| with_secret(connection, fake::CLIENT_SECRET));
    all.map(|connection| with_secret(connection, fake::ACCESS_TOKEN)).collect()
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let crms = Crms::start().await;
    for connection in wrong(&crms) {
        assert!(!format!("{connection:?}").contains(WRONG));
        let error = crms.network.client(&connection).unwrap().test().await.unwrap_err();
        assert_eq!(error.problem, Problem::WrongCredentials, "{error}");
        assert!(!error.is_transient());
        assert!(!format!("{error} {error:?}").contains(WRONG));
    }
}

#[tokio::test]
async fn a_crm_that_repeats_a_secret_is_not_quoted_with_it() {
    let repeat = |status: StatusCode| {
        Router::new().fallback(move |headers: axum::http::HeaderMap, body: String| async move {
            let said = format!("you sent {body} and {headers:?}");
            (status, Json(json!({ "error": "invalid_client", "error_description": said })))
        })
    };
    for status in
        [StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, repeat(status)).await });
        let network = Network::new(Clock::system(), vec![address.to_string().parse().unwrap()], patience()).unwrap();
        let crms = Crms::start().await;
        for connection in wrong(&crms) {
            let text = serde_json::to_string(&connection).unwrap();
            let there = text.replace(crms.base.authority(), &address.to_string());
            let connection: Connection = serde_json::from_str(&there).unwrap();
            let error = network.client(&connection).unwrap().test().await.unwrap_err();
            assert!(error.message.contains("you sent"), "{error}");
            assert!(!error.message.contains(WRONG) && !error.message.contains("YS1zZWNyZXQ"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_assertion_and_a_key_are_not_shown_either() {
    let repeat = Router::new().fallback(|body: String| async move {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant", "error_description": body })))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, repeat).await });
    let network = Network::new(Clock::system(), vec![address.to_string().parse().unwrap()], patience()).unwrap();
    let connection = Fake::connection(CrmKind::Salesforce, &format!("http://{address}").parse().unwrap()).unwrap();
    let Connection::Salesforce(mut salesforce) = connection else { panic!("another CRM") };
    salesforce.sign_in = Fake::jwt_sign_in();
    let connection = Connection::Salesforce(salesforce);
    assert!(!format!("{connection:?}").contains("PRIVATE KEY"));
    let error = network.client(&connection).unwrap().test().await.unwrap_err();
    assert!(error.message.contains("assertion=…"), "{error}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_sent_is_not_shown() {
    let crms = Crms::start().await;
    let Connection::HubSpot(mut hubspot) = crms.connection(CrmKind::Hubspot) else { panic!("another CRM") };
    hubspot.access_token = Secret(format!("{WRONG}\n"));
    let error = crms.network.client(&Connection::HubSpot(hubspot)).unwrap().test().await.unwrap_err();
    assert_eq!(error.problem, Problem::WrongCredentials);
    assert!(!format!("{error:?}").contains(WRONG));
    let key = SalesforceSignIn::JwtBearer {
        client_id: "id".into(),
        username: "name".into(),
        private_key: Secret(WRONG.into()),
        audience: "https://login.salesforce.com".into(),
    };
    assert!(!format!("{key:?}").contains(WRONG));
}
