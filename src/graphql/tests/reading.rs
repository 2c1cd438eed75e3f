use async_graphql::{Request, Response, Variables};
use serde_json::json;

use super::{World, codes};
use crate::service::{
    list::List,
    search::How,
    user::query::{Filter, Users},
};

/// The arguments that take pages one by one through a list.
async fn walk(world: &World, list: &str, args: &str, size: usize, backward: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    let (amount, from, more, end) = if backward {
        ("last", "before", "hasPreviousPage", "startCursor")
    } else {
        ("first", "after", "hasNextPage", "endCursor")
    };
    loop {
        let from = if cursor.is_empty() { String::new() } else { format!("{from}: \"{cursor}\"") };
        let query = format!(
            "{{ {list}({amount}: {size} {from} {args}) {{ nodes {{ id }} edges {{ cursor node {{ id }} }} \
             pageInfo {{ {more} {end} }} totalCount }} }}"
        );
        let page = world.read(&query).await[list].take();
        let mut ids: Vec<String> =
            page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        if backward {
            ids.reverse();
        }
        seen.extend(ids);
        assert_eq!(page["edges"].as_array().unwrap().len(), page["nodes"].as_array().unwrap().len());
        if page["pageInfo"][more] == json!(false) {
            assert_eq!(page["totalCount"], json!(seen.len()));
            return seen;
        }
        cursor = page["pageInfo"][end].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn pages_come_to_the_whole_list_in_either_direction() {
    for world in World::each().await {
        for (list, args) in [
            ("users", ""),
            ("users", "orderBy: {field: NAME, direction: DESC}"),
            ("users", "orderBy: {field: CREATED_AT}"),
            ("users", "orderBy: {field: UPDATED_AT, direction: DESC}"),
            ("teams", ""),
            ("mappings", ""),
        ] {
            let forward = walk(&world, list, args, 3, false).await;
            let mut backward = walk(&world, list, args, 4, true).await;
            backward.reverse();
            assert_eq!(forward, backward, "{list} {args}");
            assert!(forward.len() > 4, "{list}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_lists_take_a_fixed_number_of_statements() {
    let tree = "{ teams(first: 5, filter: {rootsOnly: true}) { nodes { name children(first: 5) { nodes { name
        children(first: 5) { nodes { name members(first: 5) { nodes { email mappings { source
        crmUser { externalId email } } } } } } } } } } }";
    let users = "{ users(first: 50) { nodes { email team { name managers(first: 5) { nodes { email } } }
        managerOf { name } mappings { source crmUser { externalId } } } } }";
    for world in World::each().await {
        world.grow().await;
        let counts =
            "{ teams(first: 200) { totalCount nodes { path ancestors { name } children(first: 3) { totalCount }
            members(first: 3, includeSubteams: true) { totalCount nodes { email } } managers(first: 3) { totalCount }
            } } }";
        let coverage = "{ integrations { name coverage { users mapped byState { state users } } lastSync { status }
            crmUsers { nodes { externalId mapping { user { email } } } } syncRuns { nodes { status } } } }";
        let links = "{ users(first: 200) { nodes { email licenses { name } configurationProfile { name } lockedFields
            link(integration: {name: \"Salesforce\"}) { state explanation mapping { id } candidates { score reasons
            crmUser { externalId } } } mappingHistory(first: 5) { totalCount nodes { createdBy { email } replaces { id }
            warnings { kind message } } } } } }";
        let mut costs = Vec::new();
        for query in [tree, users, counts, coverage, links] {
            costs.push(world.cost(query).await);
        }
        assert_eq!(costs, [7, 7, 10, 9, 16]);
    }
}

