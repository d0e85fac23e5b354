//! The events as a stream, as docs/guide/change-capture.md has it: what a reader of `pgoutput` and one of `wal2json` are given.

use anyhow::{Context, Result, ensure};
use postgres::Client;
use serde_json::Value;
use zentry_e2e::cluster::{ClusterOptions, Stage};
use zentry_e2e::scene::Delivery;
use zentry_e2e::site::Site;
use zentry_e2e::zentry::{self, id};

/// One committed transaction: of each inserted row the columns' names and values as text.
type Transaction = Vec<Vec<(String, Option<String>)>>;

/// A reader of `pgoutput`, of version 1 of its protocol: what a program has to understand to follow the events, and nothing else.
#[derive(Default)]
struct Reader {
    columns: Vec<String>,
    transactions: Vec<Transaction>,
}

impl Reader {
    fn message(&mut self, message: &[u8]) -> Result<()> {
        let (kind, body) = message.split_first().context("an empty message")?;
        let mut body = Bytes(body);
        match kind {
            b'B' => self.transactions.push(Vec::new()),
            b'C' | b'Y' => {}
            b'R' => {
                let _oid = body.take(4)?;
                let (schema, name) = (body.text()?, body.text()?);
                ensure!(
                    (&*schema, &*name) == ("zentry_notify", "event"),
                    "{schema}.{name}"
                );
                let _replica_identity = body.take(1)?;
                self.columns.clear();
                for _ in 0..body.number(2)? {
                    let _flags = body.take(1)?;
                    self.columns.push(body.text()?);
                    let _type_and_modifier = body.take(8)?;
                }
            }
            b'I' => {
                let _oid = body.take(4)?;
                ensure!(body.take(1)? == b"N", "a new row");
                let mut row = Vec::new();
                for place in 0..body.number(2)? {
                    let value = match body.take(1)? {
                        b"n" => None,
                        b"t" => {
                            let length = body.number(4)?;
                            Some(String::from_utf8(body.take(length)?.to_vec())?)
                        }
                        other => anyhow::bail!("a value of kind {other:?}"),
                    };
                    row.push((self.columns[place].clone(), value));
                }
                self.transactions
                    .last_mut()
                    .context("outside of a transaction")?
                    .push(row);
            }
            other => anyhow::bail!(
                "message {:?}, which a publication of inserts does not have",
                char::from(*other)
            ),
        }
        Ok(())
    }

