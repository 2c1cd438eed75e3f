//! How a line of the log names the request that it is written for.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultFields, Writer},
    },
    registry::LookupSpan,
};

use crate::service::scope;

/// What the log calls it.
const FIELD: &str = "request_id";

/// The fields of a line of text, and the request.
pub struct TextFields(DefaultFields);

impl TextFields {
    pub fn new() -> Self {
        Self(DefaultFields::new())
    }
}

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        scope::request_id().map_or(Ok(()), |id| write!(writer, " {FIELD}={id}"))
    }
}

/// The JSON objects that `F` writes, and the request in them.
pub struct JsonLines<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for JsonLines<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = scope::request_id() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_suffix("}\n") {
            Some(object) => writeln!(writer, r#"{object},"{FIELD}":"{id}"}}"#),
            None => writer.write_str(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::instrument::WithSubscriber;
    use tracing_subscriber::{Registry, layer::SubscriberExt};

    use super::*;
    use crate::telemetry::{LogFormat, layer};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn logged(format: LogFormat) -> Vec<String> {
        let log = Log::default();
        let into = log.clone();
        let subscriber = Registry::default().with(layer(move || into.clone(), false, format));
        let work = async {
            tracing::info!("nobody asked");
            let asked = async {
                tracing::info!(n = 1, "asked");
                tokio::spawn(scope::carried(async { tracing::warn!("beside") }.with_current_subscriber()))
                    .await
                    .unwrap();
                tokio::spawn(async { tracing::warn!("elsewhere") }.with_current_subscriber()).await.unwrap();
            };
            scope::within("a-1".into(), asked).await;
        };
        work.with_subscriber(subscriber).await;
        let log = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(log).unwrap().lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn text_names_the_request() {
        let lines = logged(LogFormat::Text).await;
        let said: Vec<&str> = lines.iter().map(|line| line.split_once("Z  ").unwrap().1).collect();
        assert_eq!(
            said,
            ["INFO nobody asked", "INFO asked n=1 request_id=a-1", "WARN beside request_id=a-1", "WARN elsewhere"]
        );
    }

    #[tokio::test]
    async fn json_names_the_request() {
        let lines = logged(LogFormat::Json).await;
        let said: Vec<_> = lines
            .iter()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                (line["message"].as_str().unwrap().to_owned(), line["request_id"].as_str().map(str::to_owned))
            })
            .collect();
        let asked = Some("a-1".to_owned());
        assert_eq!(
            said,
            [
                ("nobody asked".to_owned(), None),
                ("asked".to_owned(), asked.clone()),
                ("beside".to_owned(), asked),
                ("elsewhere".to_owned(), None)
            ]
        );
    }
}
