//! Changes of webhooks take effect at once, in sessions that have the subscriptions in memory, however they are written.

use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, sqlstate, webhook_ids};

/// A scene with a channel, a session that has already fired an event, and how many deliveries there are since.
struct Warm {
    scene: Scene,
    channel: Channel,
    application: Client,
}

impl Warm {
    fn new() -> Self {
        let mut scene = Scene::start().unwrap();
        let channel = scene.channel(Kind::Discord).unwrap();
        let mut application = scene.database.connect().unwrap();
        zentry::extend_streak(&mut application, id::ADA).unwrap();
        scene.settle().unwrap();
        Warm {
            scene,
            channel,
            application,
        }
    }

    /// Who hears of a streak that the warm session extends.
    fn heard(&mut self) -> Vec<i64> {
        let before = self.scene.settle().unwrap().len();
        zentry::extend_streak(&mut self.application, id::ADA).unwrap();
        let fired = self.scene.settle().unwrap().split_off(before);
        // Perhaps nobody.
        assert!(
            fired.iter().all(|delivery| delivery.status == "sent"),
            "{fired:#?}"
        );
        webhook_ids(&fired, "daily_streak")
    }

    fn execute(&mut self, sql: &str) {
        self.scene.client.batch_execute(sql).unwrap();
    }
}

#[test]
fn a_webhook_that_is_inserted_directly_hears_the_next_event() {
    let mut warm = Warm::new();
    let new = warm.scene.emulator.connector();
    let inserted: i64 = warm
        .scene
        .client
        .query_one(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url, event_types) \
             VALUES ('Direct', 'teams', $1, '[\"daily_streak\"]') RETURNING id",
            &[&new.url()],
        )
        .unwrap()
        .get(0);
    assert_eq!(warm.heard(), [warm.channel.id, inserted]);
    assert_eq!(new.event_count(), 1);
    assert_clean(&warm.scene);
}

#[test]
fn a_webhook_that_is_registered_hears_the_next_event() {
    let mut warm = Warm::new();
    let new = warm.scene.channel(Kind::Workflow).unwrap();
    assert_eq!(warm.heard(), [warm.channel.id, new.id]);
}

#[test]
fn a_webhook_of_a_transaction_that_is_rolled_back_hears_nothing() {
    let mut warm = Warm::new();
    let new = warm.scene.emulator.discord_webhook();
    let mut transaction = warm.scene.client.transaction().unwrap();
    transaction
        .execute(
            "SELECT zentry_register_webhook('Not to be', 'discord', $1)",
            &[&new.url()],
        )
        .unwrap();
    zentry::award_badge(&mut transaction, id::CHEN, id::TASK_MASTER).unwrap();
    transaction.rollback().unwrap();
    assert_eq!(warm.heard(), [warm.channel.id]);
    // The session that rolled it back does not remember it either.
    zentry::extend_streak(&mut warm.scene.client, id::ADA).unwrap();
    let last = warm.scene.settle().unwrap().pop().unwrap();
    assert_eq!(last.webhook_integration_id, warm.channel.id);
    assert_eq!(new.requests(), 0);
}

/// Registered and used in one transaction.
#[test]
fn a_webhook_hears_the_events_of_its_own_transaction() {
    let mut warm = Warm::new();
    let new = warm.scene.emulator.discord_webhook();
    let mut transaction = warm.application.transaction().unwrap();
    transaction
        .execute(
            "SELECT zentry_register_webhook('Own', 'discord', $1)",
            &[&new.url()],
        )
        .unwrap();
    zentry::award_badge(&mut transaction, id::CHEN, id::TASK_MASTER).unwrap();
    transaction.commit().unwrap();
    warm.scene.settle().unwrap();
    assert_eq!((new.event_count(), warm.channel.webhook.event_count()), (1, 2));
}

#[test]
fn a_new_url_is_where_the_next_event_goes() {
    let mut warm = Warm::new();
    let new = warm.scene.emulator.discord_webhook();
    let before = warm.channel.webhook.requests();
    warm.execute(&format!(
        "UPDATE zentry_notify.webhook_integration SET webhook_url = '{}'",
        new.url()
    ));
    assert_eq!(warm.heard(), [warm.channel.id]);
    assert_eq!((new.event_count(), warm.channel.webhook.requests()), (1, before));
    assert_clean(&warm.scene);
}

#[test]
fn another_type_takes_the_format_with_it() {
    let mut warm = Warm::new();
    let new = warm.scene.emulator.workflow();
    warm.execute(&format!(
        "UPDATE zentry_notify.webhook_integration SET webhook_url = '{}', webhook_type = 'teams'",
        new.url()
    ));
    assert_eq!(warm.heard(), [warm.channel.id]);
    assert_eq!(new.shown()[0].title, "🔥 Daily Streak");
    assert_clean(&warm.scene);
}

#[test]
fn other_event_types_are_heard_from_the_next_event_on() {
    let mut warm = Warm::new();
    warm.execute("UPDATE zentry_notify.webhook_integration SET event_types = '[\"badge_earned\"]'");
    assert_eq!(warm.heard(), [] as [i64; 0]);
    warm.execute(
        "UPDATE zentry_notify.webhook_integration SET event_types = '[\"badge_earned\", \"daily_streak\"]'",
    );
    assert_eq!(warm.heard(), [warm.channel.id]);
}

