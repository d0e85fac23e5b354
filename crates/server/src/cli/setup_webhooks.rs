//! `setup-webhooks`: the first webhooks of a project.

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::output::Output;
use super::target::Target;
use super::webhook::warn_of;
use crate::database::{Access, explain, explain_begin};
use crate::queries::integrations::{self, Integration, New};

/// Register a Discord webhook, a Teams webhook, or both
///
/// A URL is a secret, and a command line can be seen by others on the machine: put it into the environment instead.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("urls").args(["discord_url", "teams_url"]).required(true).multiple(true)))]
#[command(after_help = "\
Examples:
  export DISCORD_WEBHOOK_URL TEAMS_WEBHOOK_URL
  read -rsp 'Discord: ' DISCORD_WEBHOOK_URL; read -rsp 'Teams: ' TEAMS_WEBHOOK_URL
  zentry-notify setup-webhooks --project-id 1
  zentry-notify setup-webhooks --discord-url \"$DISCORD_WEBHOOK_URL\" --event-type task_completed")]
pub struct SetupWebhooks {
    /// The webhook's URL in Discord
    #[arg(long, value_name = "URL", env = "DISCORD_WEBHOOK_URL", hide_env_values = true)]
    discord_url: Option<String>,
    /// The webhook's URL in Microsoft Teams
    #[arg(long, value_name = "URL", env = "TEAMS_WEBHOOK_URL", hide_env_values = true)]
    teams_url: Option<String>,
    /// The project whose events are sent [default: every project's]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    project_id: Option<i64>,
    /// An event that is sent; may be repeated [default: all]
    #[arg(long, value_name = "EVENT")]
    event_type: Vec<String>,
}

impl SetupWebhooks {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let event_types = (!self.event_type.is_empty()).then_some(self.event_type);
        let kinds = [
            ("Discord", "discord", self.discord_url),
            ("Microsoft Teams", "teams", self.teams_url),
        ];
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let mut registered = Vec::new();
        for (name, webhook_type, url) in kinds {
            let Some(webhook_url) = url else { continue };
            let new = New {
                name: name.to_owned(),
                webhook_type: webhook_type.to_owned(),
                webhook_url,
                project: self.project_id,
                event_types: event_types.clone(),
                ..New::default()
            };
            let id = integrations::create(&session, &new).await.map_err(explain)?;
            registered.extend(integrations::get(&session, id).await.map_err(explain)?);
        }
        for one in &registered {
            warn_of(&session, one).await?;
        }
        session.commit().await.map_err(explain)?;
        output.rows(&registered, &["ID", "NAME", "URL"], |one: &Integration| {
            vec![one.id.to_string(), one.name.clone(), one.webhook_url.clone()]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
