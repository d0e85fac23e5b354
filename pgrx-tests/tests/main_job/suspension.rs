//! What a source depends on breaks: the application's writes go on, the source is suspended with the reason, and
//! zentry_attach() brings it back once the cause is mended.

use postgres::error::DbError;
use postgres::{Client, GenericClient};
use serde_json::Value;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, Scene, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::support::{Notices, assert_clean, connect_listening, webhook_ids};

/// With the extension, a channel, and two sessions: one that has fired every event already, and one that has not.
pub struct World {
    scene: Scene,
    channel: Channel,
    warm: (Client, Notices),
    cold: (Client, Notices),
}

impl World {
    fn new() -> Self {
        Self::of(Scene::start().unwrap())
    }

    pub fn of(mut scene: Scene) -> Self {
        let channel = scene.channel(Kind::Discord).unwrap();
        let warm = connect_listening(&scene.database, "postgres");
        let cold = connect_listening(&scene.database, "postgres");
        let mut world = World {
            scene,
            channel,
            warm,
            cold,
        };
        world.badge(id::ADA, 3).unwrap();
        zentry::bulk_complete(&mut world.warm.0, &[12]).unwrap();
        world.scene.settle().unwrap();
        world
    }

    fn badge(&mut self, user: i64, badge: i64) -> anyhow::Result<i64> {
        zentry::award_badge(&mut self.warm.0, user, badge)
    }

    pub fn execute(&mut self, sql: &str) {
        self.scene.client.batch_execute(sql).unwrap();
    }

    /// Events of this type so far, all of which must have been sent.
    fn count(&mut self, event_type: &str) -> usize {
        let fired = self.scene.settle().unwrap();
        assert!(all_sent(&fired), "{fired:#?}");
        webhook_ids(&fired, event_type).len()
    }

    /// Why the source of this event is suspended.
    fn reason(&mut self, event_type: &str) -> Option<String> {
        let (suspended, reason) = self.state(event_type);
        assert_eq!(suspended, reason.is_some(), "{reason:?}");
        reason
    }

    /// What is left out of this event, whose source is not suspended for it.
    fn left_out(&mut self, event_type: &str) -> Option<String> {
        let (suspended, reason) = self.state(event_type);
        assert!(!suspended, "{reason:?}");
        reason
    }

    /// Whether the source of this event is suspended, and what is wrong with it.
    fn state(&mut self, event_type: &str) -> (bool, Option<String>) {
        let select = "SELECT suspended_at IS NOT NULL, suspended_reason FROM zentry_notify.event_source WHERE event_type = $1";
        let row = self.scene.client.query_one(select, &[&event_type]).unwrap();
        (row.get(0), row.get(1))
    }

    /// Names of badges can't be looked up any more, for this reason. The write goes on and hears nothing of it; the worker finds out
    /// and tells this event and later ones without the badge's name, but with the person's.
    pub fn assert_badge_names_are_left_out(&mut self, reason: &str) {
        let told = self.assert_badge_names_are_missing();
        assert_eq!(told["user_name"], "chen", "{told:#?}");
        let found = self.left_out("badge_earned").unwrap();
        assert!(found.contains(reason), "{found}");
    }

    /// The same where nothing can be looked up, so that the source is suspended.
    pub fn assert_badges_are_suspended(&mut self, reason: &str) {
        self.assert_badge_names_are_missing();
        let found = self.reason("badge_earned").unwrap();
        assert!(found.contains(reason), "{found}");
    }

    /// The data of the first event without them.
    fn assert_badge_names_are_missing(&mut self) -> Value {
        let before = self.count("badge_earned");
        self.badge(id::CHEN, 2).unwrap();
        assert_eq!(self.count("badge_earned"), before + 1);
        let told = self.scene.deliveries().unwrap().pop().unwrap();
        assert_eq!(
            (&told.payload["user_id"], &told.payload["badge_name"]),
            (&id::CHEN.into(), &Value::Null)
        );
        zentry::award_badge(&mut self.cold.0, id::DALIA, 2).unwrap();
        assert_eq!((self.warm.1.take().len(), self.cold.1.take().len()), (0, 0));
        assert_eq!(self.count("badge_earned"), before + 2);
        told.payload
    }

    /// Attached again, they are told with their names.
    pub fn assert_badges_are_mended(&mut self) {
        let before = self.count("badge_earned");
        self.attach();
        assert_eq!(self.reason("badge_earned"), None);
        self.badge(id::CHEN, 3).unwrap();
        zentry::award_badge(&mut self.cold.0, id::DALIA, 3).unwrap();
        assert_eq!(self.count("badge_earned"), before + 2);
        for told in self.scene.deliveries().unwrap().iter().rev().take(2) {
            assert!(told.payload["badge_name"].is_string(), "{told:?}");
        }
        assert_clean(&self.scene);
    }

    fn attach(&mut self) {
        self.execute("SELECT zentry_attach()");
    }

