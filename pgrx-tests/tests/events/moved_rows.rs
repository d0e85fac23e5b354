//! An UPDATE that moves a row to another partition is an UPDATE.

use serde_json::json;

use crate::recorded::{count, plain, recorded};
use crate::support::Session;

/// Partitions by status and by project, of columns in another order and with a dropped one.
fn partitioned(session: &mut Session) {
    session.run(
        "CREATE TABLE job (id int, title text, status text, project_id int) PARTITION BY LIST (status); \
         CREATE TABLE job_open PARTITION OF job FOR VALUES IN ('todo', 'doing'); \
         CREATE TABLE job_done (gone int, project_id int, status text, title text, id int); \
         ALTER TABLE job_done DROP COLUMN gone; \
         ALTER TABLE job ATTACH PARTITION job_done FOR VALUES IN ('completed', 'closed')",
    );
}

#[test]
fn it_completes_once_and_creates_and_deletes_nothing() {
    let (_scene, mut session) = plain();
    let session = &mut session;
    partitioned(session);
    session.run(
        "SELECT zentry_register_event_type('job_gone', 'Gone'); SELECT zentry_attach('task_completed', 'job'); \
         SELECT zentry_attach('project_created', 'job', '{\"project_id\": \"id\"}'); SELECT zentry_attach('job_gone', 'job', operation => 'delete')",
    );
    assert_eq!(
        count(session, "INSERT INTO job VALUES (1, 'a', 'todo', 1)"),
        1,
        "project_created"
    );
    let completed = recorded(session, "UPDATE job SET status = 'completed'");
    assert_eq!(completed.len(), 1, "{completed:?}");
    assert_eq!(completed[0]["task_title"], "a");
    assert_eq!(count(session, "UPDATE job SET status = 'closed'"), 0);
    assert_eq!(count(session, "UPDATE job SET status = 'doing'"), 0, "back");
    assert_eq!(
        count(session, "UPDATE job SET status = 'completed', title = 'b'"),
        1
    );
    assert_eq!(count(session, "DELETE FROM job"), 1, "job_gone");
    assert_eq!(
        count(session, "INSERT INTO job VALUES (2, 'c', 'completed', 1)"),
        2
    );
}

#[test]
fn conditions_over_both_rows_and_over_one_are_asked_as_of_an_update() {
    let (_scene, mut session) = plain();
    let session = &mut session;
    partitioned(session);
    for (arguments, inserted, moved, back, again) in [
        (
            "condition => $$OLD.status = 'todo' AND NEW.title <> 'x'$$",
            0,
            1,
            0,
            1,
        ),
        (
            "condition => $$NEW.title IS NOT DISTINCT FROM OLD.title AND NEW.status = 'completed'$$",
            0,
            1,
            0,
            1,
        ),
        ("condition => $$NEW.status = 'completed'$$", 0, 1, 0, 1),
        ("condition => $$NEW.project_id = 1$$", 1, 0, 0, 0),
        (
            "condition => $$NEW.status = 'completed'$$, operation => 'update'",
            0,
            1,
            0,
            1,
        ),
        (
            "condition => $$NEW.status = 'completed'$$, operation => 'insert'",
            0,
            0,
            0,
            0,
        ),
        ("operation => 'update'", 0, 1, 0, 1),
    ] {
        session.run(&format!(
            "TRUNCATE job; SELECT zentry_attach('task_completed', 'job', {arguments})"
        ));
        assert_eq!(
            count(session, "INSERT INTO job VALUES (1, 'a', 'todo', 1)"),
            inserted,
            "{arguments}"
        );
        for (write, events) in [
            ("UPDATE job SET status = 'completed'", moved),
            ("UPDATE job SET status = 'todo'", back),
            ("UPDATE job SET status = 'completed' WHERE project_id = 1", again),
        ] {
            assert_eq!(count(session, write), events, "{arguments}: {write}");
        }
    }
}

#[test]
fn the_old_row_is_the_one_that_was() {
    let (_scene, mut session) = plain();
    let session = &mut session;
    partitioned(session);
    session.run(
        "SELECT zentry_register_event_type('moved', 'Moved'); \
         SELECT zentry_attach('moved', 'job', '{\"was\": \"OLD.status\", \"is\": \"status\", \"id\": \"id\"}', operation => 'update'); \
         INSERT INTO job SELECT i, 'a', 'todo', 1 FROM generate_series(1, 3) i",
    );
    let moved = recorded(
        session,
        "UPDATE job SET status = CASE id WHEN 2 THEN 'closed' ELSE 'completed' END",
    );
    let expected: Vec<_> = [(1, "completed"), (2, "closed"), (3, "completed")]
        .map(|(id, is)| json!({"id": id, "is": is, "was": "todo", "project_id": 1}))
        .into();
    assert_eq!(moved, expected);
    // An INSERT in the same statement is none of them.
    let merged = recorded(
        session,
        "WITH d AS (DELETE FROM job WHERE id = 2 RETURNING *) INSERT INTO job SELECT id, title, 'todo', project_id FROM d",
    );
    assert_eq!(merged, [] as [serde_json::Value; 0]);
}

#[test]
fn milestones_count_a_row_that_moves_once() {
    let (_scene, mut session) = plain();
    let session = &mut session;
    partitioned(session);
    session.run("SELECT zentry_attach('milestone_reached', 'job'); INSERT INTO job VALUES (1, 'a', 'todo', 1), (2, 'b', 'todo', 1)");
    let last = session.number("SELECT coalesce(max(id), 0) FROM zentry_notify.event");
    session.run("UPDATE job SET status = 'completed' WHERE id = 1");
    let progress = session.json(&format!(
        "SELECT jsonb_agg(context::jsonb -> 'progress') FROM zentry_notify.event WHERE id > {last}"
    ));
    assert_eq!(progress, json!([[{"project": "1", "done": 1, "total": 0}]]));
}

#[test]
fn partitions_that_come_later_are_heard_too() {
    let (_scene, mut session) = plain();
    let session = &mut session;
    partitioned(session);
    session.run(
        "SELECT zentry_attach('task_completed', 'job', condition => $$OLD.status = 'todo'$$); \
         CREATE TABLE job_rest PARTITION OF job DEFAULT; INSERT INTO job VALUES (1, 'a', 'todo', 1)",
    );
    assert_eq!(count(session, "UPDATE job SET status = 'elsewhere'"), 1);
    session.run("SELECT zentry_detach('job')");
    assert_eq!(
        session
            .number("SELECT count(*) FROM pg_trigger WHERE tgfoid = 'zentry_notify.capture()'::regprocedure"),
        0
    );
}
