//! pglogical with the extension on both sides, as docs/operations.md has it: nothing goes out twice, nothing stops, and a subscriber is
//! promoted by one call. It comes from a package: `make test-company` installs it.

use postgres::Client;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::scene::{Channel, Delivery, SOON};
use zentry_e2e::site::{Site, fire, wait_for};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

/// What docs/operations.md says to replicate of ours.
const CONFIGURATION: &str = "
    SELECT pglogical.replication_set_add_all_tables('default', '{public}', true);
    SELECT pglogical.replication_set_add_table('default', format('zentry_notify.%s', name), true)
      FROM unnest('{webhook,webhook_secret,event_type,event_wording}'::text[]) name";
/// As somebody does who replicates whatever there is.
const ALL: &str =
    "SELECT pglogical.replication_set_add_all_tables('default', '{public,zentry_notify}', true)";

struct Pair {
    site: Site,
    publisher: Client,
    subscriber: Client,
}

impl Pair {
    /// Two databases with Zentry's tables and the extension. The subscriber has none of the application's rows.
    fn start() -> Self {
        let options = ClusterOptions {
            preload: false,
            ..ClusterOptions::default()
        };
        let site = Site::start(
            options
                .set("shared_preload_libraries", "pglogical,zentry_notify")
                .set("wal_level", "logical")
                .set(
                    "output_plugin_libraries",
                    "pgoutput, test_decoding, pglogical_output",
                )
                .set("max_worker_processes", 32),
        )
        .unwrap();
        let mut publisher = site.database("publisher").unwrap();
        let mut subscriber = site.database("subscriber").unwrap();
        subscriber
            .batch_execute(
                "SET zentry_notify.enabled = off;
                 DO $$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ') FROM pg_class c
                                       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'); END $$;
                 RESET zentry_notify.enabled",
            )
            .unwrap();
        for (client, name) in [(&mut publisher, "publisher"), (&mut subscriber, "subscriber")] {
            client.batch_execute("CREATE EXTENSION pglogical").unwrap();
            let sql = format!(
                "SELECT pglogical.create_node('{name}', '{}')",
                connection(&site, name)
            );
            client.batch_execute(&sql).unwrap();
        }
        Self {
            site,
            publisher,
            subscriber,
        }
    }

    /// From the publisher's rows as they are now.
    fn replicate(&mut self, tables: &str) {
        self.publisher.batch_execute(tables).unwrap();
        let sql = format!(
            "SELECT pglogical.create_subscription('everything', '{}', synchronize_data => true)",
            connection(&self.site, "publisher")
        );
        self.subscriber.batch_execute(&sql).unwrap();
        wait_for(
            &mut self.subscriber,
            "SELECT bool_and(sync_status IN ('r', 'y')) AND count(*) > 10 FROM pglogical.local_sync_status",
        )
        .unwrap();
        self.catch_up();
    }

    /// Waits until the subscriber has all that the publisher has now, and follows still.
    fn catch_up(&mut self) {
        let end: String = self
            .publisher
            .query_one("SELECT pg_current_wal_lsn()::text", &[])
            .unwrap()
            .get(0);
        eventually(SOON, "the subscriber to have all", || {
            let sql = format!(
                "SELECT count(*) > 0 AND bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots
                  WHERE database = 'publisher'"
            );
            (self
                .publisher
                .query_one(&sql, &[])
                .ok()?
                .get::<_, Option<bool>>(0)
                == Some(true))
            .then_some(())
        })
        .unwrap();
        assert_eq!(self.subscription(), "replicating");
    }

    fn subscription(&mut self) -> String {
        let sql = "SELECT status FROM pglogical.show_subscription_status()";
        self.subscriber.query_one(sql, &[]).unwrap().get(0)
    }