    /// A badge that is told of, whoever hears it.
    pub fn tell_of_badge(&mut self, badge: i64) {
        let before = self.count("badge_earned");
        self.badge(id::CHEN, badge).unwrap();
        assert_eq!(self.count("badge_earned"), before + 1);
    }

    /// What zentry_status() says that mends the source of badges.
    pub fn remedy(&mut self) -> String {
        let select =
            "SELECT remedy FROM zentry_status() WHERE subject = 'event badge_earned' AND state <> 'ok'";
        self.scene.client.query_one(select, &[]).unwrap().get(0)
    }
}

fn assert_warned(notices: &Notices, event_type: &str, cause: &str) {
    let said = notices.take();
    let [warning] = said.as_slice() else {
        panic!("one warning, not {said:#?}")
    };
    assert_eq!(warning.severity(), "WARNING");
    let text = DbError::message(warning);
    assert!(
        text.contains(event_type) && text.contains("is suspended") && text.contains(cause),
        "{text}"
    );
    assert!(warning.hint().unwrap().contains("zentry_attach()"));
}

#[test]
fn a_renamed_column() {
    let mut world = World::new();
    world.execute("ALTER TABLE tasks_task RENAME COLUMN title TO heading");
    let before = world.count("task_completed");
    let warm = zentry::bulk_complete(&mut world.warm.0, &[2]);
    assert_eq!(warm.unwrap(), 1);
    assert_warned(&world.warm.1, "task_completed", "(SQLSTATE 42703)");
    // It is known already: nobody else is told.
    assert_eq!(zentry::bulk_complete(&mut world.warm.0, &[13]).unwrap(), 1);
    assert_eq!(zentry::bulk_complete(&mut world.cold.0, &[14]).unwrap(), 1);
    assert_eq!((world.warm.1.take().len(), world.cold.1.take().len()), (0, 0));
    assert!(
        world
            .reason("task_completed")
            .unwrap()
            .contains("column \"title\"")
    );
    assert_eq!(world.count("task_completed"), before);
    let completed: i64 = world
        .scene
        .client
        .query_one(
            "SELECT count(*) FROM tasks_task WHERE status = 'completed' AND id IN (2, 13, 14)",
            &[],
        )
        .unwrap()
        .get(0);
    assert_eq!(completed, 3);
    // Milestones need no title: they go on.
    assert_eq!(world.reason("milestone_reached"), None);
    assert_eq!(world.count("milestone_reached"), 1);

    world.execute("ALTER TABLE tasks_task RENAME COLUMN heading TO title");
    world.attach();
    assert_eq!(world.reason("task_completed"), None);
    zentry::bulk_complete(&mut world.warm.0, &[3]).unwrap();
    zentry::bulk_complete(&mut world.cold.0, &[4]).unwrap();
    assert_eq!(world.count("task_completed"), before + 2);
    assert_clean(&world.scene);
}

/// A column of another type is no reason to stop.
#[test]
fn a_column_of_another_type() {
    let mut world = World::new();
    let before = world.count("task_completed");
    world.execute("ALTER TABLE tasks_task ALTER COLUMN experience_reward TYPE numeric(10, 2)");
    zentry::bulk_complete(&mut world.warm.0, &[2]).unwrap();
    assert_eq!(world.warm.1.take().len(), 0);
    assert_eq!(world.count("task_completed"), before + 1);
    let last = world.scene.deliveries().unwrap().pop().unwrap();
    assert_eq!(last.payload["points"], 50.0);
}

/// Columns that come, go and move are no reason either.
#[test]
fn other_columns_that_come_and_go() {
    let mut world = World::new();
    let before = world.count("task_completed");
    world.execute(
        "ALTER TABLE tasks_task ADD COLUMN estimate int DEFAULT 3, DROP COLUMN emoji, DROP COLUMN due_date",
    );
    zentry::bulk_complete(&mut world.warm.0, &[2]).unwrap();
    assert_eq!(world.warm.1.take().len(), 0);
    assert_eq!(world.count("task_completed"), before + 1);
    let last = world.scene.deliveries().unwrap().pop().unwrap();
    assert_eq!(
        (&last.payload["task_title"], &last.payload["user_name"]),
        (&"Write the landing page".into(), &"chen".into())
    );
}

#[test]
fn a_dropped_lookup_table() {
    let mut world = World::new();
    let before = world.count("badge_earned");
    world.execute("ALTER TABLE achievements_badge RENAME TO kept");
    world.execute("CREATE TABLE achievements_badge AS TABLE kept; DROP TABLE achievements_badge");
    world.badge(id::CHEN, 2).unwrap();
    zentry::award_badge(&mut world.cold.0, id::DALIA, 2).unwrap();
    assert_eq!((world.warm.1.take().len(), world.cold.1.take().len()), (0, 0));
    // What it told is left out, and the rest is told.
    assert_eq!(world.count("badge_earned"), before + 2);
    let told = world.scene.deliveries().unwrap().pop().unwrap();
    assert_eq!(
        (&told.payload["user_name"], &told.payload["badge_name"]),
        (&"dalia".into(), &Value::Null)
    );
    let left_out = world.left_out("badge_earned").unwrap();
    assert!(
        left_out.contains("achievements_badge does not exist"),
        "{left_out}"
    );
    // The others do not need that table.
    zentry::bulk_complete(&mut world.warm.0, &[2]).unwrap();
    assert_eq!(world.warm.1.take().len(), 0);

    world.execute("ALTER TABLE kept RENAME TO achievements_badge");
    world.assert_badges_are_mended();
}

