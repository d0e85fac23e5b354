//! What a session can set so that its writes fire nothing.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, assert_silent, sent, values};

#[test]
fn a_session_that_is_switched_off_fires_nothing() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        scene
            .client
            .batch_execute("SET zentry_notify.enabled = off")
            .unwrap();
        zentry::bulk_complete(&mut scene.client, &[2, 3, 4]).unwrap();
        zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
        scene.client.batch_execute("RESET zentry_notify.enabled").unwrap();
    });
}

#[test]
fn switching_off_lasts_as_long_as_the_transaction_when_it_is_local() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    zentry::extend_streak(&mut transaction, id::ADA).unwrap();
    transaction
        .batch_execute("SET LOCAL zentry_notify.enabled = off")
        .unwrap();
    zentry::extend_streak(&mut transaction, id::BRUNO).unwrap();
    transaction.commit().unwrap();
    zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
    let heard = values(&sent(&mut scene, "daily_streak"), "user_name");
    assert_eq!(heard, ["ada", "chen"]);
    assert_eq!(channel.webhook.event_count(), 2);
    assert_clean(&scene);
}

#[test]
fn other_sessions_go_on_firing() {
    let mut scene = Scene::start().unwrap();
    scene.channel(Kind::Discord).unwrap();
    let mut loading = scene.database.connect().unwrap();
    loading.batch_execute("SET zentry_notify.enabled = off").unwrap();
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
    zentry::extend_streak(&mut loading, id::BRUNO).unwrap();
    assert_eq!(values(&sent(&mut scene, "daily_streak"), "user_name"), ["ada"]);
}

#[test]
fn a_role_can_be_switched_off() {
    let mut scene = Scene::start().unwrap();
    scene.channel(Kind::Discord).unwrap();
    let role = format!("r_{}", scene.database.name().split('_').next().unwrap());
    scene
        .client
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; \
             ALTER ROLE {role} IN DATABASE {} SET zentry_notify.enabled = off",
            scene.database.name()
        ))
        .unwrap();
    let mut loading = scene.database.connect_as(&role).unwrap();
    zentry::extend_streak(&mut loading, id::BRUNO).unwrap();
    assert!(scene.deliveries().unwrap().is_empty());
}

#[test]
fn a_replica_fires_nothing() {
    let mut scene = Scene::start().unwrap();
    assert_silent(&mut scene, |scene| {
        scene
            .client
            .batch_execute("SET session_replication_role = replica")
            .unwrap();
        zentry::bulk_complete(&mut scene.client, &[2, 3, 4]).unwrap();
        zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
        zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
        scene
            .client
            .batch_execute("RESET session_replication_role")
            .unwrap();
    });
}
