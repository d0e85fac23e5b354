//! A transaction with an old snapshot records for the webhooks and the sources of today, not of when it began.

use serde_json::json;
use zentry_e2e::emulator::Kind;

use crate::support::Bed;

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

/// A table of its own for each level.
fn bed() -> Bed {
    let mut bed = Bed::start();
    bed.session.run(&format!(
        "DELETE FROM zentry_notify.webhook_integration WHERE id = {}",
        bed.channel.id
    ));
    bed.session.run("CREATE TABLE written (id integer, level text)");
    bed.attach("written", &["id", "level"]);
    bed
}

#[test]
fn a_webhook_that_is_registered_after_the_snapshot_was_taken_is_heard_from_now_on() {
    let mut bed = bed();
    for (turn, level) in LEVELS.iter().enumerate() {
        let mut old = bed.connect();
        old.run(&format!("INSERT INTO written VALUES (0, '{level}')"));
        old.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM written"
        ));
        let channel = bed.scene.channel(Kind::Discord).unwrap();
        let data = bed.recorded("row_written", |_| {
            old.run(&format!("INSERT INTO written VALUES (1, '{level}'); COMMIT"));
            old.run(&format!("INSERT INTO written VALUES (2, '{level}')"));
        });
        assert_eq!(
            data,
            [json!({"id": 1, "level": level}), json!({"id": 2, "level": level})],
            "{level}"
        );
        assert_eq!(
            bed.events("row_written").len(),
            2 * (turn + 1),
            "nobody had heard of the first"
        );
        bed.session.run(&format!(
            "DELETE FROM zentry_notify.webhook_integration WHERE id = {}",
            channel.id
        ));
    }
}

#[test]
fn a_table_that_is_attached_after_the_snapshot_was_taken_tells_of_it() {
    for level in LEVELS {
        let mut bed = Bed::start();
        bed.session.run("CREATE TABLE written (id integer)");
        let mut old = bed.connect();
        old.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM zentry_notify.event_type"
        ));
        bed.attach("written", &["id"]);
        let data = bed.recorded("row_written", |_| {
            old.run("INSERT INTO written VALUES (1); COMMIT");
            old.run("INSERT INTO written VALUES (2)");
        });
        assert_eq!(data, [json!({"id": 1}), json!({"id": 2})], "{level}");
    }
}

#[test]
fn what_is_switched_off_deleted_or_told_to_hear_something_else_is_recorded_for_no_more() {
    let mut bed = bed();
    for change in [
        "UPDATE zentry_notify.webhook_integration SET is_active = false",
        "UPDATE zentry_notify.webhook_integration SET event_types = '[\"daily_streak\"]'",
        "DELETE FROM zentry_notify.webhook_integration",
    ] {
        for level in LEVELS {
            bed.session.run("DELETE FROM zentry_notify.webhook_integration");
            bed.scene.channel(Kind::Discord).unwrap();
            let mut old = bed.connect();
            old.run("INSERT INTO written VALUES (0)");
            old.run(&format!(
                "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM written"
            ));
            bed.session.run(change);
            let data = bed.recorded("row_written", |_| {
                old.run("INSERT INTO written VALUES (1); COMMIT");
                old.run("INSERT INTO written VALUES (2)");
            });
            assert_eq!(data, [] as [serde_json::Value; 0], "{change} {level}");
            // And the other way round.
            old.run(&format!(
                "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM written"
            ));
            bed.session.run("DELETE FROM zentry_notify.webhook_integration");
            bed.scene.channel(Kind::Discord).unwrap();
            let data = bed.recorded("row_written", |_| {
                old.run("INSERT INTO written VALUES (3); COMMIT");
            });
            assert_eq!(data.len(), 1, "{change} {level}");
        }
    }
}

#[test]
fn what_a_transaction_changes_itself_holds_for_it_until_it_is_rolled_back() {
    let mut bed = bed();
    let mut own = bed.connect();
    own.run("INSERT INTO written VALUES (0)");
    let register = "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url) \
                    SELECT 'own', 'discord', webhook_url FROM held";
    let channel = bed.scene.channel(Kind::Discord).unwrap();
    bed.session.run(&format!(
        "CREATE TABLE held AS SELECT webhook_url FROM zentry_notify.webhook_integration WHERE id = {}; \
         DELETE FROM zentry_notify.webhook_integration",
        channel.id
    ));
    let data = bed.recorded("row_written", |_| {
        own.run("BEGIN; INSERT INTO written VALUES (1); SAVEPOINT a");
        own.run(register);
        own.run("INSERT INTO written VALUES (2); ROLLBACK TO a; INSERT INTO written VALUES (3)");
        own.run(register);
        own.run("INSERT INTO written VALUES (4); COMMIT");
    });
    assert_eq!(data.len(), 1);
    assert_eq!(data[0]["id"], 4);
}
