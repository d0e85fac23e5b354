//! `status`: the findings of `zentry_status()`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::exit_code::{ATTENTION, BROKEN};
use super::output::Output;
use super::target::Target;
use crate::database::{Access, explain, explain_begin};
use crate::queries::status::{self, Finding};

/// Show what works, what needs attention and what is broken, with the SQL that resolves it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify status
  zentry-notify status --problems || mail -s 'Zentry notifies nobody' ops@example.com </dev/null
  zentry-notify status --json | jq -r '.[] | select(.state == \"broken\").remedy'")]
pub struct Status {
    /// Leave out what is ok, and exit with 1 if something is left that needs attention, such as a failing webhook
    #[arg(long)]
    problems: bool,
}

impl Status {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let mut findings = status::status(&session).await.map_err(explain)?;
        let any = |state: &str| findings.iter().any(|finding| finding.state == state);
        let code = match (any("broken"), any("attention")) {
            (true, _) => ExitCode::from(BROKEN),
            (false, true) if self.problems => ExitCode::from(ATTENTION),
            (false, _) => ExitCode::SUCCESS,
        };
        findings.retain(|finding| !self.problems || finding.state != "ok");
        // No output if there is nothing to report, because cron mails all output.
        if findings.is_empty() && !output.is_json() {
            return Ok(code);
        }
        output.rows(
            &findings,
            &["WHAT", "STATE", "IN WORDS", "WHAT MENDS IT"],
            |finding: &Finding| {
                let Finding {
                    subject,
                    state,
                    detail,
                    remedy,
                } = finding.clone();
                vec![subject, state, detail, remedy]
            },
        )?;
        Ok(code)
    }
}
