//! Whoever writes, and however: savepoints, other roles, functions, parallel plans.

use serde_json::{Value, json};

use crate::support::{Bed, Session};

fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE written (id integer)");
    bed.attach("written", &["id"]);
    bed
}

fn ids(data: &[Value]) -> Vec<i64> {
    data.iter().map(|data| data["id"].as_i64().unwrap()).collect()
}

#[test]
fn of_savepoints_only_what_is_kept_is_recorded() {
    let mut bed = bed();
    let data = bed.recorded("row_written", |bed| {
        bed.session.run(
            "BEGIN; INSERT INTO written VALUES (1); SAVEPOINT a; INSERT INTO written VALUES (2); SAVEPOINT b; \
             INSERT INTO written VALUES (3); ROLLBACK TO b; INSERT INTO written VALUES (4); RELEASE a; SAVEPOINT c; \
             INSERT INTO written VALUES (5); ROLLBACK TO c; COMMIT; \
             DO $$ BEGIN INSERT INTO written VALUES (6); \
                BEGIN INSERT INTO written VALUES (7); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$",
        );
    });
    assert_eq!(ids(&data), [1, 2, 4, 6]);
}

#[test]
fn a_role_without_any_right_on_our_tables_is_heard_under_every_name() {
    let mut bed = bed();
    let role = format!("{}_app", bed.scene.database.name());
    bed.session.run(&format!(
        "CREATE ROLE {role} LOGIN; CREATE ROLE {role}_b; GRANT {role}_b TO {role}; \
         GRANT INSERT ON written TO {role}, {role}_b; \
         CREATE FUNCTION write(integer) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO written VALUES ($1)'"
    ));
    let mut app = Session::of(&bed.scene, &role);
    let data = bed.recorded("row_written", |_| {
        app.run("INSERT INTO written VALUES (1)");
        app.run(&format!(
            "SET ROLE {role}_b; INSERT INTO written VALUES (2); RESET ROLE; SELECT write(3)"
        ));
        app.run("SET row_security = off; SET search_path = ''; INSERT INTO public.written VALUES (4)");
    });
    assert_eq!(ids(&data), [1, 2, 3, 4]);
    drop(app);
    bed.session.run(&format!(
        "DROP OWNED BY {role}, {role}_b; DROP ROLE {role}, {role}_b"
    ));
}

#[test]
fn every_way_to_write_many_rows_tells_of_each() {
    let mut bed = bed();
    bed.session.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0",
    );
    let data = bed.recorded("row_written", |bed| {
        bed.session.run(
            "CREATE TABLE many AS SELECT g FROM generate_series(1, 3000) g; ANALYZE many; \
             INSERT INTO written SELECT g FROM many WHERE g % 3 = 0; \
             WITH w AS (INSERT INTO written SELECT g FROM many WHERE g % 3 = 1 RETURNING id) SELECT count(*) FROM w",
        );
    });
    assert_eq!(data.len(), 2000);
    assert_eq!(data[0], json!({"id": 3}));
}

/// What is done for the event may be what finds no room on the stack: that is the session's own doing, and the source is everybody's.
#[test]
fn a_write_near_the_limit_of_the_stack_suspends_no_source() {
    let mut bed = bed();
    bed.session.run(
        "CREATE FUNCTION deep(depth integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
           IF depth = 0 THEN INSERT INTO written VALUES (1); ELSE PERFORM deep(depth - 1); END IF; END $$",
    );
    let mut deep = bed.connect();
    deep.run(
        "SET max_stack_depth = '100kB'; \
         DO $$ BEGIN FOR depth IN 0..100 LOOP \
           BEGIN PERFORM deep(depth); EXCEPTION WHEN statement_too_complex THEN NULL; END; \
         END LOOP; END $$",
    );
    let written = deep.number("SELECT count(*) FROM written");
    assert!(
        written > 0 && written < 101,
        "{written} writes: the limit is not met"
    );
    let suspended = "SELECT count(*) FROM zentry_notify.event_source WHERE suspended_at IS NOT NULL";
    assert_eq!(bed.session.number(suspended), 0);
    let data = bed.recorded("row_written", |bed| {
        bed.session.run("INSERT INTO written VALUES (2)");
    });
    assert_eq!(ids(&data), [2]);
}
