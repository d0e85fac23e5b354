#![allow(clippy::unwrap_used)]

use super::*;
use crate::definition::Catalogue;
use crate::event::Event;
use proptest::prelude::*;
use serde_json::json;

fn digest(text: &str) -> Digest {
    Digest::parse(text, None).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn it_leaves_a_while_after_its_first_event() {
    for (text, minutes) in [
        ("1 hour", 60),
        ("30 minutes", 30),
        ("1 day", 1440),
        ("1h 30m", 90),
        ("2 weeks", 20_160),
    ] {
        let first = at("2026-03-01T10:00:00Z");
        assert_eq!(
            digest(text).due(first),
            first + SignedDuration::from_mins(minutes),
            "{text}"
        );
    }
}

#[test]
fn it_leaves_at_the_times_of_a_cron_expression() {
    let night = "22:00-07:00 Europe/Berlin".parse().unwrap();
    for (text, first, due) in [
        // Of two kinds of days either is enough, also where one is a step; months have their names.
        ("0 9 1,15 * 5", "2026-12-01T12:00:00Z", "2026-12-04T09:00:00Z"),
        ("0 9 1,15 * 5", "2026-12-12T12:00:00Z", "2026-12-15T09:00:00Z"),
        ("0 9 */2 * 1", "2026-12-01T12:00:00Z", "2026-12-03T09:00:00Z"),
        ("0 9 1 oct *", "2026-03-01T12:00:00Z", "2026-10-01T09:00:00Z"),
        ("0 9 1 dec *", "2026-03-01T12:00:00Z", "2026-12-01T09:00:00Z"),
        // A Friday.
        ("0 9 * * 1-5", "2026-01-09T09:00:00Z", "2026-01-12T09:00:00Z"),
        (
            "0 9 * * 1-5",
            "2026-01-09T08:59:59.999999Z",
            "2026-01-09T09:00:00Z",
        ),
        (
            "0 9 * * MON-FRI Europe/Berlin",
            "2026-01-09T07:30:00Z",
            "2026-01-09T08:00:00Z",
        ),
        ("*/15 8-17 * * *", "2026-01-09T17:50:00Z", "2026-01-10T08:00:00Z"),
        ("0 0 L * *", "2026-02-03T00:00:00Z", "2026-02-28T00:00:00Z"),
    ] {
        assert_eq!(digest(text).due(at(first)), at(due), "{text} after {first}");
    }
    let own = Digest::parse("0 9 * * *", Some(&night)).unwrap();
    assert_eq!(own.due(at("2026-07-01T00:00:00Z")), at("2026-07-01T07:00:00Z"));
    let other = Digest::parse("0 9 * * * America/New_York", Some(&night)).unwrap();
    assert_eq!(other.due(at("2026-07-01T00:00:00Z")), at("2026-07-01T13:00:00Z"));
}

/// 2026-03-29, 01:00 UTC: from 02:00 to 03:00; 2026-10-25, 01:00 UTC: from 03:00 back to 02:00.
#[test]
fn clocks_that_are_changed_skip_no_digest() {
    let daily = digest("30 2 * * * Europe/Berlin");
    let skipped = daily.due(at("2026-03-28T12:00:00Z"));
    assert!(skipped <= at("2026-03-29T01:30:00Z"), "{skipped}");
    assert_eq!(daily.due(at("2026-10-24T12:00:00Z")), at("2026-10-25T00:30:00Z"));
}

#[test]
fn what_is_no_digest() {
    use DigestError::{Length, Never, NoCron, NoTimes, UnknownZone};
    for text in [
        "",
        "daily",
        "0 9 * *",
        "0 0 9 * * 1-5",
        "@daily",
        "every hour",
        "0 9 * * 1 2 UTC",
    ] {
        assert!(
            matches!(Digest::parse(text, None), Err(NoTimes(_) | UnknownZone(_))),
            "{text}"
        );
    }
    for text in ["60 9 * * *", "0 25 * * *", "a b c d e", "0 9 * * XYZ"] {
        assert!(matches!(Digest::parse(text, None), Err(NoCron(..))), "{text}");
    }
    for rare in ["0 0 30 2 *", "0 0 29 2 *"] {
        assert_eq!(Digest::parse(rare, None), Err(Never(rare.to_owned())));
        assert!(Digest::read(rare, None).is_ok(), "what was kept goes on");
    }
    for text in ["10 seconds", "2 months", "40 days", "-1 hour"] {
        assert_eq!(Digest::parse(text, None), Err(Length), "{text}");
    }
    let zone = "0 9 * * * Middle/Earth";
    assert_eq!(
        Digest::parse(zone, None),
        Err(UnknownZone("Middle/Earth".to_owned()))
    );
}

#[test]
fn what_is_stored_is_read_with_the_quiet_hours_of_the_row() {
    assert_eq!(Digest::stored(r#"{"digest": null, "name": "x"}"#), Ok(None));
    let row = r#"{"digest": "0 9 * * *", "quiet_hours": "22:00-07:00 Europe/Berlin"}"#;
    assert_eq!(Digest::stored(row), Ok(Some(digest("0 9 * * * Europe/Berlin"))));
    assert!(Digest::stored(r#"{"digest": "often"}"#).is_err());
}

#[test]
fn a_cron_expression_has_500_characters_at_most() {
    let minutes = ["0"; 246].join(",");
    let longest = format!("{minutes} 10 * * *");
    assert_eq!(longest.len(), 500);
    assert_eq!(
        digest(&longest).due(at("2026-03-01T12:00:00Z")),
        at("2026-03-02T10:00:00Z")
    );
    let longer = format!("{minutes} 10 10 * *");
    assert!(matches!(Digest::read(&longer, None), Err(DigestError::NoTimes(shown)) if shown.len() == 100));
}

fn card(event_type: &str, data: &serde_json::Value) -> Card {
    Catalogue::builtin().card(&Event {
        event_type: event_type.into(),
        data: data.to_string().into(),
        occurred_at: at("2026-01-09T08:05:00Z"),
        traceparent: None,
    })
}

#[test]
fn it_counts_and_shows_the_last_ones() {
    let task = card(
        "task_completed",
        &json!({"user_name": "ada", "task_title": "**x**\n\ny"}),
    );
    let streak = card("daily_streak", &json!({"user_name": "bob", "streak_days": 7}));
    let types = [("daily_streak", false); 3]
        .into_iter()
        .chain([("task_completed", false); 9]);
    let digest = digest("0 9 * * * Europe/Berlin").card(types, &[streak, task]);
    assert_eq!(digest.title.as_str(), "12 events");
    assert_eq!(
        digest.text.as_str(),
        "The last 2 of them:\n• 09:05 🔥 Daily Streak: bob is on a 7-day streak.\n\
             • 09:05 ✅ Task Completed: ada completed **x**  y."
    );
    let bold: Vec<_> = digest
        .text
        .spans()
        .filter(|span| span.bold)
        .map(|span| span.text)
        .collect();
    assert_eq!(bold, ["Daily Streak", "Task Completed"]);
    let fields: Vec<_> = digest
        .fields
        .iter()
        .map(|(name, count)| (name.to_string(), count.as_str().to_owned()))
        .collect();
    let owned = |name: &str, count: &str| (name.to_owned(), count.to_owned());
    assert_eq!(fields, [owned("Task Completed", "9"), owned("Daily Streak", "3")]);
}

/// The colour is that of all it holds, of which only the last ones are shown.
#[test]
fn its_colour_is_that_of_its_events() {
    let task = || card("task_completed", &json!({"user_name": "ada", "task_title": "x"}));
    let streak = || card("daily_streak", &json!({"user_name": "bob", "streak_days": 7}));
    let colour = |types: &[&'static str], last: &[Card]| {
        let types = types.iter().map(|of| (*of, false));
        digest("1 hour").card(types, last).colour
    };
    assert_ne!(task().colour, DEFAULT_COLOUR);
    assert_eq!(colour(&["task_completed"; 3], &[task(), task()]), task().colour);
    let mixed = ["task_completed", "daily_streak"];
    assert_eq!(colour(&mixed, &[task()]), DEFAULT_COLOUR);
    assert_eq!(colour(&mixed, &[task(), streak()]), DEFAULT_COLOUR);
}

#[test]
fn a_sample_among_events_is_told_from_them() {
    let event = card("task_completed", &json!({"user_name": "ada", "task_title": "x"}));
    let sample = card(
        "task_completed",
        &json!({"user_name": "bob", "task_title": "y", "zentry_sample": true}),
    );
    let told = |samples: &[bool], last: &[Card]| {
        let events = samples.iter().map(|is_sample| ("task_completed", *is_sample));
        digest("1 hour").card(events, last)
    };
    let mixed = told(&[true, false], &[sample.clone(), event.clone()]);
    assert!(!mixed.is_sample);
    assert_eq!(
        mixed.text.as_str(),
        "1 of them is a sample, not an event.\n• ✅ Sample: Task Completed: bob completed y.\n\
             • ✅ Task Completed: ada completed x."
    );
    // Also those that are counted only.
    let counted = told(&[true, true, false], std::slice::from_ref(&event));
    assert!(
        counted
            .text
            .as_str()
            .starts_with("2 of them are samples, not events.\nThe last 1 of them:\n")
    );
    let all = told(&[true, true], &[sample.clone(), sample]);
    assert!(all.is_sample && !all.text.as_str().contains("ample"));
    let none = told(&[false], &[event]);
    assert!(!none.is_sample && !none.text.as_str().contains("ample"));
    assert!(!told(&[], &[]).is_sample);
}

#[test]
fn many_types_and_long_texts_fit() {
    let names: Vec<String> = (0..100).map(|n| format!("type_{n}")).collect();
    let long = card("task_completed", &json!({"task_title": "x".repeat(5_000)}));
    let digest = digest("1 hour").card(
        names.iter().map(|name| (name.as_str(), false)),
        &vec![long; SHOWN],
    );
    assert_eq!(digest.fields.len(), MAX_COUNTS + 1);
    assert_eq!(digest.fields.last().unwrap().1.as_str(), "80");
    assert!(digest.text.as_str().chars().count() < 4_096, "no line is lost");
    assert_eq!(digest.text.as_str().lines().count(), SHOWN + 1);
}

fn field(from: u8, to: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (from..=to).prop_map(|n| n.to_string()),
        (from..=to, from..=to).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (1..=to.max(2)).prop_map(|n| format!("*/{n}")),
        (from..=to, from..=to).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

proptest! {
    /// Of what is written no panic comes, and no search without an end.
    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9*/,?LW#@A-Za-z ]{0,40}") {
        let _ = Digest::parse(&text, None);
    }

    #[test]
    fn the_next_time_is_later_and_the_first_that_fits(
        minute in field(0, 59), hour in field(0, 23), weekday in field(0, 6),
        zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
        // About 2026, and often within two days of a change of the clocks.
        base in prop::sample::select(vec![1_767_225_600i64, 1_774_746_000, 1_792_890_000, 1_772_953_200, 1_793_512_800, 1_775_314_800]),
        offset in -172_800_000i64..172_800_000,
    ) {
        let text = format!("{minute} {hour} * * {weekday} {zone}");
        let Ok(digest) = Digest::parse(&text, None) else { return Ok(()) };
        let first = Timestamp::from_millisecond(base * 1000 + offset).unwrap();
        let due = digest.due(first);
        prop_assert!(due > first);
        // All that share a digest leave with its first one: nothing waits for longer than the next time.
        let between = first + SignedDuration::from_millis(due.duration_since(first).as_millis() as i64 / 2);
        prop_assert_eq!(digest.due(between), due, "{}", text);
        prop_assert!(due.duration_since(first) <= SignedDuration::from_hours(8 * 24));
    }
}
