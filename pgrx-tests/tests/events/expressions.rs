//! Expressions that fail, and the rights that they have.

use crate::attach::plain;
use crate::privileges::role;
use crate::support::{Session, sent};

#[test]
fn an_expression_that_fails_on_a_row_fails_neither_the_write_nor_the_event() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN parts int; SELECT zentry_attach('task_completed', 'task', '{\"points\": \"100 / parts\"}'); \
         UPDATE task SET parts = id - 1",
    );
    // It is the worker that evaluates it.
    let said = session.run("UPDATE task SET status = 'completed'");
    assert_eq!(said, [] as [&str; 0]);
    let points: Vec<_> = sent(&mut scene, "task_completed")
        .iter()
        .map(|event| event["points"].clone())
        .collect();
    assert_eq!(points, [serde_json::Value::Null, 100.into(), 50.into()]);
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL"),
        0
    );
}

#[test]
fn a_column_that_an_expression_names_and_that_goes_suspends_the_source() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN parts int DEFAULT 1; SELECT zentry_attach('task_completed', 'task', '{\"points\": \"100 / parts\"}'); \
         ALTER TABLE task RENAME COLUMN parts TO pieces",
    );
    let said = session.run("UPDATE task SET status = 'completed' WHERE id = 1");
    assert!(
        said[0].starts_with("zentry_notify: task_completed on table \"task\" is suspended (SQLSTATE 42703)"),
        "{said:?}"
    );
    // Mended by hand, as by Zentry's own.
    session.run("ALTER TABLE task RENAME COLUMN pieces TO parts; SELECT zentry_attach(); UPDATE task SET status = 'completed' WHERE id = 2");
    assert_eq!(sent(&mut scene, "task_completed").len(), 1);
}

/// An expression is SQL of the table's owner: it has their rights and no more, whoever writes.
#[test]
fn expressions_have_the_rights_of_the_tables_owner() {
    let (mut scene, mut session) = plain();
    let mut manager = role(&mut scene, Some("manager"));
    let mut writer = role(&mut scene, None);
    let name = manager.text("SELECT current_user::text");
    let writer_name = writer.text("SELECT current_user::text");
    session.run(&format!(
        "CREATE SCHEMA own AUTHORIZATION {name}; CREATE TABLE public.secret (text text); INSERT INTO public.secret VALUES ('a secret'); \
         SELECT zentry_register_event_type('own', 'Own')"
    ));
    manager.run(&format!(
        "CREATE TABLE own.item (id int); GRANT USAGE ON SCHEMA own TO {writer_name}; GRANT INSERT ON own.item TO {writer_name}; \
         SELECT zentry_attach('own', 'own.item', '{{\"who\": \"current_user::text\"}}')"
    ));
    writer.run("INSERT INTO own.item VALUES (1)");
    session.run("INSERT INTO own.item VALUES (2)");
    let who: Vec<_> = sent(&mut scene, "own")
        .iter()
        .map(|event| event["who"].clone())
        .collect();
    assert_eq!(who, [name.clone(), name]);
    // Nothing that they may not read themselves, found when it is attached.
    let error = manager
        .fails("SELECT zentry_attach('own', 'own.item', '{\"x\": \"(SELECT text FROM public.secret)\"}')");
    assert!(
        error.starts_with("42501 table own.item cannot fire own: permission denied for table secret"),
        "{error}"
    );
    assert!(
        error.contains("HINT: Look-ups and expressions run with the rights of the table's owner"),
        "{error}"
    );
    let error = manager.fails("SELECT zentry_attach('own', 'own.item', '{\"x\": {\"from\": \"public.secret\", \"match\": \"text\", \"key\": \"id\", \"column\": \"text\"}}')");
    assert!(
        error.starts_with("42804 ") || error.starts_with("42501 "),
        "{error}"
    );
    // Not the tables of others.
    let error = manager.fails("SELECT zentry_attach('task_completed', 'task')");
    assert!(
        error.starts_with("42501 must be owner of table public.task"),
        "{error}"
    );
    assert!(
        writer
            .fails("SELECT zentry_attach('own', 'own.item')")
            .starts_with("42501 ")
    );
    // What was in place is as it was.
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_source WHERE columns ? 'who'"),
        1
    );
}

