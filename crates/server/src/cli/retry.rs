//! `retry`: re-sends deliveries.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::since::Since;
use super::target::Target;
use crate::database::{Access, explain, explain_begin};
use crate::queries::logs;

/// Re-send failed deliveries, or try deliveries now that wait for their next attempt
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify retry 4711
  zentry-notify retry --failed --since '1 day'
  zentry-notify retry --failed --webhook 3 --event-type task_completed")]
pub struct Retry {
    /// Ids of deliveries; all of them are re-sent, or none
    #[arg(
        required_unless_present = "failed",
        conflicts_with = "failed",
        value_name = "LOG_ID"
    )]
    ids: Vec<i64>,
    /// All failed deliveries of active webhooks that have not been re-sent
    #[arg(long)]
    failed: bool,
    /// Of these, only those of this integration
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    webhook: Option<i64>,
    /// Of these, only those of this event type
    #[arg(long, value_name = "EVENT", conflicts_with = "ids")]
    event_type: Option<String>,
    /// Of these, only those of events since then: '1 day', 2h, 2026-11-29 or '2026-11-29 08:00' (UTC)
    #[arg(long, value_name = "TIME", conflicts_with = "ids")]
    since: Option<Since>,
}

#[derive(Serialize)]
struct Retried {
    log_id: i64,
    new_log_id: i64,
    status: String,
}

/// The result of `--failed`.
#[derive(Serialize)]
struct Many {
    retried: i64,
}

impl Retry {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        if self.failed {
            let since = self.since.map(|since| since.0);
            let retried = logs::retry_failed(&session, self.webhook, self.event_type.as_deref(), since)
                .await
                .map_err(explain)?;
            session.commit().await.map_err(explain)?;
            output.rows(&[Many { retried }], &["SENT AGAIN"], |one| {
                vec![one.retried.to_string()]
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut retried = Vec::new();
        for log_id in self.ids {
            let (new_log_id, status) = logs::retry(&session, log_id).await.map_err(explain)?;
            retried.push(Retried {
                log_id,
                new_log_id,
                status,
            });
        }
        session.commit().await.map_err(explain)?;
        output.rows(&retried, &["ID", "SENT AGAIN AS", "STATUS"], |one| {
            vec![
                one.log_id.to_string(),
                one.new_log_id.to_string(),
                one.status.clone(),
            ]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
