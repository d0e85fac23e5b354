//! `test-webhook`: sends a sample event and waits for the outcome.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::time::{Instant, sleep};

use super::exit_code::UNDELIVERED;
use super::output::Output;
use super::target::Target;
use crate::database::{Access, Connection, explain, explain_begin};
use crate::queries::events;
use crate::queries::logs::{self, Entry};

/// Send a sample of an event type to every webhook that subscribes to it, and wait until it is sent
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify test-webhook --event-type task_completed --project-id 1
  zentry-notify test-webhook --event-type badge_earned --wait 0")]
pub struct TestWebhook {
    /// Event type: one of those in zentry_notify.event_types
    #[arg(long, value_name = "EVENT", default_value = "task_completed")]
    event_type: String,
    /// Project of the event [default: the first that a webhook has]
    #[arg(long, value_name = "ID")]
    project_id: Option<i64>,
    /// Maximum time to wait for the outcome, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

impl TestWebhook {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let ids = events::test(&session, &self.event_type, self.project_id)
            .await
            .map_err(explain)?;
        session.commit().await.map_err(explain)?;
        if ids.is_empty() {
            output.say("No active webhook hears this event in that project.")?;
        }
        let entries = outcomes(&mut connection, &ids, Duration::from_secs(self.wait)).await?;
        output.entries(&entries)?;
        let undelivered = ids.is_empty() || entries.iter().any(|entry| entry.status != "sent");
        Ok(if undelivered && self.wait > 0 {
            ExitCode::from(UNDELIVERED)
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// Returns the deliveries once all are finished, or after the time limit.
async fn outcomes(connection: &mut Connection, ids: &[i64], patience: Duration) -> Result<Vec<Entry>> {
    const PAUSE: Duration = Duration::from_millis(200);
    let deadline = Instant::now() + patience;
    loop {
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let mut entries = Vec::new();
        for id in ids {
            entries.extend(logs::get(&session, *id).await.map_err(explain)?);
        }
        drop(session);
        let waits = entries
            .iter()
            .any(|entry| matches!(entry.status.as_str(), "pending" | "retry"));
        if !waits || Instant::now() >= deadline {
            return Ok(entries);
        }
        sleep(PAUSE).await;
    }
}
