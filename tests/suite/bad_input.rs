//! What nobody should send, and everybody does: each gets an error that its reader can act on, and never one of ours.

use std::fmt::Write;

use axum::http::StatusCode;
use counterpart::bootstrap;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{World, scene, show::short};

both!(
    null_for_what_can_not_be_empty_is_invalid,
    ids_that_name_nothing,
    pages_that_are_not_there,
    cursors_of_other_lists,
    names_that_can_not_be_stored,
    emails_in_every_shape,
    texts_with_a_nul,
    moments_that_are_none,
    documents_that_are_too_much,
    searches_in_every_shape,
    values_of_the_wrong_kind,
);

/// What is wrong with the answer: the codes and messages of its errors, or those of a mutation's `userErrors`; the data
/// where nothing is.
async fn said(world: &World, query: &str, variables: Value) -> String {
    let answer = world.admin().graphql(query, variables).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
    let line = |error: &Value, code: &Value| {
        let field = error["field"].as_array().map(|field| format!(" {}", short(&json!(field)))).unwrap_or_default();
        format!("{}{field}: {}", short(code), short(&error["message"]))
    };
    let lines: Vec<String> = match answer.json["errors"].as_array() {
        Some(errors) => errors.iter().map(|error| line(error, &error["extensions"]["code"])).collect(),
        None => match answer.json["data"]["it"]["userErrors"].as_array() {
            Some(errors) if !errors.is_empty() => errors.iter().map(|error| line(error, &error["code"])).collect(),
            _ => vec![short(&answer.json["data"]["it"])],
        },
    };
    let said = lines.join("\n");
    assert!(!said.contains("INTERNAL"), "{query}: {said}");
    said
}

