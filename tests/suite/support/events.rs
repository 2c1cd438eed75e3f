//! A reader of server-sent events, over a socket of its own.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder, Response, header};
use serde_json::{Value, json};
use url::Url;

/// A request that takes events.
pub struct Events {
    http: Client,
    address: SocketAddr,
    token: Option<String>,
}

/// An answer that goes on.
pub struct Stream {
    response: Response,
    read: String,
}

impl Events {
    pub fn of(address: SocketAddr, token: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { http, address, token: Some(token.to_owned()) }
    }

    pub fn anonymous(self) -> Self {
        Self { token: None, ..self }
    }

    pub async fn post(&self, query: &str, variables: Value) -> Stream {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.send(self.http.post(self.url()).header(header::CONTENT_TYPE, "application/json").body(body)).await
    }

    pub async fn get(&self, query: &str, variables: Value) -> Stream {
        let mut url = self.url();
        url.query_pairs_mut().append_pair("query", query).append_pair("variables", &variables.to_string());
        self.send(self.http.get(url)).await
    }

    fn url(&self) -> Url {
        Url::parse(&format!("http://{}/graphql", self.address)).unwrap()
    }

    async fn send(&self, mut request: RequestBuilder) -> Stream {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.header(header::ACCEPT, "text/event-stream").send().await.unwrap();
        Stream { response, read: String::new() }
    }
}

impl Stream {
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header's value; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// An answer that is JSON as a whole.
    pub async fn json(self) -> Value {
        serde_json::from_slice(&self.response.bytes().await.unwrap()).unwrap()
    }

    /// The name and the data of the next event; `None` at the end.
    pub async fn next(&mut self) -> Option<(String, String)> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                        .map(|text| text.trim_start().to_owned())
                };
                // A comment keeps the connection open, and says nothing.
                if let Some(event) = field("event") {
                    return Some((event, field("data").expect("an event without data is not passed on by browsers")));
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            match chunk.await.expect("the server is silent").unwrap() {
                Some(chunk) => self.read.push_str(std::str::from_utf8(&chunk).unwrap()),
                None => return None,
            }
        }
    }

    /// The next result.
    pub async fn result(&mut self) -> Value {
        let (event, data) = self.next().await.expect("the stream has ended");
        assert_eq!(event, "next", "{data}");
        serde_json::from_str(&data).unwrap()
    }

    /// All that comes: results, and whether they are complete.
    pub async fn rest(&mut self) -> (Vec<Value>, bool) {
        let mut results = Vec::new();
        while let Some((event, data)) = self.next().await {
            if event == "complete" {
                assert_eq!((data.as_str(), self.next().await), ("", None));
                return (results, true);
            }
            results.push(serde_json::from_str(&data).unwrap());
        }
        (results, false)
    }
}
