//! The users who stand towards an integration as an administrator asks: what the list costs, whatever its size.

use counterpart::service::{
    Session,
    list::List,
    search::How,
    user::query::{Filter, InState, OrderBy, Users},
};
use entity::{IntegrationId, LinkState};
use sea_orm::{DbBackend, Iterable};
use serde_json::json;

use crate::support::{World, scene};

both!(
    each_state_takes_the_same_statements_whatever_its_size,
    each_state_is_found_the_same_either_way,
    each_state_is_walked_by_index
);

/// People of each state towards the integration `CRM`, `many` of each: their emails begin with the state's name.
async fn states(world: &World, many: usize) {
    scene::integration(world, "CRM", "OTHER").await;
    scene::settings(world, "CRM", json!({ "autoLinkByEmail": false })).await;
    let emails = |state: &str| (0..many).map(|n| format!("{state}{n}@x.com")).collect::<Vec<_>>();
    let mut crm_users = Vec::new();
    let mut push = |id: String, email: &str, is_active: bool| {
        crm_users.push(json!({ "externalId": id, "email": email, "isActive": is_active }));
    };
    for n in 0..many {
        push(format!("mapped{n}"), &format!("elsewhere{n}@x.com"), true);
        push(format!("match_available{n}"), &format!("match_available{n}@x.com"), true);
        push(format!("match_inactive{n}"), &format!("match_inactive{n}@x.com"), false);
        push(format!("match_taken{n}"), &format!("match_taken{n}@x.com"), true);
        push(format!("ambiguous{n}"), &format!("ambiguous{n}@x.com"), true);
        push(format!("other_ambiguous{n}"), &format!("ambiguous{n}@x.com"), true);
    }
    let mut rows = Vec::new();
    for state in ["mapped", "match_available", "match_inactive", "match_taken", "ambiguous", "no_match", "mapped_taker"]
    {
        rows.extend(emails(state).iter().map(|email| format!("{email},Ann,Lee,,,,,,,,Add")));
    }
    scene::users(world, &rows).await;
    scene::push_all(world, "CRM", crm_users).await;
    for n in 0..many {
        scene::map(world, &format!("mapped{n}@x.com"), "CRM", &format!("mapped{n}")).await;
        scene::map(world, &format!("mapped_taker{n}@x.com"), "CRM", &format!("match_taken{n}")).await;
    }
}

async fn each_state_takes_the_same_statements_whatever_its_size(world: World) {
    states(&world, 1).await;
    let query = r#"query ($state: LinkState!) { users(first: 50, filter: {link: {integration: {name: "CRM"}, state: [$state]}}) {
        totalCount nodes { email link(integration: {name: "CRM"}) { state explanation mapping { source } } } } }"#;
    let mut few = Vec::new();
    for state in LinkState::iter() {
        let answer = world.admin().graphql(query, json!({ "state": state.as_str() })).await;
        few.push(answer.statements);
        assert_ne!(answer.ok()["users"]["nodes"], json!([]), "{state:?}");
    }
    assert!(few.iter().all(|statements| *statements <= 12), "{few:?}");

    let rows: Vec<String> = (0..40).map(|n| format!("no_match_{n}@x.com,Ann,Lee,,,,,,,,Add")).collect();
    scene::users(&world, &rows).await;
    for (state, few) in LinkState::iter().zip(few) {
        let answer = world.admin().graphql(query, json!({ "state": state.as_str() })).await;
        assert_eq!(answer.statements, few, "{state:?}");
        let users = answer.ok()["users"].take();
        for user in users["nodes"].as_array().unwrap() {
            assert_eq!(user["link"]["state"], json!(state.as_str()), "{user}");
        }
        assert_eq!(users["totalCount"], json!(users["nodes"].as_array().map(Vec::len)), "{state:?}");
    }
}

/// Each state's list in each order.
async fn lists(world: &World) -> (Session, Vec<Users>) {
    let session = world.session().await;
    let mut sql = session.sql();
    sql.push("SELECT id FROM integration");
    let ids: Vec<IntegrationId> = sql.map(session.reader(), |row| row.try_get("", "id")).await.unwrap();
    let lists = LinkState::iter().flat_map(|state| {
        let link = Some(InState { integration_id: ids[0], states: vec![state] });
        let filter = Filter { link, ..Filter::default() };
        [OrderBy::Email, OrderBy::Name, OrderBy::CreatedAt, OrderBy::UpdatedAt].map(|by| Users {
            filter: filter.clone(),
            by,
            descending: false,
        })
    });
    (session, lists.collect())
}

async fn each_state_is_found_the_same_either_way(world: World) {
    states(&world, 2).await;
    let (session, lists) = lists(&world).await;
    for list in lists {
        let mut found = Vec::new();
        for how in [How::Walk, How::Linked] {
            let mut sql = session.sql();
            sql.push("SELECT x.email");
            list.from(&session, &mut sql, how);
            sql.push(" ORDER BY x.email");
            found.push(sql.map(session.reader(), |row| row.try_get::<String>("", "email")).await.unwrap());
        }
        assert!(found[0].len() >= 2, "{list:?}");
        assert_eq!(found[0], found[1], "{list:?}");
    }
}

/// On SQLite, whose plans do not depend on what is in the tables.
async fn each_state_is_walked_by_index(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    if world.services.db.backend() != DbBackend::Sqlite {
        return;
    }
    let (session, lists) = lists(&world).await;
    for list in lists {
        for (how, index) in [
            (How::Walk, "SEARCH x USING INDEX app_user_"),
            (How::Linked, "SEARCH l USING COVERING INDEX user_link_state"),
        ] {
            let mut sql = session.sql();
            sql.push("EXPLAIN QUERY PLAN SELECT x.*");
            list.from(&session, &mut sql, how);
            let columns: Vec<&str> = list.order().columns.iter().map(|(name, _)| *name).collect();
            sql.push(" ORDER BY ").push(&columns.join(", ")).push(" LIMIT ").bind(51);
            let plan: Vec<String> = sql.map(session.reader(), |row| row.try_get("", "detail")).await.unwrap();
            assert!(plan.iter().any(|step| step.starts_with(index)), "{how:?} {list:?}: {plan:?}");
            // The list of states is all that is walked through.
            let mut scans = plan.iter().filter(|step| step.starts_with("SCAN"));
            assert!(scans.all(|step| step.starts_with("SCAN json_each")), "{how:?} {list:?}: {plan:?}");
            // What is found little of is sorted; what is much must come in order.
            let sorts = plan.iter().any(|step| step.contains("ORDER BY"));
            assert_eq!(sorts, how == How::Linked, "{list:?}: {plan:?}");
        }
    }
}
