//! The process of a command that runs until it is told to end: its log, and the signals that end it.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

/// Logs events of this level and of more severe ones to standard error, in colour if it is a terminal.
///
/// # Panics
/// When logging is set up already.
pub fn log_to_stderr(level: LevelFilter) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Returns a future that is ready after SIGTERM or SIGINT. SIGTERM is handled from this call on, SIGINT from the first poll of the future on.
///
/// # Errors
/// When the handler of SIGTERM cannot be installed.
pub fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
}
