//! The metrics, for Prometheus.

use std::{
    collections::HashMap,
    sync::{LazyLock, OnceLock, PoisonError, RwLock},
};

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

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
/// Connections to the database, by pool (`read`, `write`) and state (`idle`, `in_use`).
pub const POOL: &str = "counterpart_database_connections";
/// Imports and pulls, by kind and status.
pub const QUEUE: &str = "counterpart_queue_jobs";
/// Operation names that have a series of their own; clients choose names, and each is kept for good.
const NAMES: usize = 200;

const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
const COUNTS: [f64; 10] = [0.0, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// Series that are kept at hand, by the label that they have most values of: to find one in the recorder takes its key,
/// with all labels, made anew.
type AtHand<S> = LazyLock<RwLock<HashMap<String, Vec<S>>>>;

/// Records in a series, which is made where it is not at hand.
fn record<S>(at_hand: &AtHand<S>, label: &str, is: impl Fn(&S) -> bool, make: impl Fn() -> S, record: impl Fn(&S)) {
    let known = at_hand.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(series) = known.get(label).and_then(|series| series.iter().find(|series| is(series))) {
        return record(series);
    }
    drop(known);
    let series = make();
    record(&series);
    let mut known = at_hand.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(label.to_owned()).or_default().push(series);
}

/// Counts an answer: how long it took, and how many statements.
pub fn answer(route: &str, method: &'static str, status: u16, seconds: f64, statements: u64) {
    struct Series {
        method: &'static str,
        status: u16,
        answers: Counter,
        duration: Histogram,
        statements: Histogram,
    }
    static AT_HAND: AtHand<Series> = LazyLock::new(RwLock::default);
    let make = || {
        let of = || route.to_owned();
        Series {
            method,
            status,
            answers: metrics::counter!(REQUESTS, "route" => of(), "method" => method, "status" => status.to_string()),
            duration: metrics::histogram!(DURATION, "route" => of()),
            statements: metrics::histogram!(STATEMENTS, "route" => of()),
        }
    };
    record(
        &AT_HAND,
        route,
        |series| series.method == method && series.status == status,
        make,
        |series| {
            series.answers.increment(1);
            series.duration.record(seconds);
            #[allow(clippy::cast_precision_loss, reason = "a request has fewer than 2^52 statements")]
            series.statements.record(statements as f64);
        },
    );
}

/// Counts an operation; one that could not be carried out has no kind.
pub fn operation(kind: Option<&'static str>, name: Option<&str>, code: Option<&str>, seconds: f64) {
    struct Series {
        kind: &'static str,
        code: String,
        operations: Counter,
        duration: Histogram,
    }
    static AT_HAND: AtHand<Series> = LazyLock::new(RwLock::default);
    let (kind, name, code) = (kind.unwrap_or("none"), name.unwrap_or("anonymous"), code.unwrap_or("OK"));
    let known = AT_HAND.read().unwrap_or_else(PoisonError::into_inner);
    let name = if known.len() < NAMES || known.contains_key(name) { name } else { "other" };
    drop(known);
    let make = || {
        let (name, code) = (name.to_owned(), code.to_owned());
        Series {
            kind,
            operations: metrics::counter!(OPERATIONS, "kind" => kind, "operation" => name.clone(), "code" => code.clone()),
            duration: metrics::histogram!(OPERATION_DURATION, "kind" => kind, "operation" => name),
            code,
        }
    };
    record(
        &AT_HAND,
        name,
        |series| series.kind == kind && series.code == code,
        make,
        |series| {
            series.operations.increment(1);
            series.duration.record(seconds);
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
