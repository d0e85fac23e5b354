//! `audit`: changes of the configuration.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::{Output, time};
use super::since::Since;
use super::target::Target;
use crate::database::{Access, explain, explain_begin};
use crate::queries::Slice;
use crate::queries::audit::{self, Filter, OBJECT_TYPES};

/// Show who changed which configuration, newest first
///
/// Values of secrets are not shown. Entries are kept for zentry_notify.log_retention, like deliveries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify audit --since '1 day'
  zentry-notify audit --webhook 3 --json | jq '.[].changes'")]
pub struct Audit {
    /// Only changes of this webhook, its secrets and its wordings
    #[arg(long, value_name = "ID")]
    webhook: Option<i64>,
    /// Only changes of objects of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = OBJECT_TYPES)]
    object_type: Option<String>,
    /// Changes since then: '1 day', 2h, 2026-11-29 or '2026-11-29 08:00' (UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Changes before then, likewise
    #[arg(long, value_name = "TIME")]
    until: Option<Since>,
    /// Maximum number of changes
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(0..=100_000))]
    limit: i64,
}

impl Audit {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let filter = Filter {
            webhook: self.webhook,
            object_type: self.object_type,
            since: self.since.map(|since| since.0),
            until: self.until.map(|until| until.0),
        };
        let slice = Slice {
            offset: 0,
            limit: self.limit,
        };
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let found = audit::list(&session, &filter, slice).await.map_err(explain)?;
        let header = ["CHANGED", "WHO", "OPERATION", "WHAT", "CHANGES"];
        output.rows(&found, &header, |one| {
            let lines = one.lines();
            let changes = lines.iter().map(|(column, text)| format!("{column}: {text}"));
            vec![
                time(one.changed_at),
                one.who(),
                one.operation.clone(),
                one.what(),
                changes.collect::<Vec<_>>().join("\n"),
            ]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
