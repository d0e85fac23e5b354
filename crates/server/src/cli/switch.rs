//! `enable`, `disable` and `delete`: webhooks by their ids.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;

use super::output::Output;
use super::target::Target;
use super::webhook::{no_webhook, warn_of};
use crate::database::{Access, explain, explain_begin};
use crate::queries::integrations::{self, Change, Integration};

/// Switch webhooks on, including those that were switched off because their endpoint no longer existed
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify enable 7")]
pub struct Enable {
    /// Ids of the webhooks; all of them are switched on, or none
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
}

impl Enable {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        switch(target, output, self.ids, true).await
    }
}

/// Switch webhooks off: no events are captured for them, and their waiting deliveries are held back
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify disable 7 8")]
pub struct Disable {
    /// Ids of the webhooks; all of them are switched off, or none
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
}

impl Disable {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        switch(target, output, self.ids, false).await
    }
}

async fn switch(target: &Target, output: &Output, ids: Vec<i64>, on: bool) -> Result<ExitCode> {
    let change = Change {
        is_active: Some(on),
        ..Change::default()
    };
    let mut connection = target.connect().await?;
    let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
    let mut switched = Vec::new();
    for id in ids {
        integrations::update(&session, id, &change)
            .await
            .map_err(explain)?;
        switched.extend(integrations::get(&session, id).await.map_err(explain)?);
    }
    if on {
        for one in &switched {
            warn_of(&session, one).await?;
        }
    }
    session.commit().await.map_err(explain)?;
    output.integrations(&switched)?;
    Ok(ExitCode::SUCCESS)
}

/// Delete webhooks with their logs, after confirmation
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zentry-notify delete 7
  zentry-notify delete 7 --yes")]
pub struct Delete {
    /// Ids of the webhooks; all of them are deleted, or none
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    pub async fn run(self, target: &Target, output: &Output) -> Result<ExitCode> {
        let mut connection = target.connect().await?;
        let mut doomed = Vec::new();
        {
            let session = connection.begin(Access::Read).await.map_err(explain_begin)?;
            for id in &self.ids {
                let found = integrations::webhook(&session, *id).await.map_err(explain)?;
                doomed.push(found.ok_or_else(|| no_webhook(*id))?);
            }
        }
        if !self.yes {
            ensure!(
                io::stdin().is_terminal(),
                "deleting webhooks and their logs needs a confirmation, and standard input is not a terminal\nhint: --yes deletes without confirmation."
            );
            let mut err = io::stderr().lock();
            for one in &doomed {
                let Integration { id, name, .. } = &one.integration;
                writeln!(
                    err,
                    "{id}  {name}: {} sent, {} failed, {} waiting",
                    one.sent, one.failed, one.pending
                )?;
            }
            write!(err, "Delete with the log? This can't be undone. [y/N] ")?;
            err.flush()?;
            drop(err);
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer)?;
            ensure!(
                ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()),
                "nothing is deleted"
            );
        }
        let session = connection.begin(Access::Write).await.map_err(explain_begin)?;
        for id in &self.ids {
            integrations::delete(&session, *id).await.map_err(explain)?;
        }
        session.commit().await.map_err(explain)?;
        let deleted: Vec<Integration> = doomed.into_iter().map(|one| one.integration).collect();
        output.rows(&deleted, &["DELETED", "NAME"], |one| {
            vec![one.id.to_string(), one.name.clone()]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
