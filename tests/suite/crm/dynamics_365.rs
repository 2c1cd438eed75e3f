//! Dynamics 365: links to go on with, access modes.

use chrono::TimeDelta;
use counterpart::crm::Problem;
use serde_json::json;

use super::*;

const KIND: CrmKind = CrmKind::Dynamics365;

#[tokio::test]
async fn a_system_user_is_what_it_says_of_it() {
    let crms = Crms::start().await;
    let user = FakeUser {
        title: Some("AE".into()),
        username: Some("jane@acme.onmicrosoft.com".into()),
        ..FakeUser::new(id(KIND, 1), "Jane@acme.example").named("Jane", "Smith")
    };
    crms.fake.set_users(KIND, vec![user]);
    let page = crms.client(KIND).users(None, None).await.unwrap();
    let expected = CrmUser {
        external_id: id(KIND, 1),
        email: Some("Jane@acme.example".into()),
        name: Some("Jane Smith".into()),
        username: Some("jane@acme.onmicrosoft.com".into()),
        title: Some("AE".into()),
        is_active: true,
        modified_at: Some(time("2026-03-01T12:00:00Z")),
        ..CrmUser::default()
    };
    assert_eq!((page.rows, page.total), (vec![expected], None));
}

#[tokio::test]
async fn links_are_followed_and_what_is_no_person_is_left_out() {
    let crms = Crms::start().await;
    crms.people(KIND, 6);
    crms.fake.patch(KIND, &id(KIND, 3), &json!({ "isPerson": false })).unwrap();
    crms.fake.set_page_sizes(KIND, vec![2, 0, 1]);
    let client = crms.client(KIND);
    assert!(client.is_incremental() && !client.has_roles());
    let pages = pull(&*client, None).await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 0, 2, 0, 1]);
    assert_eq!(crms.fake.sign_ins(KIND), 1);
}

#[tokio::test]
async fn only_what_changed_is_pulled_since_a_time() {
    let crms = Crms::start().await;
    crms.people(KIND, 5);
    crms.clock.advance(TimeDelta::seconds(60));
    for n in [4, 2] {
        crms.fake.patch(KIND, &id(KIND, n), &json!({ "title": "AE" })).unwrap();
    }
    crms.fake.set_page_sizes(KIND, vec![1]);
    assert_eq!(ids(&*crms.client(KIND), Some(crms.clock.now())).await, [id(KIND, 2), id(KIND, 4)]);
}

#[tokio::test]
async fn another_tenant_is_not_let_in() {
    let crms = Crms::start().await;
    let Connection::Dynamics365(mut dynamics) = crms.connection(KIND) else { panic!("another CRM") };
    dynamics.tenant = "other.example".into();
    let error = crms.network.client(&Connection::Dynamics365(dynamics)).unwrap().test().await.unwrap_err();
    assert_eq!(error.problem, Problem::WrongCredentials);
    assert!(error.message.contains("AADSTS90002"), "{error}");
}
