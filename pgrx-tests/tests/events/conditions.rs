//! On which writes a table fires: conditions over OLD and NEW, and what they must not be able to do.

use zentry_e2e::scene::Scene;

use crate::attach::plain;
use crate::support::{Session, sent};

fn count(scene: &mut Scene, session: &mut Session, sql: &str) -> usize {
    let before = sent(scene, "task_completed").len();
    session.run(sql);
    sent(scene, "task_completed").len() - before
}

fn attach(session: &mut Session, arguments: &str) -> Vec<String> {
    session.run(&format!(
        "SELECT zentry_attach('task_completed', 'task', {arguments})"
    ))
}

#[test]
fn a_condition_over_new_alone_fires_when_it_has_become_true() {
    let (mut scene, mut session) = plain();
    for condition in [
        "NEW.status = 'done'",
        "status = 'done'",
        "new.status = 'done' -- a comment",
    ] {
        attach(&mut session, &format!("condition => $${condition}$$"));
        let (scene, session) = (&mut scene, &mut session);
        assert_eq!(
            count(scene, session, "UPDATE task SET status = 'done' WHERE id = 1"),
            1
        );
        assert_eq!(
            count(
                scene,
                session,
                "UPDATE task SET title = title || '!' WHERE id = 1"
            ),
            0
        );
        assert_eq!(
            count(scene, session, "UPDATE task SET status = 'todo' WHERE id = 1"),
            0
        );
        assert_eq!(
            count(
                scene,
                session,
                "INSERT INTO task (title, status) VALUES ('x', 'done')"
            ),
            1
        );
        assert_eq!(count(scene, session, "DELETE FROM task WHERE title = 'x'"), 0);
    }
}

#[test]
fn a_condition_over_both_is_taken_as_it_is() {
    let (mut scene, mut session) = plain();
    let (scene, session) = (&mut scene, &mut session);
    attach(
        session,
        "condition => $$OLD.status = 'todo' AND NEW.title <> 'x'$$",
    );
    assert_eq!(
        count(scene, session, "UPDATE task SET status = status WHERE id = 1"),
        1
    );
    assert_eq!(
        count(scene, session, "UPDATE task SET title = 'x' WHERE id = 1"),
        0
    );
    assert_eq!(count(scene, session, "INSERT INTO task (title) VALUES ('y')"), 0);
}

#[test]
fn deletes_tell_of_the_row_that_was() {
    let (mut scene, mut session) = plain();
    session.run(
        "SELECT zentry_register_event_type('task_dropped', 'Dropped: {{ title }}'); \
         SELECT zentry_attach('task_dropped', 'task', condition => $$OLD.status <> 'done'$$, operation => 'delete'); \
         DELETE FROM task WHERE id IN (1, 2)",
    );
    let titles: Vec<_> = sent(&mut scene, "task_dropped")
        .iter()
        .map(|event| event["title"].clone())
        .collect();
    assert_eq!(titles, ["Write the landing page", "Redirect the old URLs"]);
    session.run("SELECT zentry_attach('task_dropped', 'task', operation => 'insert or update or delete'); UPDATE task SET title = title");
    assert_eq!(
        sent(&mut scene, "task_dropped").len(),
        2,
        "an UPDATE that changes nothing"
    );
    session.run("UPDATE task SET title = 'x'; INSERT INTO task (title) VALUES ('y'); DELETE FROM task");
    assert_eq!(sent(&mut scene, "task_dropped").len(), 6);
}

/// Names are found as whoever attaches finds them, whoever writes.
#[test]
fn names_mean_what_they_meant_when_it_was_attached() {
    let (mut scene, mut session) = plain();
    session.run(
        "CREATE SCHEMA shop; CREATE FUNCTION shop.is_big(i int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT i > 1'; \
         CREATE FUNCTION shop.shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)'; \
         CREATE SCHEMA evil; CREATE FUNCTION evil.shout(t text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$; \
         CREATE FUNCTION evil.upper(t text) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$; \
         SET search_path = shop, public",
    );
    let said = attach(
        &mut session,
        r#"'{"points": "shout(title)", "task_title": "upper(title)"}', condition => $$is_big(NEW.id) AND NEW.status = 'done'$$"#,
    );
    assert!(
        said[0].starts_with(
            "the condition of task_completed calls shop.is_big(integer)\nHINT: Every role that writes"
        ),
        "{said:?}"
    );
    session.run(
        "SET search_path = evil, pg_catalog, public; UPDATE task SET status = 'done' WHERE id IN (1, 2)",
    );
    let events = sent(&mut scene, "task_completed");
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["points"], &events[0]["task_title"]),
        (&events[0]["task_title"], &"REDIRECT THE OLD URLS".into())
    );
}

#[test]
fn what_is_pasted_stays_one_expression() {
    let (_scene, mut session) = plain();
    session.run("CREATE TABLE canary (a int)");
    for sql in [
        "true) EXECUTE FUNCTION evil(); --",
        "true); DROP TABLE canary; SELECT (true",
        "true) FROM canary; --",
        "true), (true",
        "true) UNION SELECT (true",
        "true) AS x, (SELECT true",
        "true) INTO stolen FROM (SELECT 1",
        "true) WHERE (true",
        "true) ORDER BY (1",
        "true) LIMIT (1",
        "true) FOR UPDATE --",
        "true /*",
        "",
        " -- ",
        "true; select true",
        "(WITH d AS (DELETE FROM canary RETURNING true) SELECT true)",
        "$1",
        "*",
        "new.*",
        "DEFAULT",
    ] {
        for call in [
            "condition => $q$",
            "operation => 'update', condition => $q$OLD.id = 1 AND ",
        ] {
            let error = session.fails(&format!(
                "SELECT zentry_attach('task_completed', 'task', {call}{sql}$q$)"
            ));
            assert!(
                error.contains("the condition cannot be used") || error.starts_with("42601"),
                "{sql}: {error}"
            );
        }
        let given = serde_json::json!({ "points": sql }).to_string();
        session.fails(&format!(
            "SELECT zentry_attach('task_completed', 'task', $q${given}$q$)"
        ));
    }
    let sub_select =
        session.fails("SELECT zentry_attach('task_completed', 'task', condition => 'select true')");
    assert!(
        sub_select.starts_with("0A000 the condition cannot be used: it has a sub-select"),
        "{sub_select}"
    );
    assert_eq!(session.number("SELECT count(*) FROM canary"), 0);
    assert_eq!(
        session.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zentry%'"),
        0
    );
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_source"),
        0
    );
}
