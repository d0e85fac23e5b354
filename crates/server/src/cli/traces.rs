//! `traces`: exports deliveries as spans, without `serve`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::output::tell;
use super::since::Since;
use super::target::Target;
use crate::database::{Database, Name, PoolOptions};
use crate::traces::{Destination, Exporter, Follower};

/// The options of the export, also for `serve`.
#[derive(Clone, Debug, Args)]
pub struct TraceOptions {
    /// Export deliveries as OpenTelemetry spans, to the receiver of OTLP over HTTP at this URL, such as http://localhost:4318
    ///
    /// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT in the environment can give it, too; OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are also read.
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Seconds between two exports
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    otlp_interval: u64,
}

impl TraceOptions {
    /// Returns the exporter; `None`: no export was requested.
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

/// Export deliveries as OpenTelemetry spans, in the traces that their events were written in
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify traces --otlp-endpoint http://localhost:4318 --follow
  zentry-notify traces --otlp-endpoint http://localhost:4318 --since 2h

The setting zentry_notify.traceparent of a session says which trace it writes in. The role that logs in needs SELECT zentry_grant('...', 'reader').")]
pub struct Traces {
    #[command(flatten)]
    options: TraceOptions,
    /// Export deliveries that were finished since then, such as '1 day', 2h or 2026-11-29 [default: the last ten minutes]
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Keep exporting as deliveries are finished
    #[arg(long)]
    follow: bool,
}

impl Traces {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let exporter = self
            .options
            .exporter()?
            .context("no receiver is given\nhint: Give --otlp-endpoint, such as http://localhost:4318, or set OTEL_EXPORTER_OTLP_ENDPOINT.")?;
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

/// Logs errors of the export, and its recovery, with the database if there are several.
pub fn report(database: Option<&Name>, reason: Option<&str>) {
    let of = database.map_or_else(String::new, |name| format!(" of {name}"));
    match reason {
        Some(reason) => tell(format_args!("traces{of} wait: {reason}")),
        None => tell(format_args!("traces{of} are exported again")),
    }
}
