//! Somebody who sends requests, and what comes back.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, header, request},
};
use counterpart::http::StatementCount;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A caller: the router, and a token or none.
#[derive(Clone)]
pub struct Actor {
    pub app: Router,
    pub token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body as JSON; null where it is not.
    pub json: Value,
    /// How many SQL statements it took.
    pub statements: u64,
}

impl Actor {
    pub fn new(app: Router, token: Option<String>) -> Self {
        Self { app, token }
    }

    /// Sends an operation as JSON.
    pub async fn graphql(&self, query: &str, variables: Value) -> Answer {
        self.post(json!({ "query": query, "variables": variables }).to_string()).await
    }

    /// Sends a body of JSON to `/graphql`.
    pub async fn post(&self, body: impl Into<Body>) -> Answer {
        let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        self.send(request, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Sends an operation with a file for the variable at `place` (`variables.input.file`), which must be null.
    pub async fn upload(&self, query: &str, variables: Value, place: &str, name: &str, content: &[u8]) -> Answer {
        let operations = json!({ "query": query, "variables": variables }).to_string();
        let map = json!({ "0": [place] }).to_string();
        self.multipart(&[
            ("operations", None, operations.as_bytes()),
            ("map", None, map.as_bytes()),
            ("0", Some(name), content),
        ])
        .await
    }

    /// Sends the parts, each with its name, perhaps a file name, and its content.
    pub async fn multipart(&self, parts: &[(&str, Option<&str>, &[u8])]) -> Answer {
        const BOUNDARY: &str = "----------a-boundary";
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(Request::post("/graphql").header(header::CONTENT_TYPE, kind), body).await
    }

    /// Sends any request, under this caller's token.
    pub async fn send(&self, mut request: request::Builder, body: impl Into<Body>) -> Answer {
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = self.app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            statements: parts.extensions.get::<StatementCount>().expect("every answer is counted").0,
            headers: parts.headers,
            json: serde_json::from_slice(&body).unwrap_or_default(),
            body,
        }
    }
}

impl Answer {
    /// The data of an answer without errors.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        assert_eq!(self.json.get("errors"), None, "{}", self.text());
        self.json["data"].clone()
    }

    /// The code of the one error.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert_eq!(self.json["errors"].as_array().map(Vec::len), Some(1), "{}", self.text());
        self.json["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A header's value; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
