//! The export of deliveries as spans, to a receiver of OTLP over HTTP.

use std::env;
use std::ffi::OsStr;

use anyhow::{Context, Result, bail};
use opentelemetry::Key;
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::client::{Client, Said};
use super::span::span;
use crate::queries::traces::Traced;

/// The path of traces below an endpoint, by the OTLP specification.
const PATH: &str = "/v1/traces";

/// The beginning of the service name that OpenTelemetry's SDK sets where nobody gives one, by the semantic conventions.
const UNNAMED: &str = "unknown_service";

/// The endpoint of a receiver of OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A URL from the command line. Traces are posted to `/v1/traces` below it, as with `OTEL_EXPORTER_OTLP_ENDPOINT`.
    Given(String),
    /// The endpoint that the environment sets; OTLP's exporter reads it.
    OfEnvironment,
}

impl Destination {
    /// Returns the given URL, or else the endpoint of the environment, where empty variables count as unset. `None`: no export was requested.
    pub fn find(given: Option<String>) -> Option<Self> {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| value != OsStr::new(""));
        let of_environment =
            is_set(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) || is_set(OTEL_EXPORTER_OTLP_ENDPOINT);
        match given {
            Some(url) => Some(Self::Given(url)),
            None => of_environment.then_some(Self::OfEnvironment),
        }
    }
}

/// Exports deliveries as spans.
#[derive(Debug)]
pub struct Exporter {
    otlp: SpanExporter,
    client: Client,
}

impl Exporter {
    /// Returns an exporter. Headers, service name and the other attributes of the resource come from the environment.
    ///
    /// # Errors
    /// When the HTTP client or OTLP's exporter cannot be built, such as for an invalid URL.
    pub fn new(destination: &Destination) -> Result<Self> {
        let client = Client::new()?;
        let builder = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone());
        let builder = match destination {
            Destination::Given(url) => builder.with_endpoint(format!("{}{PATH}", url.trim_end_matches('/'))),
            Destination::OfEnvironment => builder,
        };
        let mut otlp = builder.build().context("cannot export traces")?;
        otlp.set_resource(&resource());
        Ok(Self { otlp, client })
    }

    /// Exports the deliveries whose traces are sampled, and returns how many spans were exported: 0 if the receiver will never take them, which
    /// the status 400, 413 or 422 means.
    ///
    /// # Errors
    /// When the receiver has not taken the spans, but may take them later.
    pub async fn export(&self, database: &str, deliveries: &[&Traced]) -> Result<usize> {
        let spans: Vec<SpanData> = deliveries
            .iter()
            .filter_map(|traced| span(traced, database))
            .collect();
        let count = spans.len();
        if count == 0 {
            return Ok(0);
        }
        match self.otlp.export(spans).await {
            Ok(()) => Ok(count),
            Err(error) => match self.client.last() {
                Some(Said::Answer(status)) if is_about_spans(status.as_u16()) => Ok(0),
                Some(Said::Answer(status)) => bail!("the receiver of traces answers {status}"),
                Some(Said::Failure(reason)) => bail!("the receiver of traces cannot be reached: {reason}"),
                None => Err(error).context("cannot export traces"),
            },
        }
    }
}

/// Returns whether this HTTP status means that the receiver will never take the spans. Other errors can be resolved, such as a wrong URL or token.
fn is_about_spans(status: u16) -> bool {
    matches!(status, 400 | 413 | 422)
}

/// Returns the resource that the environment describes, with the service name `zentry-notify` if it sets none.
fn resource() -> Resource {
    let resource = Resource::builder().build();
    let name = resource.get(&Key::from_static_str("service.name"));
    match name {
        Some(name) if !name.as_str().starts_with(UNNAMED) => resource,
        _ => Resource::builder().with_service_name("zentry-notify").build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_command_line_says_counts() {
        let url = "http://localhost:4318".to_owned();
        assert_eq!(
            Destination::find(Some(url.clone())),
            Some(Destination::Given(url))
        );
    }

    #[test]
    fn a_refusal_of_spans_is_told_from_what_can_be_mended() {
        assert!([400, 413, 422].into_iter().all(is_about_spans));
        assert!(
            ![401, 403, 404, 408, 429, 500, 503]
                .into_iter()
                .any(is_about_spans)
        );
    }
}
