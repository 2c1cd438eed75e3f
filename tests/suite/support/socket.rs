//! A client of the websocket, and a server for it.

use std::{net::SocketAddr, time::Duration};

use counterpart::{
    config::FrontSettings,
    http::{self, Serving},
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tokio_util::sync::CancellationToken;

use super::{World, unhurried};

/// Serves the world on a port of its own, until the token is cancelled.
pub async fn serve(world: &World) -> (SocketAddr, CancellationToken) {
    serve_with(world, unhurried(), Serving { grace: Duration::from_secs(1), ..Serving::default() }).await
}

pub async fn serve_with(world: &World, settings: FrontSettings, serving: Serving) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let app = http::router(world.services.clone(), settings, stop.clone()).unwrap();
    tokio::spawn(http::serve(listener, app, serving, stop.clone()));
    (address, stop)
}

/// A client, and the server that it talks to.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub stop: CancellationToken,
}

impl Client {
    pub async fn connect(world: &World) -> Self {
        Self::connect_with(world, Some("graphql-transport-ws")).await
    }

    pub async fn connect_with(world: &World, protocol: Option<&str>) -> Self {
        Self::at(serve(world).await, protocol).await
    }

    /// A client of a server that is there.
    pub async fn at((address, stop): (SocketAddr, CancellationToken), protocol: Option<&str>) -> Self {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await.unwrap();
        Self { socket, stop }
    }

    /// A client that has signed in.
    pub async fn signed_in(world: &World, token: &str) -> Self {
        let mut client = Self::connect(world).await;
        client
            .say(json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } }))
            .await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn ask(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message; a close as its code and reason.
    pub async fn hear(&mut self) -> Value {
        let message =
            tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await.expect("the server is silent");
        match message.expect("the connection is closed").expect("the connection is broken") {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            Message::Close(Some(frame)) => json!([u16::from(frame.code), frame.reason.as_str()]),
            other => panic!("{other:?}"),
        }
    }
}
