//! Waiting for a condition: the one place where tests sleep.

use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Result, bail};

/// Ask `poll` until it gives a value; an error that names `what` once `timeout` has passed, or `$ZENTRY_PATIENCE` times that: for servers
/// that are made to be slow.
pub fn eventually<T>(
    timeout: Duration,
    what: impl AsRef<str>,
    mut poll: impl FnMut() -> Option<T>,
) -> Result<T> {
    const LONGEST_PAUSE: Duration = Duration::from_millis(50);
    let timeout = timeout * patience();
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

fn patience() -> u32 {
    env::var("ZENTRY_PATIENCE").map_or(1, |factor| factor.parse().unwrap_or(1))
}
