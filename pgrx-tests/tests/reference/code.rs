//! Pages that are written by hand, and have to name all that the code has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Names that follow `before`, in the files.
fn names_after(paths: &[PathBuf], before: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        let letters = text.chars();
        letters
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect::<String>()
            .to_lowercase()
    };
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    texts
        .flat_map(|text| text.split(before).skip(1).map(name).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect()
}

/// What functions, triggers and statements of ours raise, by the names that PostgreSQL has for conditions.
#[test]
fn the_page_of_errors_has_each_condition_that_is_raised() {
    // What comes with a warning, and what a condition that nobody knows would be raised with.
    const NOT_RAISED: [&str; 2] = ["warning", "raise_exception"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = read("errors.md");
    let sql: Vec<PathBuf> = files(&root.join("sql"))
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            path.parent().unwrap().ends_with("sql") && name.starts_with(|c: char| c.is_ascii_digit())
        })
        .collect();
    let rust: Vec<PathBuf> = ["api", "attach", "pg"]
        .iter()
        .flat_map(|part| files(&root.join("src").join(part)))
        .chain([root.join("src/installation.rs"), root.join("src/report.rs")])
        .filter(|path| !path.ends_with("pg/subtransaction.rs"))
        .collect();
    let refused = names_after(&sql, "zentry_notify.refuse('");
    assert!(refused.len() > 10, "{refused:?}");
    // A condition that it does not know would have no SQLSTATE of its own.
    let known = fs::read_to_string(root.join("src/api/refuse.rs")).unwrap();
    for condition in &refused {
        assert!(
            known.contains(&format!("\"{condition}\" =>")),
            "refuse() does not know {condition}"
        );
    }
    let raised = refused
        .into_iter()
        .chain(names_after(&sql, "ERRCODE = '"))
        .chain(names_after(&rust, "ERRCODE_"));
    let missing: BTreeSet<String> = raised
        .map(|name| name.replace("e_r_i_e_", ""))
        .filter(|name| !NOT_RAISED.contains(&name.as_str()) && !page.contains(&format!("| {name} |")))
        .collect();
    assert!(missing.is_empty(), "docs/reference/errors.md lacks {missing:?}");
}
