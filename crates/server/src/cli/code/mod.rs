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

use super::output::{Output, tell};
use super::{Access, DIFFERENT, Target, UNKNOWN, explain, explain_begin};
use apply::{Outcome, Wishes};
use export::Secrets;
use file::File;
use state::State;

/// Write the configuration as TOML: webhooks, event types of one's own, wordings and event sources
///
/// Never a secret: the file says which variable of the environment, or which file, has it when it is applied.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify export zentry.toml
  zentry-notify export --secrets-dir secrets zentry.toml")]
pub struct Export {
    /// Where to [default: standard output]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Secrets are to be files in this directory, relative to FILE [default: variables of the environment]
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

/// What both do
#[derive(Debug, Args)]
struct Given {
    /// As export writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take away what is not in the file
    #[arg(long)]
    prune: bool,
    /// Leave the secrets of webhooks that are registered as they are, and ask for none of them
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

/// Show what apply would change: exit code 1 if anything, 0 if nothing
///
/// It is done, looked at and undone, so it needs the rights and the secrets that apply needs.
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
        // The transaction ends here, and with it all that was done.
        drop(session);
        let outcome = accepted(outcome)?;
        show(&outcome, output, "Nothing would be changed.")?;
        Ok(!outcome.changes.is_empty())
    }
}

/// Make the configuration what a file says, in one transaction; what is the same is not touched
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

/// All that is wrong at once.
fn accepted(outcome: Outcome) -> Result<Outcome> {
    if outcome.faults.is_empty() {
        return Ok(outcome);
    }
    let faults: Vec<String> = outcome.faults.iter().map(ToString::to_string).collect();
    anyhow::bail!("{}\nNothing was changed.", faults.join("\nerror: "))
}

fn show(outcome: &Outcome, output: &Output, nothing: &str) -> Result<()> {
    for what in &outcome.left {
        tell(format_args!(
            "{what} is not in the file, and stays (--prune takes it away)"
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
