//! `retry`: send again.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::{Access, Target, explain, explain_begin};
use crate::queries::logs;

/// Send failed deliveries again, or make those due now that wait for their next attempt
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify retry 4711
  zentry-notify logs --status failed --json | jq '.[].id' | xargs zentry-notify retry")]
pub struct Retry {
    /// Ids of the log; all of them are sent again, or none
    #[arg(required = true, value_name = "LOG_ID")]
    ids: Vec<i64>,
}

#[derive(Serialize)]
struct Retried {
    log_id: i64,
    new_log_id: i64,
    status: String,
}

impl Retry {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
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
