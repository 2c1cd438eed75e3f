//! Who may come in.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use counterpart::service::user::{UserRef, change};
use entity::{ObjectVisibility, UserRole};
use serde_json::json;

use crate::support::{Answer, World};

both!(
    a_token_signs_in,
    without_a_token_there_is_nothing,
    a_bad_token_is_no_token,
    a_suspended_user_is_out_at_once,
    a_data_user_can_not_sign_in,
);

const VIEWER: &str = "{ viewer { id } }";

#[track_caller]
fn assert_unauthenticated(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    insta::allow_duplicates! {
        insta::assert_snapshot!(answer.text(), @r#"{"errors":[{"extensions":{"code":"UNAUTHENTICATED"},"message":"Sign in with `Authorization: Bearer TOKEN`; the token that came is missing, unknown, expired or revoked."}]}"#);
    }
}

async fn a_token_signs_in(world: World) {
    let answer = world.admin().graphql(VIEWER, json!({})).await;
    assert!(answer.ok()["viewer"]["id"].is_string());
    let lower = Request::get("/graphql?query={viewer{id}}")
        .header(header::AUTHORIZATION, format!("bearer {}", world.administrator.token));
    assert!(world.anonymous().send(lower, Body::empty()).await.ok()["viewer"]["id"].is_string());
}

async fn without_a_token_there_is_nothing(world: World) {
    let anonymous = world.anonymous();
    assert_unauthenticated(&anonymous.graphql(VIEWER, json!({})).await);
    assert_unauthenticated(&anonymous.get("/graphql?query={viewer{id}}").await);
    // Not even what is wrong with the request.
    assert_unauthenticated(&anonymous.post("{").await);
    assert_unauthenticated(&anonymous.upload(VIEWER, json!({ "file": null }), "variables.file", "a.csv", b"a").await);
}

async fn a_bad_token_is_no_token(world: World) {
    let token = &world.administrator.token;
    let mut changed = token.clone();
    changed.pop();
    changed.push(if token.ends_with('A') { 'E' } else { 'A' });
    for token in ["", "x", "cpt_", "cpt_AAAA", &token[..40], &changed, &format!("{token}A")] {
        assert_unauthenticated(&world.bearer(token).graphql(VIEWER, json!({})).await);
    }
    let basic = Request::get("/graphql?query={viewer{id}}").header(header::AUTHORIZATION, format!("Basic {token}"));
    assert_unauthenticated(&world.anonymous().send(basic, Body::empty()).await);
}

async fn a_suspended_user_is_out_at_once(world: World) {
    let (member, manager) = (world.member().await, world.manager().await);
    member.graphql(VIEWER, json!({})).await.ok();
    manager.graphql(VIEWER, json!({})).await.ok();
    let session = world.session().await;
    change::suspend(&session, UserRef::Email("member@acme.example".into())).await.unwrap();
    change::delete(&session, UserRef::Email("manager@acme.example".into())).await.unwrap();
    assert_unauthenticated(&member.graphql(VIEWER, json!({})).await);
    assert_unauthenticated(&manager.graphql(VIEWER, json!({})).await);
}

async fn a_data_user_can_not_sign_in(world: World) {
    let data = world.user("data@acme.example", UserRole::Data, ObjectVisibility::Full).await;
    assert_unauthenticated(&data.graphql(VIEWER, json!({})).await);
}
