//! What the application writes, and what should come of it.

/// A step: SQL, and how many events every channel should get for it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) why: &'static str,
    pub(crate) sql: &'static str,
    pub(crate) events: u64,
}

/// The writes that people hear of. Tasks, users and badges are those of `fixtures/zentry-data.sql`; the projects are so
/// far along that a step reaches one milestone or none.
pub(crate) const TOLD: &[Step] = &[
    Step {
        title: "A task is completed",
        why: "Django writes the user first and then the task, in one transaction.",
        sql: "\
BEGIN;
UPDATE users_user SET experience_points = experience_points + 50,
                      tasks_completed = tasks_completed + 1, last_activity = now() WHERE id = 3;
UPDATE tasks_task SET status = 'completed', completed_at = now(), updated_at = now()
WHERE id = 2;
COMMIT;",
        events: 1,
    },
    Step {
        title: "A badge is earned",
        why: "",
        sql: "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES (3, 2, now());",
        events: 1,
    },
    Step {
        title: "A project is created",
        why: "Its members follow in the same transaction. What its description holds is text, whatever it\nlooks like.",
        sql: "\
BEGIN;
INSERT INTO tasks_project (id, name, description, emoji, created_by_id, created_at, updated_at)
VALUES (10, 'Winter *Campaign*',
        'Hello @everyone, <at>all</at>, and [click here](https://example.org)',
        '❄️', 1, now(), now());
INSERT INTO tasks_project_members (project_id, user_id) VALUES (10, 1), (10, 4);
COMMIT;",
        events: 1,
    },
    Step {
        title: "A milestone is passed",
        why: "The third of nine tasks: the project is past 25 %. The worker counts, so that no writer waits.",
        sql: "\
UPDATE tasks_task SET status = 'completed', completed_at = now(), updated_at = now()
WHERE id = 3;",
        events: 2,
    },
    Step {
        title: "A streak goes on",
        why: "",
        sql: "\
UPDATE users_user SET current_streak = 13, longest_streak = 13, last_activity = now()
WHERE id = 3;",
        events: 1,
    },
    Step {
        title: "Three tasks are completed by one statement",
        why: "An event for each, and a milestone; what waits for a channel together goes as one message.",
        sql: "\
UPDATE tasks_task SET status = 'completed', completed_at = now(), updated_at = now()
WHERE id IN (12, 13, 14);",
        events: 4,
    },
];

/// Writes that must fire nothing.
pub(crate) const SILENT: &[(&str, &str)] = &[
    (
        "a completed task is saved again, with every column",
        "\
UPDATE tasks_task SET title = title, description = description, status = 'completed',
                      priority = 'high', emoji = emoji, updated_at = now() WHERE id = 2;",
    ),
    (
        "a task is started",
        "UPDATE tasks_task SET status = 'in_progress', updated_at = now() WHERE id = 4;",
    ),
    (
        "an update that changes nothing",
        "UPDATE tasks_task SET status = status WHERE project_id = 1;",
    ),
    (
        "a completion that is rolled back",
        "\
BEGIN;
UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = 4;
ROLLBACK;",
    ),
    (
        "one that is rolled back to a savepoint",
        "\
BEGIN;
SAVEPOINT before_completion;
UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = 4;
ROLLBACK TO SAVEPOINT before_completion;
COMMIT;",
    ),
    (
        "a day is missed: the streak falls",
        "UPDATE users_user SET current_streak = 1 WHERE id = 3;",
    ),
    (
        "a session that has switched notifications off",
        "\
SET zentry_notify.enabled = off;
INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES (4, 1, now());",
    ),
];
