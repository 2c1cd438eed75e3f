//! Salesforce: queries, locators, two ways to sign in, roles.

use counterpart::crm::{Connection, Problem, SalesforceSignIn, Secret, fake::FakeRole};
use serde_json::json;

use super::*;

const KIND: CrmKind = CrmKind::Salesforce;

fn with(crms: &Crms, sign_in: SalesforceSignIn) -> Connection {
    let Connection::Salesforce(mut salesforce) = crms.connection(KIND) else { panic!("another CRM") };
    salesforce.sign_in = sign_in;
    Connection::Salesforce(salesforce)
}

#[tokio::test]
async fn users_are_pulled_in_the_pages_that_it_gives() {
    let crms = Crms::start().await;
    crms.people(KIND, 7);
    crms.fake.set_page_sizes(KIND, vec![3, 0, 1]);
    let client = crms.client(KIND);
    let first = client.users(None, None).await.unwrap();
    assert_eq!((first.rows.len(), first.records, first.total), (3, 3, Some(7)));
    let pages = pull(&*client, None).await.unwrap();
    assert_eq!(pages.concat().len(), 7);
    assert_eq!(crms.fake.sign_ins(KIND), 1);
    let user = pages.concat().remove(0);
    insta::assert_debug_snapshot!(user);
}

#[tokio::test]
async fn an_assertion_signs_in_too() {
    let crms = Crms::start().await;
    crms.people(KIND, 2);
    let client = crms.network.client(&with(&crms, Fake::jwt_sign_in())).unwrap();
    client.test().await.unwrap();
    assert_eq!(ids(&*client, None).await.len(), 2);
}
