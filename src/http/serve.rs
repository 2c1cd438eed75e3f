//! Connections: accepted while there is room, given up when the other end does not go on, ended in order when the process is
//! to stop.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, StatusCode, Version, header::CONNECTION},
};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::client::Peer;

/// How long to wait where no connection can be accepted, since all files that may be open are.
const FULL: Duration = Duration::from_millis(200);
/// For how long connections are still accepted when the process is to stop (who was on the way comes in), and then how long
/// the last of them have to say what they want.
const LATECOMERS: Duration = Duration::from_millis(250);

/// A filter of one instruction: nothing of a packet is taken (`BPF_RET | BPF_K`, 0 bytes).
#[cfg(target_os = "linux")]
const DROP_ALL: socket2::SockFilter = socket2::SockFilter::new(0x06, 0, 0, 0);

/// How connections are dealt with.
#[derive(Debug, Clone, Copy)]
pub struct Serving {
    /// As many are open at once.
    pub max_clients: usize,
    /// How long the head of a request may take to arrive.
    pub head: Duration,
    /// How long nothing of an answer can be sent, before its reader is taken for dead.
    pub unread: Duration,
    /// How long requests in flight may take when the process is to stop.
    pub grace: Duration,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            max_clients: 20_000,
            head: Duration::from_secs(20),
            unread: Duration::from_secs(60),
            grace: Duration::from_secs(20),
        }
    }
}

/// Answers requests until `stop` is cancelled, then finishes those in flight.
pub async fn serve(listener: TcpListener, app: Router, serving: Serving, stop: CancellationToken) {
    let Serving { max_clients, head, unread, grace } = serving;
    let room = Arc::new(Semaphore::new(max_clients));
    let shutdown = GracefulShutdown::new();
    let server = {
        let mut server = auto::Builder::new(TokioExecutor::new());
        // Who closes their side is taken for gone, and the work for them ends: a stream would go on for ever otherwise.
        server.http1().timer(TokioTimer::new()).header_read_timeout(head).half_close(false);
        server.http2().timer(TokioTimer::new()).keep_alive_interval(unread).keep_alive_timeout(head);
        Arc::new(server)
    };
    let begin = |(stream, peer, place): Accepted| {
        // An answer is written whole: waiting for more to send with it would only make it late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(unread));
        let (app, server, watcher, stop) = (app.clone(), Arc::clone(&server), shutdown.watcher(), stop.clone());
        tokio::spawn(async move {
            let place = Place(Arc::new(place));
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(place.clone());
                answer(app.clone(), request, stop.clone())
            });
            let connection = server.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    };
    let mut end = pin!(async {
        stop.cancelled().await;
        tokio::time::sleep(LATECOMERS).await;
    });
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok(accepted) => begin(accepted),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted at the moment");
                tokio::time::sleep(FULL).await;
            }
        }
    }
    for accepted in waiting(listener, &room) {
        begin(accepted);
    }
    tokio::time::sleep(LATECOMERS).await;
    if tokio::time::timeout(grace, shutdown.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end in time are cut off");
    }
}

/// The answer to a request. When the process is to stop, it is the last one of its connection: whoever has more to ask goes
/// elsewhere, instead of asking just when the connection is closed.
async fn answer(
    app: Router,
    request: Request<Incoming>,
    stop: CancellationToken,
) -> Result<Response<Body>, Infallible> {
    let is_http1 = request.version() <= Version::HTTP_11;
    let mut response = app.oneshot(request.map(Body::new)).await?;
    if is_http1 && stop.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A connection's place among those that may be open, in the extensions of its requests: a websocket keeps it.
#[derive(Debug, Clone)]
pub struct Place(
    #[expect(dead_code, reason = "it is held, and given back when nobody holds it any more")] Arc<OwnedSemaphorePermit>,
);

type Accepted = (TcpStream, Peer, OwnedSemaphorePermit);

/// The next connection, once there is room for one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, Peer(address), place))
}

/// The connections that have been made and not accepted yet, as far as there is room; no more are made.
fn waiting(listener: TcpListener, room: &Arc<Semaphore>) -> Vec<Accepted> {
    // A connection made between the last look and the end of the listener would be reset, with all that it had sent. Who
    // knocks from now on hears nothing, and is refused when they knock again, a second later.
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&listener).attach_filter(&[DROP_ALL]) {
        tracing::debug!(%error, "whoever connects while the process stops may be cut off");
    }
    let mut waiting = Vec::new();
    // Asked directly: what the runtime knows of a listener may be older than its last connection.
    let Ok(listener) = listener.into_std() else { return waiting };
    while let Ok(place) = Arc::clone(room).try_acquire_owned() {
        let (stream, address) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(_) => break,
        };
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        match stream {
            Ok(stream) => waiting.push((stream, Peer(address), place)),
            Err(error) => tracing::debug!(%error, "a connection that waited is lost"),
        }
    }
    waiting
}

/// Whether only the connection at hand is concerned: it was gone before it could be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
