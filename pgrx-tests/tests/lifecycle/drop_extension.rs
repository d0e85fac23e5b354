//! DROP EXTENSION while messages are being sent, and CREATE EXTENSION after it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{SOON, Scene, register};
use zentry_e2e::site::fire;
use zentry_e2e::wait::eventually;

fn worker_exists(scene: &mut Scene) -> bool {
    const SQL: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                       WHERE backend_type = 'zentry_notify worker' AND datname = current_database())";
    scene.client.query_one(SQL, &[]).unwrap().get(0)
}

#[test]
fn it_succeeds_while_sending_and_the_worker_leaves() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    channel
        .webhook
        .always(Behaviour::Slow(Duration::from_millis(300)));
    for _ in 0..30 {
        fire(&mut scene.client)?;
    }
    channel.webhook.wait_for(1, SOON);
    scene.client.batch_execute("DROP EXTENSION zentry_notify")?;
    // Writes go on, and fire nothing.
    fire(&mut scene.client)?;
    eventually(SOON, "the worker to leave", || {
        (!worker_exists(&mut scene)).then_some(())
    })?;
    let triggers: i64 = scene
        .client
        .query_one(
            "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zentry_notify%'",
            &[],
        )?
        .get(0);
    assert_eq!(triggers, 0);
    Ok(())
}

#[test]
fn an_idle_worker_leaves_too() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    scene.settle()?;
    scene.client.batch_execute("DROP EXTENSION zentry_notify")?;
    eventually(SOON, "the worker to leave", || {
        (!worker_exists(&mut scene)).then_some(())
    })
}

#[test]
fn create_extension_works_again_at_once() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    // The worker that served the old installation may still be there, and ids begin at 1 again.
    for round in 2..=4 {
        scene.client.batch_execute("DROP EXTENSION zentry_notify")?;
        scene.install()?;
        register(&mut scene.client, &channel.webhook, None, None)?;
        fire(&mut scene.client)?;
        channel.webhook.wait_for_events(round, SOON);
        let deliveries = scene.settle()?;
        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].status, "sent");
    }
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn drop_and_create_in_one_transaction() -> Result<()> {
    let mut scene = Scene::start()?;
    let old = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    old.webhook.wait_for_events(1, SOON);
    scene
        .client
        .batch_execute("BEGIN; DROP EXTENSION zentry_notify; CREATE EXTENSION zentry_notify")?;
    let new = scene.channel(Kind::Discord)?;
    fire(&mut scene.client)?;
    scene.client.batch_execute("COMMIT")?;
    new.webhook.wait_for_events(1, SOON);
    assert_eq!(scene.settle()?.len(), 1);
    assert_eq!(old.webhook.event_count(), 1);
    Ok(())
}

#[test]
fn a_drop_that_is_rolled_back_changes_nothing() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    scene
        .client
        .batch_execute("BEGIN; DROP EXTENSION zentry_notify; ROLLBACK")?;
    fire(&mut scene.client)?;
    channel.webhook.wait_for_events(1, SOON);
    Ok(())
}

#[test]
fn a_session_that_has_fired_events_goes_on_after_another_dropped_the_extension() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    let mut application = scene.database.connect()?;
    fire(&mut application)?;
    channel.webhook.wait_for_events(1, SOON);
    scene.client.batch_execute("DROP EXTENSION zentry_notify")?;
    fire(&mut application)?;
    scene.install()?;
    let again = scene.channel(Kind::Discord)?;
    fire(&mut application)?;
    again.webhook.wait_for_events(1, SOON);
    assert_eq!(channel.webhook.event_count(), 1);
    Ok(())
}

/// A write locks its table and then ours; DROP EXTENSION must not lock them the other way round.
#[test]
fn it_costs_no_write_under_load() -> Result<()> {
    /// Half of the writers have the tables in the other order. What holds a table and waits for another one for as long as this is a deadlock; a
    /// process that gets no time from a busy machine does not wait for as long.
    const FOUND: &str = "SET deadlock_timeout = '10s'";
    let mut scene = Scene::start()?;
    scene.client.batch_execute(FOUND)?;
    scene.channel(Kind::Discord)?;
    let stop = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        for writer in 0..4_i64 {
            let mut client = scene.database.connect()?;
            client.batch_execute(FOUND)?;
            let statements = [
                format!(
                    "UPDATE tasks_task SET status = CASE status WHEN 'completed' THEN 'todo' ELSE 'completed' END WHERE id = {}",
                    writer + 2
                ),
                format!(
                    "UPDATE users_user SET current_streak = current_streak + 1 WHERE id = {}",
                    writer + 1
                ),
            ];
            let (stop, written, failures) = (&stop, &written, &failures);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let [first, second] = &statements;
                    let (first, second) = if writer % 2 == 0 {
                        (first, second)
                    } else {
                        (second, first)
                    };
                    match client.batch_execute(&format!("BEGIN; {first}; {second}; COMMIT")) {
                        Ok(()) => {
                            written.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => {
                            failures.lock().unwrap().push(format!("{error:?}"));
                            let _ = client.batch_execute("ROLLBACK");
                        }
                    }
                }
            });
        }
        let mut drop_and_create = || -> Result<()> {
            for _ in 0..10 {
                let before = written.load(Ordering::SeqCst);
                eventually(SOON, "some writes", || {
                    (written.load(Ordering::SeqCst) > before + 100).then_some(())
                })?;
                scene.client.batch_execute("DROP EXTENSION zentry_notify")?;
                scene.install()?;
                eventually(SOON, "both tables to be attached", || {
                    const ATTACHED: &str = "SELECT bool_and(state = 'attached') FROM zentry_attach()";
                    let row = scene.client.query_one(ATTACHED, &[]).ok()?;
                    row.get::<_, bool>(0).then_some(())
                })?;
            }
            Ok(())
        };
        let outcome = drop_and_create();
        stop.store(true, Ordering::SeqCst);
        outcome
    })?;
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {written:?}: {:?}",
        failures.len(),
        failures.first()
    );
    Ok(())
}
