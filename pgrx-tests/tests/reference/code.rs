//! Pages that are written by hand, and have to name all that the code has.

use std::fs;

use crate::page;

const MONITORING: &str = include_str!("../../../crates/server/src/web/monitoring/registry.rs");
/// Calls with wrong input, and the errors that they get.
const ERRORS: &str = include_str!("../settings/errors.txt");

fn read(file: &str) -> String {
    fs::read_to_string(page::path(file)).unwrap()
}

/// An OpenMetrics counter is shown with `_total` behind its name.
#[test]
fn the_page_of_metrics_has_each_that_the_server_shows() {
    let page = read("metrics.md");
    let names: Vec<&str> = MONITORING
        .split("registry.register(")
        .skip(1)
        .filter_map(|call| call.split('"').nth(1))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| {
            !["", "_total", "_info"]
                .iter()
                .any(|end| page.contains(&format!("`zentry_notify_{name}{end}`")))
        })
        .collect();
    assert!(missing.is_empty(), "docs/reference/metrics.md lacks {missing:?}");
}

#[test]
fn the_page_of_errors_has_each_sqlstate_that_wrong_input_gets() {
    let page = read("errors.md");
    let states: Vec<&str> = ERRORS
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.split_once(": "))
        .map(|(state, _)| state)
        .filter(|state| {
            state.len() == 5
                && state.starts_with(|c: char| c.is_ascii_digit())
                && state
                    .chars()
                    .all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        })
        .collect();
    assert!(states.len() > 50, "{states:?}");
    let mut missing: Vec<&str> = states
        .into_iter()
        .filter(|state| !page.contains(&format!("`{state}`")))
        .collect();
    missing.dedup();
    assert!(missing.is_empty(), "docs/reference/errors.md lacks {missing:?}");
}
