//! Salesforce: queries, locators, two ways to sign in, roles.

use chrono::TimeDelta;
use counterpart::crm::{CrmRole, Problem, SalesforceSignIn, Secret, fake::FakeRole};
use serde_json::json;

use super::*;

const KIND: CrmKind = CrmKind::Salesforce;

fn with(crms: &Crms, sign_in: SalesforceSignIn) -> Connection {
    let Connection::Salesforce(mut salesforce) = crms.connection(KIND) else { panic!("another CRM") };
    salesforce.sign_in = sign_in;
    Connection::Salesforce(salesforce)
}

#[tokio::test]
async fn a_user_is_what_it_says_of_it() {
    let crms = Crms::start().await;
    let user = FakeUser {
        username: Some("jane@acme.sandbox".into()),
        title: Some("AE".into()),
        role: Some("00E1".into()),
        created_at: Some(time("2020-01-02T03:04:05Z")),
        ..FakeUser::new(id(KIND, 1), "Jane@Acme.example.invalid").named("Jane", "Smith")
    };
    crms.fake.set_users(KIND, vec![user]);
    let page = crms.client(KIND).users(None, None).await.unwrap();
    assert_eq!((page.records, page.total, page.next), (1, Some(1), None));
    let expected = CrmUser {
        external_id: id(KIND, 1),
        email: Some("Jane@Acme.example.invalid".into()),
        name: Some("Jane Smith".into()),
        username: Some("jane@acme.sandbox".into()),
        title: Some("AE".into()),
        role: Some("00E1".into()),
        is_active: true,
        created_at: Some(time("2020-01-02T03:04:05Z")),
        modified_at: Some(time("2026-03-01T12:00:00Z")),
    };
    assert_eq!(page.rows, [expected]);
}

#[tokio::test]
async fn users_are_pulled_in_the_pages_that_it_gives() {
    let crms = Crms::start().await;
    crms.people(KIND, 7);
    crms.fake.set_page_sizes(KIND, vec![3, 0, 1]);
    let pages = pull(&*crms.client(KIND), None).await.unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 1, 3]);
    assert_eq!(crms.fake.sign_ins(KIND), 1);
}

#[tokio::test]
async fn a_pull_sees_the_users_as_they_were_at_its_beginning() {
    let crms = Crms::start().await;
    crms.people(KIND, 4);
    crms.fake.set_page_sizes(KIND, vec![2]);
    let client = crms.client(KIND);
    let first = client.users(None, None).await.unwrap();
    crms.fake.put(KIND, FakeUser::new(id(KIND, 0), "p0@acme.example"));
    let second = client.users(None, first.next.as_deref()).await.unwrap();
    assert_eq!(second.rows.iter().map(|user| user.external_id.clone()).collect::<Vec<_>>(), [id(KIND, 3), id(KIND, 4)]);
}

#[tokio::test]
async fn only_what_changed_is_pulled_since_a_time() {
    let crms = Crms::start().await;
    crms.people(KIND, 3);
    let client = crms.client(KIND);
    crms.clock.advance(TimeDelta::seconds(60));
    let since = crms.clock.now();
    crms.fake.patch(KIND, &id(KIND, 2), &json!({ "isActive": false })).unwrap();
    crms.clock.advance(TimeDelta::seconds(1));
    crms.fake.patch(KIND, &id(KIND, 1), &json!({ "email": "other@acme.example" })).unwrap();
    assert_eq!(ids(&*client, Some(since)).await, [id(KIND, 2), id(KIND, 1)]);
    assert_eq!(ids(&*client, Some(crms.clock.now())).await, [id(KIND, 1)]);
    crms.clock.advance(TimeDelta::seconds(1));
    crms.fake.patch(KIND, &id(KIND, 2), &json!({ "isActive": true })).unwrap();
    let again = pull(&*client, Some(crms.clock.now())).await.unwrap().concat();
    assert!(again.len() == 1 && again[0].is_active);
}

