//! Multipart requests that can't be used; those that can are in the tests of the imports.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::World;

both!(parts_have_an_order_and_places, files_have_a_limit);

async fn parts_have_an_order_and_places(world: World) {
    let admin = world.admin();
    let operations = json!({ "query": "{ viewer { id } }", "variables": { "file": null } }).to_string();
    let operations = ("operations", None, operations.as_bytes());
    let map = ("map", None, &br#"{"0": ["variables.file"]}"#[..]);
    let file = ("0", Some("a.csv"), &b"a"[..]);
    for (parts, message) in [
        (vec![], "The parts must be `operations`, `map` and the files, in this order."),
        (vec![operations], "The parts must be `operations`, `map` and the files, in this order."),
        (vec![map, operations, file], "The parts must be `operations`, `map` and the files, in this order."),
        (vec![operations, map], "The part `0` is named in `map`, but did not come."),
        (vec![operations, map, file, file], "The part `0` is not named in `map`, or came twice."),
        (
            vec![operations, ("map", None, br#"{"0": ["variables.other"]}"#), file],
            "`map` names variables.other, which is no variable of the operation; send null there.",
        ),
        (vec![operations, ("map", None, b"{}"), file], "The part `0` is not named in `map`, or came twice."),
    ] {
        let answer = admin.multipart(&parts).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
        assert_eq!(answer.json["errors"][0]["message"], message);
    }
    let answer = admin.multipart(&[operations, ("map", None, b"[1]"), file]).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "BAD_REQUEST"));
    // The file is read, though the query has no use for it.
    admin.multipart(&[operations, map, file]).await.ok();
}

async fn files_have_a_limit(world: World) {
    let admin = world.admin();
    let variables = json!({ "file": null });
    let send = async |bytes: usize| {
        let content = vec![b'a'; bytes];
        admin.upload("{ viewer { id } }", variables.clone(), "variables.file", "a.csv", &content).await
    };
    // What is given a file that is a little too large says so itself.
    send(1024 * 1024 + 1).await.ok();
    let answer = send(19 * 1024 * 1024).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));
}
