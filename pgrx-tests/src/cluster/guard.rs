//! Cleaning up after a cluster whatever becomes of the process that started it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context, Result};

use super::stage::Stage;

/// A process that reads from a pipe of ours. When the pipe closes, because we say so or because this process ended in
/// any way whatever (exit, panic, Ctrl-C, SIGKILL), it stops the server and removes the cluster's directory.
#[derive(Debug)]
pub(crate) struct Guard(Child);

// `$1` is pg_ctl, `$2` the cluster's directory.
const SCRIPT: &str = r#"
read -r _
"$1" stop --pgdata "$2/data" --mode immediate
rm -rf "$2"
"#;

impl Guard {
    pub(crate) fn over(stage: &Stage, dir: &Path) -> Result<Self> {
        let child = stage
            .as_server("sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(stage.program("pg_ctl"))
            .arg(dir)
            .process_group(0) // out of reach of the terminal's Ctrl-C
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the cluster's guard")?;
        Ok(Self(child))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
