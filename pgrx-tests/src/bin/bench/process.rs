//! What the kernel says of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of /proc/PID/stat, the same on every Linux since 2.6.
const TICK: Duration = Duration::from_millis(10);

/// Processor time of the children that a process has waited for: of the server's, of the sessions that have ended.
pub fn ended_children(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // proc(5) counts from 1 and begins two before.
    let ticks = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u32>().ok());
    let ticks = ticks(16).zip(ticks(17)).context("/proc/PID/stat")?;
    Ok(TICK * (ticks.0 + ticks.1))
}

/// Processor time of each thread, by name.
pub fn threads(pid: u32) -> Result<Vec<(String, Duration)>> {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path();
        let name = fs::read_to_string(path.join("comm"))?.trim_end().to_owned();
        let stat = fs::read_to_string(path.join("schedstat"))?;
        let nanos = stat
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .context("schedstat")?;
        threads.push((name, Duration::from_nanos(nanos)));
    }
    Ok(threads)
}

/// Processor time of all threads.
pub fn time(pid: u32) -> Result<Duration> {
    Ok(threads(pid)?.iter().map(|(_, time)| *time).sum())
}

/// Bytes that no other process shares: Private_Clean and Private_Dirty.
pub fn private_memory(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(sum_of(&rollup, &["Private_Clean:", "Private_Dirty:"]))
}

/// Bytes of anonymous memory, which is what a session allocates.
pub fn anonymous_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(sum_of(&status, &["RssAnon:"]))
}

/// How often it gave up the processor by itself: how often it was woken.
pub fn wake_ups(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(sum_of(&status, &["voluntary_ctxt_switches:"]) / 1024)
}

/// Of lines as `Name:   123 kB`.
fn sum_of(text: &str, names: &[&str]) -> u64 {
    let value = |line: &str| {
        let (name, rest) = line.split_once(char::is_whitespace)?;
        let kilobytes: u64 = rest.split_whitespace().next()?.parse().ok()?;
        names.contains(&name).then_some(kilobytes * 1024)
    };
    text.lines().filter_map(value).sum()
}
