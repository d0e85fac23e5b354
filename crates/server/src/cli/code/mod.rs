//! `export`, `diff` and `apply`: the configuration as a file.

mod apply;
mod document;
mod export;
mod file;
mod state;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::exit_code::{DIFFERENT, UNKNOWN};
use super::output::{Output, tell};
use super::target::Target;
use crate::database::{Access, explain, explain_begin};
use apply::{Outcome, Wishes};
use export::Secrets;
use file::File;
use state::State;

/// Write the configuration as a TOML file: webhooks, your own event types, wordings and event sources
///
/// The file contains no secret. In place of each, it names the environment variable or the file that apply reads it from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify export zentry.toml
  zentry-notify export --secrets-dir secrets zentry.toml")]
pub struct Export {
    /// File to write [default: standard output]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Name files in this directory, which is relative to FILE, in place of secrets [default: environment variables]
    #[arg(long, value_name = "DIRECTORY")]
    secrets_dir: Option<PathBuf>,
}

impl Export {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
        let state = State::read(&session).await?;
        state.require_names(|_| true)?;
        let secrets = self.secrets_dir.map_or(Secrets::Environment, Secrets::Directory);
        let text = export::text(&state, &secrets);
        match self.file {
            Some(path) => {
                fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?
            }
            None => write!(io::stdout(), "{text}")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The arguments of `diff` and `apply`
#[derive(Debug, Args)]
struct Given {
    /// TOML file in the format of export
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Remove what is not in the file
    #[arg(long)]
    prune: bool,
    /// Keep the secrets of registered webhooks, without reading those that the file names
    #[arg(long)]
    keep_secrets: bool,
}

impl Given {
    fn wishes(&self) -> Wishes {
        Wishes {
            prune: self.prune,
            keep_secrets: self.keep_secrets,
        }
    }
}

/// Show what apply would change; the exit code is 1 if there is anything, else 0
///
/// The changes are made and rolled back, so diff needs the same rights and secrets as apply.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify diff zentry.toml
  zentry-notify diff --prune --json zentry.toml | jq '.[].changes'")]
pub struct Diff {
    #[command(flatten)]
    given: Given,
}

impl Diff {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        match self.different(target, output).await {
            Ok(true) => Ok(ExitCode::from(DIFFERENT)),
            Ok(false) => Ok(ExitCode::SUCCESS),
            Err(error) => {
                tell(format_args!("error: {error:#}"));
                Ok(ExitCode::from(UNKNOWN))
            }
        }
    }

    async fn different(self, target: &Target, output: &Output) -> Result<bool> {
        let file = File::read(&self.given.file)?;
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let outcome = apply::apply(&session, &file, self.given.wishes()).await?;
        // This rolls the transaction back, and with it every change.
        drop(session);
        let outcome = accepted(outcome)?;
        show(&outcome, output, "Nothing would be changed.")?;
        Ok(!outcome.changes.is_empty())
    }
}

/// Change the configuration to what a file says, in one transaction
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify apply zentry.toml
  zentry-notify apply --prune zentry.toml")]
pub struct Apply {
    #[command(flatten)]
    given: Given,
}

impl Apply {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let file = File::read(&self.given.file)?;
        let mut connection = target.connect().await?;
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        let outcome = apply::apply(&session, &file, self.given.wishes()).await?;
        let outcome = accepted(outcome)?;
        session.commit().await.map_err(explain)?;
        show(&outcome, output, "Nothing was changed.")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the outcome.
///
/// # Errors
/// When it has faults: one error with all of them.
fn accepted(outcome: Outcome) -> Result<Outcome> {
    if outcome.faults.is_empty() {
        return Ok(outcome);
    }
    let faults: Vec<String> = outcome.faults.iter().map(ToString::to_string).collect();
    anyhow::bail!("{}\nNothing was changed.", faults.join("\nerror: "))
}

/// Prints the changes, or `nothing` if there are none (as JSON: an empty list), and to standard error what is not in the file and stays.
fn show(outcome: &Outcome, output: &Output, nothing: &str) -> Result<()> {
    for what in &outcome.left {
        tell(format_args!(
            "{what} is not in the file, and stays (--prune removes it)"
        ));
    }
    if outcome.changes.is_empty() && !output.is_json() {
        return output.say(nothing);
    }
    output.rows(&outcome.changes, &["OPERATION", "WHAT", "CHANGES"], |one| {
        let lines = one.lines();
        let changes = lines.iter().map(|(column, text)| format!("{column}: {text}"));
        vec![
            one.operation.clone(),
            one.what(),
            changes.collect::<Vec<_>>().join("\n"),
        ]
    })
}
