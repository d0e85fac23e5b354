//! The statements that set something.

use postgres::error::DbError;
use zentry_e2e::cluster::TestDatabase;

use crate::support::{literal, refusal, show, whole_text};
use crate::table::{Kind, SETTINGS, Setting};

/// The ways in, with `%s` for the setting and `%v` for the value.
const STATEMENTS: [&str; 6] = [
    "SET %s = %v",
    "SELECT set_config('%s', %v, false)",
    "ALTER SYSTEM SET %s = %v",
    "ALTER DATABASE %d SET %s = %v",
    "ALTER ROLE %d SET %s = %v",
    "CREATE OR REPLACE FUNCTION sets() RETURNS void LANGUAGE sql SET %s = %v AS ''",
];

struct Server {
    database: TestDatabase,
}

impl Server {
    fn start() -> Self {
        let database = TestDatabase::create().unwrap();
        let mut client = database.connect().unwrap();
        client
            .batch_execute(&format!("CREATE ROLE {} LOGIN", database.name()))
            .unwrap();
        Server { database }
    }

    fn statement(&self, form: &str, setting: &Setting, value: &str) -> String {
        form.replace("%s", setting.name)
            .replace("%d", self.database.name())
            .replace("%v", &literal(value))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut client = self.database.connect().unwrap();
        client
            .batch_execute(&format!(
                "DROP FUNCTION IF EXISTS sets(); DROP ROLE {}",
                self.database.name()
            ))
            .unwrap();
    }
}

/// Whether the statement belongs to a session, or to what a session starts with.
fn is_of_a_session(form: &str) -> bool {
    !form.starts_with("ALTER SYSTEM")
}

#[test]
fn the_table_has_every_setting() {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    let rows = client
        .query(
            "SELECT name FROM pg_settings WHERE name LIKE 'zentry\\_notify.%' ORDER BY 1",
            &[],
        )
        .unwrap();
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut here: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    here.sort_unstable();
    assert_eq!(there, here);
}

#[test]
fn right_values_are_taken_by_every_statement() {
    let server = Server::start();
    for setting in SETTINGS {
        for value in setting.right {
            for form in STATEMENTS {
                if setting.kind == Kind::ServerWide && is_of_a_session(form) {
                    continue;
                }
                let statement = server.statement(form, setting, value);
                let mut client = server.database.connect().unwrap();
                client
                    .batch_execute(&statement)
                    .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
                client
                    .batch_execute(&format!(
                        "ALTER SYSTEM RESET {}; ALTER DATABASE {} RESET ALL; ALTER ROLE {} RESET ALL",
                        setting.name,
                        server.database.name(),
                        server.database.name()
                    ))
                    .unwrap_or_else(|_| reset(&mut client, &server, setting));
            }
        }
    }
}

/// ALTER SYSTEM does not run beside other statements.
fn reset(client: &mut postgres::Client, server: &Server, setting: &Setting) {
    let name = server.database.name();
    for statement in [
        format!("ALTER SYSTEM RESET {}", setting.name),
        format!("ALTER DATABASE {name} RESET ALL"),
        format!("ALTER ROLE {name} RESET ALL"),
    ] {
        client.batch_execute(&statement).unwrap();
    }
}

#[test]
fn wrong_values_are_refused_by_every_statement_and_the_old_one_stays() {
    let server = Server::start();
    for setting in SETTINGS {
        for value in setting.wrong {
            for form in STATEMENTS {
                let statement = server.statement(form, setting, value);
                let mut client = server.database.connect().unwrap();
                let before = show(&mut client, setting.name);
                let error = refusal(&mut client, &statement);
                assert_eq!(show(&mut client, setting.name), before, "{statement}");
                if setting.kind == Kind::ServerWide && is_of_a_session(form) {
                    assert_eq!(error.code().code(), "55P02", "{statement}: {error:?}");
                } else {
                    explains(&error, setting, value, &statement);
                }
            }
        }
    }
}

fn explains(error: &DbError, setting: &Setting, value: &str, statement: &str) {
    assert_eq!(error.code().code(), "22023", "{statement}: {error:?}");
    assert!(error.message().contains(setting.name), "{statement}: {error:?}");
    if setting.kind != Kind::Text {
        return; // PostgreSQL's own message has the value, or the range
    }
    assert!(
        error.detail().is_some_and(|detail| detail.ends_with('.')),
        "{statement}: {error:?}"
    );
    // A hint shows a right value, and that is one.
    assert!(
        error.hint().is_some_and(|hint| hint.contains("such as '")),
        "{statement}: {error:?}"
    );
    let text = whole_text(error);
    if matches!(
        setting.name,
        "zentry_notify.proxy" | "zentry_notify.api_token_key"
    ) {
        assert_eq!(
            error.message(),
            format!("invalid value for parameter \"{}\"", setting.name)
        );
        assert!(!text.contains("swordfish"), "{text}");
    } else {
        assert!(error.message().contains(value), "{statement}: {error:?}");
    }
}

/// The values that hints show.
#[test]
fn hints_show_values_that_are_taken() {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    for setting in SETTINGS.iter().filter(|setting| setting.kind == Kind::Text) {
        let error = refusal(
            &mut client,
            &format!("SET {} = {}", setting.name, literal(setting.wrong[0])),
        );
        let hint = error.hint().unwrap().to_owned();
        for shown in hint.split('\'').skip(1).step_by(2) {
            // The file of the hint is not on this machine.
            if setting.name != "zentry_notify.ca_file" {
                client
                    .batch_execute(&format!("SET {} = {}", setting.name, literal(shown)))
                    .unwrap_or_else(|error| panic!("{hint}: {error:?}"));
            }
        }
    }
}

/// A file that goes after the setting was taken disturbs no session and no parallel worker.
#[test]
fn a_ca_file_that_is_gone_later_is_in_nobodys_way() {
    let database = TestDatabase::create().unwrap();
    let mut client = database.connect().unwrap();
    let file = database.cluster().dir().join("data").join(database.name());
    let file = file.to_str().unwrap();
    let lines = r"SELECT regexp_split_to_table(pg_read_file('/etc/ssl/certs/ca-certificates.crt'), '\n')";
    client
        .batch_execute(&format!("COPY ({lines}) TO '{file}'"))
        .unwrap();
    database.set("zentry_notify.ca_file", file).unwrap();
    client
        .batch_execute(&format!("SET zentry_notify.ca_file = {}", literal(file)))
        .unwrap();
    client
        .batch_execute(&format!("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm {file}'"))
        .unwrap();

    let force = if show(&mut client, "server_version_num").as_str() >= "160000" {
        "debug_parallel_query"
    } else {
        "force_parallel_mode"
    };
    client
        .batch_execute(&format!("SET {force} = on; SELECT count(*) FROM pg_class"))
        .unwrap();
    let mut later = database.connect().unwrap();
    assert_eq!(show(&mut later, "zentry_notify.ca_file"), file);
    let error = refusal(
        &mut later,
        &format!("SET zentry_notify.ca_file = {}", literal(file)),
    );
    assert!(
        error.detail().unwrap().contains("No such file or directory"),
        "{error:?}"
    );
}
