//! The server's log says of everybody else's statements what it says without the library.

use std::fs;

use serde_json::{Map, Value};
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

use crate::errors::{bare, hear_all, preloaded, prepared};
use crate::session::APPLICATION;

const END: &str = "that was all";

/// What differs between two runs of the same.
const OF_THE_RUN: [&str; 9] = [
    "timestamp",
    "pid",
    "session_id",
    "line_num",
    "session_start",
    "vxid",
    "txid",
    "ps",
    "query_id",
];

/// Runs all cases, and gives what the server logged of them.
fn logged(options: ClusterOptions) -> Vec<Map<String, Value>> {
    let options = options
        .set("logging_collector", "on")
        .set("log_destination", "stderr,jsonlog")
        .set("log_filename", "server.log")
        .set("log_error_verbosity", "verbose")
        .set("log_min_messages", "notice");
    let cluster = Cluster::start(options).unwrap();
    let mut session = prepared(&cluster, "plain", "");
    hear_all(&mut session);
    session.run(&format!("DO $$ BEGIN RAISE LOG '{END}'; END $$"));
    let path = cluster.dir().join("data/log/server.json");
    let text = eventually(SOON, "the log to be written", || {
        fs::read_to_string(&path)
            .ok()
            .filter(|text| text.contains(END) && text.ends_with('\n'))
    })
    .unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Map<String, Value>>(line).unwrap())
        .filter(|entry| {
            entry
                .get("application_name")
                .is_some_and(|name| name == APPLICATION)
        })
        .map(|entry| {
            entry
                .into_iter()
                .filter(|(key, _)| !OF_THE_RUN.contains(&key.as_str()))
                .collect()
        })
        .collect()
}

#[test]
fn the_log_is_the_same_with_the_library() {
    let without = logged(bare());
    assert!(without.len() > 100, "{without:#?}");
    for options in [preloaded(), preloaded().env("RUST_BACKTRACE", "1")] {
        let environment = options.environment.clone();
        let with = logged(options);
        for (without, with) in without.iter().zip(&with) {
            assert_eq!(without, with, "with {environment:?}");
        }
        assert_eq!(without.len(), with.len());
    }
}