    fn sound(&self) {
        let log = self.site.cluster.log_since(0).unwrap();
        for fault in ["terminated by signal", "duplicate key", "PANIC:", "TRAP:"] {
            assert!(!log.contains(fault), "{fault}");
        }
        assert_eq!(self.site.emulator.complaints(), [] as [&str; 0]);
    }
}

fn connection(site: &Site, database: &str) -> String {
    format!(
        "host={} port={} user=postgres dbname={database}",
        site.cluster.dir().display(),
        site.cluster.port()
    )
}

/// Every kind of write once, on the publisher.
fn write_everything(client: &mut Client) {
    zentry::complete_task(client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    zentry::award_badge(client, id::CHEN, id::TASK_MASTER).unwrap();
    zentry::create_project(client, "Atlas", "Maps", id::ADA, &[id::CHEN]).unwrap();
    zentry::bulk_complete(client, &[3, 4, 5, 6]).unwrap();
    fire(client).unwrap();
}

/// How many events each of these got.
fn counts(channels: &[&Channel]) -> Vec<u64> {
    channels
        .iter()
        .map(|channel| channel.webhook.event_count())
        .collect()
}

/// The publisher's webhooks get each event once, from the publisher, and the subscriber has what it takes over with.
fn follow_and_promote(tables: &str, promote: &str) {
    let mut pair = Pair::start();
    let early = pair.site.channel(&mut pair.publisher).unwrap();
    pair.publisher
        .batch_execute(
            "SELECT zentry_register_event_type('release_published', 'Release');
             SELECT zentry_set_wording('daily_streak', title => 'On fire')",
        )
        .unwrap();
    fire(&mut pair.publisher).unwrap();
    Delivery::settle(&mut pair.publisher).unwrap();
    pair.replicate(tables);

    let late = pair.site.channel(&mut pair.publisher).unwrap();
    write_everything(&mut pair.publisher);
    let told = Delivery::settle(&mut pair.publisher).unwrap();
    pair.catch_up();
    let told = [early.id, late.id].map(|id| {
        let of_it = told
            .iter()
            .filter(|delivery| delivery.webhook_integration_id == id);
        of_it
            .inspect(|delivery| assert_eq!(delivery.status, "sent"))
            .count() as u64
    });
    assert!(told[1] >= 9, "{told:?}");
    assert_eq!(counts(&[&early, &late]), told);
    wait_for(
        &mut pair.subscriber,
        "SELECT (SELECT count(*) = 2 FROM zentry_notify.webhook_integration WHERE webhook_url IS NOT NULL)
                AND (SELECT count(*) = 1 FROM zentry_notify.event_type WHERE name = 'release_published')
                AND (SELECT string_agg(title, '') = 'On fire' FROM zentry_notify.event_wording)
                AND (SELECT current_streak = 14 FROM users_user WHERE id = 3)",
    )
    .unwrap();
    // Nothing of what was applied was captured, and nothing of the other's came along.
    assert_eq!(Delivery::settle(&mut pair.subscriber).unwrap(), []);
    let events = "SELECT count(*) FROM zentry_notify.event";
    assert_eq!(
        pair.subscriber.query_one(events, &[]).unwrap().get::<_, i64>(0),
        0
    );

    let done: Vec<String> = pair
        .subscriber
        .simple_query(promote)
        .unwrap()
        .iter()
        .filter_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(format!(
                "{}: {}",
                row.get("item").unwrap(),
                row.get("state").unwrap()
            )),
            _ => None,
        })
        .collect();
    for expected in [
        "subscription everything of pglogical: disabled",
        "sequence zentry_notify.webhook_integration_id_seq: goes on after 2",
        "event daily_streak of public.users_user: attached",
    ] {
        assert!(done.iter().any(|line| line == expected), "{done:#?}");
    }
    // Its process ends by itself.
    wait_for(
        &mut pair.subscriber,
        "SELECT bool_and(status = 'disabled')
                AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'subscriber' AND backend_type LIKE 'pglogical apply%')
           FROM pglogical.show_subscription_status()",
    )
    .unwrap();
    // The new one is written to, and what the old one writes stays there.
    let new = pair.site.channel(&mut pair.subscriber).unwrap();
    assert_eq!(new.id, 3);
    zentry::extend_streak(&mut pair.subscriber, id::DALIA).unwrap();
    Delivery::settle(&mut pair.subscriber).unwrap();
    assert_eq!(counts(&[&early, &late, &new]), [told[0] + 1, told[1] + 1, 1]);
    zentry::extend_streak(&mut pair.publisher, id::ADA).unwrap();
    Delivery::settle(&mut pair.publisher).unwrap();
    assert_eq!(counts(&[&early, &late, &new]), [told[0] + 2, told[1] + 2, 1]);
    assert_eq!(Delivery::settle(&mut pair.subscriber).unwrap().len(), 3);
    wait_for(
        &mut pair.subscriber,
        "SELECT bool_and(state = 'ok') FROM zentry_status()",
    )
    .unwrap();
    pair.sound();
}

