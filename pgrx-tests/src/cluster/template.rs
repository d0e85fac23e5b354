//! A freshly initialised data directory, made once and then copied: an initdb costs more than everything else that
//! a test does to have a cluster.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::stage::Stage;

/// Copy the template to `data`, which must not exist.
pub(crate) fn clone_to(stage: &Stage, data: &Path) -> Result<()> {
    let template = make(stage)?;
    run(stage
        .as_server("cp")
        .args(["--archive", "--reflink=auto"])
        .arg(template)
        .arg(data))
}

fn make(stage: &Stage) -> Result<PathBuf> {
    let template = stage.run_dir().join(format!("template-{}", stage.major()));
    let lock = File::create(template.with_extension("lock"))?;
    lock.lock()?;
    if !template.exists() {
        let unfinished = template.with_extension("new");
        run(stage.as_server("rm").arg("-rf").arg(&unfinished))?;
        run(stage
            .as_server(stage.program("initdb"))
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(&unfinished))?;
        fs::rename(&unfinished, &template)?;
    }
    Ok(template)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
