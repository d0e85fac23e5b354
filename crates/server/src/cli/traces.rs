//! `traces`: deliveries as spans, without a server of our own.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::Target;
use super::output::tell;
use super::since::Since;
use crate::database::{Database, Name, PoolOptions};
use crate::traces::{Destination, Exporter, Follower};

/// Where to, and how often: of `serve` too.
#[derive(Clone, Debug, Args)]
pub struct TraceOptions {
    /// Export deliveries as OpenTelemetry spans, to the receiver of OTLP over HTTP at this URL, such as http://localhost:4318
    ///
    /// Also OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT in the environment; OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count as well.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Seconds between two looks for deliveries to export
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    otlp_interval: u64,
}

impl TraceOptions {
    /// None: nobody has asked for an export.
    pub fn exporter(&self) -> Result<Option<Exporter>> {
        let destination = Destination::find(self.otlp_endpoint.clone());
        destination
            .map(|destination| Exporter::new(&destination))
            .transpose()
    }

    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.otlp_interval)
    }
}

/// Export deliveries as OpenTelemetry spans of the traces that their events were written in
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify traces --otlp-endpoint http://localhost:4318 --follow
  zentry-notify traces --otlp-endpoint http://localhost:4318 --since 2h

A session says by the setting zentry_notify.traceparent which trace it writes in. The role that logs in needs SELECT zentry_grant('...', 'reader').")]
pub struct Traces {
    #[command(flatten)]
    options: TraceOptions,
    /// What was finished since then, such as '1 day', 2h or 2026-11-29; without it, the last ten minutes
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Go on as deliveries are finished
    #[arg(long)]
    follow: bool,
}

impl Traces {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let exporter = self
            .options
            .exporter()?
            .context("no receiver is named\nhint: Give --otlp-endpoint, such as http://localhost:4318, or set OTEL_EXPORTER_OTLP_ENDPOINT.")?;
        let database = Database::new(&target.one()?.parameters, &PoolOptions::single())?;
        let since = self.since.map(|since| since.0);
        let mut follower = Follower::new(database, exporter, since);
        let exported = follower.export().await?;
        tell(format_args!("exported: {exported}"));
        if self.follow {
            follower
                .follow(self.options.interval(), |reason| report(None, reason))
                .await;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what is wrong with the export, or that it is not any more; of which database, where there are several.
pub fn report(database: Option<&Name>, reason: Option<&str>) {
    let of = database.map_or_else(String::new, |name| format!(" of {name}"));
    match reason {
        Some(reason) => tell(format_args!("traces{of} wait: {reason}")),
        None => tell(format_args!("traces{of} are exported again")),
    }
}
