//! Every call with input that is wrong, and what the caller is told: `errors.txt` has both. After a change of a text,
//! `ZENTRY_WRITE=1 scripts/with cargo test -p zentry-e2e --test settings errors` writes it anew, to be read before it is committed.

use std::fmt::Write;
use std::{env, fs};

use postgres::Client;
use postgres::error::DbError;
use zentry_e2e::cluster::TestDatabase;
use zentry_e2e::zentry;

use crate::support::whole_text;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/settings/errors.txt");

/// Words of Rust and its libraries, and of PL/pgSQL's RAISE: nobody who calls us knows them.
const INTERNALS: [&str; 17] = [
    "expected struct",
    "expected a",
    "untagged",
    "invalid type",
    "missing field",
    "unknown field",
    "at line 1",
    "line 1 column",
    "without a base",
    "os error",
    "<NULL>",
    "Some(",
    "None",
    "Err(",
    "panicked",
    "unwrap",
    "SPI_",
];

const SCENE: &str = "
    SET client_min_messages = error;
    CREATE EXTENSION zentry_notify;
    ALTER DATABASE :db SET zentry_notify.sending = off;
    SELECT zentry_register_webhook('Team', 'discord', 'https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_abcd');
    SELECT zentry_register_webhook('Flow', 'teams', 'https://a.01.environment.api.powerplatform.com/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sig=secretsecretsecret');
    SELECT zentry_register_event_type('release_published', 'Release {{ version }}', sample => '{\"version\": \"2.0\"}');
    CREATE VIEW a_view AS SELECT 1;
    CREATE TABLE other_integrations (id bigint, name text);";

/// The statements of the file: those lines that are not indented.
fn statements(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with([' ', '#']))
        .map(str::to_owned)
        .collect()
}

/// `$long(N)` stands for N letters.
fn written_out(statement: &str) -> String {
    let Some((before, rest)) = statement.split_once("$long(") else {
        return statement.to_owned();
    };
    let (length, after) = rest.split_once(')').unwrap();
    format!("{before}{}{after}", "x".repeat(length.parse().unwrap()))
}

fn described(error: &DbError) -> String {
    let mut text = format!("    {}: {}\n", error.code().code(), error.message());
    for (label, part) in [
        ("DETAIL", error.detail()),
        ("HINT", error.hint()),
        ("COLUMN", error.column()),
        ("CONTEXT", error.where_()),
    ] {
        if let Some(part) = part {
            writeln!(text, "    {label}: {}", part.replace('\n', "\n        ")).unwrap();
        }
    }
    text
}

fn scene() -> (TestDatabase, Client) {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    zentry::load(&mut client).unwrap();
    client
        .batch_execute(&SCENE.replace(":db", database.name()))
        .unwrap();
    (database, client)
}

#[test]
fn wrong_calls_say_what_is_wrong_and_what_would_be_right() {
    let expected = fs::read_to_string(FILE).unwrap();
    let (_database, mut client) = scene();
    client
        .batch_execute("CREATE ROLE errors_reader; SELECT zentry_grant('errors_reader', 'manager')")
        .unwrap();
    let (mut found, mut faults) = (String::new(), Vec::new());
    for line in expected.lines().take_while(|line| line.starts_with('#')) {
        writeln!(found, "{line}").unwrap();
    }
    for statement in statements(&expected) {
        let error = match client.batch_execute(&written_out(&statement)) {
            Ok(()) => {
                faults.push(format!("{statement}\n    was not refused"));
                continue;
            }
            Err(error) => error.as_db_error().unwrap().clone(),
        };
        faults.extend(fault(&error).map(|fault| format!("{statement}\n    {fault}\n{}", described(&error))));
        write!(found, "\n{statement}\n{}", described(&error)).unwrap();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    if env::var_os("ZENTRY_WRITE").is_some() {
        fs::write(FILE, &found).unwrap();
        return;
    }
    for (found, expected) in found.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(found.trim_end(), expected.trim_end());
    }
}

/// What must not be in any error of ours, and is.
fn fault(error: &DbError) -> Option<String> {
    let text = whole_text(error);
    if let Some(word) = INTERNALS.iter().find(|word| text.contains(**word)) {
        return Some(format!("has the word {word:?}"));
    }
    // Those stand for "something went wrong inside".
    if ["XX000", "P0001"].contains(&error.code().code()) {
        return Some("has no SQLSTATE of its own".to_owned());
    }
    if error.hint().is_none_or(str::is_empty) {
        return Some("has no HINT".to_owned());
    }
    // Nobody but the caller's own functions stands there, and these calls are nobody's.
    if let Some(context) = error.where_() {
        return Some(format!("has a CONTEXT: {context}"));
    }
    text.contains("swordfish").then(|| "shows a secret".to_owned())
}

/// Where a user's own function calls one of ours, that function is in the CONTEXT, and no function of ours.
#[test]
fn the_context_says_where_the_caller_was() {
    let (_database, mut client) = scene();
    client
        .batch_execute(
            "CREATE FUNCTION mine() RETURNS void LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM zentry_register_webhook('x', 'discord', 'nowhere'); END $$",
        )
        .unwrap();
    let error = crate::support::refusal(&mut client, "SELECT mine()");
    assert_eq!(
        error.where_(),
        Some(
            "SQL statement \"SELECT zentry_register_webhook('x', 'discord', 'nowhere')\"\n\
             PL/pgSQL function mine() line 1 at PERFORM"
        )
    );
}

/// As people see it.
#[test]
fn psql_shows_no_context_for_a_wrong_url() {
    let (database, _client) = scene();
    let shown = database
        .cluster()
        .psql(&[
            "--dbname",
            database.name(),
            "--command",
            "SELECT zentry_register_webhook('x', 'discord', 'nowhere')",
        ])
        .unwrap_err()
        .to_string();
    assert!(shown.contains("ERROR:  the webhook URL is not a URL"), "{shown}");
    assert!(!shown.contains("CONTEXT"), "{shown}");
}
