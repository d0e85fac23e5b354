//! `register` and `update`: one webhook, with everything that can be set of it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::output::Output;
use super::settings::Settings;
use super::target::Target;
use super::webhook::{no_webhook, types, warn_of};
use crate::database::{Access, Session, explain, explain_begin};
use crate::queries::integrations::{self, Change, Integration, New};
use crate::queries::settings::Rules;

/// Register a webhook
///
/// A URL is a secret, and a command line can be seen by others on the machine: put it into the environment instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  read -rsp 'URL: ' WEBHOOK_URL; export WEBHOOK_URL
  zentry-notify register --name 'Backend channel' --webhook-type discord --digest '0 9 * * 1-5 Europe/Berlin'")]
pub struct Register {
    /// Display name
    #[arg(long)]
    name: String,
    #[arg(long, value_name = "TYPE", value_parser = types(), help = crate::vendors::listed())]
    webhook_type: String,
    /// URL of the webhook
    #[arg(long, value_name = "URL", env = "WEBHOOK_URL", hide_env_values = true)]
    webhook_url: String,
    /// The project whose events are sent [default: every project's]
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    project_id: Option<i64>,
    /// Event type that is sent; may be repeated [default: all]
    #[arg(long, value_name = "EVENT")]
    event_type: Vec<String>,
    /// Whether it is active [default: true]
    #[arg(long, value_name = "BOOLEAN")]
    is_active: Option<bool>,
    /// For type webhook: signing secret [default: one is generated and printed]; for type nats: credentials
    #[arg(long, value_name = "SECRET", env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// For types webhook and ntfy: additional headers of its requests, as '{"authorization": "Bearer TOKEN"}'; without a value, WEBHOOK_HEADERS in
    /// the environment
    #[arg(long, value_name = "JSON", num_args = 0..=1, default_missing_value = "")]
    headers: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Register {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let new = New {
            name: self.name,
            webhook_type: self.webhook_type,
            webhook_url: self.webhook_url,
            project: self.project_id,
            event_types: (!self.event_type.is_empty()).then_some(self.event_type),
            is_active: self.is_active,
            rules: Rules::from(self.settings),
            secret: self.secret,
            headers: headers(self.headers)?,
            created_by: None,
        };
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let id = integrations::create(&session, &new).await.map_err(explain)?;
        let secret = integrations::first_secret(&session, id, &new)
            .await
            .map_err(explain)?;
        show_with(session, id, secret, output).await
    }
}

/// Change the given settings of a webhook
///
/// An empty text or 0 removes a setting.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify update 7 --digest '1 hour' --quiet-hours '22:00-07:00 Europe/Berlin'
  zentry-notify update 7 --digest ''
  read -rsp 'URL: ' WEBHOOK_URL; export WEBHOOK_URL; zentry-notify update 7 --webhook-url
  zentry-notify update 7 --is-active true")]
pub struct Update {
    /// Id of the webhook
    id: i64,
    /// New display name
    #[arg(long)]
    name: Option<String>,
    #[arg(long, value_name = "TYPE", value_parser = types(), help = crate::vendors::listed())]
    webhook_type: Option<String>,
    /// New URL; without a value, WEBHOOK_URL in the environment
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    webhook_url: Option<String>,
    /// The project whose events are sent; 0: every project's
    #[arg(long, value_name = "ID")]
    project_id: Option<i64>,
    /// Event type that is sent, instead of the present ones; may be repeated; * means all
    #[arg(long, value_name = "EVENT")]
    event_type: Vec<String>,
    /// Whether it is active; true also switches one on whose endpoint was gone
    #[arg(long, value_name = "BOOLEAN")]
    is_active: Option<bool>,
    /// For types webhook and ntfy: all additional headers of its requests, as '{"authorization": "Bearer TOKEN"}'; '{}' removes them; without a
    /// value, WEBHOOK_HEADERS in the environment
    #[arg(long, value_name = "JSON", num_args = 0..=1, default_missing_value = "")]
    headers: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

impl Update {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let change = Change {
            name: self.name,
            webhook_type: self.webhook_type,
            webhook_url: new_url(self.webhook_url)?,
            project: self.project_id.map(|id| Some(id).filter(|id| *id != 0)),
            event_types: (!self.event_type.is_empty()).then_some(self.event_type),
            is_active: self.is_active,
            rules: self.settings.into(),
            headers: headers(self.headers)?,
        };
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        integrations::update(&session, self.id, &change)
            .await
            .map_err(explain)?;
        show(session, self.id, output).await
    }
}

fn new_url(given: Option<String>) -> Result<Option<String>> {
    given
        .map(|url| or_environment(url, "--webhook-url", "WEBHOOK_URL"))
        .transpose()
}

/// Returns the given value, or that of the environment.
fn or_environment(given: String, option: &str, variable: &str) -> Result<String> {
    if !given.is_empty() {
        return Ok(given);
    }
    std::env::var(variable).with_context(|| {
        format!("{option} without a value takes {variable} of the environment, which is not set")
    })
}

/// Parses JSON. The error does not quote the text.
fn headers(given: Option<String>) -> Result<Option<Value>> {
    let Some(given) = given else { return Ok(None) };
    let text = or_environment(given, "--headers", "WEBHOOK_HEADERS")?;
    let object: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
    let problem =
        "headers are no JSON object of names and texts, such as {\"authorization\": \"Bearer TOKEN\"}";
    object.context(problem).map(Some)
}

/// Set and print a new signing secret of a webhook of type webhook, or set new credentials of one of type nats
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify new-secret 7 --grace '7 days'")]
pub struct NewSecret {
    /// Id of the webhook
    id: i64,
    /// The secret [default: one is generated]; for type nats: the credentials
    #[arg(long, value_name = "SECRET", env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// How long requests are also signed with the previous secret [default: 1 day]
    #[arg(long, value_name = "TIME")]
    grace: Option<String>,
}

impl NewSecret {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let secret =
            integrations::new_secret(&session, self.id, self.secret.as_deref(), self.grace.as_deref())
                .await
                .map_err(explain)?;
        session.commit().await.map_err(explain)?;
        output.rows(&[serde_json::json!({ "secret": secret })], &["SECRET"], |_| {
            vec![secret.clone()]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Send waiting deliveries of a webhook now, even if its endpoint has asked to wait or it was switched off
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify resume 7")]
pub struct Resume {
    /// Id of the webhook
    id: i64,
}

impl Resume {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        integrations::resume(&session, self.id).await.map_err(explain)?;
        show(session, self.id, output).await
    }
}

/// Commits, and prints the webhook.
async fn show(session: Session<'_>, id: i64, output: &Output) -> Result<ExitCode> {
    show_with(session, id, None, output).await
}

/// Prints the webhook with its generated secret.
async fn show_with(
    session: Session<'_>,
    id: i64,
    secret: Option<String>,
    output: &Output,
) -> Result<ExitCode> {
    let one = integrations::get(&session, id).await.map_err(explain)?;
    if let Some(one) = &one {
        warn_of(&session, one).await?;
    }
    session.commit().await.map_err(explain)?;
    let one = one.ok_or_else(|| no_webhook(id))?;
    match secret {
        Some(secret) => {
            let made = Made {
                integration: &one,
                secret: &secret,
            };
            output.rows(&[made], &["ID", "NAME", "SECRET"], |made| {
                let Made { integration, secret } = made;
                vec![
                    integration.id.to_string(),
                    integration.name.clone(),
                    (*secret).to_owned(),
                ]
            })?;
        }
        None => output.integrations(&[one])?,
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    integration: &'a Integration,
    secret: &'a str,
}
