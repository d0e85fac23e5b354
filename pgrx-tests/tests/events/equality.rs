//! What PostgreSQL calls equal is equal: types with an equality of their own, other lengths, other collations.

use crate::recorded::{count, plain, recorded};
use crate::support::Session;

/// A table `job` whose status is of the type, attached.
fn attached(session: &mut Session, status: &str) {
    session.run(&format!(
        "CREATE TABLE job (id int PRIMARY KEY, title text, status {status}); SELECT zentry_attach('task_completed', 'job', done => 'completed')"
    ));
}

/// Whether the trigger of an UPDATE has a condition of PostgreSQL's.
fn asks(session: &mut Session) -> bool {
    session.number("SELECT count(*) FROM pg_trigger WHERE tgname = 'zentry_notify_task_completed_update' AND tgqual IS NOT NULL") == 1
}

#[test]
fn a_status_is_completed_when_its_type_says_so() {
    for (prepare, status, completed) in [
        ("", "text", "completed"),
        ("", "varchar(20)", "completed"),
        ("", "char(20)", "completed"),
        ("CREATE DOMAIN word AS char(20)", "word", "completed"),
        (
            "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "text COLLATE loose",
            "COMPLETED",
        ),
        (
            "CREATE TYPE state AS ENUM ('todo', 'completed')",
            "state",
            "completed",
        ),
        ("CREATE EXTENSION citext", "citext", "Completed"),
        (
            "CREATE SCHEMA own; CREATE EXTENSION citext SCHEMA own; CREATE DOMAIN word AS own.citext",
            "word",
            "COMPLETED",
        ),
    ] {
        let (_scene, mut session) = plain();
        session.run(prepare);
        attached(&mut session, status);
        assert_eq!(asks(&mut session), prepare.contains("citext"), "{status}");
        let session = &mut session;
        let insert = format!("INSERT INTO job VALUES (1, 'a', '{completed}')");
        assert_eq!(count(session, &insert), 1, "{status}: {insert}");
        for (write, events) in [
            ("UPDATE job SET title = 'b'", 0),
            ("UPDATE job SET status = 'todo'", 0),
            ("INSERT INTO job VALUES (2, 'c', 'todo'), (3, 'd', NULL)", 0),
            ("UPDATE job SET status = 'COMPLETED' WHERE id = 4", 0),
        ] {
            if write.contains("COMPLETED") && status == "state" {
                continue;
            }
            assert_eq!(count(session, write), events, "{status}: {write}");
        }
        let update = format!("UPDATE job SET status = '{completed}'");
        assert_eq!(count(session, &update), 3, "{status}: {update}");
    }
}

#[test]
fn an_enumerations_value_that_is_renamed_is_still_the_same() {
    let (_scene, mut session) = plain();
    session.run("CREATE TYPE state AS ENUM ('todo', 'completed')");
    attached(&mut session, "state");
    assert_eq!(
        count(&mut session, "INSERT INTO job VALUES (1, 'a', 'completed')"),
        1
    );
    session.run("ALTER TYPE state RENAME VALUE 'todo' TO 'open'");
    assert_eq!(count(&mut session, "UPDATE job SET status = 'open'"), 0);
    assert_eq!(count(&mut session, "UPDATE job SET status = 'completed'"), 1);
}

#[test]
fn a_condition_compares_as_whoever_gives_it_sees_it() {
    let (_scene, mut session) = plain();
    session.run(
        "CREATE SCHEMA own; CREATE EXTENSION citext SCHEMA own; SET search_path = public, own; \
         CREATE TABLE job (id int, title text, state citext, before citext)",
    );
    for condition in [
        "NEW.state = 'done'",
        "state = 'done'",
        "NULLIF(state, 'done') IS NULL AND state IS NOT NULL",
        "CASE state WHEN 'done' THEN true ELSE false END",
        "state IS NOT DISTINCT FROM 'done'",
        "state IN ('finished', 'done')",
        "NEW.state = 'done' AND OLD.state IS DISTINCT FROM 'done'",
        "NULLIF(NEW.state, 'done') IS NULL AND NOT coalesce(OLD.state = 'done', false)",
    ] {
        session.run(&format!(
            "SET search_path = public, own; TRUNCATE job; \
             SELECT zentry_attach('task_completed', 'job', condition => $$ {condition} $$, operation => 'update'); \
             INSERT INTO job VALUES (1, 'a', 'todo'); SET search_path = pg_catalog"
        ));
        let session = &mut session;
        assert_eq!(
            count(session, "UPDATE public.job SET state = 'Done'"),
            1,
            "{condition}"
        );
        assert_eq!(
            count(session, "UPDATE public.job SET state = 'DONE'"),
            0,
            "{condition}"
        );
        assert_eq!(
            count(session, "UPDATE public.job SET state = 'doing'"),
            0,
            "{condition}"
        );
    }
}

/// An expression is evaluated by the worker, from a text: what would not mean the same there is refused.
#[test]
fn an_expression_that_only_a_search_path_explains_is_refused() {
    let (_scene, mut session) = plain();
    session.run(
        "CREATE SCHEMA own; CREATE EXTENSION citext SCHEMA own; SET search_path = public, own; \
         CREATE TABLE job (id int, title text, status text, word citext)",
    );
    for expression in [
        "NULLIF(word, 'x')",
        "word IS DISTINCT FROM 'x'",
        "CASE word WHEN 'x' THEN 1 END",
    ] {
        let error = session.fails(&format!(
            "SELECT zentry_attach('task_completed', 'job', jsonb_build_object('points', $${expression}$$))"
        ));
        assert!(
            error.starts_with("0A000 \"points\" cannot be"),
            "{expression}: {error}"
        );
        assert!(error.contains("write the comparison with ="), "{error}");
    }
    for expression in [
        "word = 'x'",
        "word IN ('x', 'y')",
        "upper(word::text)",
        "(SELECT max(word) FROM job)",
    ] {
        session.run(&format!(
            "SELECT zentry_attach('task_completed', 'job', jsonb_build_object('points', $${expression}$$))"
        ));
    }
    let stored = session.text(
        "SELECT columns -> 'points' ->> 'expression' FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
    );
    assert!(stored.contains("own."), "{stored}");
}

#[test]
fn a_status_that_cannot_be_completed_is_refused_with_its_name() {
    let (_scene, mut session) = plain();
    session.run(
        "CREATE TYPE mood AS ENUM ('fine', 'bad'); CREATE TABLE job (id int, title text, status mood, project_id int); \
         CREATE TABLE paper (id int, title text, status json)",
    );
    let error = session.fails("SELECT zentry_attach('task_completed', 'job', done => 'completed')");
    assert!(
        error.starts_with("22P02 column \"status\" of table public.job cannot be \"completed\": invalid input value for enum"),
        "{error}"
    );
    assert!(
        error.contains("HINT: Say which value means completed: done =>"),
        "{error}"
    );
    let error = session.fails("SELECT zentry_attach('task_completed', 'paper')");
    assert!(
        error.starts_with("42703 no column of table public.paper says"),
        "{error}"
    );
    session.run("CREATE EXTENSION citext; CREATE TABLE word (id int, status citext, project_id int)");
    let error = session.fails("SELECT zentry_attach('milestone_reached', 'word')");
    assert!(
        error.starts_with(
            "0A000 milestones cannot be counted by column \"status\" of table public.word: the equality operator of type public.citext"
        ),
        "{error}"
    );
    assert_eq!(
        recorded(&mut session, "INSERT INTO job VALUES (1, 'a', 'fine', 1)"),
        [] as [serde_json::Value; 0]
    );
}
