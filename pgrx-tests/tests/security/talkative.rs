//! A server that says all that it can be told to say, and readers of what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, Stage};
use zentry_e2e::site::Site;

/// Starts a server that writes down all that PostgreSQL can be told to write down, as an administrator would who knows SECURITY.md.
pub fn talkative_site(options: ClusterOptions) -> Result<Site> {
    let options = options
        .set(
            "shared_preload_libraries",
            "zentry_notify,pg_stat_statements,auto_explain",
        )
        .set("zentry_notify.request_timeout", "500ms")
        .set("logging_collector", "on")
        .set("log_destination", "stderr,csvlog")
        .set("log_min_messages", "debug1")
        .set("log_error_verbosity", "verbose")
        .set("log_statement", "all")
        .set("log_duration", "on")
        .set("log_min_duration_statement", 0)
        .set("log_parameter_max_length", 0)
        .set("pg_stat_statements.track", "all")
        .set("auto_explain.log_min_duration", 0)
        .set("auto_explain.log_nested_statements", "on")
        .set("auto_explain.log_verbose", "on")
        .set("auto_explain.log_analyze", "on");
    let options = match Stage::get()?.major() {
        16.. => options.set("auto_explain.log_parameter_max_length", 0),
        _ => options,
    };
    Site::start(options)
}

/// Looks over and over at what pg_stat_activity shows, until told to stop; the thread returns every text that it has shown.
pub fn watch(mut client: Client, stop: Arc<AtomicBool>) -> thread::JoinHandle<BTreeSet<String>> {
    const TEXTS: &str = "SELECT concat_ws(' | ', datname, usename, application_name, client_hostname, wait_event, query, backend_type) \
                           FROM pg_stat_activity";
    thread::spawn(move || {
        let mut seen = BTreeSet::new();
        while !stop.load(Ordering::SeqCst) {
            for row in client.query(TEXTS, &[]).unwrap() {
                seen.insert(row.get(0));
            }
            // Often, but those that it looks at need the processor, too.
            thread::sleep(Duration::from_millis(1));
        }
        seen
    })
}

/// Whether a file of the directory has the words.
pub fn contains(logs: &Path, words: &str) -> Result<bool> {
    for entry in fs::read_dir(logs)? {
        let text = String::from_utf8_lossy(&fs::read(entry?.path())?).into_owned();
        if text.contains(words) {
            return Ok(true);
        }
    }
    Ok(false)
}
