//! docs/operations.md's tables of messages: whatever we write to the server log of our own accord stands there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

const PAGE: &str = include_str!("../../../docs/operations.md");
const PREFIX: &str = "zentry_notify: ";
/// Shorter ones are placeholders and little else.
const SHORTEST: usize = 8;

/// The Rust sources and the install SQL. Releases and steps of before have their own.
fn sources() -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut directories = vec![root.join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path);
            }
        }
    }
    for entry in fs::read_dir(root.join("sql"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Whether what follows is what pg_stat_activity shows of the worker.
fn names_a_task(before: &str) -> bool {
    let before = before.trim_end();
    [
        "attempt(",
        "transaction(",
        "transaction_as_self(",
        "snapshot_as_self(",
        "routing(",
    ]
    .iter()
    .any(|call| before.ends_with(call))
}

/// The longest part of each message that is the same whatever it is about.
fn messages(source: &str) -> Vec<&str> {
    let literal = |quote: char| {
        let opening = format!("{quote}{PREFIX}");
        source
            .match_indices(&opening)
            .filter(|(at, _)| !names_a_task(&source[..*at]))
            .map(|(at, _)| {
                let text = &source[at + opening.len()..];
                &text[..text.find(quote).unwrap_or(text.len())]
            })
            .collect::<Vec<_>>()
    };
    literal('"')
        .into_iter()
        .chain(literal('\''))
        .filter_map(|message| {
            message
                .split(['{', '}', '%'])
                .map(|part| part.trim_matches([' ', ':', '"']))
                .max_by_key(|part| part.len())
        })
        .filter(|part| part.len() >= SHORTEST)
        .collect()
}

#[test]
fn every_message_of_ours_is_explained() -> Result<()> {
    let (_, tables) = PAGE
        .split_once("\n## Messages in the server log\n")
        .expect("the section");
    let tables = tables.split("\n## ").next().unwrap_or(tables);
    let mut known = 0;
    for path in sources()? {
        let source = fs::read_to_string(&path)?;
        for message in messages(&source) {
            assert!(
                tables.contains(message),
                "{}: \"{message}\" is not explained",
                path.display()
            );
            known += 1;
        }
    }
    assert!(known > 20, "only {known} messages were found");
    Ok(())
}
