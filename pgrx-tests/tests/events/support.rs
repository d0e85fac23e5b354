//! What the tests here have in common.

use std::sync::{Arc, Mutex};

use postgres::error::DbError;
use postgres::{Client, NoTls};
use serde_json::Value;
use zentry_e2e::scene::Scene;

/// Tables of an application that is not Zentry.
pub const PLAIN: &str = include_str!("../../fixtures/plain.sql");

/// A session, and the warnings and notices that it is sent.
pub struct Session {
    pub client: Client,
    heard: Arc<Mutex<Vec<DbError>>>,
}

impl Session {
    pub fn of(scene: &Scene) -> Self {
        Self::as_role(scene, "postgres")
    }

    pub fn as_role(scene: &Scene, role: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&heard);
        let cluster = scene.database.cluster();
        let client = postgres::Config::new()
            .host_path(cluster.dir())
            .port(cluster.port())
            .user(role)
            .dbname(scene.database.name())
            .notice_callback(move |notice| said.lock().unwrap().push(notice))
            .connect(NoTls)
            .unwrap();
        Self { client, heard }
    }

    /// Run statements that must not fail; the warnings and notices that came of it, each with its hint.
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        self.heard.lock().unwrap().clear();
        if let Err(error) = self.client.batch_execute(sql) {
            panic!("{sql}: {error:?}");
        }
        std::mem::take(&mut *self.heard.lock().unwrap())
            .iter()
            .map(said)
            .collect()
    }

    /// The error of statements that must fail: SQLSTATE, message, detail and hint in lines.
    pub fn fails(&mut self, sql: &str) -> String {
        let error = self.client.batch_execute(sql).expect_err(sql);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error:?}"));
        format!("{} {}", error.code().code(), said(error))
    }

    pub fn json(&mut self, sql: &str) -> Value {
        self.client
            .query_one(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    pub fn text(&mut self, sql: &str) -> String {
        self.client
            .query_one(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    pub fn number(&mut self, sql: &str) -> i64 {
        self.client
            .query_one(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }
}

fn said(error: &DbError) -> String {
    let mut lines = vec![error.message().to_owned()];
    lines.extend(error.detail().map(|detail| format!("DETAIL: {detail}")));
    lines.extend(error.hint().map(|hint| format!("HINT: {hint}")));
    lines.join("\n")
}

/// Wait until everything is sent; the payloads of `event_type`, oldest first.
pub fn sent(scene: &mut Scene, event_type: &str) -> Vec<Value> {
    let deliveries = scene.settle().unwrap();
    for delivery in &deliveries {
        assert_eq!(delivery.status, "sent", "{delivery:?}");
    }
    assert_eq!(scene.emulator.complaints(), [] as [&str; 0]);
    deliveries
        .into_iter()
        .filter(|delivery| delivery.event_type == event_type)
        .map(|delivery| delivery.payload)
        .collect()
}
