//! Sends requests over HTTP/1.1, each connection one after the other, and takes their time.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use httparse::{EMPTY_HEADER, Response, Status};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request as it goes over the wire.
#[derive(Clone)]
pub struct Request(Arc<[u8]>);

impl Request {
    pub fn post(path: &str, token: &str, query: &str) -> Self {
        Self::post_with(path, token, query, &Value::Null)
    }

    /// The same with variables.
    pub fn post_with(path: &str, token: &str, query: &str, variables: &Value) -> Self {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAuthorization: Bearer \
             {token}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Self((head + &body).into_bytes().into())
    }
}

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 256 * 1024] }
    }

    /// Sends the request; the body of the answer.
    pub async fn send(&mut self, request: &Request) -> &[u8] {
        self.stream.write_all(&request.0).await.unwrap();
        let mut read = 0;
        let mut whole = None;
        loop {
            let more = self.stream.read(&mut self.buffer[read..]).await.unwrap();
            assert!(more > 0, "the server closed the connection");
            read += more;
            if whole.is_none() {
                whole = head(&self.buffer[..read]);
            }
            if let Some((start, end)) = whole {
                if end > self.buffer.len() {
                    self.buffer.resize(end, 0);
                }
                if read == end {
                    return &self.buffer[start..end];
                }
            }
        }
    }
}

/// Where the body starts and where it ends, once the head is there. The server's own parser reads it: what the client takes
/// is missing to the server.
fn head(read: &[u8]) -> Option<(usize, usize)> {
    let mut headers = [EMPTY_HEADER; 32];
    let mut head = Response::new(&mut headers);
    let Status::Complete(start) = head.parse(read).unwrap() else { return None };
    assert_eq!(head.code, Some(200), "{}", String::from_utf8_lossy(read));
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = std::str::from_utf8(length.expect("an answer without its length").value).unwrap();
    Some((start, start + length.parse::<usize>().unwrap()))
}

/// What came of sending as fast as possible.
pub struct Load {
    pub per_second: f64,
    pub latencies: Vec<Duration>,
}

/// Sends the request over this many connections for some time, from a thread of its own.
pub fn load(address: SocketAddr, request: &Request, connections: usize, seconds: f64) -> Load {
    let request = request.clone();
    let work = async move {
        let started = Instant::now();
        let end = started + Duration::from_secs_f64(seconds);
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let request = request.clone();
                tokio::spawn(async move {
                    let mut connection = Connection::open(address).await;
                    let mut latencies = Vec::new();
                    while Instant::now() < end {
                        let sent = Instant::now();
                        connection.send(&request).await;
                        latencies.push(sent.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        Load { per_second: latencies.len() as f64 / started.elapsed().as_secs_f64(), latencies }
    };
    on_a_thread(work)
}

/// The medians of requests that are sent in turn, one at a time.
pub fn medians<const N: usize>(address: SocketAddr, requests: [&Request; N], repetitions: usize) -> [Duration; N] {
    let requests = requests.map(Clone::clone);
    let mut latencies = on_a_thread(async move {
        let mut connection = Connection::open(address).await;
        let mut latencies: [Vec<Duration>; N] = std::array::from_fn(|_| Vec::new());
        for i in 0..repetitions + 20 {
            for (request, latencies) in requests.iter().zip(&mut latencies) {
                let sent = Instant::now();
                connection.send(request).await;
                if i >= 20 {
                    latencies.push(sent.elapsed());
                }
            }
        }
        latencies
    });
    latencies.each_mut().map(|latencies| quantile(latencies, 0.5))
}

fn on_a_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    thread::spawn(run).join().unwrap()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
pub fn quantile(latencies: &mut [Duration], share: f64) -> Duration {
    latencies.sort_unstable();
    latencies[((latencies.len() - 1) as f64 * share).round() as usize]
}
