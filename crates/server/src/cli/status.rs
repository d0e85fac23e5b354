//! `status`: whether everything works.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::Output;
use super::{Access, BROKEN, Target, explain, explain_begin};
use crate::queries::status::{self, Finding};

/// Show what works, what needs attention and what is broken, with the SQL that mends it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify status
  zentry-notify status --problems || mail -s 'Zentry notifies nobody' ops@example.com </dev/null
  zentry-notify status --json | jq -r '.[] | select(.state == \"broken\").remedy'")]
pub struct Status {
    /// Leave out what is ok
    #[arg(long)]
    problems: bool,
}

impl Status {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let mut findings = status::status(&session).await.map_err(explain)?;
        let broken = findings.iter().any(|finding| finding.state == "broken");
        findings.retain(|finding| !self.problems || finding.state != "ok");
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
        Ok(if broken {
            ExitCode::from(BROKEN)
        } else {
            ExitCode::SUCCESS
        })
    }
}
