//! What others have put on our tables is in nobody's way: the write succeeds, and the event is there or counted as lost.

use serde_json::json;

use crate::support::Bed;

fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run("CREATE TABLE written (id integer)");
    bed.attach("written", &["id"]);
    bed
}

/// Events that could not be recorded.
const LOST: &str = "an event row_written could not be recorded (SQLSTATE";

#[test]
fn policies_checks_triggers_rules_and_privileges_are_not_asked() {
    let mut bed = bed();
    bed.session.run(
        "ALTER TABLE zentry_notify.event ENABLE ROW LEVEL SECURITY; ALTER TABLE zentry_notify.event FORCE ROW LEVEL SECURITY; \
         ALTER TABLE zentry_notify.event ADD CHECK (false) NOT VALID; \
         CREATE POLICY nobody ON zentry_notify.event USING (true) WITH CHECK (1 / 0 = 1); \
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; \
         CREATE TRIGGER refuse BEFORE INSERT ON zentry_notify.event FOR EACH ROW EXECUTE FUNCTION refuse(); \
         CREATE RULE nothing AS ON INSERT TO zentry_notify.event DO INSTEAD NOTHING; \
         REVOKE ALL ON ALL TABLES IN SCHEMA zentry_notify FROM zentry_notify_agent; \
         REVOKE ALL ON ALL SEQUENCES IN SCHEMA zentry_notify FROM zentry_notify_agent; \
         ALTER TABLE zentry_notify.webhook ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE zentry_notify.event_source ENABLE ROW LEVEL SECURITY",
    );
    let mut fresh = bed.connect();
    for (id, session) in [(1, &mut fresh), (2, &mut bed.session)] {
        let warnings = session.run(&format!("INSERT INTO written VALUES ({id})"));
        assert_eq!(warnings, [] as [&str; 0]);
    }
    let data: Vec<_> = bed
        .events("row_written")
        .into_iter()
        .map(|event| event.data)
        .collect();
    assert_eq!(data, [json!({"id": 1}), json!({"id": 2})]);
}

/// LOCK of the view, which the application's role may take, locks the table of webhooks too.
#[test]
fn a_lock_on_the_webhooks_holds_up_no_write() {
    let mut bed = bed();
    let mut other = bed.connect();
    let mut fresh = bed.connect();
    other.run("BEGIN; LOCK TABLE zentry_notify.webhook_integration");
    // The test fails by the timeout where it waits.
    fresh.run("SET lock_timeout = '10s'");
    for id in 1..=2 {
        let warnings = fresh.run(&format!("INSERT INTO written VALUES ({id})"));
        assert_eq!(warnings, [] as [&str; 0]);
    }
    other.run("ROLLBACK");
    fresh.run("INSERT INTO written VALUES (3)");
    let data: Vec<_> = bed
        .events("row_written")
        .into_iter()
        .map(|event| event.data)
        .collect();
    assert_eq!(data, [json!({"id": 1}), json!({"id": 2}), json!({"id": 3})]);
}

/// As VACUUM FULL and REINDEX take it. A write waits, because its event is not to be lost; where its session does not let it wait, the event is lost
/// and not the write.
#[test]
fn a_lock_on_the_events_fails_no_write() {
    let mut bed = bed();
    let mut other = bed.connect();
    let mut fresh = bed.connect();
    fresh.run("INSERT INTO written VALUES (1); SET lock_timeout = '1ms'");
    for (id, lock) in [
        (2, "LOCK TABLE zentry_notify.event"),
        (
            3,
            "ALTER INDEX zentry_notify.event_pkey SET TABLESPACE pg_default",
        ),
        (5, "ALTER SEQUENCE zentry_notify.event_id_seq CACHE 1"),
    ] {
        other.run(&format!("BEGIN; {lock}"));
        // One session knows the table already, the other has not written to it yet.
        let mut first = bed.connect();
        first.run("SET lock_timeout = '1ms'");
        for (session, id) in [(&mut fresh, id), (&mut first, -id)] {
            let warnings = session.run(&format!("INSERT INTO written VALUES ({id})"));
            assert_eq!(
                warnings,
                [format!("55P03 zentry_notify: {LOST} 55P03)")],
                "{lock} {id}"
            );
        }
        other.run("ROLLBACK");
    }
    fresh.run("INSERT INTO written VALUES (4)");
    assert_eq!(bed.session.number("SELECT count(*) FROM written"), 8);
    let data: Vec<_> = bed
        .events("row_written")
        .into_iter()
        .map(|event| event.data)
        .collect();
    assert_eq!(data, [json!({"id": 1}), json!({"id": 4})]);
}

#[test]
fn indexes_of_others_are_kept_and_what_they_refuse_is_lost() {
    for (index, refused) in [
        (
            "CREATE INDEX more ON zentry_notify.event (created_at, source_id)",
            false,
        ),
        (
            "CREATE INDEX more ON zentry_notify.event (source_id) INCLUDE (event_type)",
            false,
        ),
        (
            "CREATE INDEX more ON zentry_notify.event ((data ->> 'id'))",
            false,
        ),
        (
            "CREATE INDEX more ON zentry_notify.event (id) WHERE event_type = 'row_written'",
            false,
        ),
        (
            "CREATE INDEX more ON zentry_notify.event USING brin (created_at)",
            false,
        ),
        (
            "CREATE INDEX more ON zentry_notify.event USING hash (event_type)",
            false,
        ),
        (
            "CREATE UNIQUE INDEX more ON zentry_notify.event (event_type)",
            true,
        ),
        ("CREATE INDEX more ON zentry_notify.event ((1 / (id - id)))", true),
    ] {
        let mut bed = bed();
        bed.session.run("INSERT INTO written VALUES (0)");
        bed.session.run("TRUNCATE zentry_notify.event");
        bed.session.run(index);
        let warnings: Vec<String> = (1..=3)
            .flat_map(|id| bed.session.run(&format!("INSERT INTO written VALUES ({id})")))
            .collect();
        let count = bed.events("row_written").len();
        if refused {
            assert_eq!(count + warnings.len(), 3, "{index}: {warnings:?}");
            assert!(
                warnings.iter().all(|warning| warning.contains(LOST)),
                "{warnings:?}"
            );
            assert!(!warnings.is_empty(), "{index}");
            bed.session.run("DROP INDEX zentry_notify.more");
            assert_eq!(bed.session.run("INSERT INTO written VALUES (4)"), [] as [&str; 0]);
            assert_eq!(bed.events("row_written").len(), count + 1);
        } else {
            assert_eq!((count, warnings), (3, Vec::new()), "{index}");
            check_index(&mut bed);
        }
    }
}

