//! `wording` and `language`: texts of messages that replace those of the event types.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::output::Output;
use super::target::Target;
use super::webhook::types;
use crate::database::{Access, Session, explain, explain_begin};
use crate::queries::events;
use crate::queries::wordings::{self, ALL_EVENTS};
use crate::queries::words::Words;

/// Set, preview and reset the wording of an event type, for all webhooks or for one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify wording list
  zentry-notify wording set task_completed --title 'Done: {{ task_title }}'
  zentry-notify wording set task_completed --webhook 3 --emoji '🎉' --fields '{\"Points\": \"{{ points }}\"}'
  zentry-notify wording preview task_completed --webhook 3
  zentry-notify wording reset task_completed --webhook 3")]
pub struct Wording {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// List the wordings
    #[command(after_help = "\
Example:
  zentry-notify wording list --json")]
    List,
    /// Set a wording: parts that are not given stay as they are, and an empty text removes a part from the message
    #[command(after_help = "\
Example:
  zentry-notify wording set task_completed --title 'Done: {{ task_title }}'")]
    Set {
        /// Event type
        event: String,
        /// Only for messages of this webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<i64>,
        #[command(flatten)]
        words: Box<Words>,
    },
    /// Remove a wording, so that the texts of the event type apply
    #[command(after_help = "\
Example:
  zentry-notify wording reset task_completed")]
    Reset {
        /// Event type
        event: String,
        /// Only the wording of this webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<i64>,
    },
    /// Print the message of the event type's sample, as it would be posted
    #[command(after_help = "\
Example:
  zentry-notify wording preview task_completed --webhook-type teams")]
    Preview {
        /// Event type
        event: String,
        /// In the format and wording of this webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<i64>,
        #[arg(long, value_name = "TYPE", default_value = "discord", value_parser = types(), help = crate::vendors::listed())]
        webhook_type: String,
    },
}

/// A wording, as it is printed.
#[derive(Serialize)]
struct Row {
    event_type: String,
    webhook: Option<i64>,
    #[serde(flatten)]
    words: Words,
}

impl Row {
    /// Returns the parts that are set, for display.
    fn parts(&self) -> String {
        let set = self.words.parts().into_iter().filter_map(|(name, value)| {
            Some(match value? {
                Value::String(text) => format!("{name}: {text}"),
                fields => format!("{name}: {fields}"),
            })
        });
        set.collect::<Vec<_>>().join("\n")
    }
}

impl Wording {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let access = match self.deed {
            Deed::List | Deed::Preview { .. } => Access::Read,
            Deed::Set { .. } | Deed::Reset { .. } => Access::Write,
        };
        let session = connection.begin(access).await.map_err(explain_begin)?;
        match self.deed {
            Deed::List => list(&session, output).await?,
            Deed::Set {
                event,
                webhook,
                words,
            } => {
                anyhow::ensure!(
                    *words != Words::default(),
                    "no part of the wording is given\nhint: For example --title 'Done'."
                );
                let wording = wordings::Wording {
                    event_type: event.clone(),
                    webhook,
                    words: *words,
                    language: None,
                };
                wordings::set(&session, &wording).await.map_err(explain)?;
                session.commit().await.map_err(explain)?;
                output.say(&format!("The wording of {event} is set."))?;
            }
            Deed::Reset { event, webhook } => {
                wordings::reset(&session, &event, webhook)
                    .await
                    .map_err(explain)?;
                session.commit().await.map_err(explain)?;
                output.say(&format!("The wording of {event} is removed."))?;
            }
            Deed::Preview {
                event,
                webhook,
                webhook_type,
            } => {
                let message = events::preview(&session, &event, &webhook_type, None, webhook)
                    .await
                    .map_err(explain)?;
                writeln!(io::stdout(), "{message:#}")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(session: &Session<'_>, output: &Output) -> Result<()> {
    let all = wordings::list(session).await.map_err(explain)?;
    let of_events = all.into_iter().filter(|one| one.event_type != ALL_EVENTS);
    let rows: Vec<Row> = of_events
        .map(|one| Row {
            event_type: one.event_type,
            webhook: one.webhook,
            words: one.words,
        })
        .collect();
    output.rows(&rows, &["EVENT", "WEBHOOK", "WORDS"], |one| {
        let webhook = one.webhook.map_or_else(|| "all".to_owned(), |id| id.to_string());
        vec![one.event_type.clone(), webhook, one.parts()]
    })
}

/// Show the languages of messages, or set one, for all webhooks or for one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify language
  zentry-notify language de
  zentry-notify language ja --webhook 3
  zentry-notify language --reset --webhook 3")]
pub struct Language {
    /// Language of the messages, such as de
    language: Option<String>,
    /// Only for messages of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<i64>,
    /// Remove the language: English applies, or for one webhook, the language of the others
    #[arg(long, conflicts_with = "language")]
    reset: bool,
}

/// A language, as it is printed.
#[derive(Serialize)]
struct Spoken {
    webhook: Option<i64>,
    language: String,
}

impl Language {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        if self.language.is_some() || self.reset {
            let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
            wordings::set_language(&session, self.language.as_deref(), self.webhook)
                .await
                .map_err(explain)?;
            session.commit().await.map_err(explain)?;
            output.say("The language is set.")?;
            return Ok(ExitCode::SUCCESS);
        }
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let all = wordings::list(&session).await.map_err(explain)?;
        let mut set: Vec<Spoken> = all
            .into_iter()
            .filter_map(|one| {
                Some(Spoken {
                    webhook: one.webhook,
                    language: one.language?,
                })
            })
            .collect();
        if set.first().is_none_or(|one| one.webhook.is_some()) {
            let usual = Spoken {
                webhook: None,
                language: "en".to_owned(),
            };
            set.insert(0, usual);
        }
        set.retain(|one| self.webhook.is_none() || one.webhook.is_none() || one.webhook == self.webhook);
        output.rows(&set, &["WEBHOOK", "LANGUAGE"], |one| {
            let webhook = one.webhook.map_or_else(|| "all".to_owned(), |id| id.to_string());
            vec![webhook, one.language.clone()]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
