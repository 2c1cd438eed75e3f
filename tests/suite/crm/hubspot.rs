//! HubSpot: owners, then the archived ones.

use serde_json::json;

use super::*;

const KIND: CrmKind = CrmKind::Hubspot;

#[tokio::test]
async fn an_owner_is_what_it_says_of_it() {
    let crms = Crms::start().await;
    crms.fake.set_users(KIND, vec![FakeUser::new("6166860", "Jane@acme.example").named("Jane", "Smith")]);
    let pages = pull(&*crms.client(KIND), None).await.unwrap();
    let expected = CrmUser {
        external_id: "6166860".into(),
        email: Some("Jane@acme.example".into()),
        name: Some("Jane Smith".into()),
        is_active: true,
        created_at: Some(time("2026-03-01T12:00:00Z")),
        ..CrmUser::default()
    };
    assert_eq!(pages, [vec![expected], vec![]]);
}

#[tokio::test]
async fn the_archived_ones_come_after_the_others_and_queues_never() {
    let crms = Crms::start().await;
    crms.people(KIND, 6);
    for n in [1, 4] {
        crms.fake.patch(KIND, &id(KIND, n), &json!({ "isActive": false })).unwrap();
    }
    crms.fake.patch(KIND, &id(KIND, 5), &json!({ "isPerson": false })).unwrap();
    crms.fake.set_page_sizes(KIND, vec![2, 0, 1]);
    let client = crms.client(KIND);
    assert!(!client.is_incremental() && !client.has_roles());
    client.test().await.unwrap();
    let users = pull(&*client, None).await.unwrap().concat();
    let seen: Vec<_> = users.iter().map(|user| (user.external_id.clone(), user.is_active)).collect();
    let expected = [(2, true), (3, true), (6, true), (1, false), (4, false)].map(|(n, active)| (id(KIND, n), active));
    assert_eq!(seen, expected);
}
