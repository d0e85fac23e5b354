#![allow(clippy::unwrap_used)]

use utoipa::PartialSchema;

use super::given::GivenSettings;
use super::*;
use crate::queries::settings::{Rules, Settings};

fn properties<T: PartialSchema>() -> Vec<String> {
    let schema = serde_json::to_value(T::schema()).unwrap();
    let mut names: Vec<String> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    names.sort();
    names
}

/// The settings that responses have, those that requests are described with, and those that are written are the same.
#[test]
fn every_setting_is_described_and_written() {
    let rules = Rules::default();
    let mut written: Vec<&str> = rules
        .parameters()
        .iter()
        .map(|parameter| parameter.name)
        .collect();
    written.sort_unstable();
    assert_eq!(properties::<Settings>(), written);
    assert_eq!(properties::<GivenSettings>(), written);
}

/// Each setting can be left out of a change, so that after an error in it the others are checked.
#[test]
fn every_setting_can_be_left_out() {
    let filled = || Rules {
        omit_keys: Some(Vec::new()),
        filter: Some(String::new()),
        min_streak_days: Some(0),
        milestones: Some(Vec::new()),
        quiet_hours: Some(String::new()),
        mention: Some(String::new()),
        username: Some(String::new()),
        avatar_url: Some(String::new()),
        announce: Some(true),
        thread_name: Some(String::new()),
        applied_tags: Some(Vec::new()),
        rate_limit: Some(String::new()),
        rate_group: Some(String::new()),
        notify_webhook_id: Some(0),
        notices: Some(true),
        digest: Some(String::new()),
        max_events_per_message: Some(1),
        min_interval: Some(String::new()),
        max_age: Some(String::new()),
        thread_by: Some(String::new()),
    };
    for name in properties::<Settings>() {
        let mut rules = filled();
        rules.leave_out(&name);
        assert_ne!(format!("{rules:?}"), format!("{:?}", filled()), "{name}");
    }
}

/// Each field that is ignored in requests is one that responses have.
#[test]
fn every_field_is_written_or_ignored() {
    let read = serde_json::to_value([Webhook::schema(), integrations::Integration::schema()])
        .unwrap()
        .to_string();
    for name in READ_ONLY {
        assert!(read.contains(&format!("\"{name}\"")), "{name}");
    }
}
