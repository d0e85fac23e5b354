//! Waiting for a condition: the one place where tests sleep.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Ask `poll` until it gives a value; an error that names `what` once `timeout` has passed.
pub fn eventually<T>(
    timeout: Duration,
    what: impl AsRef<str>,
    mut poll: impl FnMut() -> Option<T>,
) -> Result<T> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(50);
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = poll() {
            return Ok(value);
        }
        if start.elapsed() >= timeout {
            bail!("waited {timeout:?} in vain for {}", what.as_ref());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
