//! `integrations`: the list of webhook integrations.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::Output;
use super::target::Target;
use super::webhook::types;
use crate::database::{Access, explain, explain_begin};
use crate::queries::Slice;
use crate::queries::integrations::{self, Filter};

/// List the webhook integrations, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify integrations
  zentry-notify integrations --project-id 1 --json")]
pub struct Integrations {
    #[arg(long, value_name = "TYPE", value_parser = types(), help = crate::vendors::listed())]
    webhook_type: Option<String>,
    /// Only those of this project
    #[arg(long, value_name = "ID")]
    project_id: Option<i64>,
    /// Only those that are switched on (true) or off (false)
    #[arg(long, value_name = "BOOLEAN")]
    is_active: Option<bool>,
    /// Only those in this state: active, failing, gone or off
    #[arg(long, value_parser = ["active", "failing", "gone", "off"])]
    state: Option<String>,
}

impl Integrations {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let filter = Filter {
            id: None,
            webhook_type: self.webhook_type,
            project: self.project_id,
            is_active: self.is_active,
            state: self.state,
            ..Filter::default()
        };
        let all = Slice {
            offset: 0,
            limit: i64::MAX,
        };
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let found = integrations::list(&session, &filter, all)
            .await
            .map_err(explain)?;
        let header = ["ID", "NAME", "TYPE", "URL", "PROJECT", "EVENTS", "ACTIVE"];
        output.rows(&found, &header, |one| {
            let project = match (one.project, &one.project_name) {
                (Some(id), Some(name)) => format!("{id} {name}"),
                (Some(id), None) => id.to_string(),
                (None, _) => "every".to_owned(),
            };
            vec![
                one.id.to_string(),
                one.name.clone(),
                one.webhook_type.clone(),
                one.webhook_url.clone(),
                project,
                one.heard(),
                if one.is_active { "yes" } else { "no" }.to_owned(),
            ]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