/// Who belongs to which project is told by tables that may go.
#[test]
fn a_dropped_table_of_members() {
    let mut world = World::new();
    world.execute("DROP TABLE tasks_project_members");
    let before = world.count("badge_earned");
    world.badge(id::CHEN, 2).unwrap();
    assert_eq!(world.warm.1.take().len(), 0);
    assert_eq!(world.count("badge_earned"), before + 1);
}

/// What the worker needs for milestones breaks: the source is suspended, and the worker serves the others.
#[test]
fn a_column_that_milestones_need() {
    let mut world = World::new();
    let before = world.count("daily_streak");
    world.execute("ALTER TABLE tasks_project RENAME COLUMN created_by_id TO owner_id");
    assert_eq!(zentry::bulk_complete(&mut world.warm.0, &[13, 14]).unwrap(), 2);
    assert_eq!(world.warm.1.take().len(), 0);
    // This one is told without what could not be found out.
    assert_eq!(world.count("milestone_reached"), 1);
    let reason = world.left_out("milestone_reached").unwrap();
    assert!(reason.contains("created_by_id"), "{reason}");
    assert_eq!(world.reason("task_completed"), None);
    // A streak goes to the projects of the person, which that column told: now to those that hear of everything.
    zentry::extend_streak(&mut world.warm.0, id::ADA).unwrap();
    assert_eq!(world.warm.1.take().len(), 0);
    assert_eq!(world.count("daily_streak"), before + 1);

    world.execute("ALTER TABLE tasks_project RENAME COLUMN owner_id TO created_by_id");
    world.attach();
    zentry::extend_streak(&mut world.warm.0, id::ADA).unwrap();
    assert_eq!(world.count("daily_streak"), before + 2);
    zentry::bulk_complete(&mut world.warm.0, &[15, 16]).unwrap();
    assert_eq!(world.count("milestone_reached"), 2);
    assert_eq!(
        world.channel.webhook.event_count(),
        world.scene.deliveries().unwrap().len() as u64
    );
    assert_clean(&world.scene);
}

/// In the middle of a transaction, which goes on.
#[test]
fn a_transaction_goes_on_when_a_source_is_suspended() {
    let mut world = World::new();
    world.execute("ALTER TABLE achievements_userbadge RENAME COLUMN badge_id TO badge");
    let before = world.count("daily_streak");
    let mut transaction = world.warm.0.transaction().unwrap();
    zentry::extend_streak(&mut transaction, id::ADA).unwrap();
    badge_by_its_new_name(&mut transaction);
    zentry::extend_streak(&mut transaction, id::BRUNO).unwrap();
    transaction.commit().unwrap();
    assert_warned(&world.warm.1, "badge_earned", "(SQLSTATE 42703)");
    assert_eq!(world.count("daily_streak"), before + 2);
    assert!(world.reason("badge_earned").unwrap().contains("badge_id"));
}

/// A suspension that is rolled back with its transaction is found again.
#[test]
fn a_suspension_in_a_transaction_that_is_rolled_back() {
    let mut world = World::new();
    world.execute("ALTER TABLE achievements_userbadge RENAME COLUMN badge_id TO badge");
    let mut transaction = world.warm.0.transaction().unwrap();
    badge_by_its_new_name(&mut transaction);
    transaction.rollback().unwrap();
    assert_warned(&world.warm.1, "badge_earned", "(SQLSTATE 42703)");
    assert_eq!(world.reason("badge_earned"), None);
    badge_by_its_new_name(&mut world.warm.0);
    assert_warned(&world.warm.1, "badge_earned", "(SQLSTATE 42703)");
    assert!(world.reason("badge_earned").unwrap().contains("badge_id"));
}

fn badge_by_its_new_name(client: &mut impl GenericClient) {
    client
        .execute(
            "INSERT INTO achievements_userbadge (user_id, badge, earned_at) VALUES ($1, 2, now())",
            &[&id::CHEN],
        )
        .unwrap();
}

/// A look-up's column is gone: that is the worker's to find out, in no transaction of the application.
#[test]
fn a_renamed_column_that_is_looked_up() {
    let mut world = World::new();
    world.execute("ALTER TABLE achievements_badge RENAME COLUMN name TO label");
    world.assert_badge_names_are_left_out("name");
    world.execute("ALTER TABLE achievements_badge RENAME COLUMN label TO name");
    world.assert_badges_are_mended();
}
