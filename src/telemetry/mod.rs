//! What an operator sees: the log on standard error, the metrics, and traces where a collector is named.

pub mod metrics;
pub mod traces;

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::format::FmtSpan,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::traces::Traces;
use crate::config::LogSettings;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for a person.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log, and the traces where a collector is named. A panic is logged too, with the id of the request that it
/// happened in.
///
/// # Errors
/// A collector's address that can't be used.
pub fn start(settings: &LogSettings) -> Result<Option<Traces>, String> {
    let traces = settings.otlp_endpoint.as_ref().map(Traces::to).transpose()?;
    // The filter was parsed with the settings; what can't be parsed here falls back to the default.
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_default();
    let log = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_target(false)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(stderr().is_terminal());
    let log = match settings.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).with_ansi(false).boxed()
        }
    };
    let logged = filter.and(filter_fn(|of| of.target() != traces::TARGET));
    let traced =
        traces.as_ref().map(|traces| traces.layer().with_filter(filter_fn(|of| of.target() == traces::TARGET)));
    // Only the first one counts where a process starts the log twice.
    let _ = tracing_subscriber::registry().with(log.with_filter(logged)).with(traced).try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a panic: this is a mistake in the program")));
    Ok(traces)
}
