//! What cannot be attached, and what is said of it.

use crate::attach::plain;

#[test]
fn a_misspelt_name_is_an_error_that_names_those_that_there_are() {
    let (_scene, mut session) = plain();
    for (arguments, expected) in [
        (
            "'task_completd', 'task'",
            "22023 unknown event type \"task_completd\"\nDETAIL: The event types are badge_earned,",
        ),
        (
            "'task_completd', 'task'",
            "HINT: Perhaps \"task_completed\" is meant.",
        ),
        ("NULL, 'task'", "22023 the event type is null"),
        ("'task_completed', NULL", "42P01 there is no such table"),
        (
            "'task_completed', 'task', '[]'",
            "22023 columns must be a JSON object",
        ),
        (
            "'task_completed', 'task', '{\"task_title\": \"titel\"}'",
            "42703 \"task_title\" cannot be titel: column \"titel\" does not exist\nDETAIL: The columns of public.task are id, title, status, project_id, assignee_id.\nHINT: Perhaps \"title\" is meant.",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"old\": \"stat\"}}'",
            "42703 \"x\" names column \"stat\" of table public.task, which does not exist",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"upper(titel)\"}'",
            "HINT: Perhaps \"title\" is meant.",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"no_such_function(title)\"}'",
            "42883 \"x\" cannot be no_such_function(title): function no_such_function(text) does not exist",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"title +\"}'",
            "42601 \"x\" cannot be title +: syntax error",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"count(*)\"}'",
            "0A000 \"x\" cannot be count(*): it must give one value for one row",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"generate_series(1, 2)\"}'",
            "it must give one value for one row",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"new\"}'",
            "it names the whole row",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"ctid\"}'",
            "it names the whole row or a system column",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"status.name\"}'",
            "42830 \"x\" goes along column \"status\" of table public.task, which has no foreign key",
        ),
        (
            "'task_completed', 'task', '{\"x\": \"assignee_id.nam\"}'",
            "42703 \"x\" names column \"nam\" of table public.users",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"from\": \"nowhere\", \"column\": \"a\"}}'",
            "42P01 \"x\" looks into \"nowhere\", which does not exist",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"from\": \"users\", \"column\": \"username\", \"key\": \"title\"}}'",
            "42804 \"x\" compares column \"title\" (text) with column \"id\" of public.users (integer)",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"from\": \"badge\", \"column\": \"name\"}}'",
            "22023 \"x\" looks into public.badge, and it is ambiguous by which column",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"form\": 1}}'",
            "22023 the value of \"x\" cannot be understood",
        ),
        (
            "'task_completed', 'task', '{\"x\": {\"from\": \"users\", \"colum\": \"a\"}}'",
            "22023 the look-up of \"x\" cannot be understood: it has no \"colum\"",
        ),
        (
            "'task_completed', 'users'",
            "42703 no column of table public.users says when a task is completed",
        ),
        (
            "'milestone_reached', 'users'",
            "42703 milestones need a column of the project",
        ),
        (
            "'milestone_reached', 'task', condition => 'true'",
            "22023 milestone_reached is counted",
        ),
        (
            "'task_completed', 'task', operation => 'upsert'",
            "22023 unknown operation \"upsert\"",
        ),
        (
            "'task_completed', 'task', operation => ' '",
            "22023 unknown operation",
        ),
        (
            "'task_completed', 'task', condition => 'NEW.statu = 1'",
            "42703 the condition cannot be used: column new.statu does not exist",
        ),
        (
            "'task_completed', 'task', condition => 'title'",
            "42804 the condition cannot be used: it must be true or false",
        ),
        (
            "'task_completed', 'task', condition => 'NEW.status = ''a'' AND OLD.status = ''b''', operation => 'insert'",
            "22023 the condition cannot be used: it sees OLD, which an INSERT does not have",
        ),
        (
            "'task_completed', 'task', condition => 'OLD.status = NEW.status', operation => 'update, delete'",
            "it sees NEW, which a DELETE does not have",
        ),
        (
            "'task_completed', 'task', condition => 'OLD.status = (SELECT ''a'')'",
            "0A000 the condition cannot be used: it has a sub-select",
        ),
        (
            "'task_completed', 'task', audience => '{\"project\": \"nothing\"}'",
            "22023 the audience cannot be used: the data have no \"nothing\"",
        ),
        (
            "'task_completed', 'task', audience => '{\"team\": 1}'",
            "22023 the audience cannot be used",
        ),
        (
            "'task_completed', 'pg_class'",
            "42809 pg_catalog.pg_class cannot be attached: it is not the application's",
        ),
        (
            "'task_completed', 'zentry_notify.notification_log'",
            "42809 zentry_notify.notification_log cannot be attached",
        ),
        (
            "'task_completed', 'zentry_notify.logs'",
            "42809 zentry_notify.logs cannot be attached: it is a view",
        ),
    ] {
        let error = session.fails(&format!("SELECT zentry_attach({arguments})"));
        assert!(error.contains(expected), "{arguments}: {error}");
    }
    // And nothing is half attached.
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_source"),
        0
    );
    assert_eq!(
        session.number("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zentry%'"),
        0
    );
}
