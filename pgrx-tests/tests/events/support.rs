//! What the tests here have in common.

use postgres::Client;
use postgres::error::DbError;
use serde_json::Value;
use zentry_e2e::notices::Notices;
use zentry_e2e::scene::{Channel, Scene};
use zentry_e2e::zentry::id;

/// Tables of an application that is not Zentry.
pub const PLAIN: &str = include_str!("../../fixtures/plain.sql");

/// A session, and the warnings and notices that it is sent.
pub struct Session {
    pub client: Client,
    notices: Notices,
}

impl Session {
    pub fn of(scene: &Scene) -> Self {
        Self::as_role(scene, "postgres")
    }

    pub fn as_role(scene: &Scene, role: &str) -> Self {
        let (client, notices) = Notices::connect(scene, role).unwrap();
        Self { client, notices }
    }

    /// Run statements that must not fail; the warnings and notices that came of it, each with its hint.
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        let notices = self.notices.of(&mut self.client, sql);
        notices.iter().map(said).collect()
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

/// Two channels that hear of streaks, and how many they have heard of.
pub struct Streaks<'a> {
    pub session: Session,
    pub channels: [&'a Channel; 2],
    pub rounds: usize,
}

impl Streaks<'_> {
    /// Runs SQL, then extends a streak; the titles that the channels show of it.
    pub fn titles(&mut self, scene: &mut Scene, sql: &str) -> [String; 2] {
        self.session.run(sql);
        self.rounds += 1;
        self.session.run(&format!(
            "UPDATE users_user SET current_streak = current_streak + 1 WHERE id = {}",
            id::CHEN
        ));
        assert_eq!(sent(scene, "daily_streak").len(), 2 * self.rounds);
        self.channels
            .map(|channel| channel.webhook.shown().last().unwrap().title.clone())
    }
}
