//! Tables of any application, attached in one call each.

use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{PLAIN, Session, sent};

/// A database of a plain task manager, with the extension and a webhook for every event.
pub fn plain() -> (Scene, Session) {
    let mut scene = Scene::empty().unwrap();
    scene.client.batch_execute(PLAIN).unwrap();
    scene.install().unwrap();
    scene.channel(Kind::Discord).unwrap();
    let session = Session::of(&scene);
    (scene, session)
}

/// The payloads of the event that `sql` fires.
pub fn fired(scene: &mut Scene, session: &mut Session, event: &str, sql: &str) -> Vec<Value> {
    let before = sent(scene, event).len();
    session.run(sql);
    sent(scene, event).split_off(before)
}

#[test]
fn a_plain_schema_attaches_in_one_call_each() {
    let (mut scene, mut session) = plain();
    let said = session.run(
        "SELECT zentry_attach('task_completed', 'task'); SELECT zentry_attach('badge_earned', 'badge'); \
         SELECT zentry_attach('project_created', 'project'); SELECT zentry_attach('daily_streak', 'streak'); \
         SELECT zentry_attach('milestone_reached', 'task')",
    );
    assert_eq!(said, [] as [&str; 0]);
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "task_completed",
            "UPDATE task SET status = 'completed' WHERE id = 1"
        ),
        [json!({
            "task_id": 1, "task_title": "Write the landing page", "task_description": null, "user_name": "bruno", "user_id": 2,
            "project_name": "Website Relaunch", "project_id": 1, "points": null, "completed_at": null,
        })]
    );
    // Half of the project.
    let milestones = sent(&mut scene, "milestone_reached");
    assert_eq!(
        milestones[1],
        json!({ "milestone_name": "50% Project Completion", "progress": 50, "project_id": 1, "project_name": "Website Relaunch",
                "user_id": 1, "user_name": "ada" })
    );
    assert_eq!(milestones.len(), 2);
    // Only the change counts.
    for silent in [
        "UPDATE task SET status = 'completed', title = title WHERE id = 1",
        "INSERT INTO task (title) VALUES ('open')",
        "UPDATE task SET status = 'doing' WHERE id = 2",
    ] {
        assert_eq!(
            fired(&mut scene, &mut session, "task_completed", silent).len(),
            0,
            "{silent}"
        );
    }
    let inserted = "INSERT INTO task (title, status) VALUES ('done at once', 'completed')";
    assert_eq!(
        fired(&mut scene, &mut session, "task_completed", inserted).len(),
        1
    );
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "badge_earned",
            "INSERT INTO badge (id, name, user_id) VALUES (7, 'Task Master', 1)"
        ),
        [
            json!({ "badge_id": 7, "badge_name": "Task Master", "badge_description": null, "user_name": "ada", "user_id": 1, "earned_at": null })
        ]
    );
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "project_created",
            "INSERT INTO project (id, name, owner_id) VALUES (9, 'Atlas', 2)"
        ),
        [
            json!({ "project_id": 9, "project_name": "Atlas", "project_description": null, "user_name": "bruno", "user_id": 2, "created_at": null })
        ]
    );
    let streak =
        json!({ "user_name": "ada", "user_id": 1, "streak_days": 7, "streak_type": "Daily task completion" });
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "daily_streak",
            "UPDATE streak SET days = days + 1 WHERE user_id = 1"
        ),
        [streak]
    );
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "daily_streak",
            "UPDATE streak SET days = 1 WHERE user_id = 1"
        )
        .len(),
        0
    );
}

#[test]
fn webhooks_of_a_project_hear_of_its_people() {
    let (mut scene, mut session) = plain();
    session
        .run("SELECT zentry_attach('badge_earned', 'badge'); SELECT zentry_attach('daily_streak', 'streak')");
    let audience =
        session.json("SELECT audience FROM zentry_notify.event_source WHERE event_type = 'badge_earned'");
    assert_eq!(
        audience,
        json!({ "person": "user_id", "projects": [
            { "from": "public.project", "match": "owner_id", "column": "id" },
            { "from": "public.task", "match": "assignee_id", "column": "project_id" } ] })
    );
    let [website, app] = [1, 2].map(|project| scene.channel_for(Kind::Discord, Some(project), None).unwrap());
    session.run("INSERT INTO badge (name, user_id) VALUES ('Early Bird', 1)");
    sent(&mut scene, "badge_earned");
    assert_eq!((website.webhook.event_count(), app.webhook.event_count()), (1, 0));
    session.run("INSERT INTO badge (name, user_id) VALUES ('Night Owl', 2)");
    sent(&mut scene, "badge_earned");
    assert_eq!((website.webhook.event_count(), app.webhook.event_count()), (2, 1));
}

