//! A session that writes down all that the server says to it.

use std::sync::{Arc, Mutex};

use postgres::error::{DbError, ErrorPosition};
use postgres::{Client, NoTls};
use zentry_e2e::cluster::Cluster;

/// What log entries of a [`Session`] have as their application's name.
pub const APPLICATION: &str = "neighbour";

/// Every field of an error or a notice, as "name: value" with those that are not empty.
pub type Fields = Vec<String>;

/// A superuser's session.
pub struct Session {
    client: Client,
    heard: Arc<Mutex<Vec<Fields>>>,
}

impl Session {
    pub fn open(cluster: &Cluster, database: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notices = Arc::clone(&heard);
        let client = cluster
            .config("postgres", database)
            .application_name(APPLICATION)
            .notice_callback(move |notice| notices.lock().unwrap().push(fields(&notice)))
            .connect(NoTls)
            .unwrap();
        Self { client, heard }
    }

    /// Runs a statement by the simple protocol; what the server said during it, its error last.
    pub fn run(&mut self, sql: &str) -> Vec<Fields> {
        let result = self.client.batch_execute(sql);
        let mut heard = std::mem::take(&mut *self.heard.lock().unwrap());
        if let Err(error) = result {
            heard.push(fields(
                error
                    .as_db_error()
                    .unwrap_or_else(|| panic!("{sql}: the session has ended: {error}")),
            ));
        }
        heard
    }

    /// Runs statements that must all succeed.
    pub fn prepare(&mut self, sql: &str) {
        self.client.batch_execute(sql).unwrap();
        self.heard.lock().unwrap().clear();
    }
}

fn fields(said: &DbError) -> Fields {
    let (position, internal_position, internal_query) = match said.position() {
        None => (None, None, None),
        Some(ErrorPosition::Original(position)) => (Some(position.to_string()), None, None),
        Some(ErrorPosition::Internal { position, query }) => {
            (None, Some(position.to_string()), Some(query.clone()))
        }
    };
    let text = |value: Option<&str>| value.map(str::to_owned);
    [
        ("severity", Some(said.severity().to_owned())),
        (
            "unlocalised severity",
            said.parsed_severity().map(|severity| format!("{severity:?}")),
        ),
        ("code", Some(said.code().code().to_owned())),
        ("message", Some(said.message().to_owned())),
        ("detail", text(said.detail())),
        ("hint", text(said.hint())),
        ("position", position),
        ("internal position", internal_position),
        ("internal query", internal_query),
        ("context", text(said.where_())),
        ("schema", text(said.schema())),
        ("table", text(said.table())),
        ("column", text(said.column())),
        ("data type", text(said.datatype())),
        ("constraint", text(said.constraint())),
        ("file", text(said.file())),
        ("line", said.line().map(|line| line.to_string())),
        ("routine", text(said.routine())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}: {}", value?)))
    .collect()
}
