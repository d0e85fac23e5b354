//! One statement that completes many tasks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use postgres::Client;

use crate::bed::{Bed, Spread, Way};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::process;
use crate::write::{self, complete_and_log};

const ROWS: u32 = 10_000;
const GLANCE: Duration = Duration::from_millis(20);
const WAYS: [Way; 6] = [
    Way::Bare,
    Way::Floor,
    Way::StatementTrigger,
    Way::RowTrigger,
    Way::OursSending,
    Way::Ours,
];
const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id <= $1";
const COMPLETE_AND_LOG: &str = complete_and_log!("id <= $1");

pub fn measure(bed: &Bed) -> Result<Vec<Row>> {
    bed.register(Way::Ours, write::held())?;
    let mut rows = Vec::from(ten_thousand(bed)?);
    rows.extend(larger(bed)?);
    Ok(rows)
}

fn ten_thousand(bed: &Bed) -> Result<[Row; 2]> {
    crate::progress("One UPDATE of 10,000 rows");
    let runs = write::in_turns(bed, &WAYS, |way| {
        if way != Way::OursSending {
            bed.refill(way, bed.effort.tasks(), Spread::Even)?;
            return complete(bed, way, ROWS);
        }
        bed.refill(way, bed.effort.tasks(), Spread::ThousandProjects)?;
        bed.register(way, write::A_THOUSAND)?;
        let completed = complete(bed, way, ROWS)?;
        bed.wait_until_sent(way)?;
        bed.register(way, write::held())?;
        Ok(completed)
    })?;
    let took = Row {
        key: "bulk".to_owned(),
        what: "One UPDATE of 10,000 rows that fires 10,000: a row more than bare".to_owned(),
        goal: Some(Goal::AtMost(8.0)),
        ..more_than_bare(&runs, |completed| completed.a_row)
    };
    let processor = Row {
        key: "bulk-processor".to_owned(),
        what: "· the same in processor time of the session".to_owned(),
        ..more_than_bare(&runs, |completed| completed.processor)
    };
    Ok([took, processor])
}

fn more_than_bare(runs: &[Vec<Completed>], figure: fn(&Completed) -> f64) -> Row {
    let samples: Vec<Samples> = runs
        .iter()
        .map(|runs| runs.iter().map(figure).collect())
        .collect();
    let names = WAYS.iter().map(|way| way.name().to_owned());
    let more = samples.iter().map(|own| own.minus(&samples[0]));
    let mut beside: Vec<(String, Samples)> = names.zip(more).collect();
    let ours = beside.pop().map(|(_, ours)| ours).unwrap_or_default();
    beside[0] = ("bare, all of a row".to_owned(), samples[0].clone());
    Row {
        key: String::new(),
        what: String::new(),
        unit: Unit::Microseconds,
        goal: None,
        ours,
        beside,
    }
}

/// Whether it stays so with many more rows, and what memory the session takes.
fn larger(bed: &Bed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (size, name) in [
        (100_000, "100,000"),
        (bed.effort.either(1_000_000, 200_000), "1,000,000"),
    ] {
        crate::progress(&format!("One UPDATE of {size} rows"));
        let ways = [Way::Bare, Way::Ours];
        let mut runs = Vec::new();
        for way in ways {
            bed.refill(way, size.max(bed.effort.tasks()), Spread::Even)?;
            runs.push(complete(bed, way, size)?);
        }
        rows.push(Row {
            key: format!("bulk-{name}"),
            what: format!("The same with {name} rows"),
            unit: Unit::Microseconds,
            goal: Some(Goal::AtMost(8.0)),
            ours: Samples::one(runs[1].a_row - runs[0].a_row),
            beside: vec![("bare, all of a row".to_owned(), Samples::one(runs[0].a_row))],
        });
        rows.push(Row {
            key: format!("bulk-{name}-memory"),
            what: "· memory that the session takes for it".to_owned(),
            unit: Unit::Megabytes,
            goal: None,
            ours: Samples::one(runs[1].memory),
            beside: vec![("bare".to_owned(), Samples::one(runs[0].memory))],
        });
    }
    Ok(rows)
}

struct Completed {
    /// Microseconds.
    a_row: f64,
    /// Of the session, in microseconds.
    processor: f64,
    /// Megabytes at most, beyond what the session had before.
    memory: f64,
}

fn complete(bed: &Bed, way: Way, rows: u32) -> Result<Completed> {
    let mut client = bed.connect(way)?;
    let statement = match way {
        Way::Floor => COMPLETE_AND_LOG,
        _ => COMPLETE,
    };
    let session = u32::try_from(client.query_one("SELECT pg_backend_pid()", &[])?.get::<_, i32>(0))?;
    let statement = client.prepare(statement)?;
    let (before, time) = (process::anonymous_memory(session)?, process::time(session)?);
    let (took, most) = watched(session, || run(&mut client, &statement, rows))?;
    Ok(Completed {
        a_row: took.as_secs_f64() * 1e6 / f64::from(rows),
        processor: (process::time(session)? - time).as_secs_f64() * 1e6 / f64::from(rows),
        memory: most.saturating_sub(before) as f64 / 1e6,
    })
}

fn run(client: &mut Client, statement: &postgres::Statement, rows: u32) -> Result<Duration> {
    let started = Instant::now();
    client.execute(statement, &[&i64::from(rows)])?;
    Ok(started.elapsed())
}

/// Also gives the most memory that the session had.
fn watched<T>(session: u32, run: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                most.fetch_max(process::anonymous_memory(session).unwrap_or_default(), Relaxed);
                thread::sleep(GLANCE);
            }
        });
        let result = run();
        done.store(true, Relaxed);
        result
    })
    .map(|result| (result, most.load(Relaxed)))
}
