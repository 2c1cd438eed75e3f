//! A request to a CRM and its answer: sent only where it may be, tried again while that may help, read up to a limit, and
//! what went wrong put into words.

use std::{
    error::Error,
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use chrono::DateTime;
use reqwest::{
    Client, Method, Request, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json_bytes::Value;
use tokio::time::Instant;
use url::Url;

use super::{
    CrmError, Problem,
    hosts::{Home, Hosts},
    network::Patience,
};
use crate::service::clock::Clock;

/// The most of a CRM's own words that an error quotes, in characters.
const QUOTE: usize = 300;

/// The way to one CRM.
pub(super) struct Http {
    client: Client,
    clock: Clock,
    hosts: Arc<Hosts>,
    patience: Arc<Patience>,
    home: &'static Home,
    /// What a CRM might repeat in an error and nobody may read.
    secrets: Mutex<Vec<String>>,
    /// Which answers say "too many requests" in the CRM's own way.
    is_limit: fn(&Answer) -> bool,
}

/// An answer that came whole and that asking again would not change.
pub(super) struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    url: Url,
}

/// What a CRM says is wrong.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub code: String,
    message: String,
}

struct Failure {
    error: CrmError,
    may_pass: bool,
}

impl Http {
    pub fn new(client: Client, clock: Clock, hosts: Arc<Hosts>, patience: Arc<Patience>, home: &'static Home) -> Self {
        Self { client, clock, hosts, patience, home, secrets: Mutex::default(), is_limit: |_| false }
    }

    /// With answers besides 429 that ask to wait.
    pub fn limited(self, is_limit: fn(&Answer) -> bool) -> Self {
        Self { is_limit, ..self }
    }

    /// Keeps a text out of every error, as it is and as a form holds it.
    pub fn hide(&self, secret: &str) {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for text in [secret.to_owned(), encoded] {
            if !text.is_empty() && !secrets.contains(&text) {
                secrets.push(text);
            }
        }
    }

    pub fn crm(&self) -> &'static str {
        self.home.name
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn get(&self, url: Url) -> RequestBuilder {
        self.client.request(Method::GET, url).header(ACCEPT, "application/json")
    }

