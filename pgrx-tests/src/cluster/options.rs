//! How a cluster is set up, and how it is shut down.

use std::env;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use super::stage::Stage;

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Settings beyond the defaults, as in postgresql.conf; values are quoted for you.
    pub settings: Vec<(String, String)>,
    /// Variables of the server's environment.
    pub environment: Vec<(String, String)>,
    /// Whether `shared_preload_libraries` names zentry_notify.
    pub preload: bool,
    /// Whether a crash of the machine would lose nothing. Off, `fsync` costs nothing: for tests, not for measurements.
    pub durable: bool,
    /// How many files each process may have, and may allow itself at most; none: as this process.
    pub files: Option<(u32, u32)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            environment: Vec::new(),
            preload: true,
            durable: false,
            files: None,
        }
    }
}

impl ClusterOptions {
    /// Add a setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// With logical decoding, by PostgreSQL's own plugins, pglogical's and wal2json. Servers from November 2026 on have a list of plugins, and others do not start
    /// with it.
    #[must_use]
    pub fn logical(self) -> Self {
        const LIST: &str = "output_plugin_libraries";
        let options = self.set("wal_level", "logical");
        let known = Stage::get().ok().and_then(|stage| {
            let described = Command::new(stage.program("postgres"))
                .arg("--describe-config")
                .output()
                .ok()?;
            Some(String::from_utf8_lossy(&described.stdout).contains(LIST))
        });
        if known == Some(true) {
            options.set(LIST, "pgoutput, test_decoding, pglogical_output, wal2json")
        } else {
            options
        }
    }

    /// Add a variable to the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }
}

/// How the server is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Wait for sessions to end.
    Smart,
    /// End the sessions, shut down cleanly.
    Fast,
    /// Leave without cleaning up: the next start recovers.
    Immediate,
}

impl StopMode {
    pub(super) fn signal(self) -> Signal {
        match self {
            Self::Smart => Signal::SIGTERM,
            Self::Fast => Signal::SIGINT,
            Self::Immediate => Signal::SIGQUIT,
        }
    }
}

pub(super) fn settings(dir: &Path, options: ClusterOptions) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = [
        ("listen_addresses", ""),
        ("unix_socket_directories", &dir.to_string_lossy()),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("lc_messages", "C"),
        ("log_line_prefix", "%m [%p] %b %q%u@%d "),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if options.preload {
        settings.push(("shared_preload_libraries".to_owned(), "zentry_notify".to_owned()));
    }
    if !options.durable {
        settings.push(("fsync".to_owned(), "off".to_owned()));
        settings.push(("full_page_writes".to_owned(), "off".to_owned()));
    }
    settings.extend(for_all_clusters());
    settings.extend(options.settings);
    settings
}

/// What `$ZENTRY_SETTINGS` has for every cluster of this process: "name=value name=value".
fn for_all_clusters() -> Vec<(String, String)> {
    let settings = env::var("ZENTRY_SETTINGS").unwrap_or_default();
    settings
        .split_whitespace()
        .filter_map(|setting| setting.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
