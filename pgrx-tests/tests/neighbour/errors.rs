//! Errors and notices of everybody else reach the client as without the library, to the last field.

use std::collections::BTreeSet;

use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::zentry;

use crate::cases::{CASES, SETUP};
use crate::session::{Fields, Session};

/// Makes a database with what the cases need. `extend` runs in it before that.
pub fn prepared(cluster: &Cluster, database: &str, extend: &str) -> Session {
    let mut administrator = cluster.connect().unwrap();
    administrator
        .batch_execute(&format!("CREATE DATABASE {database}"))
        .unwrap();
    administrator
        .batch_execute(
            "DO $$ BEGIN CREATE ROLE neighbour_nobody; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        )
        .unwrap();
    let mut session = Session::open(cluster, database);
    session.prepare(extend);
    session.prepare(SETUP);
    session
}

/// What the server says to each of the cases' statements.
pub fn hear_all(session: &mut Session) -> Vec<(String, Vec<Fields>)> {
    CASES
        .iter()
        .flat_map(|(case, statements)| statements.iter().map(move |statement| (case, statement)))
        .map(|(case, statement)| (format!("{case}: {statement}"), session.run(statement)))
        .collect()
}

/// A server with the library preloaded.
pub fn preloaded() -> ClusterOptions {
    ClusterOptions::default()
}

/// A server without it.
pub fn bare() -> ClusterOptions {
    ClusterOptions {
        preload: false,
        ..ClusterOptions::default()
    }
}

/// Every kind of field that the library could lose is in what the bare server says.
fn assert_telling(said: &[(String, Vec<Fields>)]) {
    let silent: Vec<_> = CASES
        .iter()
        .map(|(case, _)| case)
        .filter(|case| {
            !said
                .iter()
                .any(|(statement, fields)| statement.starts_with(*case) && !fields.is_empty())
        })
        .collect();
    assert!(silent.is_empty(), "nothing was said of {silent:?}");
    let kinds: BTreeSet<_> = said
        .iter()
        .flat_map(|(_, fields)| fields.iter().flatten())
        .filter_map(|field| field.split_once(": ").map(|(name, _)| name))
        .collect();
    for kind in [
        "severity",
        "code",
        "message",
        "detail",
        "hint",
        "position",
        "internal position",
        "internal query",
        "context",
        "schema",
        "table",
        "column",
        "data type",
        "constraint",
        "file",
        "line",
        "routine",
    ] {
        assert!(kinds.contains(kind), "no statement gives an error with a {kind}");
    }
}

fn assert_same(bare: &[(String, Vec<Fields>)], other: &[(String, Vec<Fields>)], where_: &str) {
    let differing: Vec<_> = bare
        .iter()
        .zip(other)
        .filter(|(bare, other)| bare != other)
        .map(|(bare, other)| format!("{}\n without: {:#?}\n with: {:#?}", bare.0, bare.1, other.1))
        .collect();
    assert!(
        differing.is_empty(),
        "{where_}, {} of {} statements are answered otherwise:\n{}",
        differing.len(),
        bare.len(),
        differing.join("\n")
    );
}

/// The server's processes inherit RUST_BACKTRACE from the postmaster; pgrx could put a backtrace into errors then.
#[test]
fn everything_that_is_said_is_the_same_with_the_library() {
    let without = Cluster::start(bare()).unwrap();
    let expected = hear_all(&mut prepared(&without, "plain", ""));
    assert_telling(&expected);
    assert_same(
        &expected,
        &hear_all(&mut prepared(&without, "again", "")),
        "once more",
    );
    let loads = "LOAD 'zentry_notify'";
    assert_same(
        &expected,
        &hear_all(&mut prepared(&without, "loaded", loads)),
        "loaded by the session",
    );
    let extended = format!(
        "{}; {}; CREATE EXTENSION zentry_notify",
        zentry::TABLES,
        zentry::DATA
    );
    for backtrace in [None, Some("1"), Some("full")] {
        let mut options = preloaded();
        if let Some(backtrace) = backtrace {
            options = options.env("RUST_BACKTRACE", backtrace);
        }
        let with = Cluster::start(options).unwrap();
        let where_ = format!("with RUST_BACKTRACE {backtrace:?}");
        let said = hear_all(&mut prepared(&with, "plain", ""));
        assert_same(
            &expected,
            &said,
            &format!("{where_}, in a database without the extension"),
        );
        let said = hear_all(&mut prepared(&with, "extended", &extended));
        assert_same(&expected, &said, &format!("{where_}, in a database with it"));
    }
}
