//! A value that cannot be read is left out; the event and the write are not.

use serde_json::json;

use crate::support::Bed;

#[test]
fn damaged_toast_takes_one_value_and_no_write() {
    let mut bed = Bed::start();
    bed.session.run(
        "CREATE EXTENSION pg_surgery; CREATE TABLE long (id integer, d text, whole text, touched integer)",
    );
    bed.session.run(
        "ALTER TABLE long ALTER d SET STORAGE EXTERNAL, ALTER whole SET STORAGE EXTERNAL; \
         SELECT * FROM zentry_attach('row_written', 'long', columns => '{\"id\": \"id\", \"d\": \"d\", \"whole\": \"whole\"}', \
                operation => 'update', condition => 'NEW.touched > OLD.touched', audience => '{\"all\": true}')",
    );
    bed.session
        .run("INSERT INTO long VALUES (1, repeat('x', 9000), repeat('y', 9000), 0), (2, repeat('x', 9000), repeat('y', 9000), 0)");
    // The first value that was stored elsewhere is the first row's `d`.
    bed.session.run(
        "DO $$ DECLARE toast text := (SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'long'::regclass); first tid; BEGIN \
           EXECUTE format('SELECT ctid FROM %s ORDER BY chunk_id, chunk_seq LIMIT 1', toast) INTO first; \
           PERFORM heap_force_kill(toast::regclass, ARRAY[first]); \
         END $$",
    );
    assert!(
        bed.session
            .fails("SELECT length(d || '') FROM long WHERE id = 1")
            .1
            .contains("chunk")
    );
    let warnings = bed.session.run("UPDATE long SET touched = 1");
    assert_eq!(warnings, [] as [&str; 0]);
    let events = bed.events("row_written");
    let whole = "y".repeat(9000);
    assert_eq!(events[0].data, json!({"id": 1, "d": null, "whole": whole}));
    assert_eq!(events[0].context, json!({"cut": ["d"]}));
    assert_eq!(
        events[1].data,
        json!({"id": 2, "d": "x".repeat(9000), "whole": whole})
    );
    assert_eq!(events[1].context, json!(null));
}