/// An owner's expression cannot use a superuser's session that runs it.
#[test]
fn an_expression_cannot_become_somebody_else() {
    let (mut scene, mut session) = plain();
    let mut manager = role(&mut scene, Some("manager"));
    let name = manager.text("SELECT current_user::text");
    session.run(&format!(
        "CREATE SCHEMA own AUTHORIZATION {name}; SELECT zentry_register_event_type('own', 'Own')"
    ));
    manager.run(
        "CREATE TABLE own.item (id int); \
         CREATE FUNCTION own.try(statement text) RETURNS text LANGUAGE plpgsql AS \
           $$ BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$; \
         SELECT zentry_attach('own', 'own.item', '{\"role\": \"own.try(''SET ROLE postgres'')\", \
           \"grant\": \"own.try(''ALTER ROLE CURRENT_USER SUPERUSER'')\", \"temp\": \"own.try(''CREATE TEMP TABLE mine (a int)'')\", \
           \"read\": \"own.try(''SELECT webhook_url FROM zentry_notify.webhook_secret'')\"}')",
    );
    session.run("INSERT INTO own.item VALUES (1)");
    let event = &sent(&mut scene, "own")[0];
    for attempt in ["role", "grant", "temp", "read"] {
        assert_eq!(event[attempt], "42501", "{attempt}: {event}");
    }
    let mut other = Session::of(&scene);
    assert_eq!(
        other.number(&format!(
            "SELECT count(*) FROM pg_roles WHERE rolname = '{name}' AND rolsuper"
        )),
        0
    );
}

/// Messages have whole seconds, and are no reason for what is computed to have them.
#[test]
fn moments_have_their_fractions_in_expressions_and_look_ups() {
    let (mut scene, mut session) = plain();
    session.run(
        "CREATE TABLE era (began timestamptz PRIMARY KEY, name text); INSERT INTO era VALUES ('2024-01-15T10:30:00.25Z', 'ours'), ('2024-01-15T10:30:00Z', 'theirs'); \
         ALTER TABLE task ADD COLUMN began timestamptz, ADD COLUMN ended timestamptz; \
         SELECT zentry_attach('task_completed', 'task', '{\"completed_at\": \"ended\", \"took\": \"extract(epoch FROM ended - began)\", \
           \"user_name\": {\"from\": \"era\", \"match\": \"began\", \"key\": \"began\", \"column\": \"name\"}}')",
    );
    session.run("UPDATE task SET status = 'completed', began = '2024-01-15T10:30:00.25Z', ended = '2024-01-15T11:30:02Z' WHERE id = 1");
    session.run("UPDATE task SET status = 'completed', began = '2024-01-15T10:30:00.25Z', ended = '2024-01-15T10:30:00.75Z' WHERE id = 2");
    session.run("UPDATE task SET status = 'completed', began = '2024-01-15T10:30:00Z', ended = '2024-01-15T10:30:00.125Z' WHERE id = 3");
    let told = sent(&mut scene, "task_completed");
    let took: Vec<_> = told.iter().map(|event| event["took"].as_f64()).collect();
    assert_eq!(took, [Some(3601.75), Some(0.5), Some(0.125)]);
    let names: Vec<_> = told.iter().map(|event| event["user_name"].clone()).collect();
    assert_eq!(names, ["ours", "ours", "theirs"]);
    assert_eq!(told[1]["completed_at"], "2024-01-15T10:30:00Z");
}

/// A value that is cut is none for an expression; another one that has its key in the data is.
#[test]
fn a_long_value_is_not_taken_for_the_column_that_has_the_name_of_its_key() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN task_title text, ADD COLUMN long text; \
         SELECT zentry_attach('task_completed', 'task', '{\"task_title\": \"long\", \"points\": \"length(task_title)\", \"task_description\": \"length(long)\"}'); \
         UPDATE task SET status = 'completed', task_title = 'four', long = repeat('x', 100000) WHERE id = 1",
    );
    let told = sent(&mut scene, "task_completed");
    assert_eq!(told[0]["points"], 4);
    assert_eq!(told[0]["task_description"], serde_json::Value::Null);
}

/// A string within a jsonb has quotes; JSON's null is not told from SQL's.
#[test]
fn values_of_jsonb_are_what_they_are_in_the_row() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN j jsonb; CREATE DOMAIN document AS jsonb; ALTER TABLE task ADD COLUMN d document; \
         SELECT zentry_attach('task_completed', 'task', '{\"points\": \"j::text || jsonb_typeof(d)\", \"task_description\": \"d\"}')",
    );
    let values = [
        r#""abc""#,
        r#""{\"a\": 1}""#,
        "\"null\"",
        "\"1\"",
        "1.10",
        "[1.0, null]",
        r#"{"a": "b"}"#,
    ];
    for value in values {
        session.run(&format!(
            "UPDATE task SET status = 'open' WHERE id = 1; UPDATE task SET status = 'completed', j = '{value}', d = '{value}' WHERE id = 1"
        ));
    }
    session.run(
        "UPDATE task SET status = 'open' WHERE id = 1; UPDATE task SET status = 'completed', j = NULL, d = '1' WHERE id = 1",
    );
    let told = sent(&mut scene, "task_completed");
    let types = [
        "string", "string", "string", "string", "number", "array", "object",
    ];
    let expected = values
        .iter()
        .zip(types)
        .map(|(value, kind)| format!("{value}{kind}"));
    let expected: Vec<serde_json::Value> = expected
        .map(Into::into)
        .chain([serde_json::Value::Null])
        .collect();
    let points: Vec<_> = told.iter().map(|event| event["points"].clone()).collect();
    assert_eq!(points, expected);
    assert_eq!(told[1]["task_description"], r#"{"a": 1}"#);
}
