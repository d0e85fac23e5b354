//! What is too long is cut or left out, says so, and fails nobody's write.

use serde_json::json;

use crate::support::Bed;

const LIMIT: usize = 65_536;

#[test]
fn a_text_of_270_million_characters_is_cut_where_it_is_recorded() {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE long (id integer, v text)");
    bed.attach("long", &["id", "v"]);
    bed.session
        .run("INSERT INTO long VALUES (1, repeat('x', 270000000))");
    // Neither compressed nor stored elsewhere, and so big that its JSON would not fit either.
    bed.session
        .run("ALTER TABLE long ALTER v SET STORAGE EXTERNAL; INSERT INTO long VALUES (2, repeat(chr(1), 200000000))");
    let events = bed.events("row_written");
    assert_eq!(events.len(), 2);
    for (event, character) in events.iter().zip(["x", "\u{1}"]) {
        assert_eq!(event.data["v"].as_str().unwrap(), character.repeat(LIMIT));
        assert_eq!(event.context, json!({"cut": ["v"]}));
    }
}

#[test]
fn a_text_ends_between_two_characters() {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE long (v text)");
    bed.attach("long", &["v"]);
    bed.session.run(
        "INSERT INTO long VALUES (repeat('ä', 32768)), (repeat('ä', 32769)), ('x' || repeat('ä', 40000)), (repeat('漢', 30000))",
    );
    let events = bed.events("row_written");
    let text = |event: usize| events[event].data["v"].as_str().unwrap();
    assert_eq!(text(0), "ä".repeat(32_768), "exactly as long as it may be");
    assert_eq!(events[0].context, json!(null));
    assert_eq!(text(1), "ä".repeat(32_768));
    assert_eq!(text(2), format!("x{}", "ä".repeat(32_767)));
    assert_eq!(text(3), "漢".repeat(LIMIT / 3));
    assert!(
        events[1..]
            .iter()
            .all(|event| event.context == json!({"cut": ["v"]}))
    );
}

#[test]
fn what_is_no_text_is_left_out_as_a_whole() {
    let mut bed = Bed::start();
    bed.session
        .run("CREATE TABLE long (b bytea, j jsonb, a integer[], n numeric[], s text)");
    bed.attach("long", &["b", "j", "a", "n", "s"]);
    let warnings = bed.session.run(
        "INSERT INTO long SELECT decode(repeat('00', 70000), 'hex'), to_jsonb(repeat('x', 70000)), \
                array_agg(g), array_agg(1e131000::numeric), 'short' FROM generate_series(1, 20000) g",
    );
    assert_eq!(warnings, [] as [&str; 0]);
    let events = bed.events("row_written");
    assert_eq!(
        events[0].data,
        json!({"b": null, "j": null, "a": null, "n": null, "s": "short"})
    );
    assert_eq!(events[0].context, json!({"cut": ["a", "b", "j", "n"]}));
    // Small where it is stored, and huge where it is written.
    let warnings = bed.session.run(
        "INSERT INTO long (n, s) SELECT array_agg(1e131000::numeric), 'short' FROM generate_series(1, 4000)",
    );
    assert_eq!(warnings, [] as [&str; 0]);
    let events = bed.events("row_written");
    assert_eq!(events[1].data["n"], json!(null));
    assert_eq!(events[1].context, json!({"cut": ["n"]}));
}

#[test]
fn a_row_of_many_long_texts_stays_bounded() {
    let mut bed = Bed::start();
    let columns: Vec<String> = (0..400).map(|n| format!("c{n:03}")).collect();
    let texts: Vec<String> = columns.iter().map(|column| format!("{column} text")).collect();
    bed.session
        .run(&format!("CREATE TABLE long ({})", texts.join(", ")));
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    bed.attach("long", &names);
    let values = vec!["repeat('y', 65000)"; 400].join(", ");
    bed.session.run(&format!("INSERT INTO long VALUES ({values})"));
    let length = bed.session.number(
        "SELECT octet_length(data::text)::bigint FROM zentry_notify.event WHERE event_type = 'row_written'",
    );
    assert!((16 << 20..18 << 20).contains(&length), "{length}");
    let cut = bed.events("row_written")[0].context["cut"]
        .as_array()
        .unwrap()
        .len();
    assert!(cut > 100, "{cut}");
}
