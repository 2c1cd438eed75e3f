//! A connection to the database that can be cut and held up.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Up,
    /// Bytes are not passed on.
    Silent,
}

/// Stands between the program and its PostgreSQL.
pub struct Proxy {
    /// The database's address by way of here.
    pub url: String,
    address: SocketAddr,
    target: String,
    line: watch::Sender<Line>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    pub async fn before(database: &str) -> Self {
        let mut url = Url::parse(database).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let mut proxy = Self { url: url.into(), address, target, line: watch::Sender::new(Line::Up), listening: None };
        proxy.listen(listener);
        proxy
    }

    fn listen(&mut self, listener: TcpListener) {
        let (line, target) = (self.line.subscribe(), self.target.clone());
        self.listening = Some(tokio::spawn(async move {
            // What this task started ends with it.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, target.clone(), line.clone()));
            }
        }));
    }

    /// As if the database had been stopped: connections end, new ones are refused.
    pub async fn cut(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            let _ = listening.await;
        }
    }

    /// As if the network swallowed everything.
    pub fn hold_up(&self) {
        self.line.send_replace(Line::Silent);
    }

    /// As if nothing had been.
    pub async fn mend(&mut self) {
        self.line.send_replace(Line::Up);
        if self.listening.is_none() {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(self.address).unwrap();
            self.listen(socket.listen(64).unwrap());
        }
    }
}

/// Passes bytes on until the line falls silent; what a swallowed byte belonged to is not taken up again.
async fn pass(mut client: TcpStream, target: String, mut line: watch::Receiver<Line>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = line.wait_for(|line| *line == Line::Silent) => {}
    }
    let _ = line.wait_for(|line| *line == Line::Up).await;
}
