//! Teams, found and placed.

use std::fmt::Write;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{company, paged};
use crate::support::{
    World, scene,
    show::{each, short},
};

both!(teams_are_found, a_team_knows_its_place,);

async fn teams_are_found(world: World) {
    company(&world).await;
    let mut text = String::new();
    for filter in [
        "",
        "rootsOnly: true",
        r#"search: "sa""#,
        r#"search: "oper sales""#,
        r#"search: "west", rootsOnly: true"#,
        r#"search: "d""#,
    ] {
        let found = world.read(&format!("{{ teams(filter: {{{filter}}}) {{ totalCount nodes {{ path }} }} }}")).await;
        let count = found["teams"]["nodes"].as_array().unwrap().len();
        assert_eq!(found["teams"]["totalCount"], json!(count), "{filter}");
        writeln!(text, "{filter} -> {}", short(&found["teams"]["nodes"])).unwrap();
    }
    assert_snapshot!(text, @r#"
     -> [{path: Sales:West:Coast}, {path: Sales:East}, {path: R\:D}, {path: Sales}, {path: Sales Operations}, {path: Sales:West}]
    rootsOnly: true -> [{path: R\:D}, {path: Sales}, {path: Sales Operations}]
    search: "sa" -> [{path: Sales}, {path: Sales Operations}]
    search: "oper sales" -> [{path: Sales Operations}]
    search: "west", rootsOnly: true -> []
    search: "d" -> [{path: R\:D}]
    "#);

    let whole = paged(&world, "teams", "", "path", 200, false).await;
    for backward in [false, true] {
        assert_eq!(paged(&world, "teams", "", "path", 2, backward).await, whole);
    }

    let id = scene::team(&world, "Sales:West").await;
    for (by, path) in [
        (json!({ "path": "Sales:West" }), json!("Sales:West")),
        (json!({ "id": id }), json!("Sales:West")),
        (json!({ "path": r"R\:D" }), json!(r"R\:D")),
        (json!({ "path": "R:D" }), Value::Null),
        (json!({ "path": "West" }), Value::Null),
        (json!({ "path": "sales" }), Value::Null),
        (json!({ "path": "Sales:" }), Value::Null),
        (json!({ "path": r"Sales\West" }), Value::Null),
        (json!({ "path": "" }), Value::Null),
        (json!({ "id": "nonsense" }), Value::Null),
    ] {
        let query = "query ($by: TeamRef!) { team(by: $by) { path } }";
        let found = world.admin().graphql(query, json!({ "by": by })).await.ok();
        assert_eq!(found["team"]["path"], path, "{by}");
    }
}

async fn a_team_knows_its_place(world: World) {
    company(&world).await;
    let found = world
        .read(
            r#"{ teams { nodes { path name parent { path } ancestors { path } children { nodes { name } }
                 members { nodes { email } } all: members(includeSubteams: true) { totalCount nodes { email } }
                 managers { nodes { email } } } } }"#,
        )
        .await;
    let mut text = String::new();
    for team in found["teams"]["nodes"].as_array().unwrap() {
        writeln!(text, "{}", short(&team["path"])).unwrap();
        writeln!(text, "    below {}, above it {}", short(&team["parent"]), short(&team["ancestors"])).unwrap();
        writeln!(text, "    children [{}]", each(&team["children"]["nodes"], "/name")).unwrap();
        let [members, all] = ["members", "all"].map(|list| each(&team[list]["nodes"], "/email"));
        writeln!(text, "    members [{members}], with those below [{all}]").unwrap();
        writeln!(text, "    managers [{}]", each(&team["managers"]["nodes"], "/email")).unwrap();
    }
    assert_snapshot!(text, @r"
    Sales:West:Coast
        below {path: Sales:West}, above it [{path: Sales:West}, {path: Sales}]
        children []
        members [carl@x.com], with those below [carl@x.com]
        managers []
    Sales:East
        below {path: Sales}, above it [{path: Sales}]
        children []
        members [away@x.com bob@x.com], with those below [away@x.com bob@x.com]
        managers []
    R\:D
        below null, above it []
        children []
        members [zoe@y.org], with those below [zoe@y.org]
        managers []
    Sales
        below null, above it []
        children [East West]
        members [ann@x.com], with those below [ann@x.com away@x.com bob@x.com carl@x.com]
        managers [nameless@y.org]
    Sales Operations
        below null, above it []
        children []
        members [], with those below []
        managers []
    Sales:West
        below {path: Sales}, above it [{path: Sales}]
        children [Coast]
        members [], with those below [carl@x.com]
        managers [nameless@y.org]
    ");
}
