//! What the extension takes when there is nothing to do, and the library's size.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::application::Application;
use crate::bed::{Audience, Bed, Spread, Way};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::process;

/// Whatever runs after the last delivery is over by then.
const CALM: Duration = Duration::from_secs(3);

pub fn measure(bed: &Bed) -> Result<Vec<Row>> {
    crate::progress("Idle worker and launcher");
    // A worker is there once it has had something to do.
    bed.register(Way::Ours, Audience::default())?;
    bed.refill(Way::Ours, 1, Spread::Even)?;
    Application::start(bed, Way::Ours, true)?.complete(1, "The last")?;
    bed.wait_until_sent(Way::Ours)?;
    let pids = [
        bed.process(Way::Ours, "launcher")?,
        bed.process(Way::Ours, "worker")?,
    ];
    thread::sleep(CALM);
    let before = pids.map(taken);
    let seconds = bed.effort.either(30, 5);
    thread::sleep(Duration::from_secs(seconds));
    let after = pids.map(taken);
    let mut rows = Vec::new();
    for (index, name) in ["launcher", "worker"].into_iter().enumerate() {
        let ((time, wakes), (time_before, wakes_before)) = (after[index], before[index]);
        rows.push(Row {
            key: format!("idle-{name}-processor"),
            what: format!("Idle {name}: processor time in {seconds} s"),
            unit: Unit::Milliseconds,
            goal: Some(Goal::AtMost(1.0)),
            ours: Samples::one((time - time_before) * 1e3),
            beside: vec![("times woken".to_owned(), Samples::one(wakes - wakes_before))],
        });
        rows.push(Row {
            key: format!("idle-{name}-memory"),
            what: format!("Idle {name}: private memory"),
            unit: Unit::Megabytes,
            goal: Some(Goal::AtMost(12.0)),
            ours: Samples::one(process::private_memory(pids[index])? as f64 / 1e6),
            beside: Vec::new(),
        });
    }
    rows.push(library(bed)?);
    Ok(rows)
}

/// Processor time in seconds, and how often it was woken.
fn taken(pid: u32) -> (f64, f64) {
    let time = process::time(pid).unwrap_or_default();
    (
        time.as_secs_f64(),
        process::wake_ups(pid).unwrap_or_default() as f64,
    )
}

fn library(bed: &Bed) -> Result<Row> {
    let library = bed.cluster.stage().library("zentry_notify.so");
    Ok(Row {
        key: "library".to_owned(),
        what: "`zentry_notify.so`, stripped".to_owned(),
        unit: Unit::Megabytes,
        goal: Some(Goal::AtMost(12.0)),
        ours: Samples::one(fs::metadata(library)?.len() as f64 / 1e6),
        beside: Vec::new(),
    })
}