    /// Takes what the slot has, and leaves out transactions without rows.
    fn read(client: &mut Client) -> Result<Vec<Transaction>> {
        let rows = client.query(
            "SELECT data FROM pg_logical_slot_get_binary_changes('zentry_events', NULL, NULL, 'proto_version', '1', 'publication_names', 'zentry_events')",
            &[],
        )?;
        let mut reader = Reader::default();
        for row in rows {
            reader.message(row.get(0))?;
        }
        reader.transactions.retain(|rows| !rows.is_empty());
        Ok(reader.transactions)
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("the message is cut")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize> {
        Ok(self
            .take(bytes)?
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn text(&mut self) -> Result<String> {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .context("a text without an end")?;
        let text = self.take(end)?.to_vec();
        self.take(1)?;
        Ok(String::from_utf8(text)?)
    }
}

/// The same from `wal2json`.
fn read_json(client: &mut Client) -> Result<Vec<Transaction>> {
    let rows = client.query(
        "SELECT data FROM pg_logical_slot_get_changes('zentry_json', NULL, NULL, 'format-version', '2', 'add-tables', 'zentry_notify.event', 'actions', 'insert')",
        &[],
    )?;
    let mut transactions = Vec::new();
    for row in rows {
        let change: Value = serde_json::from_str(row.get(0))?;
        match change["action"].as_str() {
            Some("B") => transactions.push(Vec::new()),
            Some("C") => {}
            Some("I") => {
                let columns = change["columns"].as_array().context("no columns")?;
                let row = columns.iter().map(|column| {
                    let value = match &column["value"] {
                        Value::Null => None,
                        Value::String(text) => Some(text.clone()),
                        other => Some(other.to_string()),
                    };
                    (column["name"].as_str().unwrap().to_owned(), value)
                });
                transactions
                    .last_mut()
                    .context("outside of a transaction")?
                    .push(row.collect());
            }
            other => anyhow::bail!("action {other:?}"),
        }
    }
    transactions.retain(|rows: &Transaction| !rows.is_empty());
    Ok(transactions)
}

fn value<'a>(row: &'a [(String, Option<String>)], name: &str) -> Option<&'a str> {
    row.iter().find(|(column, _)| column == name)?.1.as_deref()
}

/// Who completed which event, by transaction.
fn told(transactions: &[Transaction]) -> Vec<Vec<(i64, Value)>> {
    let row = |row: &Vec<(String, Option<String>)>| {
        let data: Value = serde_json::from_str(value(row, "data").unwrap()).unwrap();
        (
            value(row, "id").unwrap().parse().unwrap(),
            data["user_id"].clone(),
        )
    };
    transactions
        .iter()
        .map(|rows| rows.iter().map(row).collect())
        .collect()
}

/// Ids are given in the order of the writes. What is read is what was committed, in that order, each once; and what leaves the table is not told.
#[test]
fn readers_get_inserted_events_in_the_order_of_commits() -> Result<()> {
    let site = Site::start(ClusterOptions::default().logical())?;
    let mut client = site.database("zentry")?;
    site.channel(&mut client)?;
    let has_wal2json = Stage::get()?.library("wal2json.so").exists();
    client.batch_execute(
        "CREATE PUBLICATION zentry_events FOR TABLE zentry_notify.event WITH (publish = 'insert')",
    )?;
    client.batch_execute("SELECT pg_create_logical_replication_slot('zentry_events', 'pgoutput')")?;
    if has_wal2json {
        client.batch_execute("SELECT pg_create_logical_replication_slot('zentry_json', 'wal2json')")?;
    }
    let mut slow = site.connect("zentry")?;
    let mut slow = slow.transaction()?;
    zentry::extend_streak(&mut slow, id::ADA)?;
    zentry::extend_streak(&mut client, id::CHEN)?;
    let mut undone = client.transaction()?;
    zentry::extend_streak(&mut undone, id::BRUNO)?;
    undone.rollback()?;
    zentry::extend_streak(&mut slow, id::DALIA)?;
    slow.commit()?;
    Delivery::settle(&mut client)?;
    client.batch_execute("DELETE FROM zentry_notify.delivery; DELETE FROM zentry_notify.event")?;

    let transactions = Reader::read(&mut client)?;
    let streaks: Vec<Transaction> = transactions
        .iter()
        .filter(|rows| value(&rows[0], "event_type") == Some("daily_streak"))
        .cloned()
        .collect();
    assert_eq!(streaks.len(), transactions.len(), "{transactions:#?}");
    let users = told(&streaks);
    let who: Vec<Vec<&Value>> = users
        .iter()
        .map(|rows| rows.iter().map(|(_, user)| user).collect())
        .collect();
    assert_eq!(who, [vec![id::CHEN], vec![id::ADA, id::DALIA]]);
    assert!(
        users[0][0].0 > users[1][0].0,
        "written later, committed first: {users:?}"
    );
    let names: Vec<&str> = streaks[0][0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["id", "created_at", "source_id", "event_type", "data", "context"]
    );
    if has_wal2json {
        assert_eq!(told(&read_json(&mut client)?), users);
    }
    assert_eq!(Reader::read(&mut client)?, Vec::<Transaction>::new(), "each once");
    Ok(())
}

/// A narrower publication, and nothing that is secret in a wide one.
#[test]
fn a_reader_sees_the_columns_that_are_published() -> Result<()> {
    let site = Site::start(ClusterOptions::default().logical())?;
    let mut client = site.database("zentry")?;
    client.batch_execute(
        "CREATE PUBLICATION zentry_events FOR TABLE zentry_notify.event (id, created_at, event_type, data)
           WHERE (event_type <> 'project_progress') WITH (publish = 'insert')",
    )?;
    client.batch_execute("SELECT pg_create_logical_replication_slot('zentry_events', 'pgoutput')")?;
    let channel = site.channel(&mut client)?;
    client.batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id = 2")?;
    let deliveries = Delivery::settle(&mut client)?;
    assert!(!deliveries.is_empty());
    let transactions = Reader::read(&mut client)?;
    assert!(!transactions.is_empty());
    for row in transactions.iter().flatten() {
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["id", "created_at", "event_type", "data"]);
        assert_ne!(value(row, "event_type"), Some("project_progress"));
    }
    let secret = channel
        .webhook
        .url()
        .rsplit_once('/')
        .expect("a token")
        .1
        .to_owned();
    assert!(!format!("{transactions:?}").contains(&secret));
    Ok(())
}
