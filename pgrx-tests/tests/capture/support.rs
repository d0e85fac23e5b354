//! What the tests here have in common.

use postgres::Client;
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::notices::Notices;
use zentry_e2e::scene::{Channel, Scene};

/// A database with Zentry's tables and a webhook for everything, to which nothing is sent.
pub struct Bed {
    pub scene: Scene,
    pub channel: Channel,
    /// A superuser's.
    pub session: Session,
}

/// What was recorded of a write.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub event_type: String,
    pub data: Value,
    pub context: Value,
}

impl Bed {
    pub fn start() -> Self {
        let mut scene = Scene::start().unwrap();
        scene.database.set("zentry_notify.sending", "off").unwrap();
        let channel = scene.channel(Kind::Discord).unwrap();
        let session = Session::of(&scene, "postgres");
        let mut bed = Self {
            scene,
            channel,
            session,
        };
        bed.session
            .run("SELECT zentry_register_event_type('row_written', 'A row')");
        bed
    }

    /// Another session of a superuser.
    pub fn connect(&self) -> Session {
        Session::of(&self.scene, "postgres")
    }

    /// Lets the table fire `row_written` for each row that is inserted, with these columns as they are.
    pub fn attach(&mut self, table: &str, columns: &[&str]) {
        let mapping: Value = columns
            .iter()
            .map(|column| ((*column).to_owned(), Value::from(*column)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let sql = format!(
            "SELECT * FROM zentry_attach('row_written', '{table}', columns => '{mapping}', operation => 'insert', \
             audience => '{{\"all\": true}}')"
        );
        self.session.run(&sql);
    }

    /// All events of a type, in order.
    pub fn events(&mut self, event_type: &str) -> Vec<Event> {
        self.session.events(event_type)
    }

    /// The data of the events of a type that `f` leaves behind.
    pub fn recorded(&mut self, event_type: &str, f: impl FnOnce(&mut Self)) -> Vec<Value> {
        let before = self.events(event_type).len();
        f(self);
        let after = self.events(event_type).split_off(before);
        after.into_iter().map(|event| event.data).collect()
    }
}

/// A session, and the warnings that it is sent.
pub struct Session {
    pub client: Client,
    notices: Notices,
}

impl Session {
    pub fn of(scene: &Scene, role: &str) -> Self {
        let (client, notices) = Notices::connect(scene, role).unwrap();
        Self { client, notices }
    }

    /// Runs statements that must not fail; the warnings that came of it.
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        let notices = self.notices.of(&mut self.client, sql);
        notices
            .iter()
            .filter(|notice| notice.severity() == "WARNING")
            .map(|notice| format!("{} {}", notice.code().code(), notice.message()))
            .collect()
    }

    /// The SQLSTATE and the message of statements that must fail.
    pub fn fails(&mut self, sql: &str) -> (String, String) {
        let error = self.client.batch_execute(sql).expect_err(sql);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
        (error.code().code().to_owned(), error.message().to_owned())
    }

    pub fn number(&mut self, sql: &str) -> i64 {
        self.client
            .query_one(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    pub fn events(&mut self, event_type: &str) -> Vec<Event> {
        let sql =
            "SELECT event_type, data, context FROM zentry_notify.event WHERE event_type = $1 ORDER BY id";
        self.client
            .query(sql, &[&event_type])
            .unwrap()
            .iter()
            .map(|row| Event {
                event_type: row.get(0),
                data: row.get(1),
                context: row.get::<_, Option<Value>>(2).unwrap_or_default(),
            })
            .collect()
    }
}