#[test]
fn another_project_is_heard_from_the_next_event_on() {
    let mut warm = Warm::new();
    warm.execute("UPDATE zentry_notify.webhook_integration SET project_id = 2");
    assert_eq!(warm.heard(), [] as [i64; 0]);
    warm.execute("UPDATE zentry_notify.webhook_integration SET project_id = 1");
    assert_eq!(warm.heard(), [warm.channel.id]);
    warm.execute("UPDATE zentry_notify.webhook_integration SET project_id = NULL");
    assert_eq!(warm.heard(), [warm.channel.id]);
}

#[test]
fn what_is_switched_off_or_deleted_hears_nothing_more() {
    let mut warm = Warm::new();
    warm.execute("UPDATE zentry_notify.webhook_integration SET is_active = false");
    assert_eq!(warm.heard(), [] as [i64; 0]);
    warm.execute("UPDATE zentry_notify.webhook_integration SET is_active = true");
    assert_eq!(warm.heard(), [warm.channel.id]);
    warm.execute("DELETE FROM zentry_notify.webhook_integration");
    assert_eq!(warm.heard(), [] as [i64; 0]);
    assert!(
        warm.scene.deliveries().unwrap().is_empty(),
        "the log goes with it"
    );
}

#[test]
fn what_is_written_for_a_webhook_while_it_is_being_deleted_goes_with_it() {
    let mut warm = Warm::new();
    warm.execute("UPDATE zentry_notify.webhook_integration SET min_interval = '1 hour'");
    let mut other = warm.scene.database.connect().unwrap();
    let mut deletion = other.transaction().unwrap();
    deletion
        .batch_execute("DELETE FROM zentry_notify.webhook_integration")
        .unwrap();
    zentry::extend_streak(&mut warm.application, id::ADA).unwrap();
    let rows = |client: &mut Client| -> i64 {
        let count = "SELECT count(*) FROM zentry_notify.delivery WHERE status = 'p'";
        client.query_one(count, &[]).unwrap().get(0)
    };
    eventually(SOON, "the delivery that waits", || {
        (rows(&mut warm.scene.client) > 0).then_some(())
    })
    .unwrap();
    deletion.commit().unwrap();
    eventually(SOON, "what is left of the webhook to be removed", || {
        let notes = "SELECT count(*) FROM zentry_notify.deleted_webhook";
        let notes: i64 = warm.scene.client.query_one(notes, &[]).unwrap().get(0);
        (notes == 0 && rows(&mut warm.scene.client) == 0).then_some(())
    })
    .unwrap();
}

#[test]
fn truncating_the_webhooks_is_a_change_too() {
    let mut warm = Warm::new();
    warm.execute("TRUNCATE zentry_notify.webhook, zentry_notify.delivery RESTART IDENTITY");
    assert_eq!(warm.heard(), [] as [i64; 0]);
    let new = warm.scene.channel(Kind::Discord).unwrap();
    assert!(
        new.id > warm.channel.id,
        "a number that comes again is not the same webhook"
    );
    assert_eq!(warm.heard(), [new.id]);
}

/// Every rule of the functions holds for direct writes, too.
#[test]
fn the_rules_hold_for_direct_writes() {
    let mut warm = Warm::new();
    let refused = [
        "webhook_type = 'slack'",
        "name = '   '",
        "webhook_url = 'not a url'",
        "webhook_url = 'https://example.org/api/webhooks/1/2'",
        "event_types = '[\"task_done\"]'",
        "event_types = '\"task_completed\"'",
        "event_types = '[1]'",
    ];
    for change in refused {
        let result = warm
            .scene
            .client
            .batch_execute(&format!("UPDATE zentry_notify.webhook_integration SET {change}"));
        assert_eq!(sqlstate(result), "22023", "{change}");
    }
    assert_eq!(warm.heard(), [warm.channel.id]);
}

/// Else each webhook more would make the next one slower.
#[test]
fn a_webhook_is_registered_without_a_look_at_the_others_secrets() {
    const READ: &str = "SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables \
                        WHERE relid = 'zentry_notify.webhook_secret'::regclass";
    let mut scene = Scene::start().unwrap();
    let webhook = scene.emulator.connector();
    scene
        .client
        .batch_execute(&format!(
            "INSERT INTO zentry_notify.webhook_integration (name, webhook_type, webhook_url) \
             SELECT 'Other ' || n, 'teams', '{}' || n FROM generate_series(1, 1000) n; \
             ANALYZE zentry_notify.webhook, zentry_notify.webhook_secret",
            webhook.url()
        ))
        .unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    transaction
        .execute(
            "SELECT zentry_register_webhook('Channel', 'teams', $1)",
            &[&webhook.url()],
        )
        .unwrap();
    let read: i64 = transaction.query_one(READ, &[]).unwrap().get(0);
    // What it reads is its own row, for the audit and for the doubts.
    assert!((1..50).contains(&read), "{read} rows of webhook_secret were read");
}
