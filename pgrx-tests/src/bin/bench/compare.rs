//! Two builds side by side: their runs, taken in turns, row by row.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::figures::{Results, Samples, Unit};

/// Prints each row's medians, and what the second is of the first.
pub fn print(first: &[PathBuf], second: &[PathBuf]) -> Result<()> {
    let (first, second) = (gather(first)?, gather(second)?);
    let mut out = format!("{:>12} {:>12} {:>7}  what\n", "A", "B", "B/A");
    for (key, (what, unit, samples)) in &first.rows {
        let Some((_, _, other)) = second.rows.get(key) else {
            continue;
        };
        let (a, b) = (samples.median(), other.median());
        out.push_str(&format!(
            "{a:>12.2} {b:>12.2} {:>7.2}  {what} ({unit:?})\n",
            b / a
        ));
    }
    print!("{out}");
    Ok(())
}

#[derive(Default)]
struct Gathered {
    rows: BTreeMap<String, (String, Unit, Samples)>,
}

fn gather(files: &[PathBuf]) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let results: Results = serde_json::from_str(&text)?;
        for row in results.rows {
            let entry = gathered
                .rows
                .entry(row.key)
                .or_insert_with(|| (row.what.clone(), row.unit, Samples::default()));
            entry.2.0.extend(row.ours.0);
        }
    }
    Ok(gathered)
}
