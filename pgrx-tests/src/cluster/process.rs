//! The processes of a cluster's server.

use std::fs;
use std::process::Child;
use std::time::Duration;

use anyhow::Result;
use nix::unistd::Pid;

/// How long a server may take to start, or to reload its settings.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The process id of a child.
pub(super) fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// The children of a process, as proc(5) lists them; exact while the process is stopped.
pub(super) fn children(parent: u32) -> Result<Vec<Pid>> {
    fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?
        .split_whitespace()
        .map(|pid| Ok(Pid::from_raw(pid.parse()?)))
        .collect()
}

/// Gone, or a zombie that its new parent has not waited for.
pub(super) fn has_ended(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| {
        stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
    })
}