    /// A form, as sign-ins are sent.
    pub fn post(&self, url: Url, form: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.client
            .request(Method::POST, url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Sends a request, where that is allowed, until there is an answer that will not change.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, CrmError> {
        // The error could show a header's value.
        let request = request.build().map_err(|_| {
            self.error(
                Problem::WrongCredentials,
                "The credentials hold characters that can't be sent: enter them again, without line breaks.",
            )
        })?;
        self.hosts.check(self.home, request.url())?;
        let patience = &*self.patience;
        let start = Instant::now();
        let attempt = || self.attempt(&request, start);
        let waits = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(patience.first_wait)
            .with_max_delay(patience.longest_wait)
            .with_max_times(patience.retries);
        let answer = attempt
            .retry(waits)
            .when(|failure| failure.may_pass)
            .adjust(|failure, wait| {
                let wait = wait?.max(failure.error.retry_after.unwrap_or_default());
                (start.elapsed().saturating_add(wait) < patience.total).then_some(wait)
            })
            .notify(|failure, wait| {
                tracing::debug!(crm = self.home.name, error = %failure.error, ?wait, "a CRM is asked again");
            });
        answer.await.map_err(|failure| failure.error)
    }

    async fn attempt(&self, request: &Request, start: Instant) -> Result<Answer, Failure> {
        let Some(mut request) = request.try_clone() else {
            return Err(Failure {
                error: self.error(Problem::Malformed, "The request can't be sent twice."),
                may_pass: false,
            });
        };
        let left = self.patience.total.saturating_sub(start.elapsed());
        *request.timeout_mut() = Some(self.patience.answer.min(left));
        let url = request.url().clone();
        let response = self.client.execute(request).await.map_err(|error| self.trouble(&url, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(&url, response).await?;
        let answer = Answer { status, headers, body, url };
        let retry_after = self.retry_after(&answer.headers);
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS || (self.is_limit)(&answer);
        if is_limit || (status.is_server_error() && retry_after.is_some()) {
            let words = self.words(&answer);
            let message = match retry_after {
                Some(wait) => {
                    format!("{} asks to wait for {} s before it is asked again{words}", self.crm(), wait.as_secs())
                }
                None => format!("{} asks to wait before it is asked again{words}", self.crm()),
            };
            let error = CrmError { retry_after, ..self.error(Problem::RateLimited, &message) };
            return Err(Failure { error, may_pass: true });
        }
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            let words = self.words(&answer);
            let message = format!("{} has a fault of its own and answers {}{words}", self.crm(), status.as_u16());
            return Err(Failure { error: self.error(Problem::Unavailable, &message), may_pass: true });
        }
        Ok(answer)
    }

    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, Failure> {
        let limit = self.patience.answer_bytes;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.trouble(url, &error))? {
            if body.len() + piece.len() > limit {
                let message = format!("{} sends an answer of more than {limit} bytes, which is not read.", self.crm());
                return Err(Failure { error: self.error(Problem::Malformed, &message), may_pass: false });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// How long the CRM asks to be left alone: in seconds, or up to a time.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = DateTime::parse_from_rfc2822(text).ok()?;
        // One that has passed asks for no wait.
        Some((until.to_utc() - self.clock.now()).to_std().unwrap_or_default())
    }

    fn trouble(&self, url: &Url, error: &reqwest::Error) -> Failure {
        let (crm, host) = (self.crm(), url.host_str().unwrap_or_default());
        let causes = || iter::successors(Some(error as &dyn Error), |error| (*error).source()).map(ToString::to_string);
        let cause = causes().last().unwrap_or_default();
        if let Some(certificate) = causes().find(|cause| cause.contains("certificate")) {
            let message = format!("{host} can't be trusted to be {crm} ({certificate}): check the address.");
            return Failure { error: self.error(Problem::WrongHost, &message), may_pass: false };
        }
        let message = if error.is_timeout() {
            format!("{crm} at {host} does not answer in time.")
        } else if error.is_connect() {
            format!(
                "{crm} can't be reached at {host} ({cause}): check the address, and that this server may connect to it."
            )
        } else {
            format!("The connection to {crm} at {host} broke off ({cause}).")
        };
        Failure { error: self.error(Problem::Unreachable, &message), may_pass: true }
    }

    /// An error without anything that nobody may read.
    pub fn error(&self, problem: Problem, message: &str) -> CrmError {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let message = secrets.iter().fold(message.to_owned(), |message, secret| message.replace(secret, "…"));
        CrmError::new(problem, message)
    }

    /// The place that a pull had come to is not known.
    pub fn lost(&self) -> CrmError {
        let message = format!("{} no longer knows where the pull had come to: it begins again.", self.crm());
        self.error(Problem::CursorExpired, &message)
    }

    /// The CRM's own words, to end a sentence with.
    fn words(&self, answer: &Answer) -> String {
        let Some(Said { code, message }) = answer.said() else { return ".".to_owned() };
        // Hidden before it is cut: half a secret would no longer be found.
        let said = self.error(Problem::Malformed, &[code, message].join(" ")).message;
        let said = said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let said: String = said.collect::<Vec<_>>().join(" ").chars().take(QUOTE).collect();
        if said.is_empty() { ".".to_owned() } else { format!(". It says: {said}") }
    }

    /// An error in which the CRM has its say.
    pub fn refusal(&self, problem: Problem, message: &str, answer: &Answer) -> CrmError {
        let words = self.words(answer);
        self.error(problem, &format!("{message}{words}"))
    }

    /// What an answer holds, when it is a success.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, CrmError> {
        let crm = self.crm();
        let host = answer.url.host_str().unwrap_or_default();
        if !answer.status.is_success() || answer.is_page() {
            return Err(self.refused(answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            // Its text can show a value; where it is, and what kind of mistake, is enough.
            let kind = match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Data => "a field is missing or not of the kind that it should be",
                _ => "it is not JSON",
            };
            let place = format!("line {}, column {}", error.line(), error.column());
            self.error(Problem::Malformed, &format!("An answer of {crm} at {host} can't be read: {kind} ({place})."))
        })
    }

    /// What an answer that is no success says about the connection, where the CRM has nothing of its own about it.
    pub fn refused(&self, answer: &Answer) -> CrmError {
        let crm = self.crm();
        let host = answer.url.host_str().unwrap_or_default();
        let status = answer.status;
        if status.is_redirection() {
            let to =
                answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| answer.url.join(to).ok());
            let to = to.as_ref().and_then(Url::host_str).unwrap_or("another address");
            let message = format!("{host} leads on to {to} instead of answering as {crm}: check the address.");
            return self.error(Problem::WrongHost, &message);
        }
        if answer.is_page() {
            let message = format!("{host} answers with a web page, not as {crm}'s API does: check the address.");
            return self.error(Problem::WrongHost, &message);
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                self.refusal(Problem::WrongCredentials, &format!("{crm} does not take the credentials"), answer)
            }
            StatusCode::FORBIDDEN => {
                let message = format!("{crm} does not let this account read its users: give it the permission");
                self.refusal(Problem::MissingPermission, &message, answer)
            }
            StatusCode::NOT_FOUND => {
                let message = format!("{host} does not know {crm}'s API at {}: check the address", answer.url.path());
                self.refusal(Problem::WrongHost, &message, answer)
            }
            _ => {
                let message = format!("{crm} refuses what it is asked, with {}", status.as_u16());
                self.refusal(Problem::Malformed, &message, answer)
            }
        }
    }
}

impl Answer {
    /// Whether it is a page for a browser, which no API gives.
    fn is_page(&self) -> bool {
        let is_html = |value: &str| value.trim_start().to_ascii_lowercase().starts_with("text/html");
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_html)
            || self.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
    }

    /// What the CRM says is wrong, whichever CRM it is.
    pub fn said(&self) -> Option<Said> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        let first = value.get(0).unwrap_or(&value);
        let inner = first.get("error").filter(|error| error.is_object()).unwrap_or(first);
        let text = |names: &[&str]| {
            names.iter().find_map(|name| inner.get(*name).and_then(Value::as_str)).unwrap_or_default().to_owned()
        };
        Some(Said {
            code: text(&["errorCode", "error", "code", "category", "o:errorCode"]),
            message: text(&["message", "error_description", "detail", "title"]),
        })
    }
}
