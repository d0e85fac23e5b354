//! A freshly initialised data directory, made once and then copied: an initdb costs more than everything else that
//! a test does to have a cluster.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::stage::{Stage, run_to_end};

/// Copy the template to `data`, which must not exist.
pub(crate) fn clone_to(stage: &Stage, data: &Path) -> Result<()> {
    let template = make(stage)?;
    let mut copy = stage.as_server("cp");
    run_to_end(
        copy.args(["--archive", "--reflink=auto"]).arg(template).arg(data),
        "",
    )
}

fn make(stage: &Stage) -> Result<PathBuf> {
    let name = format!("template-{}", stage.major());
    let lock = File::create(stage.private_dir().join(format!("{name}.lock")))?;
    lock.lock()?;
    let template = stage.run_dir().join(name);
    if !template.exists() {
        let unfinished = template.with_extension("new");
        run_to_end(stage.as_server("rm").arg("-rf").arg(&unfinished), "")?;
        let mut initdb = stage.as_server(stage.program("initdb"));
        initdb
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(&unfinished);
        run_to_end(&mut initdb, "")?;
        run_to_end(stage.as_server("mv").arg(&unfinished).arg(&template), "")?;
    }
    Ok(template)
}
