//! The line of a request. It is not an event of the library's, which would be written where it arises, but looks like one;
//! on a terminal, the fields' names have no colour.

use std::fmt::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Answered;
use crate::telemetry::LogFormat;

const MESSAGE: &str = "answered";

/// How a line looks.
pub struct Form {
    pub format: LogFormat,
    pub in_colours: bool,
}

/// What a line says, in this order.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    route: &'a str,
    status: u16,
    ms: f64,
    statements: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    request_id: &'a str,
}

impl Form {
    /// Appends the line of a request.
    pub fn write(&self, text: &mut String, answered: &Answered) {
        let line = Line {
            timestamp: DateTime::<Utc>::from(answered.at).to_rfc3339_opts(SecondsFormat::Micros, true),
            level: "INFO",
            message: MESSAGE,
            method: answered.method,
            path: answered.path.as_deref(),
            route: answered.route(),
            status: answered.status.as_u16(),
            ms: (answered.took.as_secs_f64() * 1e6).round() / 1e3,
            statements: answered.statements,
            user: answered.told.user.map(|user| user.0),
            kind: answered.told.kind,
            operation: answered.told.name.as_deref(),
            code: answered.told.code.as_deref(),
            request_id: &answered.request_id,
        };
        // Neither fails: there is nothing in a line that could not be written to memory.
        let _ = match self.format {
            LogFormat::Text => self.text(text, &line),
            LogFormat::Json => serde_json::to_string(&line).map_or(Err(fmt::Error), |line| writeln!(text, "{line}")),
        };
    }

    fn text(&self, text: &mut String, line: &Line) -> fmt::Result {
        let (dim, green, plain) = if self.in_colours { ("\x1b[2m", "\x1b[32m", "\x1b[0m") } else { ("", "", "") };
        let Line { timestamp, level, message, method, route, status, ms, statements, request_id, .. } = line;
        write!(text, "{dim}{timestamp}{plain} {green}{level:>5}{plain} {message}")?;
        named(text, "method", Some(method))?;
        named(text, "path", line.path)?;
        named(text, "route", Some(route))?;
        write!(text, " status={status} ms={ms:?} statements={statements}")?;
        if let Some(user) = line.user {
            write!(text, " user={user}")?;
        }
        named(text, "kind", line.kind)?;
        named(text, "operation", line.operation)?;
        named(text, "code", line.code)?;
        writeln!(text, " request_id={request_id}")
    }
}

fn named(text: &mut String, name: &str, value: Option<&str>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    text.extend([" ", name, "="]);
    if value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)) {
        // There is nothing to escape, as in most.
        text.extend(["\"", value, "\""]);
        return Ok(());
    }
    write!(text, "{value:?}")
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Seek},
        sync::Arc,
        time::Duration,
    };

    use tracing::{field, instrument::WithSubscriber};
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;
    use crate::{
        service::scope,
        telemetry::{access::Told, layer},
    };

    /// All that can be said, and no more than there always is.
    fn all_and_few() -> [Answered; 2] {
        let few = Answered::plainly("a-1");
        let told = Told {
            user: Some(Uuid::from_u128(0x0192_0a5b_7c3d_7e4f_8123_4567_89ab_cdef).into()),
            kind: Some("query"),
            name: Some("WhoAmI".to_owned()),
            code: Some("NOT_FOUND".to_owned()),
        };
        let all = Answered {
            path: Some("/a\"b\u{1b}[1m\u{202e}\u{7f}".to_owned()),
            took: Duration::from_nanos(1_250_400),
            told,
            ..few.clone()
        };
        [all, few]
    }

    /// What the library writes of an event that says the same.
    async fn event(Form { format, in_colours }: Form, answered: &Answered) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let into: Arc<File> = Arc::new(file.try_clone().unwrap());
        let subscriber = Registry::default().with(layer(into, in_colours, format));
        let Answered { method, path, status, statements, told, request_id, .. } = answered;
        let ms = if answered.took.is_zero() { 0.0 } else { 1.25 };
        let event = async {
            let (status, path, user) = (status.as_u16(), path.as_deref(), told.user.map(|user| field::display(user.0)));
            let (kind, operation, code) = (told.kind, told.name.as_deref(), told.code.as_deref());
            tracing::info!(
                method,
                path,
                route = "none",
                status,
                ms,
                statements,
                user,
                kind,
                operation,
                code,
                "answered"
            );
        };
        scope::within(Arc::clone(request_id), event).with_subscriber(subscriber).await;
        let mut line = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut line).unwrap();
        line
    }

    fn line(form: Form, answered: &Answered) -> String {
        let mut text = String::new();
        form.write(&mut text, answered);
        text
    }

    fn without_colours(line: &str) -> String {
        let mut parts = line.split("\x1b[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| line + part.split_once('m').unwrap().1)
    }

    #[tokio::test]
    async fn a_line_looks_like_an_event() {
        const AT: &str = "2026-05-03T03:09:37.012300Z";
        for answered in all_and_few() {
            for in_colours in [false, true] {
                let form = || Form { format: LogFormat::Text, in_colours };
                let (event, line) = (event(form(), &answered).await, line(form(), &answered));
                let until = |line: &str, end: &str| line.split_once(end).unwrap().0.to_owned();
                assert_eq!(until(&line, "Z"), until(&event, "20") + AT.trim_end_matches('Z'));
                let (event, line) = (event.split_once('Z').unwrap().1, line.split_once('Z').unwrap().1);
                assert_eq!(without_colours(line), without_colours(event));
                assert_eq!(until(line, " answered"), until(event, " answered"));
            }
            let form = || Form { format: LogFormat::Json, in_colours: false };
            let (event, line) = (event(form(), &answered).await, line(form(), &answered));
            let rest = |line: &str| line.split_once("Z\"").unwrap().1.to_owned();
            assert_eq!(line, format!("{{\"timestamp\":\"{AT}\"{}", rest(&event)));
        }
    }
}