#[tokio::test]
async fn emails_pass_as_they_are_and_what_is_no_person_is_left_out() {
    let crms = Crms::start().await;
    let emails = [Some("a@acme.example"), Some("A@ACME.example"), None, Some("a@acme.example.invalid")];
    let mut users: Vec<_> = emails
        .iter()
        .zip(1..)
        .map(|(email, n)| FakeUser { id: id(KIND, n), email: email.map(Into::into), ..FakeUser::default() })
        .collect();
    users.push(FakeUser::new("00G8Z0000000001", "queue@acme.example"));
    users.push(FakeUser { is_person: false, ..FakeUser::new(id(KIND, 9), "process@acme.example") });
    crms.fake.set_users(KIND, users);
    let page = crms.client(KIND).users(None, None).await.unwrap();
    assert_eq!(page.rows.iter().map(|user| user.email.as_deref()).collect::<Vec<_>>(), emails);
    assert_eq!((page.records, page.total), (6, Some(6)));
}

#[tokio::test]
async fn roles_come_with_cycles_and_orphans() {
    let crms = Crms::start().await;
    let role = |id: &str, parent: Option<&str>| FakeRole {
        id: id.into(),
        name: format!("Role {id}"),
        parent: parent.map(Into::into),
        modified_at: None,
    };
    let roles = [role("a", Some("b")), role("b", Some("a")), role("c", Some("gone")), role("d", None)];
    crms.fake.set_roles(KIND, roles.to_vec());
    crms.fake.set_page_sizes(KIND, vec![3]);
    let client = crms.client(KIND);
    assert!(client.has_roles() && client.is_incremental());
    let first = client.roles(None).await.unwrap();
    let second = client.roles(first.next.as_deref()).await.unwrap();
    let seen: Vec<CrmRole> = [first.rows, second.rows].concat();
    let expected = roles.map(|role| CrmRole { external_id: role.id, name: role.name, parent: role.parent });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_assertion_signs_in_too() {
    let crms = Crms::start().await;
    crms.people(KIND, 2);
    let client = crms.network.client(&with(&crms, Fake::jwt_sign_in())).unwrap();
    client.test().await.unwrap();
    assert_eq!(ids(&*client, None).await.len(), 2);
    assert_eq!(crms.fake.sign_ins(KIND), 1);
}

#[tokio::test]
async fn an_assertion_that_does_not_fit_is_refused() {
    let crms = Crms::start().await;
    let jwt = |change: &dyn Fn(&mut String, &mut String)| {
        let SalesforceSignIn::JwtBearer { client_id, mut username, private_key, mut audience } = Fake::jwt_sign_in()
        else {
            panic!("another way")
        };
        change(&mut username, &mut audience);
        with(&crms, SalesforceSignIn::JwtBearer { client_id, username, private_key, audience })
    };
    for connection in [
        jwt(&|username, _| *username = "somebody@acme.example".into()),
        jwt(&|_, audience| *audience = "https://test.salesforce.com".into()),
    ] {
        let error = crms.network.client(&connection).unwrap().test().await.unwrap_err();
        assert_eq!(error.problem, Problem::WrongCredentials, "{error}");
    }
    let unreadable = SalesforceSignIn::JwtBearer {
        client_id: "id".into(),
        username: "name".into(),
        private_key: Secret("no key at all".into()),
        audience: "https://login.salesforce.com".into(),
    };
    let error = crms.network.client(&with(&crms, unreadable)).err().unwrap();
    assert_eq!(error.problem, Problem::WrongCredentials);
    assert!(!error.message.contains("no key at all"));
}

#[tokio::test]
async fn another_version_of_the_api_is_named() {
    let crms = Crms::start().await;
    let Connection::Salesforce(mut salesforce) = crms.connection(KIND) else { panic!("another CRM") };
    salesforce.api_version = "v1.0".into();
    let error = crms.network.client(&Connection::Salesforce(salesforce)).unwrap().test().await.unwrap_err();
    assert_eq!(error.problem, Problem::WrongHost);
    assert!(error.message.contains("v1.0"), "{error}");
}

/// Minutes in a build that is not optimised.
#[cfg(feature = "soak")]
#[tokio::test(flavor = "multi_thread")]
async fn a_million_users_are_pulled() {
    let crms = Crms::with(Patience::default()).await;
    crms.people(KIND, 1_000_000);
    let begin = std::time::Instant::now();
    let pages = pull(&*crms.client(KIND), None).await.unwrap();
    println!("{} pages in {:?}", pages.len(), begin.elapsed());
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), 1_000_000);
}
