//! Subscriptions, queries and mutations over a websocket: the protocol `graphql-transport-ws`, as its document
//! (PROTOCOL.md of the npm package `graphql-ws`) has it.

use std::{collections::HashMap, net::IpAddr, ops::ControlFlow, sync::Arc, time::Duration};

use async_graphql::{Request as Operation, Value};
use axum::{
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::request::Parts,
    response::Response,
};
use futures::StreamExt;
use serde_json::{Value as Json, json, value::RawValue};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use super::{
    App,
    deadline::Deadline,
    front::RequestId,
    graphql::{self, Denied},
    refusal::Refusal,
    request::{self, member, text_of},
    serve::Place,
    steps::{Asked, Step, steps},
};
use crate::service::{Error, Services, Session, scope, session};

const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes that a connection reads and writes at a time: there may be thousands that say little. The library's 128 KiB would be
/// most of what one takes.
const BUFFER: usize = 4 * 1024;
/// How long a client may take to say who it is.
const INIT_PATIENCE: Duration = Duration::from_secs(10);
/// How often a silent client is asked whether it is still there; unanswered twice, it is not.
const PING: Duration = Duration::from_secs(30);
/// How often the token of a connection is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Why the server closes a connection, by the protocol's codes.
mod close {
    pub const STOPPING: u16 = 1001;
    pub const BAD_REQUEST: u16 = 4400;
    pub const UNAUTHORIZED: u16 = 4401;
    pub const FORBIDDEN: u16 = 4403;
    pub const SUBPROTOCOL: u16 = 4406;
    pub const INIT_TIMEOUT: u16 = 4408;
    pub const ID_TAKEN: u16 = 4409;
    pub const TOO_MANY_INITS: u16 = 4429;
    pub const INTERNAL: u16 = 4500;
    /// One of our own.
    pub const TOO_OFTEN: u16 = 4430;
}

/// Answers the upgrade; what follows runs beside the request.
pub fn accept(app: App, parts: &Parts, upgrade: WebSocketUpgrade) -> Response {
    let (client, place) = (app.client(parts), parts.extensions.get::<Place>().cloned());
    let most = app.settings.max_body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(most).max_frame_size(most);
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    let speaks = upgrade.selected_protocol().is_some();
    upgrade.on_upgrade(move |socket| async move {
        let (messages, outbox) = mpsc::channel(64);
        let connection = Connection {
            app,
            client,
            socket,
            token: None,
            operations: HashMap::new(),
            tasks: JoinSet::new(),
            messages,
            serial: 0,
        };
        connection.run(speaks, outbox).await;
        drop(place);
    })
}

