//! The command line.

mod serve;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::database::Parameters;

/// The REST API, the admin pages and the commands of the PostgreSQL extension zentry_notify.
#[derive(Debug, Parser)]
#[command(name = "zentry-notify", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Connection {
    /// Where the database is: postgresql://user@host/database, or host=... dbname=... user=...; what it leaves out comes from
    /// PGSERVICE, PGHOST, PGUSER and the like, ~/.pg_service.conf and ~/.pgpass, as with psql
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Result<ExitCode> {
    let parameters = Parameters::find(cli.connection.database_url.as_deref())?;
    match cli.command {
        Command::Serve(serve) => serve.run(&parameters).await,
    }
}
