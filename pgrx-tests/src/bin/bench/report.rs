//! The table for people, and docs/benchmarks.md.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::figures::{Goal, Results, Row, Samples, Unit};
use crate::plot;

const INTRODUCTION: &str = include_str!("introduction.md");
const NOTES: &str = include_str!("notes.md");

/// The table as plain text.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let goal = row
            .goal
            .map_or_else(String::new, |goal| format!(" ({})", wanted(goal, row.unit)));
        let _ = writeln!(
            text,
            "{}{goal}\n    ours: {}{}",
            row.what,
            value(&row.ours, row.unit),
            verdict(row)
        );
        for (name, samples) in &row.beside {
            let _ = writeln!(text, "    {name}: {}", beside(name, samples, row.unit));
        }
    }
    text
}

/// Writes the document and its plots.
pub fn write(results: &Results, machine: &str, command: &str, docs: &Path) -> Result<()> {
    let plots = docs.join("benchmarks");
    fs::create_dir_all(&plots)?;
    plot::latency(&results.latency, &plots.join("latency.svg"))?;
    plot::backlog(&results.backlog, &plots.join("backlog.svg"))?;
    let mut text =
        format!("{INTRODUCTION}\n## The machine\n\n{machine}- Command: `{command}`\n\n## Figures\n\n");
    text.push_str("| what | wanted | ours | beside it |\n|---|---|---|---|\n");
    for row in &results.rows {
        let others: Vec<String> = row
            .beside
            .iter()
            .map(|(name, samples)| format!("{name} {}", beside(name, samples, row.unit)))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {}{} | {} |",
            row.what,
            row.goal.map_or_else(String::new, |goal| wanted(goal, row.unit)),
            value(&row.ours, row.unit),
            verdict(row),
            others.join("; "),
        );
    }
    text.push_str("\n![Distribution of the latency](benchmarks/latency.svg)\n\n");
    text.push_str("![Throughput against backlog](benchmarks/backlog.svg)\n\n");
    text.push_str(NOTES);
    Ok(fs::write(docs.join("benchmarks.md"), text)?)
}

fn wanted(goal: Goal, unit: Unit) -> String {
    match goal {
        Goal::AtLeast(least) => format!("≥ {}", number(least, unit)),
        Goal::AtMost(most) => format!("≤ {}", number(most, unit)),
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.goal {
        None => "",
        Some(goal) if goal.is_met(row.ours.median()) => " ✓",
        Some(_) => " ✗",
    }
}

/// A name that tells its own unit, as "bare, writes/s", has plain numbers.
fn beside(name: &str, samples: &Samples, unit: Unit) -> String {
    let unit = if name.ends_with("/s") {
        Unit::PerSecond
    } else {
        unit
    };
    let unit = match name {
        "times woken" => Unit::Times,
        _ if name.starts_with("refused ") => Unit::Times,
        _ if name.ends_with("µs") => Unit::Microseconds,
        _ => unit,
    };
    value(samples, unit)
}

fn value(samples: &Samples, unit: Unit) -> String {
    let median = number(samples.median(), unit);
    match samples.0.len() {
        0 | 1 => median,
        _ => format!(
            "{median} ({}–{})",
            bare(samples.lowest(), unit),
            bare(samples.highest(), unit)
        ),
    }
}

fn number(value: f64, unit: Unit) -> String {
    let suffix = match unit {
        Unit::Ratio | Unit::Times => "",
        Unit::Microseconds => " µs",
        Unit::Milliseconds => " ms",
        Unit::PerSecond => "/s",
        Unit::Megabytes => " MB",
        Unit::Bytes => " B",
    };
    format!("{}{suffix}", bare(value, unit))
}

fn bare(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond | Unit::Bytes => thousands(value.round() as i64),
        Unit::Ratio | Unit::Times | Unit::Milliseconds => format!("{value:.2}"),
        Unit::Microseconds | Unit::Megabytes => format!("{value:.1}"),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&String::from_utf8_lossy(group));
    }
    text
}
