//! `graphql-transport-ws`, as its document has it.

use std::time::Duration;

use counterpart::{
    http,
    service::user::{UserRef, change},
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tokio_util::sync::CancellationToken;

use crate::support::World;

both!(
    an_operation_is_answered_and_completed,
    sign_in_is_the_first_message,
    a_client_that_breaks_the_protocol_is_told_how,
    a_suspended_user_is_out_at_once,
    a_server_that_stops_says_so,
);

/// A client, and the server that it talks to.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    stop: CancellationToken,
}

impl Client {
    async fn connect(world: &World) -> Self {
        Self::connect_with(world, Some("graphql-transport-ws")).await
    }

    async fn connect_with(world: &World, protocol: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut request = format!("ws://{}/graphql", listener.local_addr().unwrap()).into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        let stop = CancellationToken::new();
        let app = http::router(world.services.clone(), stop.clone());
        tokio::spawn(http::serve(listener, app, stop.clone(), Duration::from_secs(1)));
        let (socket, _) = connect_async(request).await.unwrap();
        Self { socket, stop }
    }

    /// A client that has signed in.
    async fn signed_in(world: &World, token: &str) -> Self {
        let mut client = Self::connect(world).await;
        client
            .say(json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } }))
            .await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    async fn say_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn ask(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message; a close as its code and reason.
    async fn hear(&mut self) -> Value {
        let message =
            tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await.expect("the server is silent");
        match message.expect("the connection is closed").expect("the connection is broken") {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            Message::Close(Some(frame)) => json!([u16::from(frame.code), frame.reason.as_str()]),
            other => panic!("{other:?}"),
        }
    }
}

async fn an_operation_is_answered_and_completed(world: World) {
    let mut client = Client::signed_in(&world, &world.administrator.token).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));

    client.ask("a", "{ viewer { id } }").await;
    let next = client.hear().await;
    assert_eq!((&next["type"], &next["id"]), (&json!("next"), &json!("a")));
    assert!(next["payload"]["data"]["viewer"]["id"].is_string(), "{next}");
    assert_eq!(client.hear().await, json!({ "type": "complete", "id": "a" }));

    // Now that it is complete, the id is free. A document that can't be carried out is an error, not a result.
    client.ask("a", "{ nothingLikeThis }").await;
    let error = client.hear().await;
    assert_eq!((&error["type"], &error["id"]), (&json!("error"), &json!("a")));
    assert!(error["payload"][0]["message"].is_string(), "{error}");
}

async fn sign_in_is_the_first_message(world: World) {
    for (payload, reason) in [
        (json!({}), "Forbidden: Authorization is missing"),
        (json!({ "Authorization": "cpt_x" }), "Forbidden: Authorization is missing"),
        (json!({ "Authorization": "Bearer cpt_x" }), "Forbidden: the token is unknown, expired or revoked"),
    ] {
        let mut client = Client::connect(&world).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.hear().await, json!([4403, reason]));
    }
    let mut early = Client::connect(&world).await;
    early.ask("a", "{ viewer { id } }").await;
    assert_eq!(early.hear().await, json!([4401, "Unauthorized"]));

    let mut other = Client::connect_with(&world, None).await;
    assert_eq!(other.hear().await, json!([4406, "Subprotocol not acceptable"]));

    let mut twice = Client::signed_in(&world, &world.administrator.token).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.hear().await, json!([4429, "Too many initialisation requests"]));

    let mut silent = Client::connect(&world).await;
    assert_eq!(silent.hear().await, json!([4408, "Connection initialisation timeout"]));
}

async fn a_client_that_breaks_the_protocol_is_told_how(world: World) {
    for message in [
        "{",
        "[]",
        r#"{"type": "fly"}"#,
        r#"{"id": "a"}"#,
        r#"{"type": "subscribe", "payload": {"query": "{ viewer { id } }"}}"#,
        r#"{"type": "subscribe", "id": "a"}"#,
        r#"{"type": "subscribe", "id": "a", "payload": {}}"#,
        r#"{"type": "subscribe", "id": "a", "payload": {"query": "{ viewer { id } }", "variables": 1}}"#,
    ] {
        let mut client = Client::signed_in(&world, &world.administrator.token).await;
        client.say_text(message.to_owned()).await;
        assert_eq!(client.hear().await, json!([4400, "Invalid message received"]), "{message}");
    }
    let mut client = Client::signed_in(&world, &world.administrator.token).await;
    client.ask("a", "{ viewer { id } }").await;
    client.ask("a", "{ viewer { id } }").await;
    // The first may have been answered before the second was read.
    let mut heard = client.hear().await;
    while heard["type"] == "next" || heard["type"] == "complete" {
        if heard["type"] == "complete" {
            client.ask("a", "{ viewer { id } }").await;
            client.ask("a", "{ viewer { id } }").await;
        }
        heard = client.hear().await;
    }
    assert_eq!(heard, json!([4409, "Subscriber for this id already exists"]));
}

async fn a_suspended_user_is_out_at_once(world: World) {
    let member = world.member().await;
    let mut client = Client::signed_in(&world, member.token.as_deref().unwrap()).await;
    change::suspend(&world.session().await, UserRef::Email("member@acme.example".into())).await.unwrap();
    client.ask("a", "{ viewer { id } }").await;
    assert_eq!(client.hear().await, json!([4403, "Forbidden: the token is unknown, expired or revoked"]));
}

async fn a_server_that_stops_says_so(world: World) {
    let mut client = Client::signed_in(&world, &world.administrator.token).await;
    client.stop.cancel();
    assert_eq!(client.hear().await, json!([1001, "The server stops"]));
}
