//! The command line: one file for each command.

mod audit;
mod code;
mod databases;
mod exit_code;
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
mod webhook;
mod wording;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::exit_code::EXIT_CODES;
use self::output::{Output, tell};
use self::target::Target;

/// The REST API, the admin pages and the commands of the PostgreSQL extension zentry_notify
#[derive(Debug, Parser)]
#[command(name = "zentry-notify", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// A heading of their own separates these from the options of each command.
const OF_ALL: &str = "Options of every command";

#[derive(Debug, Args)]
struct Options {
    /// The database: postgresql://USER@HOST/DATABASE, or "host=... dbname=... user=..."
    ///
    /// Without a password, because everybody on this machine can read a command line. Parts that it leaves out come from PGSERVICE, PGHOST, PGUSER and the like, ~/.pg_service.conf and ~/.pgpass, as with psql. It may be repeated for `send`; `send` and `serve` also take several databases by --database.
    #[arg(
        long,
        global = true,
        help_heading = OF_ALL,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Vec<String>,
    /// A file with the connection string, which may contain a password here; for `send`, one or more, one per line
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
        // The reader has closed the pipe.
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

/// Returns whether the connection string was given on the command line.
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
        Command::Completions(command) => command.run(Cli::command()),
        Command::Man(command) => command.run(Cli::command()),
    }
}