#[test]
fn the_usual_names_of_what_is_done() {
    for (columns, set) in [
        ("state text", "state = 'completed'"),
        ("is_done boolean NOT NULL DEFAULT false", "is_done = true"),
        (
            "status text; CREATE TYPE s AS ENUM ('new', 'closed'); ALTER TABLE job ALTER status TYPE s USING 'new'",
            "status = 'closed'",
        ),
    ] {
        let (mut scene, mut session) = plain();
        session.run(&format!(
            "CREATE TABLE job (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, assignee text); ALTER TABLE job ADD COLUMN {columns}; \
             SELECT zentry_attach('task_completed', 'job'); INSERT INTO job (name, assignee) VALUES ('j', 'ada')"
        ));
        let event = fired(
            &mut scene,
            &mut session,
            "task_completed",
            &format!("UPDATE job SET {set}"),
        );
        assert_eq!(event.len(), 1, "{columns}");
        assert_eq!(
            (&event[0]["task_title"], &event[0]["user_name"]),
            (&json!("j"), &json!("ada"))
        );
        assert_eq!(event[0]["task_id"].as_str().unwrap().len(), 36);
    }
    let (mut scene, mut session) = plain();
    session.run("SELECT zentry_attach('task_completed', 'task', done => 'closed')");
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "task_completed",
            "UPDATE task SET status = 'completed' WHERE id = 1"
        )
        .len(),
        0
    );
    assert_eq!(
        fired(
            &mut scene,
            &mut session,
            "task_completed",
            "UPDATE task SET status = 'closed' WHERE id = 1"
        )
        .len(),
        1
    );
}

#[test]
fn milestones_count_flags_and_statuses_of_other_names() {
    let (mut scene, mut session) = plain();
    session.run(
        "ALTER TABLE task ADD COLUMN is_done boolean NOT NULL DEFAULT false; \
         SELECT zentry_attach('milestone_reached', 'task'); UPDATE task SET is_done = true WHERE id = 1",
    );
    assert_eq!(sent(&mut scene, "milestone_reached").len(), 2);
    // An open task that goes raises the share.
    session.run("DELETE FROM task WHERE id = 2");
    assert_eq!(sent(&mut scene, "milestone_reached").len(), 4);
}

#[test]
fn keys_of_any_type() {
    let (mut scene, mut session) = plain();
    let said = session.run(
        "CREATE TABLE client (code text PRIMARY KEY, name text); INSERT INTO client VALUES ('acme', 'Acme'); \
         CREATE TABLE venture (id uuid PRIMARY KEY, name text, client_code text REFERENCES client); \
         INSERT INTO venture VALUES ('00000000-0000-0000-0000-000000000001', 'Rocket', 'acme'); \
         CREATE TABLE job (id text PRIMARY KEY, title text, status text, project_id uuid REFERENCES venture); \
         INSERT INTO job VALUES ('a-1', 'Launch', 'todo', '00000000-0000-0000-0000-000000000001'); \
         SELECT zentry_attach('task_completed', 'job', '{\"client\": \"project_id.client_code.name\"}')",
    );
    assert_eq!(
        said,
        [
            "zentry_notify: projects are of type uuid here, so webhooks without a project hear of them, and those of one project do not"
        ]
    );
    let one = scene.channel_for(Kind::Discord, Some(1), None).unwrap();
    let event = fired(
        &mut scene,
        &mut session,
        "task_completed",
        "UPDATE job SET status = 'completed'",
    );
    assert_eq!(event.len(), 1);
    assert_eq!(
        (
            &event[0]["task_id"],
            &event[0]["project_name"],
            &event[0]["client"]
        ),
        (&json!("a-1"), &json!("Rocket"), &json!("Acme"))
    );
    assert_eq!(one.webhook.event_count(), 0);
}

#[test]
fn an_event_of_a_row_that_knows_its_project_through_another() {
    let (mut scene, mut session) = plain();
    session.run(
        "CREATE TABLE comment (id int PRIMARY KEY, task_id int REFERENCES task, body text); \
         SELECT zentry_register_event_type('comment_added', 'Comment', '{{ body }} on {{ task_title }}'); \
         SELECT zentry_attach('comment_added', 'comment', '{\"project_id\": \"task_id.project_id\"}')",
    );
    let [website, app] = [1, 2].map(|project| scene.channel_for(Kind::Discord, Some(project), None).unwrap());
    let event = fired(
        &mut scene,
        &mut session,
        "comment_added",
        "INSERT INTO comment VALUES (1, 3, 'Nice')",
    );
    assert_eq!(
        event[0],
        json!({ "body": "Nice", "task_title": "Draw an icon", "project_id": 2 })
    );
    assert_eq!((website.webhook.event_count(), app.webhook.event_count()), (0, 1));
}

