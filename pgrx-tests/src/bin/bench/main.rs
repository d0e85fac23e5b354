//! The benchmarks: everything that issue and documents promise of speed, with what others do beside it in the same run.
#![allow(clippy::print_stdout)] // its report

mod application;
mod bed;
mod bulk;
mod clock;
mod compare;
mod drain;
mod effort;
mod figures;
mod finished;
mod floor;
mod idle;
mod latency;
mod load;
mod machine;
mod plot;
mod process;
mod receiver;
mod report;
mod senders;
mod session;
mod volume;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Result, bail, ensure};
use lexopt::prelude::*;

use self::bed::Bed;
use self::effort::Effort;
use self::figures::Results;

const HELP: &str = "\
Measures zentry_notify in a private cluster with default durability, beside what others would do.

    bench [OPTIONS] [PART...]

    --quick          small and short: an idea, not a figure
    --records        say which records of WAL what is written consists of (part volume)
    --rounds N       how often each comparison is repeated (default 5, quick 3)
    --json FILE      write what was measured there
    --docs DIR       write benchmarks.md and its plots there (needs all parts)
    compare A B      print two runs' figures side by side; each is a list of files of --json, separated by commas
    --help           this text

Parts, all by default: write volume session bulk application latency drain senders finished idle
";

const PARTS: [&str; 10] = [
    "write",
    "volume",
    "session",
    "bulk",
    "application",
    "latency",
    "drain",
    "senders",
    "idle",
    "finished",
];

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Says what is measured now.
fn progress(what: &str) {
    eprintln!("[{:>4} s] {what}", STARTED.elapsed().as_secs());
}

fn main() -> ExitCode {
    LazyLock::force(&STARTED);
    let result = match env::args().nth(1).as_deref() {
        Some(receiver::ARGUMENT) => receiver::serve(),
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Arguments {
    quick: bool,
    records: bool,
    rounds: Option<usize>,
    json: Option<PathBuf>,
    docs: Option<PathBuf>,
    parts: Vec<String>,
    help: bool,
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => arguments.quick = true,
            Long("records") => arguments.records = true,
            Long("rounds") => arguments.rounds = Some(parser.value()?.parse()?),
            Long("json") => arguments.json = Some(parser.value()?.into()),
            Long("docs") => arguments.docs = Some(parser.value()?.into()),
            Long("help") | Short('h') => arguments.help = true,
            Value(part) => arguments.parts.push(part.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(arguments)
}

fn run() -> Result<()> {
    let mut arguments = arguments()?;
    if arguments.help {
        print!("{HELP}");
        return Ok(());
    }
    if let [compare, first, second] = arguments.parts.as_slice()
        && compare == "compare"
    {
        let files = |list: &str| list.split(',').map(PathBuf::from).collect::<Vec<_>>();
        return compare::print(&files(first), &files(second));
    }
    if let Some(unknown) = arguments
        .parts
        .iter()
        .find(|part| !PARTS.contains(&part.as_str()))
    {
        bail!("there is no part {unknown}\n\n{HELP}");
    }
    if arguments.parts.is_empty() {
        arguments.parts = PARTS.map(str::to_owned).into();
    }
    ensure!(
        arguments.docs.is_none() || arguments.parts.len() == PARTS.len(),
        "the documents need all parts"
    );
    let mut effort = Effort::new(arguments.quick);
    effort.rounds = arguments.rounds.unwrap_or(effort.rounds).max(1);
    effort.records = arguments.records;
    progress("Making the cluster");
    let mut bed = Bed::make(effort)?;
    let mut results = Results::default();
    for part in PARTS
        .into_iter()
        .filter(|part| arguments.parts.iter().any(|p| p == part))
    {
        measure(part, &mut bed, &mut results)?;
    }
    progress("Done");
    println!("{}", report::table(&results.rows));
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_vec_pretty(&results)?)?;
    }
    if let Some(docs) = &arguments.docs {
        let command: Vec<String> = env::args().skip(1).collect();
        let command = format!("scripts/bench {}", command.join(" "));
        report::write(&results, &machine::describe(&bed)?, command.trim_end(), docs)?;
    }
    Ok(())
}

fn measure(part: &str, bed: &mut Bed, results: &mut Results) -> Result<()> {
    match part {
        "write" => results.rows.extend(write::measure(bed)?),
        "volume" => results.rows.extend(volume::measure(bed)?),
        "session" => {
            results.rows.extend(session::late_writes(bed)?);
            results.rows.extend(session::large_project(bed)?);
        }
        "bulk" => results.rows.extend(bulk::measure(bed)?),
        "application" => results.rows.push(application::measure(bed)?),
        "latency" => latency::measure(bed, results)?,
        "drain" => drain::measure(bed, results)?,
        "senders" => results.rows.extend(senders::measure(bed)?),
        "finished" => results.rows.extend(finished::measure(bed)?),
        "idle" => results.rows.extend(idle::measure(bed)?),
        _ => {}
    }
    Ok(())
}
