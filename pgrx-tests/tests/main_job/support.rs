//! What the tests here have in common.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use postgres::error::DbError;
use postgres::{Client, NoTls};
use serde_json::Value;
use zentry_e2e::cluster::TestDatabase;
use zentry_e2e::emulator::{Event, Kind, Limits, shown};
use zentry_e2e::scene::{Channel, Delivery, Scene};
use zentry_e2e::zentry::{self, id};

/// A channel of each kind, for every event of every project.
pub fn channels(scene: &mut Scene) -> [Channel; Kind::CHATS.len()] {
    Kind::CHATS.map(|kind| scene.channel(kind).unwrap())
}

/// A Discord channel without rate limits that hears of one event type, in every project.
pub fn listener(scene: &mut Scene, event_type: &str) -> Channel {
    let channel = scene
        .channel_for(Kind::Discord, None, Some(&[event_type]))
        .unwrap();
    channel.webhook.limit(Limits::default());
    channel
}

/// Nobody sent anything that a vendor would refuse, or to anywhere else.
pub fn assert_clean(scene: &Scene) {
    assert_eq!(scene.emulator.complaints(), [] as [&str; 0]);
    assert!(
        scene.emulator.strays().is_empty(),
        "{:?}",
        scene.emulator.strays()
    );
}

/// Wait until everything is sent; the payloads of `event_type`, oldest first.
pub fn sent(scene: &mut Scene, event_type: &str) -> Vec<Value> {
    let deliveries = scene.settle().unwrap();
    for delivery in &deliveries {
        assert_eq!(delivery.status, "sent", "{delivery:?}");
    }
    deliveries
        .into_iter()
        .filter(|delivery| delivery.event_type == event_type)
        .map(|delivery| delivery.payload)
        .collect()
}

/// The values of one key.
pub fn values(payloads: &[Value], key: &str) -> Vec<Value> {
    payloads.iter().map(|payload| payload[key].clone()).collect()
}

/// Run `writes` and show that they fire nothing: after them an event is fired that must be the only one.
pub fn assert_silent(scene: &mut Scene, writes: impl FnOnce(&mut Scene)) {
    let channel = scene.channel(Kind::Discord).unwrap();
    writes(scene);
    zentry::award_badge(&mut scene.client, id::DALIA, id::TASK_MASTER).unwrap();
    let fired: Vec<String> = scene
        .settle()
        .unwrap()
        .into_iter()
        .map(|delivery| delivery.event_type)
        .collect();
    assert_eq!(fired, ["badge_earned"]);
    assert_eq!(channel.webhook.event_count(), 1);
    assert_clean(scene);
}

/// The bold parts of the event's text.
pub fn bold(kind: Kind, event: &Event) -> Vec<String> {
    shown::spans(kind, &event.text)
        .into_iter()
        .filter(|span| span.bold)
        .map(|span| span.text)
        .collect()
}

/// `2024-01-15T10:30:00Z`: as payloads have their times.
pub fn iso(time: Timestamp) -> String {
    Timestamp::from_second(time.as_microsecond().div_euclid(1_000_000))
        .unwrap()
        .to_string()
}

/// The ids of channels that were to hear something, in order.
pub fn webhook_ids(deliveries: &[Delivery], event_type: &str) -> Vec<i64> {
    let mut webhook_ids: Vec<i64> = deliveries
        .iter()
        .filter(|delivery| delivery.event_type == event_type)
        .map(|delivery| delivery.webhook_integration_id)
        .collect();
    webhook_ids.sort_unstable();
    webhook_ids
}

/// Warnings and notices that a session was sent.
#[derive(Clone, Debug, Default)]
pub struct Notices(Arc<Mutex<Vec<DbError>>>);

impl Notices {
    /// Those so far, which are then forgotten.
    pub fn take(&self) -> Vec<DbError> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Connect as `role`, and hear what the server has to say.
pub fn connect_listening(database: &TestDatabase, role: &str) -> (Client, Notices) {
    let notices = Notices::default();
    let heard = notices.clone();
    let cluster = database.cluster();
    let client = cluster
        .config(role, database.name())
        .notice_callback(move |notice| heard.0.lock().unwrap().push(notice))
        .connect(NoTls)
        .unwrap();
    (client, notices)
}

/// SQLSTATE of the error of a statement that must fail.
pub fn sqlstate<T: std::fmt::Debug>(result: Result<T, postgres::Error>) -> String {
    let error = result.unwrap_err();
    error
        .code()
        .unwrap_or_else(|| panic!("{error:?}"))
        .code()
        .to_owned()
}
