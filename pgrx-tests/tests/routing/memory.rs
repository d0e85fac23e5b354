//! However much is recorded of events and looked up for them, little of it is in the worker's memory at a time.

use std::fs;

use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::wait_for;

use crate::{number, worker};

/// Columns of sixty kilobytes each, which the tables' storage makes small.
const COLUMNS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const EVENTS: i64 = 1000;
/// The events have half a gigabyte.
const MANY: Watched = Watched {
    webhooks: 1,
    events: EVENTS,
    most: 400_000,
};

#[test]
fn what_is_looked_up_for_many_events() {
    let mut scene = Scene::start().unwrap();
    let paths = COLUMNS.map(|column| format!("\"{column}\": \"blob_id.{column}\""));
    // Half of the events share a row, and each of the others has one of its own.
    let fire = format!("INSERT INTO item (blob_id) SELECT greatest(n, {EVENTS} / 2) FROM NUMBERS n");
    MANY.watch(
        &mut scene,
        &format!(
            "CREATE TABLE blob (id int PRIMARY KEY, {}); INSERT INTO blob SELECT n, {} FROM generate_series(1, {EVENTS}) n; \
             CREATE TABLE item (id bigserial PRIMARY KEY, blob_id int REFERENCES blob); \
             SELECT zentry_attach('own', 'item', '{{{}}}')",
            COLUMNS.map(|column| format!("{column} text")).join(", "),
            COLUMNS.map(|_| "repeat(chr(65 + n % 26), 60000)").join(", "),
            paths.join(", "),
        ),
        &fire,
    );
    // Each has its own row's values.
    let wrong = "SELECT count(*) FROM zentry_notify.notification_log l JOIN item i ON i.id = (l.payload ->> 'id')::bigint \
                 WHERE l.payload ->> 'h' IS DISTINCT FROM repeat(chr(65 + i.blob_id % 26), 60000)";
    assert_eq!(number(&mut scene.client, wrong), 0);
}

/// What is looked up is shared by all events, and each has a copy of its own once it is joined with the expression's value.
#[test]
fn what_is_looked_up_once_beside_an_expression() {
    let paths = COLUMNS.map(|column| format!("\"{column}\": \"blob_id.{column}\""));
    let mut scene = Scene::start().unwrap();
    Watched { events: 500, ..MANY }.watch(
        &mut scene,
        &format!(
            "CREATE TABLE blob (id int PRIMARY KEY, {}); INSERT INTO blob SELECT 1, {}; \
             CREATE TABLE item (id bigserial PRIMARY KEY, blob_id int REFERENCES blob); \
             SELECT zentry_attach('own', 'item', '{{\"twice\": \"id * 2\", {}}}')",
            COLUMNS.map(|column| format!("{column} text")).join(", "),
            COLUMNS.map(|_| "repeat('x', 60000)").join(", "),
            paths.join(", "),
        ),
        "INSERT INTO item (blob_id) SELECT 1 FROM NUMBERS n",
    );
    let wrong = "SELECT count(*) FROM zentry_notify.notification_log \
                 WHERE payload ->> 'h' IS DISTINCT FROM repeat('x', 60000) \
                    OR (payload ->> 'twice')::bigint IS DISTINCT FROM 2 * (payload ->> 'id')::bigint";
    assert_eq!(number(&mut scene.client, wrong), 0);
}

#[test]
fn what_is_recorded_for_expressions_alone() {
    let mut scene = Scene::start().unwrap();
    let lengths = COLUMNS.map(|column| format!("length({column})"));
    MANY.watch(
        &mut scene,
        &format!(
            "CREATE TABLE item (id bigserial PRIMARY KEY, {}); SELECT zentry_attach('own', 'item', '{{\"length\": \"{}\"}}')",
            COLUMNS.map(|column| format!("{column} text")).join(", "),
            lengths.join(" + "),
        ),
        &format!(
            "INSERT INTO item ({}) SELECT {} FROM NUMBERS n",
            COLUMNS.join(", "),
            COLUMNS.map(|_| "repeat('x', 60000)").join(", "),
        ),
    );
    let right = "SELECT count(*) FROM zentry_notify.notification_log WHERE payload ->> 'length' = '480000'";
    assert_eq!(number(&mut scene.client, right), EVENTS + 1);
}

#[test]
fn what_many_webhooks_hear_of_large_rows() {
    // Rows of a megabyte.
    let columns: Vec<String> = (0..16).map(|n| format!("c{n}")).collect();
    let recorded = columns.iter().map(|column| format!("\"{column}\": \"{column}\""));
    let values = columns.iter().map(|_| "repeat(chr(65 + n % 26), 60000)");
    Watched {
        webhooks: 20,
        events: 500,
        most: 256_000,
    }
    .watch(
        &mut Scene::start().unwrap(),
        &format!(
            "CREATE TABLE item (id bigserial PRIMARY KEY, {} text); SELECT zentry_attach('own', 'item', '{{\"id\": \"id\", {}}}')",
            columns.join(" text, "),
            recorded.collect::<Vec<_>>().join(", "),
        ),
        &format!(
            "INSERT INTO item ({}) SELECT {} FROM NUMBERS n",
            columns.join(", "),
            values.collect::<Vec<_>>().join(", "),
        ),
    );
}

/// How many webhooks hear of how many events, and how many kilobytes the worker may need more than before, with the server's own buffers, which it
/// shares.
struct Watched {
    webhooks: i64,
    events: i64,
    most: u64,
}

impl Watched {
    /// Fires one event after `setup`, so that there is a worker, and then the others: `fire`, with their numbers in the place of `NUMBERS`.
    fn watch(&self, scene: &mut Scene, setup: &str, fire: &str) {
        for _ in 0..self.webhooks {
            scene.channel_for(Kind::Mattermost, None, None).unwrap();
        }
        let client = &mut scene.client;
        client
            .batch_execute("SELECT zentry_register_event_type('own', 'Own {{ id }}')")
            .unwrap();
        client.batch_execute(setup).unwrap();
        let numbers = |from: i64, to: i64| fire.replace("NUMBERS", &format!("generate_series({from}, {to})"));
        client
            .batch_execute(&numbers(self.events - 1, self.events - 1))
            .unwrap();
        self.wait_until_sent(client, 1);
        let pid = worker(client);
        let before = peak(pid);
        client.batch_execute(&numbers(1, self.events)).unwrap();
        self.wait_until_sent(client, self.events + 1);
        assert_eq!(worker(client), pid, "a worker was killed");
        let grown = peak(pid) - before;
        assert!(grown < self.most, "{grown} kB");
    }

    fn wait_until_sent(&self, client: &mut Client, events: i64) {
        let sent = format!(
            "SELECT zentry_notify.unrouted_events() = 0 AND count(*) = {} AND count(DISTINCT event_id) = {events} \
             FROM zentry_notify.delivery WHERE status = 's'",
            self.webhooks * events
        );
        wait_for(client, &sent).unwrap();
    }
}

/// Returns the memory that was ever resident, in kilobytes.
fn peak(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
