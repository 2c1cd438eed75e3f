//! Teams, by hand.

use insta::assert_snapshot;

use super::told;
use crate::support::{World, scene, show::short};

both!(teams_are_made_moved_and_deleted,);

async fn teams_are_made_moved_and_deleted(world: World) {
    let text = told(
        &world,
        &[
            r#"createTeam(input: {name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "R:D\\Lab", parent: {path: "Sales"}}) { team { name path } }"#,
            r#"createTeam(input: {name: "West", parent: {path: "Sales:R\\:D\\\\Lab"}}) { team { path ancestors { name } } }"#,
            r#"createTeam(input: {name: "West", parent: {path: "Nowhere"}}) { team { path } }"#,
            r#"createTeam(input: {name: "West", parent: {id: "x"}}) { team { path } }"#,
            r#"createTeam(input: {name: ""}) { team { path } }"#,
            r#"createTeam(input: {name: " West"}) { team { path } }"#,
            r#"createTeam(input: {name: "We\nst"}) { team { path } }"#,
            r#"renameTeam(input: {team: {path: "Sales:R\\:D\\\\Lab"}, name: "Lab"}) { team { path children { nodes { path } } } }"#,
            r#"renameTeam(input: {team: {path: "Sales"}, name: "Sales"}) { team { path } }"#,
            r#"createTeam(input: {name: "West"}) { team { path } }"#,
            r#"renameTeam(input: {team: {path: "West"}, name: "Sales"}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales:Lab:West"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "West"}, destination: {parent: {path: "Sales:Lab"}}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "West"}, destination: {root: false}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales:Lab:West"}, destination: {root: true}}) { team { path } }"#,
            r#"moveTeam(input: {team: {path: "Sales:Lab"}, destination: {root: true}}) { team { path children { nodes { path } } } }"#,
            r#"createUser(input: {email: "ann@x.com", team: {path: "West"}, managerOf: [{path: "Sales"}]}) { user { email } }"#,
            r#"deleteTeam(input: {team: {path: "Lab"}}) { deletedId }"#,
            r#"deleteTeam(input: {team: {path: "West"}}) { deletedId }"#,
            r#"deleteTeam(input: {team: {path: "Nowhere"}}) { deletedId }"#,
        ],
    )
    .await;
    assert_snapshot!(text, @r#"
    createTeam(input: {name: "Sales"}) { team { path } }
        {path: Sales}
    createTeam(input: {name: "Sales"}) { team { path } }
        ALREADY_EXISTS name: There already is a root team named "Sales". Choose another name.
    createTeam(input: {name: "R:D\\Lab", parent: {path: "Sales"}}) { team { name path } }
        {name: R:D\Lab, path: Sales:R\:D\\Lab}
    createTeam(input: {name: "West", parent: {path: "Sales:R\\:D\\\\Lab"}}) { team { path ancestors { name } } }
        {ancestors: [{name: R:D\Lab}, {name: Sales}], path: Sales:R\:D\\Lab:West}
    createTeam(input: {name: "West", parent: {path: "Nowhere"}}) { team { path } }
        TEAM_NOT_FOUND parent: There is no team "Nowhere".
    createTeam(input: {name: "West", parent: {id: "x"}}) { team { path } }
        NOT_FOUND parent: There is no team with this id.
    createTeam(input: {name: ""}) { team { path } }
        INVALID name: A team needs a name; this is empty.
    createTeam(input: {name: " West"}) { team { path } }
        INVALID name: The team name " West" has white space before or after it; take it away.
    createTeam(input: {name: "We\nst"}) { team { path } }
        INVALID name: The team name "We\nst" holds a control character, such as a tab or a line break.
    renameTeam(input: {team: {path: "Sales:R\\:D\\\\Lab"}, name: "Lab"}) { team { path children { nodes { path } } } }
        {children: {nodes: [{path: Sales:Lab:West}]}, path: Sales:Lab}
    renameTeam(input: {team: {path: "Sales"}, name: "Sales"}) { team { path } }
        {path: Sales}
    createTeam(input: {name: "West"}) { team { path } }
        {path: West}
    renameTeam(input: {team: {path: "West"}, name: "Sales"}) { team { path } }
        ALREADY_EXISTS name: There already is a root team named "Sales". Choose another name.
    moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales"}}}) { team { path } }
        TEAM_CYCLE destination: "Sales" can't hang under "Sales": that is the team itself or lies below it.
    moveTeam(input: {team: {path: "Sales"}, destination: {parent: {path: "Sales:Lab:West"}}}) { team { path } }
        TEAM_CYCLE destination: "Sales" can't hang under "Sales:Lab:West": that is the team itself or lies below it.
    moveTeam(input: {team: {path: "West"}, destination: {parent: {path: "Sales:Lab"}}}) { team { path } }
        ALREADY_EXISTS destination: "Sales:Lab" already has a sub-team named "West". Choose another name.
    moveTeam(input: {team: {path: "West"}, destination: {root: false}}) { team { path } }
        INVALID destination.root: `root` takes true alone. Name a parent instead.
    moveTeam(input: {team: {path: "Sales:Lab:West"}, destination: {root: true}}) { team { path } }
        ALREADY_EXISTS destination: There already is a root team named "West". Choose another name.
    moveTeam(input: {team: {path: "Sales:Lab"}, destination: {root: true}}) { team { path children { nodes { path } } } }
        {children: {nodes: [{path: Lab:West}]}, path: Lab}
    createUser(input: {email: "ann@x.com", team: {path: "West"}, managerOf: [{path: "Sales"}]}) { user { email } }
        {email: ann@x.com}
    deleteTeam(input: {team: {path: "Lab"}}) { deletedId }
        TEAM_NOT_EMPTY team: "Lab" is not empty (members: 0, sub-teams: 1). Move them first.
    deleteTeam(input: {team: {path: "West"}}) { deletedId }
        TEAM_NOT_EMPTY team: "West" is not empty (members: 1, sub-teams: 0). Move them first.
    deleteTeam(input: {team: {path: "Nowhere"}}) { deletedId }
        TEAM_NOT_FOUND team: There is no team "Nowhere".
    "#);

    // Who manages a team that goes manages it no more; a user who is gone holds no team back.
    let id = scene::team(&world, "Sales").await;
    assert_eq!(world.change(r#"deleteTeam(input: {team: {path: "Sales"}}) { deletedId }"#).await, id);
    let found = world.read(r#"{ user(by: {email: "ann@x.com"}) { managerOf { path } team { path } } }"#).await;
    assert_eq!(short(&found["user"]), "{managerOf: [], team: {path: West}}");
    world.change(r#"deleteUser(input: {user: {email: "ann@x.com"}}) { deletedId }"#).await;
    let id = scene::team(&world, "West").await;
    assert_eq!(world.change(r#"deleteTeam(input: {team: {path: "West"}}) { deletedId }"#).await, id);
}
