//! An UPDATE that moves a row to another partition is an UPDATE, although PostgreSQL deletes the row here and inserts it there.

use serde_json::json;

use crate::support::Bed;

/// Tasks by project in partitions whose columns stand in different places.
fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run(
        "CREATE TABLE chore (id integer, title text, status text, project_id integer) PARTITION BY LIST (project_id); \
         CREATE TABLE chore_1 PARTITION OF chore FOR VALUES IN (1); \
         CREATE TABLE chore_2 (gone integer, project_id integer, status text, title text, id integer); \
         ALTER TABLE chore_2 DROP gone; ALTER TABLE chore ATTACH PARTITION chore_2 FOR VALUES IN (2)",
    );
    bed
}

/// A trigger as zentry_attach makes it.
fn trigger(bed: &mut Bed, event: &str, operation: &str) {
    bed.session.run(&format!(
        "CREATE OR REPLACE TRIGGER zentry_notify_{event}_{operation} AFTER {operation} ON chore \
         FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture('{event}')"
    ));
}

fn source(bed: &mut Bed, event: &str, columns: &str, more: &str, values: &str) {
    bed.session.run(&format!(
        "INSERT INTO zentry_notify.event_source (event_type, relation, columns, audience, by_hand, {more}) \
         VALUES ('{event}', 'chore', '{columns}', '{{\"all\": true}}', true, {values})"
    ));
    for operation in ["insert", "update", "delete"] {
        trigger(bed, event, operation);
    }
}

#[test]
fn a_task_that_moves_completes_once() {
    let mut bed = bed();
    source(
        &mut bed,
        "task_completed",
        r#"{"task_id": "id", "was": {"old": "title"}}"#,
        "insert_when, update_when, transition",
        r#"'true', 'true', '{"column": "status", "to": "completed"}'"#,
    );
    let data = bed.recorded("task_completed", |bed| {
        bed.session.run(
            "INSERT INTO chore VALUES (1, 'a', 'completed', 1), (2, 'b', 'todo', 1), (3, 'c', 'todo', 2), (4, 'd', 'completed', 2)",
        );
    });
    assert_eq!(data.len(), 2);
    // Everybody to the other side, and back: what was completed stays so, and what was not becomes it once.
    let data = bed.recorded("task_completed", |bed| {
        bed.session
            .run("UPDATE chore SET project_id = 3 - project_id, title = title || '!'");
    });
    assert_eq!(data, [] as [serde_json::Value; 0]);
    let mut data = bed.recorded("task_completed", |bed| {
        bed.session
            .run("UPDATE chore SET project_id = 3 - project_id, status = 'completed' WHERE id < 4");
    });
    data.sort_by_key(|data| data["task_id"].as_i64());
    assert_eq!(
        data,
        [
            json!({"task_id": 2, "was": "b!"}),
            json!({"task_id": 3, "was": "c!"})
        ],
    );
    // A new row in the same transaction is new.
    let data = bed.recorded("task_completed", |bed| {
        bed.session.run(
            "BEGIN; UPDATE chore SET project_id = 3 - project_id WHERE id = 1; INSERT INTO chore VALUES (5, 'e', 'completed', 2); COMMIT",
        );
    });
    assert_eq!(data, [json!({"task_id": 5, "was": null})]);
}

#[test]
fn nothing_is_created_or_deleted_by_a_move() {
    let mut bed = bed();
    bed.session
        .run("SELECT zentry_register_event_type('row_gone', 'Gone')");
    source(
        &mut bed,
        "row_written",
        r#"{"id": "id"}"#,
        "insert_when",
        "'true'",
    );
    source(&mut bed, "row_gone", r#"{"id": "id"}"#, "delete_when", "'true'");
    bed.session
        .run("INSERT INTO chore VALUES (1, 'a', 'todo', 1), (2, 'b', 'todo', 2)");
    bed.session.run(
        "UPDATE chore SET project_id = 3 - project_id; \
         MERGE INTO chore c USING (VALUES (1, 1), (3, 2)) v (id, project_id) ON c.id = v.id \
         WHEN MATCHED THEN UPDATE SET project_id = v.project_id \
         WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'new', 'todo', v.project_id)",
    );
    let ids = |bed: &mut Bed, event| -> Vec<i64> {
        bed.events(event)
            .iter()
            .map(|event| event.data["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(ids(&mut bed, "row_written"), [1, 2, 3]);
    assert_eq!(ids(&mut bed, "row_gone"), [] as [i64; 0]);
    bed.session.run("DELETE FROM chore WHERE id = 2");
    assert_eq!(ids(&mut bed, "row_gone"), [2]);
}

#[test]
fn a_project_gains_what_the_other_loses() {
    let mut bed = bed();
    source(
        &mut bed,
        "milestone_reached",
        r#"{"project_id": "project_id"}"#,
        "progress",
        r#"'{"group": "project_id", "status": "status", "done": "completed"}'"#,
    );
    bed.session
        .run("INSERT INTO chore VALUES (1, 'a', 'completed', 1)");
    let before = bed.events("project_progress").len();
    bed.session.run("UPDATE chore SET project_id = 2");
    let events = bed.events("project_progress").split_off(before);
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].context,
        json!({"progress": [
            {"project": "1", "done": -1, "total": -1}, {"project": "2", "done": 1, "total": 1}
        ]})
    );
}
