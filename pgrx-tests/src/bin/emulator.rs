//! The emulator of Discord and Teams as a process: prints the URLs of its webhooks as one line of JSON, then serves
//! until it is interrupted, terminated or its standard input ends.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use lexopt::prelude::*;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use zentry_e2e::emulator::{Emulator, Keep, Kind, Options};

const HELP: &str = "\
Emulates the webhooks of Discord and Microsoft Teams on 127.0.0.1.

    emulator [OPTIONS]

    --http-port PORT     plain HTTP (0, the default: a free port)
    --https-port PORT    HTTPS (0, the default: a free port)
    --ca-file FILE       write the certificate authority's certificate there (PEM)
    --webhooks N         webhooks to make of each kind (default 1)
    --keep WHAT          'all' (default), 'count', or how many of the last requests
    --no-rate-limits     answer as fast as requests come
    --threads N          threads that serve (default 1)
    --seed N             make the same webhooks as every other run with this number
    --detach             go on when standard input ends
    --help               this text

Prints {\"http\", \"https\", \"ca_file\", \"webhooks\": [{\"number\", \"name\", \"kind\", \"url\", \"https_url\"}]}.
The messages can be seen at the http address, and as JSON at its /_emulator/messages.
";

#[derive(Debug)]
struct Arguments {
    options: Options,
    ca_file: Option<PathBuf>,
    webhooks: usize,
    detach: bool,
}

/// None when only help was asked for.
fn arguments(mut parser: lexopt::Parser) -> Result<Option<Arguments>, lexopt::Error> {
    let mut arguments = Arguments {
        options: Options::default(),
        ca_file: None,
        webhooks: 1,
        detach: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("http-port") => arguments.options.http_port = parser.value()?.parse()?,
            Long("https-port") => arguments.options.https_port = parser.value()?.parse()?,
            Long("ca-file") => arguments.ca_file = Some(parser.value()?.into()),
            Long("webhooks") => arguments.webhooks = parser.value()?.parse()?,
            Long("keep") => arguments.options.keep = parser.value()?.parse_with(keep)?,
            Long("no-rate-limits") => arguments.options.rate_limits = false,
            Long("threads") => arguments.options.threads = parser.value()?.parse()?,
            Long("seed") => arguments.options.seed = Some(parser.value()?.parse()?),
            Long("detach") => arguments.detach = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(arguments))
}

fn keep(value: &str) -> Result<Keep, std::num::ParseIntError> {
    match value {
        "all" => Ok(Keep::All),
        "count" => Ok(Keep::Count),
        number => number.parse().map(Keep::Last),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = arguments(lexopt::Parser::from_env())? else {
        std::io::stdout().write_all(HELP.as_bytes())?;
        return Ok(());
    };
    let emulator = Emulator::start_with(arguments.options)?;
    if let Some(file) = &arguments.ca_file {
        std::fs::write(file, emulator.ca_pem())?;
    }
    let kinds = [Kind::Discord, Kind::Connector, Kind::Workflow];
    let made = (0..arguments.webhooks)
        .flat_map(|_| kinds)
        .map(|kind| emulator.register(kind).introduced());
    let line = json!({
        "http": emulator.http_base(),
        "https": emulator.https_base(),
        "ca_file": arguments.ca_file,
        "webhooks": made.collect::<Vec<Value>>(),
    });
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tell_and_wait(&line, arguments.detach))?;
    emulator.stop();
    // A read of standard input cannot be called off, and must not hold up the end.
    std::process::exit(0);
}

async fn tell_and_wait(line: &Value, detached: bool) -> std::io::Result<()> {
    // Whoever has read the line may send one.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = end_of_input(), if !detached => {}
    }
    Ok(())
}

async fn end_of_input() {
    let mut stdin = tokio::io::stdin();
    let mut scratch = [0; 1024];
    while let Ok(1..) = stdin.read(&mut scratch).await {}
}
