//! The versions before this one, whose install SQL `sql/releases` keeps.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cluster::Stage;

/// Make them available to CREATE EXTENSION in the private installation; their numbers, oldest first.
pub fn earlier_versions() -> Result<Vec<String>> {
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/releases");
    let extensions = extension_dir()?;
    let mut versions = Vec::new();
    for file in fs::read_dir(releases)? {
        let file = file?;
        let name = file.file_name();
        let name = name.to_str().context("the file's name")?;
        let version = name
            .strip_prefix("zentry_notify--")
            .and_then(|rest| rest.strip_suffix(".sql"))
            .with_context(|| format!("{name} is no install SQL"))?;
        // Another test may be reading it: it is replaced in one step.
        let copy = extensions.join(format!(
            ".{name}.{}.{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::copy(file.path(), &copy)?;
        fs::rename(&copy, extensions.join(name))?;
        versions.push(version.to_owned());
    }
    versions.sort_by_key(|version| {
        let parts = version.split('.').map(|part| part.parse::<u32>().ok());
        parts.collect::<Vec<_>>()
    });
    ensure!(
        !versions.contains(&env!("CARGO_PKG_VERSION").to_owned()),
        "the version in Cargo.toml is released already"
    );
    Ok(versions)
}

fn extension_dir() -> Result<std::path::PathBuf> {
    let output = Command::new(Stage::get()?.program("pg_config"))
        .arg("--sharedir")
        .output()?;
    ensure!(output.status.success(), "pg_config failed");
    Ok(Path::new(std::str::from_utf8(&output.stdout)?.trim()).join("extension"))
}
