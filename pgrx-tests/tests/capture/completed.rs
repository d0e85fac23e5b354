//! What counts as completed is what PostgreSQL calls equal, whatever the column's type.

use crate::support::Bed;

/// How often a task becomes completed by these statuses, one after the other.
fn completions(bed: &mut Bed, kind: &str, statuses: &[&str]) -> usize {
    bed.session.run(&format!(
        "DROP TABLE IF EXISTS chore CASCADE; CREATE TABLE chore (id integer PRIMARY KEY, title text, status {kind}); \
         INSERT INTO chore VALUES (1, 'one', '{}')",
        statuses[0]
    ));
    bed.session
        .run("SELECT * FROM zentry_attach('task_completed', 'chore', audience => '{\"all\": true}', done => 'completed')");
    bed.recorded("task_completed", |bed| {
        for status in &statuses[1..] {
            let warnings = bed
                .session
                .run(&format!("UPDATE chore SET status = '{status}', title = title"));
            assert_eq!(warnings, [] as [&str; 0], "{kind}");
        }
    })
    .len()
}

const PATH: &[&str] = &["todo", "completed", "completed", "todo", "completed", "doing"];

#[test]
fn texts_of_every_kind() {
    let mut bed = Bed::start();
    bed.session.run(
        "CREATE DOMAIN state AS char(20); CREATE DOMAIN strict_state AS varchar(20) CHECK (VALUE <> 'never'); \
         CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
    for kind in [
        "text",
        "varchar(20)",
        "char(20)",
        "state",
        "strict_state",
        "varchar(20) COLLATE \"C\"",
    ] {
        assert_eq!(completions(&mut bed, kind, PATH), 2, "{kind}");
        assert_eq!(completions(&mut bed, kind, &["todo", "COMPLETED"]), 0, "{kind}");
    }
    let any_case = "text COLLATE any_case";
    assert_eq!(completions(&mut bed, any_case, PATH), 2);
    assert_eq!(
        completions(&mut bed, any_case, &["todo", "Completed", "COMPLETED", "todo"]),
        1
    );
}

#[test]
fn citext_ignores_case() {
    let mut bed = Bed::start();
    bed.session.run("CREATE EXTENSION citext");
    assert_eq!(completions(&mut bed, "citext", PATH), 2);
    assert_eq!(
        completions(&mut bed, "citext", &["todo", "Completed", "COMPLETED", "todo"]),
        1
    );
}

#[test]
fn an_enum_whose_value_is_renamed_is_told_of_or_said_to_be_suspended() {
    let mut bed = Bed::start();
    bed.session
        .run("CREATE TYPE state AS ENUM ('todo', 'doing', 'completed')");
    assert_eq!(completions(&mut bed, "state", PATH), 2);
    bed.session
        .run("ALTER TYPE state RENAME VALUE 'completed' TO 'done'; UPDATE chore SET status = 'todo'");
    let mut fresh = bed.connect();
    let data = bed.recorded("task_completed", |_| {
        fresh.run("UPDATE chore SET status = 'done'");
    });
    let suspended = bed.session.number(
        "SELECT count(suspended_at) FROM zentry_notify.event_source WHERE relation = 'chore'::regclass",
    );
    assert_eq!(
        data.len() + usize::try_from(suspended).unwrap(),
        1,
        "never neither"
    );
}
