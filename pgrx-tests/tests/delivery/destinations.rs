//! Slack, Google Chat and Mattermost: what arrives, as readers see it, and at which pace.

use postgres::error::SqlState;
use zentry_e2e::emulator::Kind;
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::{KINDS, channel, of, scene, set};

const NEW: [Kind; 3] = [Kind::Slack, Kind::GoogleChat, Kind::Mattermost];

#[test]
fn every_destination_shows_the_same() {
    let mut scene = scene(&[]);
    let channels = KINDS.map(|kind| channel(&mut scene, kind));
    let project =
        zentry::create_project(&mut scene.client, "Moon <!channel> & *stars*", "", id::ADA, &[]).unwrap();
    let tasks = zentry::bulk_create_tasks(&mut scene.client, project, id::ADA, 1).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let shown: Vec<_> = channels
        .iter()
        .map(|channel| channel.webhook.shown().remove(0))
        .collect();
    for (kind, event) in KINDS.iter().zip(&shown) {
        assert_eq!(event.text, shown[0].text, "{kind:?}");
        assert_eq!(event.title, shown[0].title, "{kind:?}");
        assert_eq!(event.fields, shown[0].fields, "{kind:?}");
    }
    assert!(
        shown[0].text.contains("Moon <!channel> & *stars*"),
        "{}",
        shown[0].text
    );
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn several_events_are_one_message_at_the_pace_of_the_service() {
    let mut scene = scene(&[]);
    let channels = NEW.map(|kind| scene.channel_for(kind, None, crate::TASKS).unwrap());
    numbered::complete(&mut scene.client, 1..=30).unwrap();
    for channel in &channels {
        channel.webhook.wait_for_events(30, SOON);
        // As many as fit go into one: nobody is told off for being too fast.
        assert!(channel.webhook.requests() <= 6, "{}", channel.webhook.requests());
    }
    let deliveries = scene.settle().unwrap();
    for channel in &channels {
        assert!(all_sent(&of(&deliveries, channel)));
    }
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}

#[test]
fn a_url_tells_whose_it_is() {
    let mut scene = scene(&[]);
    let urls = [
        ("slack", "https://discord.com/api/webhooks/1/x", "discord"),
        ("discord", "https://hooks.slack.com/services/T1/B1/x", "slack"),
        (
            "mattermost",
            "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=t",
            "google_chat",
        ),
    ];
    scene
        .client
        .batch_execute(
            "SELECT set_config('zentry_notify.allowed_hosts', 'discord.com, hooks.slack.com, chat.googleapis.com', false)",
        )
        .unwrap();
    for (webhook_type, url, meant) in urls {
        let error = scene
            .client
            .query(
                "SELECT zentry_register_webhook('x', $1, $2)",
                &[&webhook_type, &url],
            )
            .unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code(), &SqlState::INVALID_PARAMETER_VALUE);
        assert!(
            error.hint().unwrap().contains(&format!("\"{meant}\"")),
            "{error:?}"
        );
    }
}

#[test]
fn whom_a_message_pings_stands_above_it() {
    let mut scene = scene(&[]);
    let mentions = [
        (Kind::Slack, "user:U012AB3CD", "<@U012AB3CD> "),
        (Kind::GoogleChat, "all", "<users/all>"),
        (Kind::Mattermost, "user:ada.lovelace", "@ada.lovelace"),
    ];
    let channels = mentions.map(|(kind, mention, markup)| {
        let channel = channel(&mut scene, kind);
        set(&mut scene, &channel, "mention", mention);
        (channel, markup)
    });
    numbered::complete(&mut scene.client, [1]).unwrap();
    scene.settle().unwrap();
    for (channel, markup) in channels {
        let received = channel.webhook.received().remove(0);
        let body = &received.body;
        assert!(body["text"].as_str().unwrap().starts_with(markup), "{body}");
    }
}
