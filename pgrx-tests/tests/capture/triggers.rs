//! A trigger that has no row to tell of is an error, as those of referential integrity are, and never a crash.

use crate::support::Bed;

#[test]
fn only_after_row_triggers_may_call_it() {
    let mut bed = Bed::start();
    bed.session
        .run("CREATE TABLE written (id integer); CREATE VIEW seen AS SELECT * FROM written");
    bed.attach("written", &["id"]);
    let call = "EXECUTE FUNCTION zentry_notify.capture('row_written')";
    for (trigger, statement) in [
        (
            format!("AFTER INSERT ON written FOR EACH STATEMENT {call}"),
            "INSERT INTO written VALUES (1)",
        ),
        (
            format!("BEFORE INSERT ON written FOR EACH STATEMENT {call}"),
            "INSERT INTO written VALUES (1)",
        ),
        (
            format!("BEFORE INSERT ON written FOR EACH ROW {call}"),
            "INSERT INTO written VALUES (1)",
        ),
        (
            format!("INSTEAD OF INSERT ON seen FOR EACH ROW {call}"),
            "INSERT INTO seen VALUES (1)",
        ),
        (
            format!("AFTER TRUNCATE ON written FOR EACH STATEMENT {call}"),
            "TRUNCATE written",
        ),
    ] {
        let table = if trigger.contains("seen") {
            "seen"
        } else {
            "written"
        };
        bed.session.run(&format!("CREATE TRIGGER wrong {trigger}"));
        assert_eq!(
            bed.session.fails(statement),
            (
                "39P01".to_owned(),
                "function \"capture\" must be fired AFTER ROW".to_owned()
            ),
            "{trigger}"
        );
        bed.session.run(&format!("DROP TRIGGER wrong ON {table}"));
    }
    bed.session.run("SELECT 1");
    assert_eq!(bed.events("row_written").len(), 0);
    let (state, _) = bed.session.fails("SELECT zentry_notify.capture()");
    assert!(["39P01", "0A000"].contains(&state.as_str()), "{state}");
}

#[test]
fn a_trigger_of_a_table_that_is_not_attached_tells_nothing() {
    let mut bed = Bed::start();
    bed.session.run(
        "CREATE TABLE written (id integer); \
         CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON written FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture('row_written', 'x', ''); \
         CREATE TRIGGER u AFTER INSERT ON written FOR EACH ROW EXECUTE FUNCTION zentry_notify.capture()",
    );
    let warnings = bed
        .session
        .run("INSERT INTO written VALUES (1); UPDATE written SET id = 2; DELETE FROM written");
    assert_eq!(warnings, [] as [&str; 0]);
    assert_eq!(bed.events("row_written").len(), 0);
}
