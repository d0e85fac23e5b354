//! Slack, Google Chat and Mattermost: what arrives, as readers see it, and at which pace.

use postgres::error::SqlState;
use zentry_e2e::emulator::{Behaviour, Event, Field, Kind, Verdict};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::{channel, of, scene, set};

const NEW: [Kind; 3] = [Kind::Slack, Kind::GoogleChat, Kind::Mattermost];

/// Without spaces that have no width.
fn visible(event: Event) -> Event {
    let visible = |text: &str| text.replace('\u{200B}', "");
    Event {
        title: visible(&event.title),
        text: visible(&event.text),
        fields: event
            .fields
            .iter()
            .map(|field| Field {
                name: visible(&field.name),
                value: visible(&field.value),
            })
            .collect(),
        ..event
    }
}

#[test]
fn every_destination_shows_the_same() {
    let mut scene = scene(&[]);
    let channels = Kind::CHATS.map(|kind| channel(&mut scene, kind));
    let project =
        zentry::create_project(&mut scene.client, "Moon <!channel> & *stars*", "", id::ADA, &[]).unwrap();
    let tasks = zentry::bulk_create_tasks(&mut scene.client, project, id::ADA, 1).unwrap();
    zentry::bulk_complete(&mut scene.client, &tasks).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let shown: Vec<_> = channels
        .iter()
        .map(|channel| visible(channel.webhook.shown().remove(0)))
        .collect();
    for (kind, event) in Kind::CHATS.iter().zip(&shown) {
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

/// Google makes one message of what comes again under the same name.
#[test]
fn a_message_whose_answer_was_lost_is_shown_once() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::GoogleChat);
    channel.webhook.script([Behaviour::LoseAnswer]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let verdicts: Vec<_> = channel
        .webhook
        .received()
        .iter()
        .map(|received| received.verdict.clone())
        .collect();
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::Repeated]);
    // Another event is another message.
    numbered::complete(&mut scene.client, [2]).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    assert_eq!(channel.webhook.event_count(), 2);
}

/// What was given up and is sent again by hand is meant to be shown.
#[test]
fn what_is_sent_again_by_hand_is_another_message() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::GoogleChat);
    channel.webhook.script([Behaviour::Status(400)]);
    numbered::complete(&mut scene.client, [1]).unwrap();
    let failed = scene.settle().unwrap().remove(0);
    assert_eq!(failed.status, "failed");
    scene
        .client
        .batch_execute(&format!("SELECT zentry_retry({})", failed.id))
        .unwrap();
    scene.settle().unwrap();
    let paths: Vec<_> = channel
        .webhook
        .received()
        .iter()
        .map(|received| received.path.clone())
        .collect();
    assert_eq!(paths.len(), 2);
    assert_ne!(paths[0], paths[1]);
    assert_eq!(channel.webhook.event_count(), 1);
}

#[test]
fn a_thread_has_the_events_of_one_project() {
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::GoogleChat);
    set(&mut scene, &channel, "thread_by", "project");
    let mut tasks = ["Moon", "Mars"].map(|name| {
        let project = zentry::create_project(&mut scene.client, name, "", id::ADA, &[]).unwrap();
        let tasks = zentry::bulk_create_tasks(&mut scene.client, project, id::ADA, 4).unwrap();
        (project, tasks)
    });
    scene.settle().unwrap();
    let before = channel.webhook.received().len();
    let mut transaction = scene.client.transaction().unwrap();
    let mut expected = Vec::new();
    // Two of one, four of the other, two of the first.
    for (which, count) in [(0, 2), (1, 4), (0, 2)] {
        let (project, tasks) = &mut tasks[which];
        for task in tasks.drain(..count) {
            transaction
                .execute(
                    "UPDATE tasks_task SET status = 'completed' WHERE id = $1",
                    &[&task],
                )
                .unwrap();
            expected.push(format!("project-{project}"));
        }
    }
    transaction.commit().unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    let received = channel.webhook.received();
    let threads: Vec<String> = received[before..]
        .iter()
        .flat_map(|received| {
            let thread = received.body["thread"]["threadKey"].as_str().unwrap().to_owned();
            vec![thread; received.events().len()]
        })
        .collect();
    assert_eq!(threads, expected);
    assert_eq!(scene.emulator.complaints(), [""; 0]);
}
