//! What an operator sees: the log on standard error, the metrics, and traces where a collector is named.

pub mod access;
mod log;
pub mod metrics;
pub mod traces;

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
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
    log_to(stderr, stderr().is_terminal(), settings, traces.as_ref());
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a panic: this is a mistake in the program")));
    Ok(traces)
}

/// Starts the log into `writer`, in colours or without.
pub fn log_to<W>(writer: W, in_colours: bool, settings: &LogSettings, traces: Option<&Traces>)
where
    W: for<'writer> MakeWriter<'writer> + Clone + Send + Sync + 'static,
{
    access::log_to(writer.clone(), in_colours, settings);
    let log = layer(writer, in_colours, settings.log_format);
    let logged = settings.log.clone().with_target(traces::TARGET, LevelFilter::OFF);
    // Only the first one counts where a process starts the log twice.
    let _ = match traces {
        // One filter for all is decided by once; one for each layer is asked again and again.
        None => tracing_subscriber::registry().with(log).with(logged).try_init(),
        Some(traces) => {
            let traced = traces.layer().with_filter(Targets::new().with_target(traces::TARGET, LevelFilter::TRACE));
            tracing_subscriber::registry().with(log.with_filter(logged)).with(traced).try_init()
        }
    };
}

fn layer<W>(writer: W, in_colours: bool, format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false).with_ansi(in_colours);
    match format {
        LogFormat::Text => lines.fmt_fields(log::TextFields::new()).boxed(),
        LogFormat::Json => {
            let json = lines.json().flatten_event(true).with_current_span(false).with_span_list(false).with_ansi(false);
            json.map_event_format(log::JsonLines).boxed()
        }
    }
}
