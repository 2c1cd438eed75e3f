//! The server, as the commands reach it: operations, files to it and files from it.

use std::{error::Error, iter, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, LOCATION},
    multipart::{Form, Part},
    redirect::Policy,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use super::settings::Connection;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the answer to a file may take, from its first byte on the way: the server reads the whole file first.
const ANSWER_TO_FILE: Duration = Duration::from_secs(3600);

/// Why something did not come about, for a person.
#[derive(Debug)]
pub enum Trouble {
    /// The server does not answer, which may pass.
    Away(String),
    /// It answers, and will not answer otherwise if it is asked again.
    Refused(String),
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(why) | Trouble::Refused(why) => why,
        }
    }
}

/// A server, and the token to come in with.
pub struct Server {
    http: Client,
    base: Url,
    token: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    code: Option<String>,
    id: Option<String>,
}

/// Something that is wrong with what was asked for.
#[derive(Debug, Deserialize)]
pub struct UserError {
    pub code: String,
    pub field: Option<Vec<String>>,
    pub message: String,
}

impl Server {
    /// Finds out whether the server is there and lets an administrator in, before anything large is sent.
    ///
    /// # Errors
    /// What keeps it from that, for a person.
    pub async fn reach(connection: Connection) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Found {
            viewer: Viewer,
        }
        #[derive(Deserialize)]
        struct Viewer {
            role: String,
        }
        // Only the first one counts, and all are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("counterpart/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // What is sent with POST would arrive as a GET.
            .redirect(Policy::none())
            .build()
            .map_err(|error| format!("connections can't be made: {}", deepest(&error)))?;
        let server = Self { http, base: connection.url, token: connection.token };
        let found: Found = server.ask("{ viewer { role } }", json!({})).await?;
        if found.viewer.role != "ADMIN" {
            return Err("the token (COUNTERPART_TOKEN, --token) is not an administrator's, which is needed".to_owned());
        }
        Ok(server)
    }

    /// Carries an operation out; its data.
    pub async fn ask<T: DeserializeOwned>(&self, query: &str, variables: Value) -> Result<T, Trouble> {
        let request = self.graphql()?.timeout(ANSWER).json(&json!({ "query": query, "variables": variables }));
        self.send(request).await
    }

    /// Carries an operation out whose variable at `place` (`variables.input.file`), null in `variables`, is a file.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: Value,
        place: &str,
        file: Part,
    ) -> Result<T, Trouble> {
        let form = Form::new()
            .text("operations", json!({ "query": query, "variables": variables }).to_string())
            .text("map", json!({ "0": [place] }).to_string())
            .part("0", file);
        self.send(self.graphql()?.timeout(ANSWER_TO_FILE).multipart(form)).await
    }

    fn graphql(&self) -> Result<RequestBuilder, Trouble> {
        let url = self.base.join("graphql").map_err(|error| Trouble::Refused(format!("{}: {error}", self.base)))?;
        Ok(self.http.post(url).bearer_auth(&self.token).header(ACCEPT, "application/json"))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Trouble> {
        let response = request.send().await.map_err(|error| self.trouble(&error))?;
        let response = self.arrived(response)?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.trouble(&error))?;
        let Ok(answer) = serde_json::from_slice::<Answer>(&body) else { return Err(self.foreign(status)) };
        if let Some(failure) = answer.errors.into_iter().next() {
            return Err(Trouble::Refused(match (failure.extensions.code.as_deref(), failure.extensions.id) {
                (Some("UNAUTHENTICATED"), _) => {
                    "the server refuses the token (COUNTERPART_TOKEN, --token): it is unknown, expired or revoked, or \
                     its user may not sign in"
                        .to_owned()
                }
                (_, Some(id)) => format!("{} The id: {id}", failure.message),
                (_, None) => failure.message,
            }));
        }
        match answer.data.map(serde_json::from_value) {
            Some(Ok(data)) => Ok(data),
            Some(Err(error)) => Err(Trouble::Refused(format!(
                "{} answers in a way that this version does not understand: {error}",
                self.base
            ))),
            None => Err(self.foreign(status)),
        }
    }

    /// An answer that is the server's own.
    fn arrived(&self, response: Response) -> Result<Response, Trouble> {
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("another address");
            return Err(Trouble::Refused(format!("{} leads on to {to}: give that with --url", self.base)));
        }
        if matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT) {
            return Err(Trouble::Away(format!("{} answers {status}: the server behind it is away", self.base)));
        }
        Ok(response)
    }

    fn foreign(&self, status: StatusCode) -> Trouble {
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Trouble::Away(format!("{} answers {status}", self.base));
        }
        Trouble::Refused(format!(
            "{} answers {status}, and not as a Counterpart server does: give the server's address with --url \
             (COUNTERPART_URL)",
            self.base
        ))
    }

    /// Opens what the server gave a signed address for. It is looked for where the server was reached: its own idea of
    /// its address may be one that only others can use.
    pub async fn download(&self, address: &str, gzip: bool) -> Result<Download, Trouble> {
        let path = address.split_once("/downloads/").map_or(address, |(_, signed)| signed);
        let url = self
            .base
            .join(&format!("downloads/{path}"))
            .map_err(|error| Trouble::Refused(format!("{address}: {error}")))?;
        let request = self.http.get(url).header(ACCEPT_ENCODING, if gzip { "gzip" } else { "identity" });
        let answer = tokio::time::timeout(ANSWER, request.send()).await.map_err(|_| self.silent())?;
        let response = self.arrived(answer.map_err(|error| self.trouble(&error))?)?;
        if response.status() != StatusCode::OK {
            return Err(Trouble::Refused(format!("{} answers {} to a download", self.base, response.status())));
        }
        let is_gzip = response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        if is_gzip != gzip {
            return Err(Trouble::Refused(format!("{} does not compress what it gives as it is asked to", self.base)));
        }
        Ok(Download { response, base: self.base.clone() })
    }

    fn silent(&self) -> Trouble {
        silent(&self.base)
    }

    fn trouble(&self, error: &reqwest::Error) -> Trouble {
        trouble(&self.base, error)
    }
}

/// A file on its way here.
pub struct Download {
    response: Response,
    base: Url,
}

impl Download {
    /// The next piece, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let piece = tokio::time::timeout(ANSWER, self.response.chunk()).await.map_err(|_| silent(&self.base))?;
        Ok(piece.map_err(|error| trouble(&self.base, &error))?.map(Into::into))
    }
}

fn silent(base: &Url) -> Trouble {
    Trouble::Away(format!("{base} does not answer in time"))
}

fn trouble(base: &Url, error: &reqwest::Error) -> Trouble {
    let cause = deepest(error);
    if let Some(certificate) = causes(error).find(|cause| cause.contains("certificate")) {
        return Trouble::Refused(format!(
            "{base} can't be trusted ({certificate}): where its certificate is one of your own, name a file with the \
             certificate that signed it in SSL_CERT_FILE"
        ));
    }
    if error.is_connect() {
        return Trouble::Away(format!(
            "{base} can't be reached ({cause}): see that the server runs, or give its address with --url \
             (COUNTERPART_URL)"
        ));
    }
    if error.is_timeout() {
        return silent(base);
    }
    Trouble::Away(format!("the connection to {base} broke off ({cause})"))
}

/// What an error says, and then what was behind it.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = String> {
    let first: Option<&dyn Error> = Some(error);
    iter::successors(first, |error| (*error).source()).map(ToString::to_string)
}

fn deepest(error: &reqwest::Error) -> String {
    causes(error).last().unwrap_or_default()
}
