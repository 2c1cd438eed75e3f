//! The first rows.

use counterpart::{
    bootstrap::{administrator, first_start},
    service::user::{UserRef, change},
};
use serde_json::json;

use crate::support::World;

both!(the_administrator_is_made_once, an_organization_that_is_there_is_no_first_start, not_every_user_can_be_found);

async fn the_administrator_is_made_once(world: World) {
    let first = &world.administrator;
    let again = administrator(&world.services.db, "Acme", "ADMIN@acme.example").await.unwrap();
    assert_eq!((again.organization_id, again.user_id), (first.organization_id, first.user_id));
    assert_ne!(again.token, first.token);
    for token in [&first.token, &again.token] {
        world.bearer(token).graphql("{ viewer { id } }", json!({})).await.ok();
    }

    let second = administrator(&world.services.db, "Acme", "second@acme.example").await.unwrap();
    assert_eq!(second.organization_id, first.organization_id);
    assert_ne!(second.user_id, first.user_id);

    let other = administrator(&world.services.db, "Globex", "admin@acme.example").await.unwrap();
    assert_ne!(other.organization_id, first.organization_id);
}

async fn an_organization_that_is_there_is_no_first_start(world: World) {
    assert!(first_start(&world.services.db, "Globex", "admin@globex.example").await.unwrap().is_none());
}

async fn not_every_user_can_be_found(world: World) {
    world.member().await;
    let session = world.session().await;
    administrator(&world.services.db, "Acme", "second@acme.example").await.unwrap();
    change::suspend(&session, UserRef::Email("second@acme.example".into())).await.unwrap();
    let mut refusals = Vec::new();
    for (organization, email) in [
        ("Acme", "member@acme.example"),
        ("Acme", "second@acme.example"),
        ("Acme", "nobody"),
        (" ", "admin@acme.example"),
    ] {
        refusals.push(administrator(&world.services.db, organization, email).await.unwrap_err().to_string());
    }
    insta::allow_duplicates! {
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        member@acme.example is a user of the organisation, but no active administrator (MEMBER): give the email of one, or one that nobody has yet.
        second@acme.example is a user of the organisation, but no active administrator (SUSPENDED): give the email of one, or one that nobody has yet.
        "nobody" is not an email address: it has no @.
        The organisation needs a name; this is empty.
        "#);
    }
}
