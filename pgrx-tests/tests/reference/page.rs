//! A page in which people and the catalogue write. What stands between `<!-- made: NAME -->` and `<!-- end -->` is made; the rest is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

/// The text of each made part, by its name.
pub type Parts = BTreeMap<String, String>;

const BEGIN: &str = "<!-- made: ";
const END: &str = "<!-- end -->";

/// Returns the path of a file of docs/reference.
pub fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(file)
}

/// An error unless the page has each of these parts once, and with this text. With `ZENTRY_WRITE` in the environment the parts are written.
pub fn check(file: &str, parts: &Parts) -> Result<()> {
    let there = fs::read_to_string(path(file)).with_context(|| format!("docs/reference/{file}"))?;
    compare(
        file,
        &there,
        &fill(&there, parts).with_context(|| format!("docs/reference/{file}"))?,
    )
}

/// An error unless the file has this text. With `ZENTRY_WRITE` in the environment it is written.
pub fn compare(file: &str, there: &str, made: &str) -> Result<()> {
    if env::var_os("ZENTRY_WRITE").is_some() {
        return Ok(fs::write(path(file), made)?);
    }
    let differs = there
        .lines()
        .zip(made.lines())
        .find(|(there, made)| there != made);
    ensure!(
        there == made,
        "docs/reference/{file} is not of today, run scripts/reference. The first line that differs, there and made: {differs:#?}"
    );
    Ok(())
}

fn fill(page: &str, parts: &Parts) -> Result<String> {
    let mut left: Vec<&str> = parts.keys().map(String::as_str).collect();
    let mut text = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").context("a marker has no end")?;
        let (_, after) = after
            .split_once(END)
            .with_context(|| format!("the part \"{name}\" has no {END}"))?;
        let made = parts
            .get(name)
            .with_context(|| format!("nothing makes the part \"{name}\""))?;
        match left.iter().position(|other| *other == name) {
            Some(at) => left.remove(at),
            None => bail!("the part \"{name}\" stands there twice"),
        };
        text += &format!("{before}{BEGIN}{name} -->\n{}\n{END}", made.trim_matches('\n'));
        rest = after;
    }
    ensure!(
        left.is_empty(),
        "the page lacks these parts (write {BEGIN}NAME --> and {END} where they belong): {left:?}"
    );
    Ok(text + rest)
}

#[test]
fn made_parts_are_filled_and_the_rest_is_kept() {
    let parts = Parts::from([("a".to_owned(), "new".to_owned())]);
    let page = "Before.\n\n<!-- made: a -->\nold\n<!-- end -->\n\nAfter.\n";
    assert_eq!(
        fill(page, &parts).unwrap(),
        "Before.\n\n<!-- made: a -->\nnew\n<!-- end -->\n\nAfter.\n"
    );
    for broken in [
        "nothing made",
        "<!-- made: b -->\n<!-- end -->",
        "<!-- made: a -->\n",
        "<!-- made: a -->\n<!-- end -->\n<!-- made: a -->\n<!-- end -->",
    ] {
        assert!(fill(broken, &parts).is_err(), "{broken}");
    }
}
