//! What an operator sees: the log on standard error, and the metrics.

use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

use crate::config::LogSettings;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for a person.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log. A panic is logged too, with the id of the request that it happened in.
pub fn start(settings: &LogSettings) {
    // The filter was parsed with the settings; what can't be parsed here falls back to the default.
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_default();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(stderr().is_terminal());
    // Only the first one counts where a process starts the log twice.
    let _ = match settings.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).with_ansi(false).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a panic: this is a mistake in the program")));
}

/// Requests by route, method and status.
pub const REQUESTS: &str = "counterpart_http_requests_total";
/// How long a request took, in seconds, by route.
pub const DURATION: &str = "counterpart_http_request_duration_seconds";
/// How many SQL statements a request took, by route.
pub const STATEMENTS: &str = "counterpart_http_request_sql_statements";

const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const COUNTS: [f64; 10] = [0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// The process's metrics; collecting starts with the first call.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(collect).clone()
}

fn collect() -> PrometheusHandle {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(STATEMENTS.to_owned()), &COUNTS))
        .unwrap_or_else(|_| PrometheusBuilder::new());
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("metrics go elsewhere: another recorder is installed");
    }
    metrics::describe_counter!(REQUESTS, "Requests answered, by route, method and status.");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from a request to its answer's head.");
    metrics::describe_histogram!(STATEMENTS, "SQL statements of a request.");
    handle
}
