//! The metrics, for Prometheus.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, OnceLock, PoisonError},
};

use axum::http::StatusCode;
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::access::Answered;

/// Requests by route, method and status.
const REQUESTS: &str = "counterpart_http_requests_total";
/// How long a request took, in seconds, by route.
const DURATION: &str = "counterpart_http_request_duration_seconds";
/// How many SQL statements a request took, by route.
const STATEMENTS: &str = "counterpart_http_request_sql_statements";

/// GraphQL operations by kind, name and the code of the first error (`OK` where there is none).
const OPERATIONS: &str = "counterpart_graphql_operations_total";
/// How long an operation took, in seconds, by kind and name.
const OPERATION_DURATION: &str = "counterpart_graphql_operation_duration_seconds";
/// Connections to the database, by pool (`read` and `write`, or `all`; and `aside`) and state (`idle`, `in_use`).
pub const POOL: &str = "counterpart_database_connections";
/// Imports and pulls, by kind and status.
pub const QUEUE: &str = "counterpart_queue_jobs";
/// Operation names that have a series of their own; clients choose names, and each is kept for good.
const NAMES: usize = 200;
/// What the others are called together.
const OTHER: &str = "other";

const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const COUNTS: [f64; 10] = [0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// Series by a label that there are many of, and then by the others.
type Series<K, T> = HashMap<String, Vec<(K, T)>>;

/// The series that were made: the registry would make all their labels anew for each request.
struct Known<K, T>(LazyLock<Mutex<Series<K, T>>>);

impl<K, T> Known<K, T> {
    const fn none() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// Does something with the series of this name of which `is` says that they are the ones; `make` makes them. Where there
    /// are series of as many names as may be, those are taken that are called `other`.
    fn with(&self, name: &str, is: impl Fn(&K) -> bool, make: impl FnOnce(&str) -> (K, T), act: impl Fn(&T)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < NAMES || known.contains_key(name) { name } else { OTHER };
        if let Some((_, series)) = known.get(name).and_then(|series| series.iter().find(|(key, _)| is(key))) {
            return act(series);
        }
        let made = make(name);
        act(&made.1);
        known.entry(name.to_owned()).or_default().push(made);
    }
}

/// Counts a request that was answered, and its operation if it had one.
pub fn request(answered: &Answered) {
    let seconds = answered.took.as_secs_f64();
    http(answered, seconds);
    if answered.told.kind.is_some() || answered.told.code.is_some() {
        operation(answered, seconds);
    }
}

fn http(answered: &Answered, seconds: f64) {
    static KNOWN: Known<(&str, StatusCode), (Counter, Histogram, Histogram)> = Known::none();
    let (method, status) = (answered.method, answered.status);
    let make = |route: &str| {
        let route = route.to_owned();
        let count = metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status.as_str().to_owned());
        let duration = metrics::histogram!(DURATION, "route" => route.clone());
        ((method, status), (count, duration, metrics::histogram!(STATEMENTS, "route" => route)))
    };
    #[allow(clippy::cast_precision_loss, reason = "a request has fewer than 2^52 statements")]
    let statements = answered.statements as f64;
    KNOWN.with(
        answered.route(),
        |key| *key == (method, status),
        make,
        |(count, duration, taken)| {
            count.increment(1);
            duration.record(seconds);
            taken.record(statements);
        },
    );
}

/// Counts an operation; one that could not be carried out has no kind.
fn operation(answered: &Answered, seconds: f64) {
    static KNOWN: Known<(&str, String), (Counter, Histogram)> = Known::none();
    let (kind, code) = (answered.told.kind.unwrap_or("none"), answered.told.code.as_deref().unwrap_or("OK"));
    let make = |name: &str| {
        let (name, code) = (name.to_owned(), code.to_owned());
        let count = metrics::counter!(OPERATIONS, "kind" => kind, "operation" => name.clone(), "code" => code.clone());
        let duration = metrics::histogram!(OPERATION_DURATION, "kind" => kind, "operation" => name);
        ((kind, code), (count, duration))
    };
    KNOWN.with(
        answered.told.name.as_deref().unwrap_or("anonymous"),
        |(known, its_code)| *known == kind && its_code == code,
        make,
        |(count, duration)| {
            count.increment(1);
            duration.record(seconds);
        },
    );
}

/// The process's metrics; collecting starts with the first call.
pub fn handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(collect).clone()
}

fn collect() -> PrometheusHandle {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(OPERATION_DURATION.to_owned()), &SECONDS))
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
    metrics::describe_counter!(OPERATIONS, "GraphQL operations, by kind, name and the code of the first error.");
    metrics::describe_histogram!(OPERATION_DURATION, metrics::Unit::Seconds, "Time of a GraphQL operation.");
    metrics::describe_gauge!(POOL, "Connections to the database, by pool and whether they are in use.");
    metrics::describe_gauge!(QUEUE, "Imports and pulls that wait or are at work.");
    handle
}
