//! A server that runs by itself, as a script reaches it.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use url::Url;

use super::program::{Server, counterpart};

/// How long an import may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The program on a database, whose claims on imports run out after so many seconds.
pub fn serve(folder: &Path, database: &str, lease: u32) -> Command {
    let mut command = counterpart(folder);
    command.env("DATABASE_URL", database).env("COUNTERPART_IMPORT_LEASE_SECONDS", lease.to_string());
    command
}

/// A new organisation; its administrator's token.
pub fn organization(folder: &Path, database: &str, name: &str) -> String {
    let mut command = counterpart(folder);
    command.env("DATABASE_URL", database).args([
        "bootstrap",
        "--organization",
        name,
        "--admin-email",
        "admin@acme.example",
    ]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An administrator at a server.
pub struct Remote<'a> {
    pub server: &'a Server,
    pub token: &'a str,
}

impl Remote<'_> {
    fn send(&self, head: &str, body: &[u8]) -> io::Result<String> {
        let mut connection = TcpStream::connect(&self.server.address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        // Of 1.0, so that the answer ends where the connection does.
        let length = body.len();
        write!(connection, "{head} HTTP/1.0\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\n", self.token)?;
        let kind = if body.starts_with(b"{") {
            "application/json".to_owned()
        } else {
            format!("multipart/form-data; boundary={BOUNDARY}")
        };
        write!(connection, "Content-Type: {kind}\r\n\r\n")?;
        connection.write_all(body)?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        assert!(head.contains(" 200 "), "{answer}");
        Ok(body.to_owned())
    }

    pub fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let answer: Value = serde_json::from_str(&self.send("POST /graphql", body.as_bytes()).unwrap()).unwrap();
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].clone()
    }

    /// Carries out a mutation, that nothing is found wrong with.
    pub fn done(&self, mutation: &str) {
        let query = format!("mutation {{ it: {mutation} {{ userErrors {{ code message }} }} }}");
        assert_eq!(self.graphql(&query, json!({}))["it"]["userErrors"], json!([]), "{mutation}");
    }

    /// Uploads a file for an import, `importUsers(input: {source: {file: $file}})`; the import's id.
    pub fn import(&self, field: &str, content: &str) -> String {
        let query = format!(
            "mutation ($file: Upload!) {{ it: {field} {{ importJob {{ id }} userErrors {{ code message }} }} }}"
        );
        let operations = json!({ "query": query, "variables": { "file": null } }).to_string();
        let mut body = String::new();
        for (name, content) in [
            ("\"operations\"", operations.as_str()),
            ("\"map\"", "{\"0\":[\"variables.file\"]}"),
            ("\"0\"; filename=\"f.csv\"", content),
        ] {
            body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n");
        }
        body += &format!("--{BOUNDARY}--\r\n");
        let answer: Value = serde_json::from_str(&self.send("POST /graphql", body.as_bytes()).unwrap()).unwrap();
        answer["data"]["it"]["importJob"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// How an import stands: its status and counts.
    pub fn job(&self, id: &str) -> Value {
        let query =
            "query ($id: ID!) { importJob(id: $id) { status error { code message } totalRows processedRows created
            updated unchanged deleted skipped failed } }";
        self.graphql(query, json!({ "id": id }))["importJob"].take()
    }

    /// Waits until an import has ended; how it stands then.
    pub fn ended(&self, id: &str) -> Value {
        let started = Instant::now();
        loop {
            let job = self.job(id);
            if !["QUEUED", "RUNNING"].contains(&job["status"].as_str().unwrap()) {
                return job;
            }
            assert!(started.elapsed() < PATIENCE, "the import does not end: {job}\n{}", self.server.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The log of an import; empty where no row failed.
    pub fn log(&self, id: &str) -> String {
        let job = self.graphql("query ($id: ID!) { importJob(id: $id) { logUrl } }", json!({ "id": id }));
        job["importJob"]["logUrl"].as_str().map(|url| self.download(url)).unwrap_or_default()
    }

    /// `exportUsers` or `exportMappings`.
    pub fn export(&self, field: &str) -> String {
        let data = self.graphql(&format!("mutation {{ it: {field}(input: {{}}) {{ url }} }}"), json!({}));
        self.download(data["it"]["url"].as_str().unwrap())
    }

    fn download(&self, url: &str) -> String {
        self.send(&format!("GET {}", Url::parse(url).unwrap().path()), b"").unwrap()
    }
}

const BOUNDARY: &str = "----------a-boundary";
