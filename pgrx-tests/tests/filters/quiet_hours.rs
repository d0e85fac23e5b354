//! quiet_hours: what comes in them waits, and leaves afterwards together.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::{fire, wait_for};

use crate::refused;

/// UTC's time of day, so far from now.
fn clock(from_now: SignedDuration) -> String {
    let time: Time = (Timestamp::now() + from_now).to_zoned(TimeZone::UTC).time();
    time.strftime("%H:%M").to_string()
}

#[test]
fn what_comes_in_them_waits_and_leaves_together() {
    let mut scene = Scene::start().unwrap();
    let quiet = scene.channel(Kind::Discord).unwrap();
    let awake = scene.channel(Kind::Discord).unwrap();
    let hours = format!(
        "{}-{} UTC",
        clock(SignedDuration::from_hours(-2)),
        clock(SignedDuration::from_hours(2))
    );
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, quiet_hours => $2)",
            &[&quiet.id, &hours],
        )
        .unwrap();
    for _ in 0..3 {
        fire(&mut scene.client).unwrap();
    }
    awake.webhook.wait_for_events(3, zentry_e2e::scene::SOON);
    zentry_e2e::wait::eventually(zentry_e2e::scene::SOON, "three deliveries that wait", || {
        (scene.deliveries().unwrap().len() == 6).then_some(())
    })
    .unwrap();
    let held = scene
        .client
        .query_one(
            "SELECT held_until, pending, state FROM zentry_notify.webhooks WHERE id = $1",
            &[&quiet.id],
        )
        .unwrap();
    let held_for = held.get::<_, Timestamp>(0).duration_since(Timestamp::now());
    assert!(
        held_for > SignedDuration::from_mins(118) && held_for <= SignedDuration::from_hours(2),
        "{held_for}"
    );
    assert_eq!((held.get::<_, i64>(1), held.get::<_, &str>(2)), (3, "active"));
    // Being held is no fault: nothing of it is due.
    scene
        .client
        .batch_execute("UPDATE zentry_notify.event SET created_at = now() - interval '1 hour'")
        .unwrap();
    wait_for(
        &mut scene.client,
        "SELECT bool_and(state = 'ok') FROM zentry_status()",
    )
    .unwrap();
    assert_eq!(quiet.webhook.requests(), 0);

    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, quiet_hours => '')",
            &[&quiet.id],
        )
        .unwrap();
    scene.settle().unwrap();
    assert_eq!((quiet.webhook.requests(), quiet.webhook.event_count()), (1, 3));
    let held = "SELECT held_until IS NULL FROM zentry_notify.webhooks WHERE id = ";
    assert!(
        scene
            .client
            .query_one(&format!("{held}{}", quiet.id), &[])
            .unwrap()
            .get::<_, bool>(0)
    );
}

#[test]
fn what_is_no_quiet_hours_is_refused_with_a_hint() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    for (hours, message) in [
        (
            "22:00-07:00",
            "quiet_hours: quiet hours end with the name of a time zone",
        ),
        (
            "22:00-07:00 Middle/Earth",
            "quiet_hours: unknown time zone \"Middle/Earth\"",
        ),
        (
            "22:00-26:00 UTC",
            "quiet_hours: \"26:00\" is not a time of day from 00:00 to 24:00",
        ),
        ("00:00-24:00 UTC", "quiet_hours: the quiet hours never end"),
    ] {
        let (code, text, hint) = refused(
            &mut scene.client,
            &format!(
                "UPDATE zentry_notify.webhook_integration SET quiet_hours = '{hours}' WHERE id = {}",
                channel.id
            ),
        );
        assert_eq!((code.as_str(), text.as_str()), ("22023", message));
        assert!(hint.contains("22:00-07:00 Europe/Berlin"), "{hint}");
    }
}