#[test]
fn partitioned_and_inherited_tables() {
    let (mut scene, mut session) = plain();
    session.run(
        "CREATE TABLE job (id int, title text, status text, project_id int) PARTITION BY RANGE (id); \
         CREATE TABLE job_1 PARTITION OF job FOR VALUES FROM (0) TO (10); \
         SELECT zentry_attach('task_completed', 'job'); \
         CREATE TABLE job_2 (status text, project_id int, id int, title text); \
         ALTER TABLE job ATTACH PARTITION job_2 FOR VALUES FROM (10) TO (20); \
         INSERT INTO job VALUES (1, 'One', 'todo', 1), (11, 'Two', 'todo', 1)",
    );
    let events = fired(
        &mut scene,
        &mut session,
        "task_completed",
        "UPDATE job SET status = 'completed'",
    );
    let titles: Vec<_> = events.iter().map(|event| event["task_title"].clone()).collect();
    assert_eq!(titles, ["One", "Two"]);

    session.run(
        "CREATE TABLE base (id int, title text, status text); CREATE TABLE derived (extra int) INHERITS (base); \
         CREATE TABLE deeper () INHERITS (derived); SELECT zentry_attach('task_completed', 'base'); \
         INSERT INTO deeper (id, title, status) VALUES (5, 'Deep', 'todo')",
    );
    let events = fired(
        &mut scene,
        &mut session,
        "task_completed",
        "UPDATE base SET status = 'completed'",
    );
    assert_eq!(events[0]["task_title"], "Deep");
    // One that inherits later has the triggers after another zentry_attach().
    session.run("CREATE TABLE late () INHERITS (base); SELECT zentry_attach(); INSERT INTO late VALUES (6, 'Late', 'completed')");
    assert_eq!(
        sent(&mut scene, "task_completed").last().unwrap()["task_title"],
        "Late"
    );
    let error = session.fails("SELECT zentry_attach('task_completed', 'derived')");
    assert!(
        error.starts_with("55000 public.base, a relative of public.derived, fires task_completed already"),
        "{error}"
    );
    session.run("SELECT zentry_detach('base'); SELECT zentry_detach('job', 'task_completed')");
    assert_eq!(
        session
            .number("SELECT count(*) FROM pg_trigger WHERE tgfoid = 'zentry_notify.capture()'::regprocedure"),
        0
    );
}

#[test]
fn attaching_again_changes_what_is_said_and_detaching_undoes_it() {
    let (mut scene, mut session) = plain();
    let state = "SELECT concat((SELECT string_agg(s::text, ';') FROM zentry_notify.event_source s), \
                 (SELECT string_agg(pg_get_triggerdef(t.oid) || t.oid, ';' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgname LIKE 'zentry%'))";
    session.run("SELECT zentry_attach('task_completed', 'task', condition => 'NEW.status = ''done''')");
    let once = session.text(state);
    session.run("SELECT zentry_attach('task_completed', 'task', condition => 'NEW.status = ''done'''); SELECT zentry_attach()");
    assert_eq!(session.text(state), once);
    session.run("SELECT zentry_attach('task_completed', 'task', operation => 'insert')");
    assert_eq!(
        session.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zentry%'"),
        1
    );
    session.run(
        "SELECT zentry_attach('milestone_reached', 'task'); SELECT zentry_detach('task', 'task_completed')",
    );
    assert_eq!(
        session.text("SELECT string_agg(event_type, ' ') FROM zentry_notify.event_source"),
        "milestone_reached"
    );
    let error = session.fails("SELECT zentry_detach('task', 'task_completed')");
    assert!(
        error.starts_with("42704 public.task is not attached for event type \"task_completed\""),
        "{error}"
    );
    session.run("SELECT zentry_detach('task')");
    assert_eq!(session.text(state), "");
    session.run("UPDATE task SET status = 'completed'");
    assert_eq!(sent(&mut scene, "task_completed").len(), 0);
}

#[test]
fn zentrys_own_tables_keep_what_was_attached_by_hand() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    scene.channel(Kind::Discord).unwrap();
    session.run(
        "SELECT zentry_attach('task_completed', 'tasks_task', '{\"task_description\": null}', condition => 'NEW.priority = ''urgent'' AND NEW.status = ''completed'''); \
         SELECT zentry_attach()",
    );
    // Milestones rode on the triggers of task_completed, and fire as before, once.
    let urgent = session.number(
        "SELECT count(*) FROM tasks_task WHERE project_id = 1 AND priority = 'urgent' AND status <> 'completed'",
    );
    session.run("UPDATE tasks_task SET status = 'completed' WHERE project_id = 1");
    let events = sent(&mut scene, "task_completed");
    assert_eq!(events.len() as i64, urgent);
    assert!(events[0].get("task_description").is_none());
    assert_eq!(sent(&mut scene, "milestone_reached").len(), 4);
    let state = session.text(
        "SELECT string_agg(event_type || by_hand, ' ' ORDER BY event_type) FROM zentry_notify.event_source",
    );
    assert_eq!(
        state,
        "badge_earnedfalse daily_streakfalse milestone_reachedtrue project_createdfalse task_completedtrue"
    );
    // Back to how the extension came.
    session.run("SELECT zentry_detach('tasks_task'); SELECT zentry_attach(); UPDATE tasks_task SET status = 'completed' WHERE id = 12");
    assert_eq!(sent(&mut scene, "task_completed").len(), events.len() + 1);
}
