//! Many deliveries through the queue: what they leave behind does not grow, and reading what waits stays cheap.
//!
//! `ZENTRY_DELIVERIES` says how many (50,000; `make soak`: a million).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod receiver;

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::{Cluster, ClusterOptions};
use zentry_e2e::site::wait_for;
use zentry_e2e::zentry;

const WEBHOOKS: i64 = 10;
const ROUNDS: usize = 10;

/// A database whose webhooks take everything.
struct Queue {
    cluster: Cluster,
    client: Client,
    /// Deliveries since the start.
    written: u64,
}

impl Queue {
    fn start(options: ClusterOptions) -> Result<Self> {
        let address = receiver::start()?;
        let options = options
            .set("shared_preload_libraries", "zentry_notify, pg_stat_statements")
            .set("pg_stat_statements.track_utility", "off")
            .set("zentry_notify.allowed_hosts", address)
            .set("zentry_notify.allow_http", "on")
            .set("zentry_notify.allow_private_addresses", "on");
        let cluster = Cluster::start(options)?;
        let mut client = cluster.connect()?;
        client.batch_execute("CREATE EXTENSION pg_stat_statements")?;
        zentry::load(&mut client)?;
        client.batch_execute("CREATE EXTENSION zentry_notify")?;
        for number in 0..WEBHOOKS {
            client.execute(
                "SELECT zentry_register_webhook($1, 'teams', $2, event_types => '{daily_streak}')",
                &[
                    &format!("webhook {number}"),
                    &format!("http://{address}/hook/{number}"),
                ],
            )?;
        }
        // One takes its time: what it gets has to wait in the table, and is claimed from there and updated. Others' is written once.
        client.execute(
            "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1, min_interval = '4 milliseconds' WHERE name = 'webhook 0'",
            &[],
        )?;
        Ok(Self {
            cluster,
            client,
            written: 0,
        })
    }

    /// Everybody's streaks go on, in many transactions, until `deliveries` more have been written and sent.
    fn deliver(&mut self, deliveries: u64) -> Result<()> {
        let enough = self.written + deliveries;
        let mut settled = self.written;
        while self.written < enough {
            let fired = self
                .client
                .execute("UPDATE users_user SET current_streak = current_streak + 1", &[])?;
            self.written += fired * WEBHOOKS as u64;
            // As fast as they leave: a backlog that grows would be another test.
            if self.written - settled >= 2_000 {
                self.settle()?;
                settled = self.written;
            }
        }
        self.settle()
    }

    /// By the counts, because looking for what waits is what gets dearer under an old snapshot, and this is only the test.
    fn settle(&mut self) -> Result<()> {
        let all = format!(
            "SELECT coalesce(sum(sent + failed), 0) >= {} FROM zentry_notify.webhook_count",
            self.written
        );
        wait_for(&mut self.client, &all)
    }

    /// Entries that scans of the indexes of `delivery` have returned, once the statistics have all that was written.
    fn rows_read_by_index(&mut self) -> Result<i64> {
        let told = "SELECT s.n_tup_ins >= (SELECT count(*) FROM zentry_notify.delivery) AND s.n_tup_upd >= (SELECT count(*) FROM zentry_notify.delivery \
                           WHERE webhook_integration_id = (SELECT id FROM zentry_notify.webhook_integration WHERE name = 'webhook 0')) / 2 \
                      FROM pg_stat_user_tables s WHERE s.relid = 'zentry_notify.delivery'::regclass";
        wait_for(&mut self.client, told)?;
        let row = self.client.query_one(
            "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relid = 'zentry_notify.delivery'::regclass",
            &[],
        )?;
        Ok(row.get(0))
    }

    /// Until it has nothing left to do by the table's own settings.
    fn wait_for_autovacuum(&mut self) -> Result<()> {
        wait_for(
            &mut self.client,
            "SELECT autovacuum_count > 0 AND n_dead_tup <= 1000 + 0.02 * n_live_tup \
             FROM pg_stat_user_tables WHERE relid = 'zentry_notify.delivery'::regclass",
        )
    }