/// Every row has its entry, and nothing else has.
fn check_index(bed: &mut Bed) {
    bed.session.run("CREATE EXTENSION amcheck");
    bed.session.run(
        "SELECT bt_index_check(c.oid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam \
         WHERE i.indrelid = 'zentry_notify.event'::regclass AND a.amname = 'btree'",
    );
}

#[test]
fn a_table_that_is_not_as_it_was_made_gets_a_statement() {
    for (change, told) in [
        ("ALTER TABLE zentry_notify.event ADD note text", true),
        (
            "ALTER TABLE zentry_notify.event ADD note text NOT NULL DEFAULT 'x'",
            true,
        ),
        (
            "ALTER TABLE zentry_notify.event ADD double bigint GENERATED ALWAYS AS (source_id * 2) STORED",
            true,
        ),
        (
            "ALTER TABLE zentry_notify.event ALTER source_id TYPE integer",
            true,
        ),
        ("ALTER TABLE zentry_notify.event ADD note text NOT NULL", false),
        ("ALTER TABLE zentry_notify.event RENAME data TO payload", false),
        ("ALTER TABLE zentry_notify.event ALTER id DROP IDENTITY", false),
        (
            "ALTER TABLE zentry_notify.event RENAME TO ev; CREATE TABLE zentry_notify.event (id integer)",
            false,
        ),
    ] {
        let mut bed = bed();
        bed.session
            .run("INSERT INTO written VALUES (0); TRUNCATE zentry_notify.event");
        bed.session.run(
            "ALTER EXTENSION zentry_notify DROP TABLE zentry_notify.event; \
             ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.event_id_seq",
        );
        bed.session.run(change);
        bed.session
            .run("GRANT INSERT ON zentry_notify.event TO zentry_notify_agent");
        let warnings = bed.session.run("INSERT INTO written VALUES (1)");
        let written = bed.session.number("SELECT count(*) FROM zentry_notify.event");
        assert_eq!(
            (written, warnings.len()),
            if told { (1, 0) } else { (0, 1) },
            "{change}: {warnings:?}"
        );
        assert!(
            warnings.iter().all(|warning| warning.contains(LOST)),
            "{warnings:?}"
        );
        assert_eq!(bed.session.number("SELECT count(*) FROM written"), 2);
    }
}

#[test]
fn a_sequence_that_is_behind_its_table_is_brought_forward() {
    let mut bed = bed();
    let mut known = bed.connect();
    known.run("INSERT INTO written VALUES (1)");
    // As a restored dump or a promoted subscriber has it.
    bed.session.run(
        "INSERT INTO zentry_notify.event (id, event_type, data) OVERRIDING SYSTEM VALUE VALUES (5000, 'row_written', '{\"id\": 2}'); \
         SELECT setval('zentry_notify.event_id_seq', 4990)",
    );
    let mut fresh = bed.connect();
    assert_eq!(fresh.run("INSERT INTO written VALUES (3)"), [] as [&str; 0]);
    // Set back under a session that has written.
    bed.session
        .run("SELECT setval('zentry_notify.event_id_seq', 1, false)");
    for session in [&mut known, &mut fresh] {
        assert_eq!(session.run("INSERT INTO written VALUES (4)"), [] as [&str; 0]);
    }
    let ids: Vec<i64> = bed
        .session
        .client
        .query("SELECT id FROM zentry_notify.event ORDER BY id", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(ids.len(), 5, "{ids:?}");
    assert!(ids[2..].iter().all(|id| *id > 5000), "{ids:?}");
}

#[test]
fn truncating_and_restarting_makes_no_write_fail() {
    let mut bed = bed();
    bed.session
        .run("INSERT INTO written SELECT generate_series(1, 10)");
    bed.session
        .run("BEGIN; INSERT INTO written VALUES (11); TRUNCATE zentry_notify.event RESTART IDENTITY");
    assert_eq!(
        bed.session.run("INSERT INTO written VALUES (12); COMMIT"),
        [] as [&str; 0]
    );
    let data: Vec<_> = bed
        .events("row_written")
        .into_iter()
        .map(|event| event.data)
        .collect();
    assert_eq!(data, [json!({"id": 12})]);
}

/// Nothing of a row is shown to who writes: only that something was wrong, and of what kind.
#[test]
fn a_warning_shows_no_value() {
    let mut bed = bed();
    bed.session
        .run("CREATE UNIQUE INDEX more ON zentry_notify.event ((data ->> 'id')); INSERT INTO written VALUES (90000)");
    let warnings = bed.session.run("INSERT INTO written VALUES (90000)");
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("SQLSTATE 23505") && !warnings[0].contains("90000"),
        "{warnings:?}"
    );
}
