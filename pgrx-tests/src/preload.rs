//! What stands between a program and the C library, by `LD_PRELOAD`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cluster::Stage;

/// Makes a shared library of this C, of a name that nobody else has.
pub fn compile(source: &str, name: &str) -> Result<PathBuf> {
    let directory = Stage::get()?.private_dir();
    let (c, library) = (
        directory.join(format!("{name}.c")),
        directory.join(format!("{name}.so")),
    );
    fs::write(&c, source)?;
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&c);
    ensure!(
        compiler.arg("-ldl").status()?.success(),
        "cc cannot compile {}",
        c.display()
    );
    Ok(library)
}