    fn sizes(&mut self) -> Result<Sizes> {
        let row = self.client.query_one(
            "SELECT pg_relation_size('zentry_notify.delivery'), pg_relation_size('zentry_notify.delivery_pkey'), \
                    pg_relation_size('zentry_notify.delivery_waiting'), \
                    pg_relation_size('zentry_notify.webhook_count') + pg_relation_size('zentry_notify.delivery_stat'), \
                    pg_relation_size('zentry_notify.route_cursor') + pg_relation_size('zentry_notify.route_cursor_pkey'), \
                    pg_relation_size('zentry_notify.event'), \
                    (SELECT count(*) FROM zentry_notify.delivery), (SELECT count(*) FROM zentry_notify.event)",
            &[],
        )?;
        Ok(Sizes {
            log: row.get(0),
            key: row.get(1),
            waiting: row.get(2),
            count: row.get(3),
            cursor: row.get(4),
            events: row.get(5),
            rows: row.get(6),
            event_rows: row.get(7),
        })
    }

    /// Buffers that each of the worker's statements has read since the last look. Statements by their first words.
    fn buffers(&mut self) -> Result<BTreeMap<String, i64>> {
        let rows = self.client.query(
            "SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 60), (shared_blks_hit + shared_blks_read)::bigint FROM pg_stat_statements \
             WHERE query LIKE '%zentry\\_notify%' AND query NOT LIKE '%pg\\_relation\\_size%' AND query NOT LIKE 'SELECT NOT EXISTS%'",
            &[],
        )?;
        self.client.execute("SELECT pg_stat_statements_reset()", &[])?;
        let mut buffers = BTreeMap::new();
        for row in rows {
            *buffers.entry(row.get(0)).or_default() += row.get::<_, i64>(1);
        }
        Ok(buffers)
    }
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    log: i64,
    key: i64,
    waiting: i64,
    count: i64,
    cursor: i64,
    events: i64,
    rows: i64,
    event_rows: i64,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kb = |bytes: i64| bytes / 1024;
        write!(
            f,
            "{} deliveries of {} events {} kB; deliveries {} kB, their key {} kB, what waits {} kB, counts {} kB, cursor {} kB",
            self.rows,
            self.event_rows,
            kb(self.events),
            kb(self.log),
            kb(self.key),
            kb(self.waiting),
            kb(self.count),
            kb(self.cursor)
        )
    }
}

fn deliveries() -> u64 {
    env::var("ZENTRY_DELIVERIES").map_or(50_000, |text| {
        text.parse().expect("ZENTRY_DELIVERIES is no number")
    })
}

#[test]
fn what_was_delivered_leaves_no_bloat_that_grows() -> Result<()> {
    let round = deliveries() / ROUNDS as u64;
    // In a long run the log's rows go as well, and autovacuum comes once a minute as it does by default.
    let short = deliveries() < 500_000;
    let options = ClusterOptions::default()
        .set("autovacuum_naptime", if short { "1s" } else { "1min" })
        .set("zentry_notify.log_retention", if short { "1h" } else { "1min" });
    let mut queue = Queue::start(options)?;
    let mut sizes = Vec::new();
    for number in 1..=ROUNDS {
        queue.deliver(round)?;
        if short {
            queue.wait_for_autovacuum()?;
        }
        let now = queue.sizes()?;
        println!("{} deliveries: {now}", number as u64 * round);
        sizes.push(now);
    }
    let (middle, last) = (sizes[ROUNDS / 2 - 1], sizes[ROUNDS - 1]);
    let levels_off = |size: fn(&Sizes) -> i64| size(&last) <= 2 * size(&middle).max(1 << 20);
    assert!(
        levels_off(|sizes| sizes.waiting),
        "what waits: {middle} then {last}"
    );
    assert!(levels_off(|sizes| sizes.count), "counts: {middle} then {last}");
    assert!(
        levels_off(|sizes| sizes.cursor),
        "the cursor: {middle} then {last}"
    );
    // Nobody pays for the history of attempts whose deliveries are taken at once.
    let attempts: i64 = queue
        .client
        .query_one("SELECT count(*) FROM zentry_notify.delivery_attempt", &[])?
        .get(0);
    assert_eq!(attempts, 0);
    // What has waited is written twice; what the first versions left is used again, and so is what was removed.
    let row = queue.client.query_one(
        "SELECT (SELECT avg(pg_column_size(d.*))::float8 FROM zentry_notify.delivery d), \
                (SELECT avg(pg_column_size(e.*))::float8 FROM zentry_notify.event e)",
        &[],
    )?;
    let delivered = (round * ROUNDS as u64 / 2) as f64;
    let of_events = delivered / WEBHOOKS as f64;
    for (what, grown, row) in [
        ("delivery", (last.log - middle.log) as f64 / delivered, row.get(0)),
        (
            "event",
            (last.events - middle.events) as f64 / of_events,
            row.get(1),
        ),
    ] {
        let row: f64 = row;
        println!("by {grown:.0} bytes for each {what}, whose row has {row:.0}");
        assert!(
            grown <= 1.6 * row,
            "by {grown} bytes for each {what}, whose row has {row}: {middle} then {last}"
        );
    }
    Ok(())
}

