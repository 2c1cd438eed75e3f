//! Connections: accepted while there is room, given up when the other end does not go on, ended in order when the process is
//! to stop.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::client::Peer;

/// How long to wait where no connection can be accepted, since all files that may be open are.
const FULL: Duration = Duration::from_millis(200);
/// For how long connections are still accepted when the process is to stop: who was on the way comes in.
const LATECOMERS: Duration = Duration::from_millis(250);

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
    let mut end = pin!(async {
        stop.cancelled().await;
        tokio::time::sleep(LATECOMERS).await;
    });
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted at the moment");
                tokio::time::sleep(FULL).await;
                continue;
            }
        };
        // An answer is written whole: waiting for more to send with it would only make it late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(unread));
        let (app, server, watcher) = (app.clone(), Arc::clone(&server), shutdown.watcher());
        tokio::spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                app.clone().oneshot(request.map(Body::new))
            });
            let connection = server.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(error = %error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, shutdown.shutdown()).await.is_err() {
        tracing::warn!("requests that did not end in time are cut off");
    }
}

type Accepted = (TcpStream, Peer, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is room for one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, Peer(address), place))
}

/// Whether only the connection at hand is concerned: it was gone before it could be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
