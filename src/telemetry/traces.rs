//! Traces, sent to an OpenTelemetry collector over HTTP (OTLP, protobuf).
//!
//! A request is a span of the kind `server`; a caller's `traceparent` is taken up. Its attributes are those that the log's
//! line has: the operation's name and kind, the status, how many statements it took. No documents, variables or addresses.

use std::{env, time::Duration};

use axum::http::HeaderMap;
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// The target of spans that are for the collector, and not for the log.
pub const TARGET: &str = "counterpart::traces";
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// To the collector at this address.
    ///
    /// # Errors
    /// An address that can't be used.
    pub fn to(collector: &Url) -> Result<Self, String> {
        let failed =
            |why: String| format!("OTEL_EXPORTER_OTLP_ENDPOINT (--otlp-endpoint): {collector} can't be used: {why}");
        // A provider that another part of the program has installed is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A client that blocks has a runtime of its own, which can't be made on one.
        let client = std::thread::spawn(|| reqwest::blocking::Client::builder().timeout(PATIENCE).build())
            .join()
            .map_err(|_| failed("its client can't be made".to_owned()))?
            .map_err(|error| failed(error.to_string()))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", collector.as_str().trim_end_matches('/')))
            .with_http_client(client)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let resource = Resource::builder();
        let resource = match env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource.build(),
            None => resource.with_service_name("counterpart").build(),
        };
        Ok(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build()))
    }

    /// What turns the log's spans into the collector's.
    pub fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("counterpart"))
    }

    /// Sends what has not been sent yet.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// Makes a request's span one of the trace that its caller names.
pub fn join(span: &Span, headers: &HeaderMap) {
    struct Headers<'a>(&'a HeaderMap);
    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }
    if headers.contains_key("traceparent") {
        // Without a collector there is nothing to join.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
    }
}