#[tokio::test]
async fn links_are_explained() {
    for world in World::each().await {
        let read = world
            .read(
                "{ users { nodes { email link(integration: {name: \"Salesforce\"}) { state explanation mapping { source }
                candidates(first: 2) { reasons crmUser { externalId } } } } } integrations { name nextSyncAt
                coverage { users mapped mappedAutomatically mappedManually byState { state users } } } }",
            )
            .await;
        let users = read["users"]["nodes"].as_array().unwrap();
        let mut states: Vec<&str> = users.iter().map(|user| user["link"]["state"].as_str().unwrap()).collect();
        let coverage = &read["integrations"][0]["coverage"];
        for state in coverage["byState"].as_array().unwrap() {
            let count = states.iter().filter(|found| state["state"] == json!(found)).count();
            assert_eq!(state["users"], json!(count), "{state}");
        }
        assert_eq!(coverage["users"], json!(users.len()));
        assert_eq!(coverage["byState"].as_array().unwrap().len(), 6);
        for user in users {
            let link = &user["link"];
            let explanation = link["explanation"].as_str().unwrap();
            let says = match link["state"].as_str().unwrap() {
                "MAPPED" if link["mapping"]["source"] == json!("MANUAL") => "An administrator mapped",
                "MAPPED" => "Linking mapped",
                "NO_MATCH" => "No CRM user of Salesforce carries",
                "AMBIGUOUS" => "Two active CRM users carry",
                "MATCH_INACTIVE" => "The one CRM user that carries",
                "MATCH_TAKEN" => ", but is mapped to ",
                other => panic!("{other}: {explanation}"),
            };
            assert!(explanation.contains(says), "{explanation}");
            assert!(explanation.contains(user["email"].as_str().unwrap()), "{explanation}");
            assert_eq!(link["mapping"].is_null(), link["state"] != json!("MAPPED"));
            if link["state"] == json!("AMBIGUOUS") {
                for candidate in link["candidates"].as_array().unwrap() {
                    assert_eq!(candidate["reasons"][0], json!("SAME_EMAIL"));
                    assert!(
                        explanation.contains(candidate["crmUser"]["externalId"].as_str().unwrap()),
                        "{explanation}"
                    );
                }
            }
        }
        states.sort_unstable();
        states.dedup();
        assert!(states.len() >= 4, "the demonstration has {states:?}");
    }
}

