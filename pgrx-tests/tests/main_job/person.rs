//! Badges and streaks belong to a person: the person's projects hear of them.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, Scene};
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, webhook_ids};

/// Channels of every project and of the projects 1, 2 and 3, the last of which is [`id::DALIA`]'s and has no members.
struct World {
    scene: Scene,
    everywhere: Channel,
    website: Channel,
    app: Channel,
    atlas: Channel,
}

impl World {
    fn new() -> Self {
        let mut scene = Scene::start().unwrap();
        scene
            .client
            .batch_execute(
                "INSERT INTO tasks_project VALUES (3, 'Atlas', '', '', now(), now(), 4); \
                 INSERT INTO users_user SELECT (jsonb_populate_record(u, '{\"id\": 5, \"username\": \"eve\"}')).* FROM users_user u WHERE id = 1",
            )
            .unwrap();
        let everywhere = scene.channel(Kind::Discord).unwrap();
        let [website, app, atlas] = [id::WEBSITE, id::MOBILE_APP, 3]
            .map(|id| scene.channel_for(Kind::Discord, Some(id), None).unwrap());
        World {
            scene,
            everywhere,
            website,
            app,
            atlas,
        }
    }

    /// Who hears of a badge and of a streak of this user, which must be the same.
    fn heard(&mut self, user: i64) -> Vec<i64> {
        let before = self.scene.settle().unwrap().len();
        zentry::award_badge(&mut self.scene.client, user, 3).unwrap();
        zentry::extend_streak(&mut self.scene.client, user).unwrap();
        let fired = self.scene.settle().unwrap().split_off(before);
        let heard = webhook_ids(&fired, "badge_earned");
        assert_eq!(webhook_ids(&fired, "daily_streak"), heard);
        assert_clean(&self.scene);
        heard
    }
}

const NEWCOMER: i64 = 5;

#[test]
fn whoever_has_no_project_is_heard_by_those_of_every_project() {
    let mut world = World::new();
    assert_eq!(world.heard(NEWCOMER), [world.everywhere.id]);
}

#[test]
fn who_created_a_project_belongs_to_it() {
    let mut world = World::new();
    assert_eq!(world.heard(id::DALIA), [world.everywhere.id, world.atlas.id]);
}

#[test]
fn a_member_belongs_to_the_project() {
    let mut world = World::new();
    let member = "INSERT INTO tasks_project_members (project_id, user_id) VALUES (3, 5)";
    world.scene.client.batch_execute(member).unwrap();
    assert_eq!(world.heard(NEWCOMER), [world.everywhere.id, world.atlas.id]);
}

#[test]
fn who_is_assigned_a_task_belongs_to_its_project() {
    let mut world = World::new();
    let assigned = "UPDATE tasks_task SET assigned_to_id = 5 WHERE id = 20";
    world.scene.client.batch_execute(assigned).unwrap();
    assert_eq!(world.heard(NEWCOMER), [world.everywhere.id, world.app.id]);
}

/// Creator, member and assignee of one project, and a member of another: each hears once.
#[test]
fn who_belongs_to_a_project_in_several_ways_is_heard_once() {
    let mut world = World::new();
    assert_eq!(
        world.heard(id::BRUNO),
        [world.everywhere.id, world.website.id, world.app.id]
    );
}

#[test]
fn who_left_a_project_does_not_belong_to_it() {
    let mut world = World::new();
    world
        .scene
        .client
        .batch_execute(
            "DELETE FROM tasks_project_members WHERE user_id = 3 AND project_id = 2; \
             UPDATE tasks_task SET assigned_to_id = 2 WHERE assigned_to_id = 3 AND project_id = 2",
        )
        .unwrap();
    assert_eq!(world.heard(id::CHEN), [world.everywhere.id, world.website.id]);
}

/// Joining a project and earning a badge in one transaction.
#[test]
fn who_has_just_joined_belongs_to_the_project() {
    let mut world = World::new();
    let client = &mut world.scene.client;
    let mut transaction = client.transaction().unwrap();
    transaction
        .batch_execute("INSERT INTO tasks_project_members (project_id, user_id) VALUES (3, 5)")
        .unwrap();
    zentry::award_badge(&mut transaction, NEWCOMER, id::TASK_MASTER).unwrap();
    transaction.commit().unwrap();
    let fired = world.scene.settle().unwrap();
    assert_eq!(
        webhook_ids(&fired, "badge_earned"),
        [world.everywhere.id, world.atlas.id]
    );
}
