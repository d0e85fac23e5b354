//! How columns become data: what is given, and what is guessed.

use serde_json::{Value, json};
use zentry_e2e::scene::Scene;

use crate::attach::{fired, plain};
use crate::support::Session;

#[test]
fn values_come_from_columns_paths_lookups_expressions_and_constants() {
    let (mut scene, mut session) = plain();
    session.run(
        r#"SELECT zentry_register_event_type('own', 'Own');
           SELECT zentry_attach('own', 'task', condition => 'NEW.status <> OLD.status', columns => '{
             "column": "title", "new": "NEW.title", "before": "OLD.status", "old": {"old": "status"},
             "path": "project_id.owner_id.username",
             "lookup": {"from": "users", "key": "assignee_id", "column": "username"},
             "by_the_only_key": {"from": "project", "column": "name"},
             "chained": {"from": "users", "match": "id", "column": "username",
                         "key": {"from": "project", "match": "id", "key": "project_id", "column": "owner_id"}},
             "expression": "upper(title) || '' ('' || status || '')''",
             "sub_select": "(SELECT count(*) FROM task t WHERE t.project_id = new.project_id)",
             "number": 7, "constant": {"value": {"a": [1]}}, "project_id": null}')"#,
    );
    let event = fired(
        &mut scene,
        &mut session,
        "own",
        "UPDATE task SET status = 'doing' WHERE id = 1",
    );
    assert_eq!(
        event,
        [json!({
            "column": "Write the landing page", "new": "Write the landing page", "before": "todo", "old": "todo", "path": "ada",
            "lookup": "bruno", "by_the_only_key": "Website Relaunch", "chained": "ada",
            "expression": "WRITE THE LANDING PAGE (doing)", "sub_select": 2, "number": 7, "constant": { "a": [1] },
        })]
    );
    // What is missing is null, as ever.
    let event = fired(
        &mut scene,
        &mut session,
        "own",
        "UPDATE task SET status = 'doing', project_id = NULL WHERE id = 2",
    );
    assert_eq!(
        (&event[0]["lookup"], &event[0]["path"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn what_is_given_goes_before_what_is_guessed_and_null_leaves_out() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN description text DEFAULT 'secret', ADD COLUMN effort int DEFAULT 5; \
         SELECT zentry_attach('task_completed', 'task', '{\"task_description\": null, \"points\": \"effort * 2\"}')",
    );
    let event = fired(
        &mut scene,
        &mut session,
        "task_completed",
        "UPDATE task SET status = 'completed' WHERE id = 1",
    );
    assert_eq!(event[0]["points"], 10);
    assert!(event[0].get("task_description").is_none());
}

/// What the data are to be without is a key that they have.
#[test]
fn a_slip_among_the_keys_of_a_mapping_is_told() {
    let scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let error =
        session.fails("SELECT * FROM zentry_attach('task_completed', 'tasks_task', '{\"user_nmae\": null}')");
    assert!(
        error.starts_with("22023 ") && error.contains("Perhaps \"user_name\" is meant."),
        "{error}"
    );
    for (columns, told) in [
        (
            r#"{"task_titel": "title"}"#,
            Some("Perhaps \"task_title\" is meant."),
        ),
        (r#"{"weather": null}"#, Some("The data have ")),
        // Keys of one's own, and both of two that are alike.
        (r#"{"weather": "title"}"#, None),
        (r#"{"task_titel": "title", "task_title": "title"}"#, None),
        (r#"{"user_name": null}"#, None),
    ] {
        let said = session.run(&format!(
            "SELECT * FROM zentry_attach('task_completed', 'tasks_task', '{columns}')"
        ));
        let slips: Vec<&String> = said
            .iter()
            .filter(|said| said.contains("no message of"))
            .collect();
        match told {
            Some(hint) => assert!(slips.len() == 1 && slips[0].contains(hint), "{columns}: {said:?}"),
            None => assert!(slips.is_empty(), "{columns}: {said:?}"),
        }
    }
}
