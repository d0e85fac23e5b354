//! The place in a trace goes with what was written while it was set, and with nothing else.

use serde_json::{Value, json};

use crate::support::Bed;

const FIRST: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SECOND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE written (id integer)");
    bed.attach("written", &["id"]);
    bed
}

/// What each row that was written is said to belong to.
fn places(bed: &mut Bed) -> Vec<(i64, Value)> {
    let events = bed.events("row_written");
    let events = events.into_iter();
    events
        .map(|event| (event.data["id"].as_i64().unwrap(), event.context))
        .collect()
}

fn place(traceparent: &str) -> Value {
    json!({"traceparent": traceparent})
}

#[test]
fn it_is_recorded_while_it_is_set() {
    let mut bed = bed();
    bed.session.run(&format!(
        "INSERT INTO written VALUES (1); \
         BEGIN; SET LOCAL zentry_notify.traceparent = '{FIRST}'; INSERT INTO written VALUES (2); COMMIT; \
         INSERT INTO written VALUES (3); \
         SET zentry_notify.traceparent = '{SECOND}'; INSERT INTO written VALUES (4); \
         RESET zentry_notify.traceparent; INSERT INTO written VALUES (5); \
         SET zentry_notify.traceparent = ''; INSERT INTO written VALUES (6)"
    ));
    let nothing = Value::Null;
    assert_eq!(
        places(&mut bed),
        [
            (1, nothing.clone()),
            (2, place(FIRST)),
            (3, nothing.clone()),
            (4, place(SECOND)),
            (5, nothing.clone()),
            (6, nothing),
        ]
    );
    let unset =
        "SELECT count(*) FROM zentry_notify.event WHERE event_type = 'row_written' AND context IS NULL";
    assert_eq!(bed.session.number(unset), 4);
}

#[test]
fn it_ends_where_the_setting_ends() {
    let mut bed = bed();
    bed.session.run(&format!(
        "BEGIN; SAVEPOINT a; SET LOCAL zentry_notify.traceparent = '{FIRST}'; INSERT INTO written VALUES (1); \
         ROLLBACK TO a; INSERT INTO written VALUES (2); \
         SET LOCAL zentry_notify.traceparent = '{SECOND}'; INSERT INTO written VALUES (3); \
         SAVEPOINT b; SET LOCAL zentry_notify.traceparent = '{FIRST}'; INSERT INTO written VALUES (4); \
         RELEASE b; INSERT INTO written VALUES (5); COMMIT; \
         BEGIN; SET LOCAL zentry_notify.traceparent = '{FIRST}'; ROLLBACK; INSERT INTO written VALUES (6); \
         CREATE FUNCTION write(integer) RETURNS void LANGUAGE sql SET zentry_notify.traceparent = '{FIRST}' \
             AS 'INSERT INTO written VALUES ($1)'; \
         SELECT write(7); INSERT INTO written VALUES (8)"
    ));
    assert_eq!(
        places(&mut bed),
        [
            (2, Value::Null),
            (3, place(SECOND)),
            (4, place(FIRST)),
            (5, place(FIRST)),
            (6, Value::Null),
            (7, place(FIRST)),
            (8, Value::Null),
        ]
    );
}

/// What is wrong is refused where it is set. The write that comes after is not.
#[test]
fn what_is_none_is_refused_and_the_write_is_not() {
    let mut bed = bed();
    for wrong in ["nonsense", &"x".repeat(55), &FIRST.replace("4736", "473g")] {
        let set = format!("SET zentry_notify.traceparent = '{wrong}'");
        let error = bed.session.client.batch_execute(&set).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "22023");
        assert!(error.hint().unwrap().contains(FIRST), "{error:?}");
    }
    let warnings = bed.session.run("INSERT INTO written VALUES (1)");
    assert_eq!(warnings, [] as [&str; 0]);
    assert_eq!(places(&mut bed), [(1, Value::Null)]);
}

#[test]
fn a_role_without_any_right_sets_it_and_it_stands_beside_what_else_is_recorded() {
    let mut bed = bed();
    let role = format!("{}_app", bed.scene.database.name());
    bed.session.run(&format!(
        "CREATE ROLE {role}; GRANT INSERT, UPDATE ON written TO {role}; \
         SELECT * FROM zentry_attach('row_written', 'written', columns => '{{\"id\": \"id\", \"other\": \"id + 1\"}}', \
                                     operation => 'insert', audience => '{{\"all\": true}}'); \
         SET ROLE {role}; SET zentry_notify.traceparent = '{FIRST}'; INSERT INTO written VALUES (1); RESET ROLE"
    ));
    let events = bed.events("row_written");
    assert_eq!(events[0].context["traceparent"], FIRST, "{events:?}");
    bed.session
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