async fn ids_that_name_nothing(world: World) {
    let other = bootstrap::administrator(&world.services.db, "Other", "admin@other.example").await.unwrap();
    let foreign = world.bearer(other.token).graphql("{ viewer { id } }", json!({})).await.ok();
    let foreign = short(&foreign["viewer"]["id"]);
    let own_team = scene::team(&world, "Sales").await;
    let user = "query ($id: ID!) { it: user(by: {id: $id}) { email } }";
    let node = "query ($id: ID!) { it: node(id: $id) { id } }";
    let change = r#"mutation ($id: ID!) { it: updateUser(input: {user: {id: $id}, title: "X"}) { userErrors { code field message } } }"#;
    let long = "A".repeat(5_000);
    let padded = format!("{own_team}==");
    for id in [&foreign, "", "x", "42", "VXNlcg", "\u{1F600}", "a b", &long, &padded] {
        assert_eq!(said(&world, user, json!({ "id": id })).await, "null", "{id}");
        assert_eq!(said(&world, node, json!({ "id": id })).await, "null", "{id}");
        let change = said(&world, change, json!({ "id": id })).await;
        assert_eq!(change, "NOT_FOUND [user]: There is no user with this id.", "{id}");
    }
    // The id of a team is no user's, wherever it is said.
    assert_eq!(said(&world, user, json!({ "id": own_team })).await, "null");
    let mut text = String::new();
    for query in [
        "query ($id: ID!) { it: users(filter: {team: {id: $id}}) { totalCount } }",
        "query ($id: ID!) { it: users(filter: {link: {integration: {id: $id}, state: [MAPPED]}}) { totalCount } }",
        "query ($id: ID!) { it: mappings(filter: {integration: {id: $id}}) { totalCount } }",
        "query ($id: ID!) { it: viewer { link(integration: {id: $id}) { state } } }",
        "query ($id: ID!) { it: viewer { mappingHistory(integration: {id: $id}) { totalCount } } }",
        "query ($id: ID!) { it: importJob(id: $id) { id } }",
        "query ($id: ID!) { it: team(by: {id: $id}) { id } }",
        "query ($id: ID!) { it: integration(by: {id: $id}) { id } }",
        "mutation ($id: ID!) { it: removeMapping(input: {id: $id}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: revokeApiToken(input: {id: $id}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: cancelImport(input: {id: $id}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: deleteTeam(input: {team: {id: $id}}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: deleteIntegration(input: {integration: {id: $id}}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: deleteLicense(input: {license: {id: $id}}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: exportUsers(input: {filter: {team: {id: $id}}}) { userErrors { code field message } } }",
        "mutation ($id: ID!) { it: exportMappings(input: {filter: {integration: {id: $id}}}) { userErrors { code field message } } }",
    ] {
        let known = query.split("it: ").nth(1).unwrap().split(" userErrors").next().unwrap();
        writeln!(text, "{known}\n    {}", said(&world, query, json!({ "id": foreign })).await).unwrap();
    }
    assert_snapshot!(text, @r"
    users(filter: {team: {id: $id}}) { totalCount } }
        NOT_FOUND: There is no team with this id.
    users(filter: {link: {integration: {id: $id}, state: [MAPPED]}}) { totalCount } }
        NOT_FOUND: There is no integration with this id.
    mappings(filter: {integration: {id: $id}}) { totalCount } }
        NOT_FOUND: There is no integration with this id.
    viewer { link(integration: {id: $id}) { state } } }
        NOT_FOUND: There is no integration with this id.
    viewer { mappingHistory(integration: {id: $id}) { totalCount } } }
        NOT_FOUND: There is no integration with this id.
    importJob(id: $id) { id } }
        null
    team(by: {id: $id}) { id } }
        null
    integration(by: {id: $id}) { id } }
        null
    removeMapping(input: {id: $id}) {
        NOT_FOUND [id]: There is no mapping with this id.
    revokeApiToken(input: {id: $id}) {
        NOT_FOUND [id]: There is no token with this id.
    cancelImport(input: {id: $id}) {
        NOT_FOUND [id]: There is no import with this id.
    deleteTeam(input: {team: {id: $id}}) {
        NOT_FOUND [team]: There is no team with this id.
    deleteIntegration(input: {integration: {id: $id}}) {
        NOT_FOUND [integration]: There is no integration with this id.
    deleteLicense(input: {license: {id: $id}}) {
        NOT_FOUND [license]: There is no such licence.
    exportUsers(input: {filter: {team: {id: $id}}}) {
        NOT_FOUND [filter, team]: There is no team with this id.
    exportMappings(input: {filter: {integration: {id: $id}}}) {
        NOT_FOUND [filter, integration]: There is no integration with this id.
    ");
}

async fn pages_that_are_not_there(world: World) {
    scene::team(&world, "Sales").await;
    scene::integration(&world, "CRM", "OTHER").await;
    let mut text = String::new();
    for arguments in [
        "first: 0",
        "first: -1",
        "last: -2147483648",
        "first: 201",
        "first: 100000",
        "last: 2147483647",
        "first: 2147483648",
        "first: 1, last: 1",
        r#"first: "1""#,
        "first: null, last: null",
        r#"after: """#,
        r#"after: "x""#,
        r#"after: "W10""#,
        r#"before: "🙂""#,
        r#"before: "WyJ1c2VyLmVtYWlsIiwieCJd""#,
    ] {
        let query = format!("{{ it: users({arguments}) {{ nodes {{ email }} pageInfo {{ hasNextPage }} }} }}");
        writeln!(text, "{arguments}\n    {}", said(&world, &query, json!({})).await).unwrap();
    }
    for query in [
        r#"{ it: team(by: {path: "Sales"}) { members(first: 201) { totalCount } } }"#,
        r#"{ it: team(by: {path: "Sales"}) { children(first: 1, last: 1) { totalCount } } }"#,
        r#"{ it: viewer { link(integration: {name: "CRM"}) { candidates(first: -1) { score } } } }"#,
        r#"{ it: viewer { link(integration: {name: "CRM"}) { candidates(first: 201) { score } } } }"#,
    ] {
        writeln!(text, "{query}\n    {}", said(&world, query, json!({})).await).unwrap();
    }
    let ids: Vec<String> = (0..201).map(|n| n.to_string()).collect();
    writeln!(
        text,
        "201 nodes\n    {}",
        said(&world, "query ($ids: [ID!]!) { it: nodes(ids: $ids) { id } }", json!({ "ids": ids })).await
    )
    .unwrap();
    assert_snapshot!(text, @r#"
    first: 0
        {nodes: [], pageInfo: {hasNextPage: true}}
    first: -1
        BAD_REQUEST: `first` is -1; it takes a number from 0 to 200.
    last: -2147483648
        BAD_REQUEST: `last` is -2147483648; it takes a number from 0 to 200.
    first: 201
        LIMIT_EXCEEDED: `first` is 201; a page has 200 rows at most. Take several pages with `after`.
    first: 100000
        LIMIT_EXCEEDED: `first` is 100000; a page has 200 rows at most. Take several pages with `after`.
    last: 2147483647
        LIMIT_EXCEEDED: `last` is 2147483647; a page has 200 rows at most. Take several pages with `after`.
    first: 2147483648
        BAD_REQUEST: Int cannot represent non 32-bit signed integer value.
    first: 1, last: 1
        BAD_REQUEST: Give `first` or `last`, not both: a page is read from one end.
    first: "1"
        BAD_REQUEST: Expected value of type Int, found a string.
    first: null, last: null
        {nodes: [{email: admin@acme.example}], pageInfo: {hasNextPage: false}}
    after: ""
        BAD_REQUEST: `after` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's `cursor` of the same list in the same order.
    after: "x"
        BAD_REQUEST: `after` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's `cursor` of the same list in the same order.
    after: "W10"
        BAD_REQUEST: `after` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's `cursor` of the same list in the same order.
    before: "🙂"
        BAD_REQUEST: `before` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's `cursor` of the same list in the same order.
    before: "WyJ1c2VyLmVtYWlsIiwieCJd"
        BAD_REQUEST: `before` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's `cursor` of the same list in the same order.
    { it: team(by: {path: "Sales"}) { members(first: 201) { totalCount } } }
        LIMIT_EXCEEDED: `first` is 201; a page has 200 rows at most. Take several pages with `after`.
    { it: team(by: {path: "Sales"}) { children(first: 1, last: 1) { totalCount } } }
        BAD_REQUEST: Give `first` or `last`, not both: a page is read from one end.
    { it: viewer { link(integration: {name: "CRM"}) { candidates(first: -1) { score } } } }
        BAD_REQUEST: `first` is -1; it takes a number from 0 up.
    { it: viewer { link(integration: {name: "CRM"}) { candidates(first: 201) { score } } } }
        LIMIT_EXCEEDED: `first` is 201; it takes 200 at most.
    201 nodes
        LIMIT_EXCEEDED: 201 ids came; a call takes 200 at most.
    "#);
}

async fn cursors_of_other_lists(world: World) {
    scene::team(&world, "Sales").await;
    scene::integration(&world, "CRM", "OTHER").await;
    scene::push(&world, "CRM", &[("1", "admin@acme.example")]).await;
    let lists = [
        "users",
        "users(orderBy: {field: NAME})",
        "users(orderBy: {field: CREATED_AT})",
        "users(orderBy: {field: UPDATED_AT})",
        "teams",
        "mappings",
    ];
    let mut cursors = Vec::new();
    for list in lists {
        let found = world.read(&format!("{{ it: {list} {{ pageInfo {{ endCursor }} }} }}")).await;
        cursors.push(short(&found["it"]["pageInfo"]["endCursor"]));
    }
    for (i, list) in lists.iter().enumerate() {
        for (j, cursor) in cursors.iter().enumerate() {
            for side in ["after", "before"] {
                let list = match list.strip_suffix(')') {
                    Some(open) => format!(r#"{open}, {side}: "{cursor}")"#),
                    None => format!(r#"{list}({side}: "{cursor}")"#),
                };
                let said = said(&world, &format!("{{ it: {list} {{ nodes {{ id }} }} }}"), json!({})).await;
                let refused = format!(
                    "BAD_REQUEST: `{side}` is not a cursor of this list. Pass an `endCursor`, a `startCursor` or an edge's \
                     `cursor` of the same list in the same order."
                );
                assert_eq!(said, if i == j { "{nodes: []}".to_owned() } else { refused }, "{list}");
            }
        }
    }
}

async fn names_that_can_not_be_stored(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let long = "n".repeat(10_000);
    let [faces, umlauts] = ["\u{1F600}".repeat(200), "ä".repeat(201)];
    let names = [
        ("nothing", ""),
        ("a blank", " "),
        ("a no-break space", "\u{a0}"),
        ("blanks around it", " A "),
        ("a line break", "A\nB"),
        ("a bell", "A\u{7}"),
        ("10,000 characters", &long),
        ("200 characters of four bytes", &faces),
        ("201 characters", &umlauts),
        ("from right to left", "\u{202e}abc"),
        ("quotes", r#"a"b'c;--"#),
        ("a percent sign", "100%_\\"),
    ];
    let mut text = String::new();
    for (field, input) in [
        ("createTeam", "CreateTeamInput"),
        ("createLicense", "CreateLicenseInput"),
        ("createApiToken", "CreateApiTokenInput"),
        ("createIntegration", "CreateIntegrationInput"),
        ("createUser", "CreateUserInput"),
        ("pushCrmUsers", "PushCrmUsersInput"),
        ("updateOrganization", "UpdateOrganizationInput"),
    ] {
        writeln!(text, "{field}").unwrap();
        for (i, (what, name)) in names.iter().enumerate() {
            let query = format!(
                "mutation ($input: {input}!) {{ it: {field}(input: $input) {{ userErrors {{ code field message }} }} }}"
            );
            let input = match field {
                "createIntegration" => json!({ "name": name, "kind": "OTHER" }),
                "createUser" => json!({ "email": format!("u{i}@x.com"), "firstName": name }),
                "pushCrmUsers" => json!({ "integration": { "name": "CRM" }, "crmUsers": [{ "externalId": name }] }),
                _ => json!({ "name": name }),
            };
            let said = said(&world, &query, json!({ "input": input })).await.replace(&long, "n…");
            let said = if said == "{userErrors: []}" { "taken".to_owned() } else { said };
            writeln!(text, "    {what}: {said}").unwrap();
        }
    }
    assert_snapshot!(text.replace(&umlauts, "ä…").replace(&faces, "😀…"), @r#"
    createTeam
        nothing: INVALID [name]: A team needs a name; this is empty.
        a blank: INVALID [name]: The team name " " has white space before or after it; take it away.
        a no-break space: INVALID [name]: The team name "\u{a0}" has white space before or after it; take it away.
        blanks around it: INVALID [name]: The team name " A " has white space before or after it; take it away.
        a line break: INVALID [name]: The team name "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [name]: The team name "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [name]: A team name has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [name]: A team name has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    createLicense
        nothing: INVALID [name]: The licence needs a name; this is empty.
        a blank: INVALID [name]: The licence needs a name; this is empty.
        a no-break space: INVALID [name]: The licence needs a name; this is empty.
        blanks around it: INVALID [name]: The name " A " has white space before or after it; take it away.
        a line break: INVALID [name]: The name "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [name]: The name "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [name]: A name has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [name]: A name has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    createApiToken
        nothing: INVALID [name]: The token needs a name; this is empty.
        a blank: INVALID [name]: The token needs a name; this is empty.
        a no-break space: INVALID [name]: The token needs a name; this is empty.
        blanks around it: INVALID [name]: The name " A " has white space before or after it; take it away.
        a line break: INVALID [name]: The name "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [name]: The name "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [name]: A name has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [name]: A name has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    createIntegration
        nothing: INVALID [name]: The integration needs a name; this is empty.
        a blank: INVALID [name]: The integration needs a name; this is empty.
        a no-break space: INVALID [name]: The integration needs a name; this is empty.
        blanks around it: INVALID [name]: The name " A " has white space before or after it; take it away.
        a line break: INVALID [name]: The name "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [name]: The name "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [name]: A name has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [name]: A name has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    createUser
        nothing: taken
        a blank: taken
        a no-break space: taken
        blanks around it: taken
        a line break: INVALID [firstName]: "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [firstName]: "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [firstName]: A text here has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [firstName]: A text here has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    pushCrmUsers
        nothing: INVALID_EXTERNAL_ID [crmUsers, 0, externalId]: An external id is needed; this is empty.
        a blank: taken
        a no-break space: taken
        blanks around it: taken
        a line break: INVALID_EXTERNAL_ID [crmUsers, 0, externalId]: An external id can't hold control characters such as tabs or line breaks.
        a bell: INVALID_EXTERNAL_ID [crmUsers, 0, externalId]: An external id can't hold control characters such as tabs or line breaks.
        10,000 characters: INVALID_EXTERNAL_ID [crmUsers, 0, externalId]: An external id has 255 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: taken
        from right to left: taken
        quotes: taken
        a percent sign: taken
    updateOrganization
        nothing: INVALID [name]: The organisation needs a name; this is empty.
        a blank: INVALID [name]: The organisation needs a name; this is empty.
        a no-break space: INVALID [name]: The organisation needs a name; this is empty.
        blanks around it: INVALID [name]: The name " A " has white space before or after it; take it away.
        a line break: INVALID [name]: The name "A\nB" holds a control character, such as a tab or a line break.
        a bell: INVALID [name]: The name "A\u{7}" holds a control character, such as a tab or a line break.
        10,000 characters: INVALID [name]: A name has 200 characters at most; this one has 10000.
        200 characters of four bytes: taken
        201 characters: INVALID [name]: A name has 200 characters at most; this one has 201.
        from right to left: taken
        quotes: taken
        a percent sign: taken
    "#);
}

async fn emails_in_every_shape(world: World) {
    let long = format!("{}@x.com", "l".repeat(65));
    let longer = format!("a@{}.com", "d".repeat(250));
    let mut text = String::new();
    for email in [
        "",
        " ",
        "ann",
        "@x.com",
        "ann@",
        "ann@x",
        "ann@@x.com",
        "ann@x.com ",
        " ann@x.com",
        "an n@x.com",
        "Ann <ann@x.com>",
        "mailto:ann@x.com",
        "ANN@X.COM",
        "ann@x.com.",
        "ann@x..com",
        "ann.@x.com",
        "ann+tag@x.com",
        "\"ann\"@x.com",
        "ann@[127.0.0.1]",
        "ännä@x.com",
        "ÄNNÄ@x.com",
        "ann@bücher.example",
        "ann@xn--bcher-kva.example",
        "ann\u{2009}@x.com",
        "ａｎｎ@x.com",
        "ann@x.com\n",
        &long,
        &longer,
    ] {
        let query = "mutation ($email: String!) { it: createUser(input: {email: $email}) { user { email } userErrors { code field message } } }";
        let said = said(&world, query, json!({ "email": email })).await;
        let query = "query ($email: String!) { user(by: {email: $email}) { email } }";
        let found = world.admin().graphql(query, json!({ "email": email })).await.ok();
        writeln!(text, "{email:?}: {said}; found: {}", short(&found["user"]["email"])).unwrap();
    }
    assert_snapshot!(text.replace(&"l".repeat(65), "l…").replace(&"d".repeat(250), "d…"), @r#"
    "": INVALID_EMAIL [email]: An email address is needed; this is empty.; found: null
    " ": INVALID_EMAIL [email]: " " contains white space.; found: null
    "ann": INVALID_EMAIL [email]: "ann" is not an email address: it has no @.; found: null
    "@x.com": INVALID_EMAIL [email]: "@x.com" is not an email address: there is nothing before the @.; found: null
    "ann@": INVALID_EMAIL [email]: "ann@" is not an email address: there is nothing after the @.; found: null
    "ann@x": INVALID_EMAIL [email]: "ann@x" is not an email address: the domain has no dot.; found: null
    "ann@@x.com": INVALID_EMAIL [email]: "ann@@x.com" is not an email address: it has more than one @.; found: null
    "ann@x.com ": INVALID_EMAIL [email]: "ann@x.com " contains white space. Did you mean ann@x.com?; found: null
    " ann@x.com": INVALID_EMAIL [email]: " ann@x.com" contains white space. Did you mean ann@x.com?; found: null
    "an n@x.com": INVALID_EMAIL [email]: "an n@x.com" contains white space. Did you mean ann@x.com?; found: null
    "Ann <ann@x.com>": INVALID_EMAIL [email]: "Ann <ann@x.com>" contains white space.; found: null
    "mailto:ann@x.com": INVALID_EMAIL [email]: "mailto:ann@x.com" is not an email address: ':' can't stand in it.; found: null
    "ANN@X.COM": {user: {email: ann@x.com}, userErrors: []}; found: ann@x.com
    "ann@x.com.": INVALID_EMAIL [email]: "ann@x.com." is not an email address: the domain has a dot too many.; found: null
    "ann@x..com": INVALID_EMAIL [email]: "ann@x..com" is not an email address: the domain has a dot too many.; found: null
    "ann.@x.com": INVALID_EMAIL [email]: "ann.@x.com" is not an email address: there is a dot too many before the @.; found: null
    "ann+tag@x.com": {user: {email: ann+tag@x.com}, userErrors: []}; found: ann+tag@x.com
    "\"ann\"@x.com": INVALID_EMAIL [email]: "\"ann\"@x.com" is not an email address: quotes are not supported.; found: null
    "ann@[127.0.0.1]": INVALID_EMAIL [email]: "ann@[127.0.0.1]" is not an email address: a domain name is needed after the @, not an IP address.; found: null
    "ännä@x.com": {user: {email: ännä@x.com}, userErrors: []}; found: ännä@x.com
    "ÄNNÄ@x.com": ALREADY_EXISTS [email]: There already is a user with the email ännä@x.com.; found: ännä@x.com
    "ann@bücher.example": {user: {email: ann@bücher.example}, userErrors: []}; found: ann@bücher.example
    "ann@xn--bcher-kva.example": {user: {email: ann@xn--bcher-kva.example}, userErrors: []}; found: ann@xn--bcher-kva.example
    "ann\u{2009}@x.com": INVALID_EMAIL [email]: "ann\u{2009}@x.com" contains white space. Did you mean ann@x.com?; found: null
    "ａｎｎ@x.com": {user: {email: ａｎｎ@x.com}, userErrors: []}; found: ａｎｎ@x.com
    "ann@x.com\n": INVALID_EMAIL [email]: "ann@x.com\n" contains white space. Did you mean ann@x.com?; found: null
    "l…@x.com": INVALID_EMAIL [email]: "l…@x.com" is not an email address: the part before the @ is over 64 bytes long.; found: null
    "a@d….com": INVALID_EMAIL [email]: "a@dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"… is not an email address: it is over 254 bytes long.; found: null
    "#);
}

async fn texts_with_a_nul(world: World) {
    let mut text = String::new();
    for (query, variables) in [
        ("query ($v: String!) { it: user(by: {email: $v}) { email } }", json!({ "v": "a\u{0}b" })),
        ("query ($v: UserFilter!) { it: users(filter: $v) { totalCount } }", json!({ "v": { "search": "\u{0}" } })),
        ("query ($v: [ID!]!) { it: nodes(ids: $v) { id } }", json!({ "v": ["x", "\u{0}"] })),
        (r#"{ it: team(by: {path: "a\u0000b"}) { id } }"#, json!({})),
        (r#"mutation { it: createTeam(input: {name: "a\u0000b"}) { userErrors { code message } } }"#, json!({})),
        (r#"query ($v: String = "\u0000") { it: user(by: {email: $v}) { email } }"#, json!({})),
    ] {
        writeln!(text, "{}", said(&world, query, variables).await).unwrap();
    }
    assert_snapshot!(text, @r"
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    BAD_REQUEST: A text holds the character U+0000, which can't be stored; take it out.
    ");
    // In a cursor it can stand behind base64.
    let cursor = "WyJ1c2VyLmVtYWlsIiwiXHUwMDAwIiwiMDE5MjAwMDAwMDAwNzAwMDgwMDAwMDAwMDAwMDAwMDEiXQ";
    let said = said(&world, &format!(r#"{{ it: users(after: "{cursor}") {{ totalCount }} }}"#), json!({})).await;
    assert!(said.starts_with("BAD_REQUEST: `after` is not a cursor"), "{said}");
}

async fn moments_that_are_none(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let mut text = String::new();
    for moment in [
        "yesterday",
        "2026-03-02",
        "2026-02-30T00:00:00Z",
        "2026-03-02T09:00:00",
        "0000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "+262142-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
    ] {
        let query = "query ($at: DateTime!) { it: mappings(filter: {asOf: $at}) { totalCount } }";
        writeln!(text, "asOf {moment}: {}", said(&world, query, json!({ "at": moment })).await).unwrap();
        let query = r#"mutation ($at: DateTime!) { it: pushCrmUsers(input: {integration: {name: "CRM"}, crmUsers: [
            {externalId: "1", createdAt: $at}]}) { syncRun { received } userErrors { code field message } } }"#;
        writeln!(text, "createdAt {moment}: {}", said(&world, query, json!({ "at": moment })).await).unwrap();
        let query = r#"mutation ($at: DateTime!) { it: createApiToken(input: {name: "T", expiresAt: $at}) { apiToken { expiresAt } userErrors { code field message } } }"#;
        writeln!(text, "expiresAt {moment}: {}", said(&world, query, json!({ "at": moment })).await).unwrap();
    }
    assert_snapshot!(text, @r#"
    asOf yesterday: BAD_REQUEST: Failed to parse "DateTime": input contains invalid characters (occurred while parsing "MappingFilter")
    createdAt yesterday: BAD_REQUEST: Failed to parse "DateTime": input contains invalid characters (occurred while parsing "CrmUserInput") (occurred while parsing "[CrmUserInput!]") (occurred while parsing "PushCrmUsersInput")
    expiresAt yesterday: BAD_REQUEST: Failed to parse "DateTime": input contains invalid characters (occurred while parsing "CreateApiTokenInput")
    asOf 2026-03-02: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "MappingFilter")
    createdAt 2026-03-02: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "CrmUserInput") (occurred while parsing "[CrmUserInput!]") (occurred while parsing "PushCrmUsersInput")
    expiresAt 2026-03-02: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "CreateApiTokenInput")
    asOf 2026-02-30T00:00:00Z: BAD_REQUEST: Failed to parse "DateTime": input is out of range (occurred while parsing "MappingFilter")
    createdAt 2026-02-30T00:00:00Z: BAD_REQUEST: Failed to parse "DateTime": input is out of range (occurred while parsing "CrmUserInput") (occurred while parsing "[CrmUserInput!]") (occurred while parsing "PushCrmUsersInput")
    expiresAt 2026-02-30T00:00:00Z: BAD_REQUEST: Failed to parse "DateTime": input is out of range (occurred while parsing "CreateApiTokenInput")
    asOf 2026-03-02T09:00:00: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "MappingFilter")
    createdAt 2026-03-02T09:00:00: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "CrmUserInput") (occurred while parsing "[CrmUserInput!]") (occurred while parsing "PushCrmUsersInput")
    expiresAt 2026-03-02T09:00:00: BAD_REQUEST: Failed to parse "DateTime": premature end of input (occurred while parsing "CreateApiTokenInput")
    asOf 0000-01-01T00:00:00Z: {totalCount: 0}
    createdAt 0000-01-01T00:00:00Z: INVALID [crmUsers, 0, createdAt]: A year from 1 to 9999 is needed.
    expiresAt 0000-01-01T00:00:00Z: INVALID [expiresAt]: This moment has passed already.
    asOf -0001-01-01T00:00:00Z: {totalCount: 0}
    createdAt -0001-01-01T00:00:00Z: INVALID [crmUsers, 0, createdAt]: A year from 1 to 9999 is needed.
    expiresAt -0001-01-01T00:00:00Z: INVALID [expiresAt]: This moment has passed already.
    asOf 9999-12-31T23:59:59.999999999Z: {totalCount: 0}
    createdAt 9999-12-31T23:59:59.999999999Z: {syncRun: {received: 1}, userErrors: []}
    expiresAt 9999-12-31T23:59:59.999999999Z: {apiToken: {expiresAt: 9999-12-31T23:59:59.999999+00:00}, userErrors: []}
    asOf +262142-12-31T23:59:59Z: {totalCount: 0}
    createdAt +262142-12-31T23:59:59Z: INVALID [crmUsers, 0, createdAt]: A year from 1 to 9999 is needed.
    expiresAt +262142-12-31T23:59:59Z: INVALID [expiresAt]: A year up to 9999 is needed; leave it out for no end.
    asOf 1969-12-31T23:59:59Z: {totalCount: 0}
    createdAt 1969-12-31T23:59:59Z: {syncRun: {received: 1}, userErrors: []}
    expiresAt 1969-12-31T23:59:59Z: INVALID [expiresAt]: This moment has passed already.
    "#);
    // What was taken can be read.
    let found = world
        .read("{ viewer { apiTokens { name expiresAt } } integrations { crmUsers { nodes { createdAt } } } }")
        .await;
    assert!(found["integrations"][0]["crmUsers"]["nodes"][0]["createdAt"].is_string(), "{found}");
}

async fn documents_that_are_too_much(world: World) {
    let deep = format!("{{ it: teams {{ nodes {} id {} }} }}", "{ parent ".repeat(40), "}".repeat(40));
    let deeper = format!("{{ it: teams {{ nodes {} id {} }} }}", "{ parent ".repeat(2_000), "}".repeat(2_000));
    let level = "children(first: 200) { nodes { ";
    let wide = format!("{{ it: teams(first: 200) {{ nodes {{ {} id {} }} }} }}", level.repeat(3), "} } ".repeat(3));
    let many: String = (0..6_000).map(|n| format!("a{n}: __typename ")).collect();
    let bomb: String = (0..30).map(|n| format!("fragment F{n} on User {{ ...F{} ...F{} }} ", n + 1, n + 1)).collect();
    let bomb = format!("{{ it: viewer {{ ...F0 }} }} {bomb} fragment F30 on User {{ id }}");
    let mut text = String::new();
    for (what, query) in [
        ("nothing", String::new()),
        ("40 deep", deep),
        ("2,000 deep", deeper),
        ("a hundred million rows", wide),
        ("6,000 fields", format!("{{ {many} }}")),
        ("a billion fields", bomb),
        ("a circle", "{ it: viewer { ...A } } fragment A on User { ...B } fragment B on User { ...A }".to_owned()),
        ("no such field", "{ it: viewer { password } }".to_owned()),
        ("two operations", "query A { viewer { id } } query B { viewer { id } }".to_owned()),
        ("half a document", "{ it: viewer {".to_owned()),
        ("a list of words", "lorem ipsum".to_owned()),
        ("1,000 lists at once", {
            let lists: String =
                (0..1_000).map(|n| format!("a{n}: users(first: 200) {{ nodes {{ email }} }} ")).collect();
            format!("{{ {lists} }}")
        }),
    ] {
        let said = said(&world, &query, json!({})).await;
        // How deep the parser goes is its own affair.
        let most = if what == "2,000 deep" { "BAD_REQUEST: ".len() } else { 300 };
        let said: String = said.chars().take(most).collect();
        writeln!(text, "{what}: {said}").unwrap();
    }
    assert_snapshot!(text, @"
    nothing: BAD_REQUEST: Syntax error: Unexpected <EOF>.
    40 deep: LIMIT_EXCEEDED: The document nests its fields 42 deep; 32 is the most.
    2,000 deep: LIMIT_EXCEEDE
    a hundred million rows: LIMIT_EXCEEDED: The operation's complexity is 1616097802; 100000 is the most. Ask for smaller pages, or in parts.
    6,000 fields: LIMIT_EXCEEDED: The document is 106894 bytes long; 65536 is the most.
    a billion fields: LIMIT_EXCEEDED: The document comes to 1073741825 fields; 3000 is the most. Send it in parts.
    a circle: BAD_REQUEST: The fragment A contains itself.
    no such field: BAD_REQUEST: Type `User` does not have a field `password`.
    two operations: BAD_REQUEST: Ambiguous request: multiple operations but no specified `operationName`.
    half a document: BAD_REQUEST: Syntax error: expected at least one Selection in Selection Set.
    BAD_REQUEST: Syntax error: expected R_CURLY, got EOF.
    a list of words: BAD_REQUEST: Syntax error: expected definition.
    BAD_REQUEST: Syntax error: expected definition.
    1,000 lists at once: LIMIT_EXCEEDED: The document has more than 10000 tokens; 10000 is the most.
    ");
}

async fn searches_in_every_shape(world: World) {
    scene::user(&world, "ann@x.com", json!({ "firstName": "Ann_%", "lastName": "O'Hara" })).await;
    let long: String = (0..17).map(|n| format!("word{n} ")).collect();
    let longer = "w".repeat(10_000);
    let mut text = String::new();
    for search in [
        "",
        " ",
        "'",
        "o'hara",
        "\"",
        "*",
        "ann*",
        "a:b",
        "NEAR(a b)",
        "an_",
        "(",
        "\u{1F600}",
        "\u{10ffff}",
        "ﬁ",
        &long,
        &longer,
    ] {
        let query = "query ($search: String!) { it: users(filter: {search: $search}) { totalCount nodes { email } } }";
        let shown: String = search.chars().take(20).collect();
        writeln!(text, "{shown:?}: {}", said(&world, query, json!({ "search": search })).await).unwrap();
    }
    assert_snapshot!(text, @r#"
    "": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    " ": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "'": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "o'hara": {nodes: [{email: ann@x.com}], totalCount: 1}
    "\"": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "*": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "ann*": {nodes: [{email: ann@x.com}], totalCount: 1}
    "a:b": {nodes: [], totalCount: 0}
    "NEAR(a b)": {nodes: [], totalCount: 0}
    "an_": {nodes: [{email: ann@x.com}], totalCount: 1}
    "(": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "😀": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "\u{10ffff}": {nodes: [{email: admin@acme.example}, {email: ann@x.com}], totalCount: 2}
    "ﬁ": {nodes: [], totalCount: 0}
    "word0 word1 word2 wo": BAD_REQUEST: A search has 16 words at most.
    "wwwwwwwwwwwwwwwwwwww": {nodes: [], totalCount: 0}
    "#);
}

async fn values_of_the_wrong_kind(world: World) {
    let mut text = String::new();
    for query in [
        r#"{ it: user(by: {}) { id } }"#,
        r#"{ it: user(by: {id: "x", email: "a@x.com"}) { id } }"#,
        r#"{ it: user(by: {email: null}) { id } }"#,
        r#"{ it: user { id } }"#,
        r#"{ it: users(filter: {role: [OWNER]}) { totalCount } }"#,
        r#"{ it: users(filter: {role: ADMIN}) { totalCount } }"#,
        r#"mutation { it: createUser(input: {email: 5}) { userErrors { code } } }"#,
        r#"mutation { it: createUser(input: {email: "a@x.com", nickname: "A"}) { userErrors { code } } }"#,
        r#"mutation { it: createUser(input: {email: "a@x.com", role: null}) { userErrors { code field message } } }"#,
        r#"mutation { it: createUser { userErrors { code } } }"#,
        r#"mutation { it: moveTeam(input: {team: {path: "A"}, destination: {}}) { userErrors { code } } }"#,
        r#"mutation { it: pushCrmUsers(input: {integration: {name: "None"}, crmUsers: []}) { userErrors { code field message } } }"#,
        r#"mutation { it: importUsers(input: {source: {file: "x"}}) { userErrors { code field message } } }"#,
        r#"mutation { it: importUsers(input: {source: {}}) { userErrors { code field message } } }"#,
    ] {
        writeln!(text, "{query}\n    {}", said(&world, query, json!({})).await).unwrap();
    }
    assert_snapshot!(text, @r#"
    { it: user(by: {}) { id } }
        BAD_REQUEST: UserRef takes exactly one of its fields, and a value for it: id or email.
    { it: user(by: {id: "x", email: "a@x.com"}) { id } }
        BAD_REQUEST: UserRef takes exactly one of its fields, and a value for it: id or email.
    { it: user(by: {email: null}) { id } }
        BAD_REQUEST: UserRef takes exactly one of its fields, and a value for it: id or email.
    { it: user { id } }
        BAD_REQUEST: The required argument `Query.user(by:)` is not provided.
    { it: users(filter: {role: [OWNER]}) { totalCount } }
        BAD_REQUEST: Value `OWNER` does not exist on `UserRole`.
    { it: users(filter: {role: ADMIN}) { totalCount } }
        {totalCount: 1}
    mutation { it: createUser(input: {email: 5}) { userErrors { code } } }
        BAD_REQUEST: Expected value of type String!, found an integer.
    mutation { it: createUser(input: {email: "a@x.com", nickname: "A"}) { userErrors { code } } }
        BAD_REQUEST: Field `nickname` does not exist on `CreateUserInput`. Did you mean firstName or lastName?
    mutation { it: createUser(input: {email: "a@x.com", role: null}) { userErrors { code field message } } }
        BAD_REQUEST: Expected value of type UserRole!, found null.
    mutation { it: createUser { userErrors { code } } }
        BAD_REQUEST: The required argument `Mutation.createUser(input:)` is not provided.
    mutation { it: moveTeam(input: {team: {path: "A"}, destination: {}}) { userErrors { code } } }
        BAD_REQUEST: TeamDestination takes exactly one of its fields, and a value for it: parent or root.
    mutation { it: pushCrmUsers(input: {integration: {name: "None"}, crmUsers: []}) { userErrors { code field message } } }
        NOT_FOUND [integration]: There is no integration named "None".
    mutation { it: importUsers(input: {source: {file: "x"}}) { userErrors { code field message } } }
        BAD_REQUEST: Expected input type "Upload", found "x". (occurred while parsing "ImportSource") (occurred while parsing "ImportUsersInput")
    mutation { it: importUsers(input: {source: {}}) { userErrors { code field message } } }
        BAD_REQUEST: ImportSource takes exactly one of its fields, and a value for it: file or text.
    "#);
}

async fn null_for_what_can_not_be_empty_is_invalid(world: World) {
    scene::integration(&world, "CRM", "OTHER").await;
    let settings = [
        "autoLinkByEmail",
        "inboundCreate",
        "emailDedupe",
        "autoRemapInactive",
        "massChangeLimitPercent",
        "stripInvalidSuffix",
    ];
    let mut said = Vec::new();
    for field in settings {
        let input = format!("integration: {{name: \"CRM\"}}, settings: {{{field}: null}}");
        said.push(format!("updateIntegration(input: {{{input}}})"));
    }
    said.push("updateIntegration(input: {integration: {name: \"CRM\"}, name: null})".to_owned());
    said.push("updateOrganization(input: {name: null})".to_owned());
    said.push("updateOrganization(input: {manageMode: null})".to_owned());
    said.push("updateOrganization(input: {manageMode: AUTO, managedBy: null})".to_owned());
    for field in said {
        let query = format!("mutation {{ it: {field} {{ userErrors {{ code field }} }} }}");
        let data = world.admin().graphql(&query, serde_json::json!({})).await.ok();
        let errors = data["it"]["userErrors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{field}: {data}");
        assert_eq!(errors[0]["code"], "INVALID", "{field}: {data}");
    }
    // What can be empty is cleared.
    let query = r#"mutation { updateIntegration(input: {integration: {name: "CRM"}, settings: {syncSchedule: null}})
        { integration { name settings { syncSchedule autoLinkByEmail } } userErrors { code } } }"#;
    let data = world.admin().graphql(query, serde_json::json!({})).await.ok();
    let kept = serde_json::json!({ "name": "CRM", "settings": { "syncSchedule": null, "autoLinkByEmail": true } });
    assert_eq!(data["updateIntegration"]["integration"], kept, "{data}");
}
