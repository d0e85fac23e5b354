//! Links between documents lead to a file that there is, and to a heading that it has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents' texts, by their paths from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for folder in ["", "docs", "docs/guide", "docs/reference"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = PathBuf::from(folder).join(entry.unwrap().file_name());
            if name.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(root().join(&name)).unwrap();
                found.insert(name, text);
            }
        }
    }
    found
}

/// The text without its blocks of code, in which a bracket is no link.
fn prose(text: &str) -> String {
    let mut inside = false;
    text.lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !fence && !inside && !line.starts_with("    ")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the text links to or shows, but for other sites.
fn targets(text: &str) -> Vec<String> {
    [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')]
        .iter()
        .flat_map(|(before, end)| {
            text.split(before)
                .skip(1)
                .filter_map(|rest| rest.split_once(*end))
                .map(|(target, _)| target.to_owned())
        })
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The anchors of the headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    prose(text)
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| {
            heading
                .trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// `docs/guide/../x.md` is `docs/x.md`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    assert!(documents.len() > 20);
    let mut broken = Vec::new();
    let mut links = 0;
    for (name, text) in &documents {
        for target in targets(&prose(text)) {
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() {
                name.clone()
            } else {
                normal(&name.parent().unwrap().join(file))
            };
            let leads = match documents.get(&path) {
                Some(document) => anchor.is_empty() || anchors(document).iter().any(|other| other == anchor),
                None => anchor.is_empty() && root().join(&path).exists(),
            };
            if !leads {
                broken.push(format!("{}: {target}", name.display()));
            }
        }
    }
    assert!(links > 100, "{links}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Somebody who comes by reads it to its end.
#[test]
fn the_readme_is_short() {
    let lines = documents()[Path::new("README.md")].lines().count();
    assert!(lines <= 150, "README.md has {lines} lines");
}