/// A reason to close the connection.
struct Close(u16, &'static str);

/// A message of an operation's task.
struct FromTask {
    id: String,
    serial: u64,
    what: What,
}

enum What {
    Next(Box<RawValue>),
    Error(Json),
    Complete,
    Close(Close),
}

struct Connection {
    app: App,
    client: Option<IpAddr>,
    socket: WebSocket,
    /// The token of a client that has said who it is.
    token: Option<String>,
    /// What runs, by the client's id. The serial number tells an operation from an earlier one of the same id.
    operations: HashMap<String, (u64, AbortHandle)>,
    tasks: JoinSet<()>,
    messages: mpsc::Sender<FromTask>,
    serial: u64,
}

impl Connection {
    async fn run(mut self, speaks: bool, mut outbox: mpsc::Receiver<FromTask>) {
        let Close(code, reason) = if speaks {
            match self.talk(&mut outbox).await {
                Some(close) => close,
                None => return,
            }
        } else {
            Close(close::SUBPROTOCOL, "Subprotocol not acceptable")
        };
        let frame = CloseFrame { code, reason: reason.into() };
        // Gone already, perhaps.
        let _ = self.socket.send(Message::Close(Some(frame))).await;
    }

    /// Until the client goes (`None`), or must.
    async fn talk(&mut self, outbox: &mut mpsc::Receiver<FromTask>) -> Option<Close> {
        let stop = self.app.stop.clone();
        let init_by = Instant::now() + INIT_PATIENCE;
        let mut ping_at = Instant::now() + PING;
        let mut look_at = Instant::now() + LOOK_AGAIN;
        let mut unanswered = 0;
        loop {
            let step = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => {
                        ping_at = Instant::now() + PING;
                        unanswered = 0;
                        self.hear(message).await
                    }
                    Some(Err(_)) | None => return None,
                },
                Some(message) = outbox.recv() => self.pass_on(message).await,
                Some(_) = self.tasks.join_next() => ControlFlow::Continue(()),
                () = sleep_until(init_by), if self.token.is_none() => {
                    ControlFlow::Break(Some(Close(close::INIT_TIMEOUT, "Connection initialisation timeout")))
                }
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + PING;
                    unanswered += 1;
                    if unanswered > 2 {
                        return None;
                    }
                    self.send(&json!({ "type": "ping" })).await
                }
                () = sleep_until(look_at) => {
                    look_at = Instant::now() + LOOK_AGAIN;
                    self.look_again().await
                }
                () = stop.cancelled() => ControlFlow::Break(Some(Close(close::STOPPING, "The server stops"))),
            };
            if let ControlFlow::Break(close) = step {
                return close;
            }
        }
    }

    async fn send(&mut self, message: &Json) -> ControlFlow<Option<Close>> {
        self.send_text(message.to_string()).await
    }

    async fn send_text(&mut self, text: String) -> ControlFlow<Option<Close>> {
        match self.socket.send(Message::Text(text.into())).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(None),
        }
    }

    async fn hear(&mut self, message: Message) -> ControlFlow<Option<Close>> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => return bad("Messages must be text"),
            // That a client goes is answered while it is read on; then there is nothing more to read.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return ControlFlow::Continue(()),
        };
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return bad("Invalid message received");
        };
        let payload = message.swap_remove("payload").unwrap_or_default();
        let id = match message.swap_remove("id") {
            Some(Value::String(id)) if !id.is_empty() && id.len() <= 200 => Some(id),
            _ => None,
        };
        match (message.get("type").and_then(text_of), id) {
            (Some("connection_init"), _) => self.init(&payload).await,
            (Some("ping"), _) => self.send(&json!({ "type": "pong" })).await,
            (Some("pong"), _) => ControlFlow::Continue(()),
            (Some("subscribe"), Some(id)) => self.subscribe(id, payload),
            (Some("complete"), Some(id)) => {
                if let Some((_, task)) = self.operations.remove(&id) {
                    task.abort();
                }
                ControlFlow::Continue(())
            }
            _ => bad("Invalid message received"),
        }
    }

    async fn init(&mut self, payload: &Value) -> ControlFlow<Option<Close>> {
        if self.token.is_some() {
            return ControlFlow::Break(Some(Close(close::TOO_MANY_INITS, "Too many initialisation requests")));
        }
        let token = member(payload, "Authorization").or_else(|| member(payload, "authorization")).and_then(text_of);
        let Some(token) = token.and_then(graphql::bearer) else {
            return ControlFlow::Break(Some(Close(close::FORBIDDEN, "Forbidden: Authorization is missing")));
        };
        if let Err(error) = session::sign_in(&self.app.services, token).await {
            let refusal = self.app.sent_away(self.client, Refusal::of(&error, ""));
            let often = refusal.code == "RATE_LIMITED";
            let close = if often { Close(close::TOO_OFTEN, "Too many failed sign-ins") } else { signed_out(&error) };
            return ControlFlow::Break(Some(close));
        }
        self.token = Some(token.to_owned());
        self.send(&json!({ "type": "connection_ack" })).await
    }

    /// Ends the connection when its token works no longer.
    async fn look_again(&mut self) -> ControlFlow<Option<Close>> {
        let Some(token) = &self.token else { return ControlFlow::Continue(()) };
        match session::sign_in(&self.app.services, token).await {
            // A database that is away for a while is no reason: whoever reads on will be told.
            Ok(_) | Err(Error::Internal(_)) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Some(signed_out(&error))),
        }
    }

    fn subscribe(&mut self, id: String, payload: Value) -> ControlFlow<Option<Close>> {
        let Some(token) = self.token.clone() else {
            return ControlFlow::Break(Some(Close(close::UNAUTHORIZED, "Unauthorized")));
        };
        if self.operations.contains_key(&id) {
            return ControlFlow::Break(Some(Close(close::ID_TAKEN, "Subscriber for this id already exists")));
        }
        if self.operations.len() >= self.app.settings.max_socket_operations {
            return bad("Too many operations at once");
        }
        let operation = match request::operation(payload, &self.app.persisted) {
            // A hash that stands for nothing is no mistake of the protocol.
            Err(refusal) if refusal.code == "BAD_REQUEST" => return bad("Invalid message received"),
            operation => operation,
        };
        self.serial += 1;
        let task = Task {
            app: self.app.clone(),
            token,
            request: RequestId::new(&self.app.services.clock),
            id: id.clone(),
            serial: self.serial,
            messages: self.messages.clone(),
        };
        let handle = self.tasks.spawn(scope::within(Arc::clone(&task.request.0), task.run(operation)));
        self.operations.insert(id, (self.serial, handle));
        ControlFlow::Continue(())
    }

    /// Sends a task's message on, unless the client has meanwhile completed the operation.
    async fn pass_on(&mut self, FromTask { id, serial, what }: FromTask) -> ControlFlow<Option<Close>> {
        if self.operations.get(&id).is_none_or(|(current, _)| *current != serial) {
            return ControlFlow::Continue(());
        }
        let message = match what {
            What::Next(payload) => {
                let id = Json::from(id);
                return self.send_text(format!(r#"{{"id":{id},"type":"next","payload":{payload}}}"#)).await;
            }
            What::Error(payload) => json!({ "id": id, "type": "error", "payload": payload }),
            What::Complete => json!({ "id": id, "type": "complete" }),
            What::Close(close) => return ControlFlow::Break(Some(close)),
        };
        self.operations.remove(&id);
        self.send(&message).await
    }
}

fn bad(reason: &'static str) -> ControlFlow<Option<Close>> {
    ControlFlow::Break(Some(Close(close::BAD_REQUEST, reason)))
}

async fn sign_in(services: &Arc<Services>, token: &str) -> Result<Session, Close> {
    session::sign_in(services, token).await.map_err(|error| signed_out(&error))
}

fn signed_out(error: &Error) -> Close {
    match error {
        Error::Unauthenticated => Close(close::FORBIDDEN, "Forbidden: the token is unknown, expired or revoked"),
        error => {
            tracing::error!(%error, "sign-in over a websocket failed");
            Close(close::INTERNAL, "Internal error")
        }
    }
}

/// An operation at work.
struct Task {
    app: App,
    token: String,
    request: RequestId,
    id: String,
    serial: u64,
    messages: mpsc::Sender<FromTask>,
}

impl Task {
    async fn run(self, operation: Result<Operation, Refusal>) {
        let last = self.work(operation).await;
        self.tell(last).await;
    }

    async fn tell(&self, what: What) {
        // Nobody listens any more when the connection is gone; then this task is about to be, too.
        let _ = self.messages.send(FromTask { id: self.id.clone(), serial: self.serial, what }).await;
    }

    /// Carries the operation out; the last message is the caller's to send.
    async fn work(&self, operation: Result<Operation, Refusal>) -> What {
        // The token was good when the connection began; that may be long ago.
        let session = match sign_in(&self.app.services, &self.token).await {
            Ok(session) => session,
            Err(close) => return What::Close(close),
        };
        let prepared = match operation {
            Ok(operation) => graphql::prepare(&self.app, &self.token, operation).await,
            Err(refusal) => Err(refusal.into()),
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(Denied::Errors(errors)) => return What::Error(json!(errors)),
            Err(Denied::Refusal(refusal)) => return What::Error(json!([refusal.error()])),
        };
        let asked = Asked {
            session,
            token: self.token.clone(),
            id: self.request.clone(),
            prepared,
            deadline: Deadline::new(self.app.patience()),
        };
        let mut steps = steps(&self.app, asked);
        while let Some(step) = steps.next().await {
            match step {
                Step::Result(payload) => self.tell(What::Next(payload)).await,
                Step::Refused(errors) => return What::Error(errors),
                Step::SignedOut(error) => return What::Close(signed_out(&error)),
            }
        }
        What::Complete
    }
}
