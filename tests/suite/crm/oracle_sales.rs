//! Oracle Sales: offsets, a password or a token.

use chrono::TimeDelta;
use counterpart::crm::Problem;
use serde_json::json;

use super::*;

const KIND: CrmKind = CrmKind::OracleSales;

#[tokio::test]
async fn a_resource_is_what_it_says_of_it() {
    let crms = Crms::start().await;
    let user = FakeUser {
        title: Some("AE".into()),
        is_active: false,
        ..FakeUser::new("300000001", "Jane@acme.example").named("Jane", "Smith")
    };
    crms.fake.set_users(KIND, vec![user]);
    let page = crms.client(KIND).users(None, None).await.unwrap();
    assert_eq!((page.records, page.total, page.next), (1, None, None));
    let expected = CrmUser {
        external_id: "300000001".into(),
        email: Some("Jane@acme.example".into()),
        name: Some("Jane Smith".into()),
        title: Some("AE".into()),
        modified_at: Some(time("2026-03-01T12:00:00Z")),
        ..CrmUser::default()
    };
    assert_eq!(page.rows, [expected]);
}

#[tokio::test]
async fn short_pages_end_only_where_it_says_so() {
    let crms = Crms::start().await;
    crms.people(KIND, 6);
    crms.fake.set_page_sizes(KIND, vec![2, 1]);
    let client = crms.client(KIND);
    assert!(client.is_incremental() && !client.has_roles());
    let pages = pull(&*client, None).await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 2, 1]);
}

#[tokio::test]
async fn more_that_never_comes_is_no_endless_pull() {
    let crms = Crms::start().await;
    crms.people(KIND, 6);
    crms.fake.set_page_sizes(KIND, vec![2, 0]);
    assert_eq!(pull(&*crms.client(KIND), None).await.unwrap_err().problem, Problem::Malformed);
}

#[tokio::test]
async fn only_what_changed_is_pulled_since_a_time() {
    let crms = Crms::start().await;
    crms.people(KIND, 3);
    crms.clock.advance(TimeDelta::seconds(60));
    crms.fake.patch(KIND, &id(KIND, 2), &json!({ "isActive": false })).unwrap();
    assert_eq!(ids(&*crms.client(KIND), Some(crms.clock.now())).await, [id(KIND, 2)]);
}

#[tokio::test]
async fn a_token_signs_in_too() {
    let crms = Crms::start().await;
    crms.people(KIND, 2);
    let Connection::OracleSales(mut oracle) = crms.connection(KIND) else { panic!("another CRM") };
    oracle.sign_in = Fake::oauth_sign_in(&crms.base);
    let client = crms.network.client(&Connection::OracleSales(oracle)).unwrap();
    client.test().await.unwrap();
    crms.fake.sign_out(KIND);
    assert_eq!(ids(&*client, None).await.len(), 2);
    assert_eq!(crms.fake.sign_ins(KIND), 2);
}

#[tokio::test]
async fn a_field_that_is_not_there_is_named() {
    let crms = Crms::start().await;
    crms.people(KIND, 1);
    let Connection::OracleSales(mut oracle) = crms.connection(KIND) else { panic!("another CRM") };
    oracle.email_field = "EmailAddress".into();
    let error = crms.network.client(&Connection::OracleSales(oracle)).unwrap().test().await.unwrap_err();
    assert_eq!(error.problem, Problem::Malformed);
    assert!(error.message.contains("EmailAddress"), "{error}");
}
