//! What another program does with the fakes, over `/control`.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::*;

async fn call(crms: &Crms, method: Method, path: &str, body: Value) -> (u16, Value) {
    let url = crms.base.join(&format!("/control/{path}")).unwrap();
    let response = Client::new().request(method, url).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn people_are_added_listed_and_changed() {
    let crms = Crms::start().await;
    let (status, user) =
        call(&crms, Method::PUT, "hubspot/users/7", json!({ "email": "a@acme.example", "firstName": "Ann" })).await;
    assert_eq!((status, &user["email"], &user["isActive"]), (200, &json!("a@acme.example"), &json!(true)));
    assert_eq!(user["modifiedAt"], json!("2026-03-01T12:00:00Z"));
    crms.clock.advance(chrono::TimeDelta::seconds(5));
    let (_, user) = call(&crms, Method::PATCH, "hubspot/users/7", json!({ "isActive": false, "email": null })).await;
    assert_eq!((&user["isActive"], &user["email"], &user["firstName"]), (&json!(false), &json!(null), &json!("Ann")));
    assert_eq!(user["modifiedAt"], json!("2026-03-01T12:00:05Z"));
    let (_, list) = call(&crms, Method::GET, "hubspot/users?limit=1", json!(null)).await;
    assert_eq!((&list["total"], &list["rows"][0]["id"]), (&json!(1), &json!("7")));
    let (_, list) = call(&crms, Method::GET, "hubspot/users?after=7", json!(null)).await;
    assert_eq!(list["rows"], json!([]));
    let (_, role) = call(&crms, Method::PUT, "salesforce/roles/00E1", json!({ "name": "VP", "parent": "00E1" })).await;
    assert_eq!(role["parent"], json!("00E1"));
}

#[tokio::test]
async fn faults_are_set_and_cleared() {
    let crms = Crms::start().await;
    crms.people(CrmKind::Salesforce, 3);
    let fault = json!({ "fault": "UNAVAILABLE", "status": 500, "retryAfter": "60", "times": 9 });
    assert_eq!(call(&crms, Method::POST, "salesforce/faults", fault).await.0, 200);
    crms.client(CrmKind::Salesforce).test().await.unwrap_err();
    call(&crms, Method::DELETE, "salesforce/faults", json!({})).await;
    crms.client(CrmKind::Salesforce).test().await.unwrap();
    call(&crms, Method::PUT, "salesforce/page-sizes", json!([2])).await;
    assert_eq!(pull(&*crms.client(CrmKind::Salesforce), None).await.unwrap().len(), 2);
    for path in ["salesforce/sign-outs", "salesforce/cursors"] {
        assert_eq!(call(&crms, Method::POST, path, json!({})).await.0, 200);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let crms = Crms::start().await;
    crms.people(CrmKind::Salesforce, 1);
    let path = format!("salesforce/users/{}", id(CrmKind::Salesforce, 1));
    for (method, path, body, status) in [
        (Method::PATCH, path.as_str(), json!({ "isactive": false }), 422),
        (Method::PATCH, path.as_str(), json!([]), 422),
        (Method::PATCH, "salesforce/users/nobody", json!({}), 404),
        (Method::PUT, "other/users/1", json!({}), 404),
        (Method::POST, "salesforce/faults", json!({ "fault": "EARTHQUAKE" }), 422),
    ] {
        let (answered, said) = call(&crms, method, path, body).await;
        assert_eq!(answered, status, "{path}: {said}");
        assert!(said["error"].is_string());
    }
}