#[test]
fn plans_that_were_made_for_an_empty_table_read_by_key() -> Result<()> {
    let mut queue = Queue::start(ClusterOptions::default().set("autovacuum", "off"))?;
    queue.deliver(500)?;
    // What the worker has planned is planned again, for tables that the planner knows to be empty.
    queue.client.batch_execute(
        "TRUNCATE zentry_notify.delivery; ANALYZE zentry_notify.delivery; TRUNCATE zentry_notify.event CASCADE; ANALYZE zentry_notify.event",
    )?;
    queue.deliver(100)?;
    let before = queue.rows_read_by_index()?;
    let round = 5_000;
    queue.deliver(round)?;
    let read = queue.rows_read_by_index()? - before;
    println!("{read} rows of the index for {round} deliveries");
    // Each is written, and one in ten waits, is read and written again.
    assert!(
        read <= 4 * i64::try_from(round)?,
        "{read} rows of indexes for {round} deliveries"
    );
    Ok(())
}

#[test]
fn under_an_old_snapshot_no_statement_of_the_worker_reads_more_and_more() -> Result<()> {
    let round = deliveries() / ROUNDS as u64;
    let mut queue = Queue::start(ClusterOptions::default())?;
    let mut old = queue.cluster.connect()?;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM users_user")?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        queue.deliver(round)?;
        rounds.push(queue.buffers()?);
    }
    let (early, late) = (&rounds[1], &rounds[ROUNDS - 1]);
    let before = |statement: &String| early.get(statement).copied().unwrap_or_default();
    for (statement, buffers) in late {
        println!(
            "{:>8} {buffers:>8} buffers for {round} deliveries: {statement}",
            before(statement)
        );
    }
    // (A counter has a version for each batch, so that its statement reads more under an old snapshot, like every counter's; the route
    // cursor is one of them.)
    let of_the_log = |statement: &str| {
        let found = late.keys().find(|known| known.starts_with(statement)).cloned();
        found.with_context(|| format!("{statement} was not seen in {late:#?}"))
    };
    for statement in [
        of_the_log("SELECT l.id, c.queue")?,
        of_the_log("UPDATE zentry_notify.delivery l")?,
        of_the_log("SELECT e.id, e.created_at, e.source_id")?,
    ] {
        // How many batches a round takes differs, and each batch reads a few buffers of its own. A statement that read the versions which the
        // old snapshot keeps would read a buffer for each of them in each batch: less than a buffer a delivery is no such growth.
        let before = before(&statement).max(i64::try_from(round)? / 2);
        let after = late[&statement];
        assert!(
            after <= 2 * before,
            "from {before} to {after} buffers for {round} deliveries: {statement}"
        );
    }
    old.batch_execute("COMMIT")?;
    Ok(())
}
