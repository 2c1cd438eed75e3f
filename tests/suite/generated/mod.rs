//! A client that the crate `graphql_client` generates from `schema.graphql` and documents.

use chrono::Utc;
use graphql_client::{GraphQLQuery, Response};
use serde_json::json;

use crate::support::{World, scene};

/// The schema's scalar.
type DateTime = chrono::DateTime<Utc>;

both!(what_is_generated_reads_and_writes);

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/suite/generated/hierarchy.graphql",
    response_derives = "Debug, PartialEq",
    skip_serializing_none
)]
struct Hierarchy;

#[derive(GraphQLQuery)]
#[graphql(
    schema_path = "schema.graphql",
    query_path = "tests/suite/generated/hierarchy.graphql",
    response_derives = "Debug, PartialEq",
    skip_serializing_none
)]
struct MoveUser;

async fn what_is_generated_reads_and_writes(world: World) {
    scene::integration(&world, "Salesforce", "SALESFORCE").await;
    scene::team(&world, "EMEA:Sales").await;
    scene::user(&world, "ada@acme.example", json!({})).await;
    let admin = world.admin();

    let variables = move_user::Variables {
        input: move_user::UpdateUserInput {
            user: move_user::UserRef::Email("ada@acme.example".to_owned()),
            team: Some(move_user::TeamRef::Path("EMEA:Sales".to_owned())),
            email: None,
            first_name: None,
            last_name: None,
            title: None,
            role: None,
            object_visibility: None,
            configuration_profile: None,
            licenses: None,
            manager_of: None,
        },
    };
    let body = serde_json::to_string(&MoveUser::build_query(variables)).unwrap();
    let answer: Response<move_user::ResponseData> = serde_json::from_slice(&admin.post(body).await.body).unwrap();
    let moved = answer.data.unwrap().update_user;
    assert_eq!(moved.user_errors, []);
    assert_eq!(moved.user.unwrap().team.unwrap().path, "EMEA:Sales");

    let variables =
        hierarchy::Variables { first: 10, integration: hierarchy::IntegrationRef::Name("Salesforce".to_owned()) };
    let body = serde_json::to_string(&Hierarchy::build_query(variables)).unwrap();
    let answer: Response<hierarchy::ResponseData> = serde_json::from_slice(&admin.post(body).await.body).unwrap();
    assert_eq!(answer.errors, None);
    let teams = answer.data.unwrap().teams;
    assert_eq!((teams.total_count, teams.page_info.has_next_page), (1, false));
    let sales = &teams.nodes[0].children.nodes[0];
    let ada = &sales.members.nodes[0];
    assert_eq!((sales.path.as_str(), ada.email.as_str()), ("EMEA:Sales", "ada@acme.example"));
    assert_eq!(ada.link.state, hierarchy::LinkState::NO_MATCH);
    assert!(ada.created_at <= "2026-03-02T09:00:00Z".parse::<DateTime>().unwrap());
}
