//! The command line: one file for each command.

mod audit;
mod code;
mod databases;
mod generate;
mod integrations;
mod logs;
mod output;
mod register;
mod retry;
mod send;
mod serve;
mod settings;
mod setup_webhooks;
mod since;
mod status;
mod switch;
mod target;
mod test_webhook;
mod token;
mod traces;
mod wording;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::output::{Output, tell};
use self::target::Target;
use crate::database::{Access, BeginError, Connection, Session};
use crate::queries::integrations::{self as integrations_of, Integration};

/// Reads a type of webhooks.
fn types() -> PossibleValuesParser {
    PossibleValuesParser::new(crate::vendors::names())
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  not done: the database cannot be reached, refuses, or does not know what was named;
     of status --problems: something needs attention; of diff: something would be changed
  2  the command line is wrong; of diff: what would be changed can't be told
  3  done, but a delivery failed, or was still waiting when the time was over
  4  done: something is broken, says status";

/// Done, but a delivery failed or has not ended.
const UNDELIVERED: u8 = 3;

/// Of `status --problems`: done, and something needs attention.
const ATTENTION: u8 = 1;

/// Of `diff`: something would be changed.
const DIFFERENT: u8 = 1;

/// Of `diff`: nobody can tell.
const UNKNOWN: u8 = 2;

/// Done, and what was found is that something does not work.
const BROKEN: u8 = 4;

/// The REST API, the admin pages and the commands of the PostgreSQL extension zentry_notify
#[derive(Debug, Parser)]
#[command(name = "zentry-notify", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Without a heading of their own, these would stand in between the options of each command.
const OF_ALL: &str = "Options of every command";

#[derive(Debug, Args)]
struct Options {
    /// The database: postgresql://USER@HOST/DATABASE, or "host=... dbname=... user=..."
    ///
    /// Without a password: everybody on this machine can read a command line. What it leaves out comes from PGSERVICE, PGHOST, PGUSER and the like, ~/.pg_service.conf and ~/.pgpass, as with psql. `send` takes several; with names, `send` and `serve` take them by --database.
    #[arg(
        long,
        global = true,
        help_heading = OF_ALL,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Vec<String>,
    /// A file that holds the same, and may hold a password; for `send`, several, one a line
    #[arg(
        long,
        global = true,
        help_heading = OF_ALL,
        env = "DATABASE_URL_FILE",
        value_name = "FILE"
    )]
    database_url_file: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true, help_heading = OF_ALL)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Send(send::Send),
    TestWebhook(test_webhook::TestWebhook),
    SetupWebhooks(setup_webhooks::SetupWebhooks),
    Register(register::Register),
    Update(register::Update),
    NewSecret(register::NewSecret),
    Resume(register::Resume),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Delete(switch::Delete),
    Integrations(integrations::Integrations),
    Logs(logs::Logs),
    Retry(retry::Retry),
    Status(status::Status),
    Token(token::Token),
    Wording(wording::Wording),
    Language(wording::Language),
    Audit(audit::Audit),
    Traces(traces::Traces),
    Export(code::Export),
    Diff(code::Diff),
    Apply(code::Apply),
    Completions(generate::Completions),
    Man(generate::Man),
}

pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli =
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut Cli::command()).exit());
    let options = &cli.options;
    let target = Target::of(
        &options.database_url,
        options.database_url_file.as_deref(),
        is_typed(&matches),
    );
    let outcome = target.and_then(|target| run(cli, target));
    match outcome {
        Ok(code) => code,
        // Whoever read what we print has heard enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether the connection string stands on the command line.
fn is_typed(matches: &ArgMatches) -> bool {
    let mut deepest = matches;
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
    }
    deepest.value_source("database_url") == Some(ValueSource::CommandLine)
}

#[tokio::main]
async fn run(cli: Cli, target: Target) -> Result<ExitCode> {
    let output = Output::new(cli.options.json);
    match cli.command {
        Command::Serve(command) => command.run(&target).await,
        Command::Send(command) => command.run(&target).await,
        Command::TestWebhook(command) => command.run(&target, &output).await,
        Command::SetupWebhooks(command) => command.run(&target, &output).await,
        Command::Register(command) => command.run(&target, &output).await,
        Command::Update(command) => command.run(&target, &output).await,
        Command::NewSecret(command) => command.run(&target, &output).await,
        Command::Resume(command) => command.run(&target, &output).await,
        Command::Integrations(command) => command.run(&target, &output).await,
        Command::Logs(command) => command.run(&target, &output).await,
        Command::Retry(command) => command.run(&target, &output).await,
        Command::Status(command) => command.run(&target, &output).await,
        Command::Enable(command) => command.run(&target, &output).await,
        Command::Disable(command) => command.run(&target, &output).await,
        Command::Delete(command) => command.run(&target, &output).await,
        Command::Token(command) => command.run(&target, &output).await,
        Command::Wording(command) => command.run(&target, &output).await,
        Command::Language(command) => command.run(&target, &output).await,
        Command::Audit(command) => command.run(&target, &output).await,
        Command::Traces(command) => command.run(&target).await,
        Command::Export(command) => command.run(&target).await,
        Command::Diff(command) => command.run(&target, &output).await,
        Command::Apply(command) => command.run(&target, &output).await,
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

/// What a command says of a webhook that is not there.
fn no_webhook(id: i64) -> anyhow::Error {
    anyhow::anyhow!("there is no webhook with id {id}\nhint: zentry-notify integrations lists them.")
}

/// On standard error, what is allowed of this webhook and as a rule not meant.
async fn warn_of(session: &Session<'_>, webhook: &Integration) -> Result<()> {
    for doubt in integrations_of::doubts(session, webhook.id)
        .await
        .map_err(explain)?
    {
        tell(format_args!(
            "warning: webhook {} ({}): {doubt}",
            webhook.id, webhook.name
        ));
    }
    Ok(())
}

/// What the database says, with its hint: tokio-postgres' own words leave it out.
pub fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    let Some(said) = error.as_db_error() else {
        return error.into();
    };
    match said.hint() {
        Some(hint) => anyhow::anyhow!("{}\nhint: {hint}", said.message()),
        None => anyhow::anyhow!("{}", said.message()),
    }
}

pub fn explain_begin(error: BeginError) -> anyhow::Error {
    match error {
        BeginError::Database(error) | BeginError::Role(_, error) => explain(error),
    }
}

pub fn explain_pool(error: deadpool_postgres::PoolError) -> anyhow::Error {
    use deadpool_postgres::{HookError, PoolError};
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            let answered = error.as_db_error().is_some();
            let why = explain(error);
            let hint = "Does the server run? --database-url, or PGHOST, PGPORT and the like, say where it is looked for.";
            if answered {
                why.context("cannot connect to the database")
            } else {
                anyhow::anyhow!("cannot connect to the database: {why:#}\nhint: {hint}")
            }
        }
        PoolError::PostCreateHook(HookError::Message(message)) => anyhow::anyhow!("{message}"),
        other => other.into(),
    }
}