#[test]
#[ignore = "wants packages that make test-company installs"]
fn the_configuration_is_replicated_and_the_subscriber_is_promoted() {
    follow_and_promote(CONFIGURATION, "SELECT * FROM zentry_promote()");
}

/// What the worker writes for itself comes along, and is not stored; the promotion is one part of a longer script.
#[test]
#[ignore = "wants packages that make test-company installs"]
fn everything_is_replicated_and_the_subscriber_is_promoted() {
    follow_and_promote(ALL, "BEGIN; SELECT * FROM zentry_promote(); COMMIT");
}

/// Both have types and wordings of their own, under each other's names and numbers: those that are replicated hold, and nothing stops.
#[test]
#[ignore = "wants packages that make test-company installs"]
fn own_types_and_wordings_on_both_sides() {
    let mut pair = Pair::start();
    for (client, words) in [
        (
            &mut pair.publisher,
            ["badge_earned", "daily_streak", "task_completed"],
        ),
        (
            &mut pair.subscriber,
            ["daily_streak", "task_completed", "badge_earned"],
        ),
    ] {
        client
            .batch_execute("SELECT zentry_register_event_type('release_published', current_database())")
            .unwrap();
        for word in words {
            let sql = format!("SELECT zentry_set_wording('{word}', title => current_database())");
            client.batch_execute(&sql).unwrap();
        }
    }
    pair.replicate(CONFIGURATION);
    let theirs = "SELECT count(*) = 3 AND bool_and(w.title = 'publisher')
                         AND (SELECT t.title = 'publisher' FROM zentry_notify.event_type t WHERE t.name = 'release_published')
                    FROM zentry_notify.event_wording w";
    wait_for(&mut pair.subscriber, theirs).unwrap();
    // Now by what is applied, not copied.
    pair.subscriber
        .batch_execute(
            "DELETE FROM zentry_notify.event_wording;
             ALTER SEQUENCE zentry_notify.event_wording_id_seq RESTART WITH 4;
             SELECT zentry_set_wording('project_created', title => 'own'), zentry_set_wording('milestone_reached', title => 'own');
             SELECT zentry_register_event_type('release_withdrawn', 'own')",
        )
        .unwrap();
    pair.publisher
        .batch_execute(
            "SELECT zentry_set_wording('milestone_reached', title => 'publisher');
             SELECT zentry_set_wording('project_created', title => 'publisher');
             SELECT zentry_register_event_type('release_withdrawn', 'publisher')",
        )
        .unwrap();
    pair.catch_up();
    let theirs = "SELECT count(*) = 2 AND bool_and(w.title = 'publisher')
                         AND (SELECT t.title = 'publisher' FROM zentry_notify.event_type t WHERE t.name = 'release_withdrawn')
                    FROM zentry_notify.event_wording w";
    wait_for(&mut pair.subscriber, theirs).unwrap();
    pair.sound();
}
