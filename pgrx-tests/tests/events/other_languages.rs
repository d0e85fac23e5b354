//! What is read from PostgreSQL's messages is read in whatever language they are shown.

use std::fs;

use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, Stage};
use zentry_e2e::site::Site;

/// A language that nobody speaks: PostgreSQL's messages with other quotes and another order of words.
const LANGUAGE: &str = "qqq";
const MESSAGES: [(&str, &str); 3] = [
    ("", "Content-Type: text/plain; charset=UTF-8\n"),
    (
        "argument of %s must be type %s, not type %s",
        "arg %s typ %s ne %s",
    ),
    ("column \"%s\" does not exist", "ne kol «%s»"),
];

#[test]
fn hints_about_columns_and_conditions() {
    write_catalogue();
    let options = ClusterOptions {
        environment: vec![("LANGUAGE".to_owned(), LANGUAGE.to_owned())],
        ..ClusterOptions::default()
    };
    let site = Site::start(options.set("lc_messages", "C.UTF-8")).unwrap();
    let mut client = site.database("shop").unwrap();
    client
        .batch_execute("CREATE TABLE item (id bigserial PRIMARY KEY, amount int); SELECT zentry_register_event_type('own', 'Own {{ id }}')")
        .unwrap();
    let (message, _) = failure(&mut client, "SELECT nothing");
    // Later versions of glibc translate nothing in this locale, and no other one is there on every machine.
    if message == "column \"nothing\" does not exist" {
        return;
    }
    assert_eq!(message, "ne kol «nothing»");
    let attach = |arguments: &str| format!("SELECT zentry_attach('own', 'item', {arguments})");
    for (arguments, hint) in [
        ("'{\"x\": \"upper(amuont)\"}'", "Perhaps \"amount\" is meant."),
        ("condition => 'NEW.amount'", "For example NEW.status = 'done'."),
    ] {
        assert_eq!(failure(&mut client, &attach(arguments)).1, hint);
    }
    // The session's language is what it was, after an error and without one.
    client
        .batch_execute(&attach("condition => 'NEW.amount > 1'"))
        .unwrap();
    assert_eq!(failure(&mut client, "SELECT nothing").0, message);
}

/// The message and the hint of a statement that fails.
fn failure(client: &mut Client, sql: &str) -> (String, String) {
    let error = client.batch_execute(sql).unwrap_err();
    let error = error.as_db_error().unwrap();
    (
        error.message().to_owned(),
        error.hint().unwrap_or_default().to_owned(),
    )
}

/// Writes a catalogue in the format of gettext (a header, two tables of lengths and offsets, the texts) where the private PostgreSQL looks for it.
fn write_catalogue() {
    const HEADER: usize = 28;
    let tables = 16 * MESSAGES.len();
    let (originals, translations): (Vec<&str>, Vec<&str>) = MESSAGES.into_iter().unzip();
    let mut entries = Vec::new();
    let mut texts = Vec::new();
    for text in originals.iter().chain(&translations) {
        entries.extend([text.len(), HEADER + tables + texts.len()]);
        texts.extend(text.bytes().chain([0]));
    }
    let header = [
        0x9504_12DE,
        0,
        MESSAGES.len(),
        HEADER,
        HEADER + tables / 2,
        0,
        HEADER + tables,
    ];
    let mut catalogue: Vec<u8> = header
        .iter()
        .chain(&entries)
        .flat_map(|number| u32::try_from(*number).unwrap().to_ne_bytes())
        .collect();
    catalogue.extend(texts);
    let stage = Stage::get().unwrap();
    let major = stage.major();
    let dir = stage
        .private_dir()
        .join(format!("pg{major}/usr/share/locale/{LANGUAGE}/LC_MESSAGES"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("postgres-{major}.mo")), catalogue).unwrap();
}