#[tokio::test]
async fn searches_and_filters_find_what_they_say() {
    for world in World::each().await {
        for (filter, expected) in [
            ("{search: \"ADMIN acme\"}", json!(["admin@acme.example"])),
            ("{search: \"konr zuse@\"}", json!(["konrad.zuse@acme.example"])),
            ("{search: \"zzz\"}", json!([])),
            ("{status: [DELETED]}", json!([])),
            ("{status: []}", json!([])),
            ("{role: [ADMIN], status: [ACTIVE]}", json!(["admin@acme.example"])),
        ] {
            let read = world.read(&format!("{{ users(filter: {filter}) {{ totalCount nodes {{ email }} }} }}")).await;
            let nodes = read["users"]["nodes"].as_array().unwrap();
            let emails: Vec<_> = nodes.iter().map(|user| user["email"].clone()).collect();
            assert_eq!(json!(emails), expected, "{filter}");
            assert_eq!(read["users"]["totalCount"], json!(emails.len()), "{filter}");
        }
        let mut read = world
            .read(
                "{ all: users { totalCount }
                below: users(filter: {team: {path: \"North America\"}}) { totalCount }
                own: users(filter: {team: {path: \"North America\"}, includeSubteams: false}) { totalCount }
                same: team(by: {path: \"North America\"}) { own: members { totalCount }
                  below: members(includeSubteams: true) { totalCount } }
                team(by: {path: \"North America:East:New York\"}) { path name parent { name } ancestors { path } }
                none: team(by: {path: \"North America:Nowhere\"}) { id }
                bad: team(by: {path: \"::\"}) { id }
                found: teams(filter: {search: \"amer\"}) { nodes { path } }
                linked: users(filter: {link: {integration: {name: \"Salesforce\"}, state: [MAPPED]}}) { totalCount }
                mappings(filter: {integration: {name: \"Salesforce\"}}) { totalCount }
                byHand: mappings(filter: {source: [MANUAL], search: \"005\"}) { nodes { source } }
                then: mappings(filter: {asOf: \"2001-01-01T00:00:00Z\"}) { totalCount }
                later: mappings(filter: {asOf: \"+20000-01-01T00:00:00+02:00\"}) { totalCount } }",
            )
            .await;
        let below = world
            .read(
                "{ integrations { all: crmUsers { totalCount }
                  free: crmUsers(filter: {isMapped: false}) { totalCount nodes { mapping { id } } }
                  off: crmUsers(filter: {isActive: false}) { nodes { isActive } }
                  zuse: crmUsers(filter: {search: \"zuse kon\"}) { totalCount nodes { email } }
                  one: crmUsers(filter: {search: \"zuse\"}) { totalCount nodes { email } } } }",
            )
            .await;
        read["integrations"] = below["integrations"].clone();
        let number = |path: &str| read.pointer(path).and_then(serde_json::Value::as_i64).unwrap();
        assert!(number("/own/totalCount") < number("/below/totalCount"));
        assert!(number("/below/totalCount") < number("/all/totalCount"));
        assert_eq!(number("/own/totalCount"), number("/same/own/totalCount"));
        assert_eq!(number("/below/totalCount"), number("/same/below/totalCount"));
        assert_eq!(
            read["team"],
            json!({"path": "North America:East:New York", "name": "New York", "parent": {"name": "East"},
                "ancestors": [{"path": "North America:East"}, {"path": "North America"}]})
        );
        assert_eq!([&read["none"], &read["bad"]], [&json!(null); 2]);
        assert_eq!(read["found"]["nodes"], json!([{"path": "North America"}]));
        assert_eq!(number("/linked/totalCount"), number("/mappings/totalCount"));
        assert_eq!(number("/later/totalCount"), number("/mappings/totalCount"));
        assert_eq!(number("/then/totalCount"), 0);
        assert_eq!(read["byHand"]["nodes"][0], json!({"source": "MANUAL"}));
        let free = number("/integrations/0/free/totalCount");
        assert_eq!(number("/integrations/0/all/totalCount") - free, number("/mappings/totalCount"));
        let nodes = |path: &str| read.pointer(path).unwrap()["nodes"].as_array().unwrap().clone();
        assert!(nodes("/integrations/0/free").iter().all(|crm_user| crm_user["mapping"].is_null()));
        assert!(!nodes("/integrations/0/off").is_empty());
        assert!(nodes("/integrations/0/off").iter().all(|crm_user| crm_user["isActive"] == json!(false)));
        assert_eq!(nodes("/integrations/0/one"), nodes("/integrations/0/zuse"));
        assert_eq!(number("/integrations/0/zuse/totalCount"), 1);
        assert_eq!(nodes("/integrations/0/zuse"), [json!({"email": "konrad.zuse@acme.example"})]);
    }
}

#[tokio::test]
async fn what_is_over_is_followed_once() {
    for world in World::each().await {
        let read = world.read("{ integrations { lastSync { id } } viewer { id } }").await;
        let query = "subscription ($id: ID!) { syncProgress(id: $id) { id status integration { name } } }";
        for (id, expected) in [
            (&read["integrations"][0]["lastSync"]["id"], json!("COMPLETED")),
            (&read["viewer"]["id"], json!("NOT_FOUND")),
        ] {
            let request = Request::new(query).variables(Variables::from_json(json!({"id": id})));
            let events: Vec<Response> = world.events(request).await;
            assert_eq!(events.len(), 1);
            let found = match codes(&events[0]).pop() {
                Some(code) => json!(code),
                None => events[0].data.clone().into_json().unwrap()["syncProgress"]["status"].clone(),
            };
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test]
async fn a_search_finds_the_same_either_way() {
    for world in World::each().await {
        let session = world.admin().await;
        let emails = async |how: How, query: &str| {
            let users =
                Users { filter: Filter { search: Some(query.to_owned()), ..Filter::default() }, ..Users::default() };
            let mut sql = session.sql();
            sql.push("SELECT x.email");
            users.from(&session, &mut sql, how);
            sql.push(" ORDER BY x.email");
            sql.map(session.reader(), |row| row.try_get::<String>("", "email")).await.unwrap()
        };
        for query in ["acme", "k acme", "zuse kon acme", "zzz acme"] {
            let walked = emails(How::Walk, query).await;
            assert_eq!(walked.is_empty(), query.starts_with("zzz"), "{query}");
            for place in 0..query.split(' ').count() {
                assert_eq!(emails(How::Look(place), query).await, walked, "{query}");
            }
        }
    }
}
