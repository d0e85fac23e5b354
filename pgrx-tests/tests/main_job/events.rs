//! Each event, from the application's write to the message that a person reads.

use jiff::Timestamp;
use serde_json::{Value, json};
use zentry_e2e::emulator::{Event, Kind};
use zentry_e2e::scene::{Channel, Delivery, Scene};
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, bold, channels, iso};

/// What every channel should show.
struct Expected<'a> {
    title: &'a str,
    text: &'a str,
    bold: &'a [&'a str],
    fields: &'a [(&'a str, &'a str)],
    colour: u32,
    /// The container's style in an Adaptive Card.
    style: &'a str,
    /// In whole seconds.
    time: Timestamp,
}

const FOOTER: &str = "Zentry Project Management";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The one delivery to each channel, after it was sent: all have the same payload.
fn deliveries(scene: &mut Scene, event_type: &str) -> Vec<Delivery> {
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries.len(), Kind::CHATS.len(), "{deliveries:#?}");
    for delivery in &deliveries {
        assert_eq!(
            (delivery.event_type.as_str(), delivery.status.as_str()),
            (event_type, "sent"),
            "{delivery:#?}"
        );
        assert_eq!(delivery.payload, deliveries[0].payload);
    }
    deliveries
}

fn assert_shown(scene: &Scene, channels: &[Channel; Kind::CHATS.len()], expected: &Expected) {
    for channel in channels {
        let kind = channel.webhook.kind();
        let events = channel.webhook.events();
        let [event] = events.as_slice() else {
            panic!("{kind:?}: {events:#?}")
        };
        assert_eq!(bold(kind, event), expected.bold, "{kind:?}");
        let shown = event.shown(kind);
        assert_eq!(
            (shown.title.as_str(), shown.text.as_str()),
            (expected.title, expected.text)
        );
        let fields: Vec<(&str, &str)> = shown
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.value.as_str()))
            .collect();
        assert_eq!(fields, expected.fields, "{kind:?}");
        assert_dressed(channel, &shown, expected);
    }
    assert_clean(scene);
}

/// Colour, time and footer: what the formats do each in their own way.
fn assert_dressed(channel: &Channel, shown: &Event, expected: &Expected) {
    let footer = shown.footer.as_deref();
    let received = channel.webhook.received();
    let body = &received[0].body;
    match channel.webhook.kind() {
        Kind::Discord => {
            assert_eq!(shown.colour, Some(expected.colour));
            assert_eq!(shown.timestamp, Some(iso(expected.time)));
            assert_eq!(footer, Some(FOOTER));
        }
        Kind::Connector => {
            assert_eq!(body["themeColor"], format!("{:06x}", expected.colour));
            assert_eq!(body["summary"], format!("{}: {}", expected.title, expected.text));
            let time = expected.time.strftime("%Y-%m-%d %H:%M UTC");
            assert_eq!(footer, Some(format!("{FOOTER} · {time}").as_str()));
        }
        Kind::Workflow => {
            let card = &body["attachments"][0]["content"];
            assert_eq!(card["body"][0]["style"], expected.style);
            let time = expected.time.strftime("%a, %-d %b %Y %H:%M");
            assert_eq!(footer, Some(format!("{FOOTER} · {time}").as_str()));
        }
        Kind::Signed => unreachable!("it gets no messages"),
        Kind::Slack | Kind::GoogleChat | Kind::Mattermost | Kind::Ntfy => {
            if !matches!(channel.webhook.kind(), Kind::GoogleChat | Kind::Ntfy) {
                assert_eq!(shown.colour, Some(expected.colour));
            }
            let time = expected.time.strftime("%Y-%m-%d %H:%M UTC");
            assert_eq!(footer, Some(format!("{FOOTER} · {time}").as_str()));
        }
    }
}

#[test]
fn a_completed_task() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    let at = time("2024-01-15T10:30:00.654321Z");
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, at).unwrap();

    let deliveries = deliveries(&mut scene, "task_completed");
    assert_eq!(
        deliveries[0].payload,
        json!({
            "task_id": 2,
            "task_title": "Write the landing page",
            "task_description": "Three lines that say what Zentry is",
            "user_name": "chen",
            "user_id": 3,
            "project_name": "Website Relaunch",
            "project_id": 1,
            "points": 50,
            "completed_at": "2024-01-15T10:30:00Z",
        })
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "✅ Task Completed",
            text: "chen completed Write the landing page in Website Relaunch.",
            bold: &["chen", "Write the landing page", "Website Relaunch"],
            fields: &[("Project", "Website Relaunch"), ("Points Earned", "50")],
            colour: 0x00_ff_00,
            style: "good",
            time: time("2024-01-15T10:30:00Z"),
        },
    );
}

#[test]
fn a_completed_task_that_nobody_is_assigned_to() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    let at = time("2024-02-29T23:59:59Z");
    zentry::complete_task(&mut scene.client, id::REDIRECTS, at).unwrap();

    let payload = &deliveries(&mut scene, "task_completed")[0].payload;
    assert_eq!(
        (&payload["user_name"], &payload["user_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "✅ Task Completed",
            text: "Redirect the old URLs was completed in Website Relaunch.",
            bold: &["Redirect the old URLs", "Website Relaunch"],
            fields: &[("Project", "Website Relaunch"), ("Points Earned", "80")],
            colour: 0x00_ff_00,
            style: "good",
            time: at,
        },
    );
}

#[test]
fn an_earned_badge() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    let row = scene
        .client
        .query_one(
            "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES ($1, $2, now()) RETURNING earned_at",
            &[&id::CHEN, &id::TASK_MASTER],
        )
        .unwrap();
    let earned_at: Timestamp = row.get(0);

    assert_eq!(
        deliveries(&mut scene, "badge_earned")[0].payload,
        json!({
            "badge_id": 2,
            "badge_name": "Task Master",
            "badge_description": "Complete 50 tasks",
            "user_name": "chen",
            "user_id": 3,
            "earned_at": iso(earned_at),
        })
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "🏆 Badge Earned",
            text: "chen earned the badge Task Master.",
            bold: &["chen", "Task Master"],
            fields: &[("Badge Description", "Complete 50 tasks")],
            colour: 0xff_d7_00,
            style: "warning",
            time: earned_at,
        },
    );
}

#[test]
fn a_created_project() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    let members = [id::ADA, id::DALIA];
    let project =
        zentry::create_project(&mut scene.client, "Atlas", "Maps for all", id::DALIA, &members).unwrap();
    let created_at: Timestamp = scene
        .client
        .query_one("SELECT created_at FROM tasks_project WHERE id = $1", &[&project])
        .unwrap()
        .get(0);

    assert_eq!(
        deliveries(&mut scene, "project_created")[0].payload,
        json!({
            "project_id": project,
            "project_name": "Atlas",
            "project_description": "Maps for all",
            "user_name": "dalia",
            "user_id": 4,
            "created_at": iso(created_at),
        })
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "🚀 Project Created",
            text: "dalia created the project Atlas.",
            bold: &["dalia", "Atlas"],
            fields: &[("Created by", "dalia"), ("Description", "Maps for all")],
            colour: 0x00_99_ff,
            style: "accent",
            time: created_at,
        },
    );
}

#[test]
fn a_reached_milestone() {
    let mut scene = Scene::start().unwrap();
    // One of nine is there, and one more; the third makes 33 %.
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, Timestamp::now()).unwrap();
    let milestones = Some(&["milestone_reached"][..]);
    let channels = Kind::CHATS.map(|kind| scene.channel_for(kind, None, milestones).unwrap());
    zentry::complete_task(&mut scene.client, id::REDIRECTS, Timestamp::now()).unwrap();

    let deliveries = deliveries(&mut scene, "milestone_reached");
    assert_eq!(
        deliveries[0].payload,
        json!({
            "milestone_name": "25% Project Completion",
            "project_name": "Website Relaunch",
            "project_id": 1,
            "progress": 33,
            "user_name": "ada",
            "user_id": 1,
        })
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "🎯 Milestone Reached",
            text: "Website Relaunch reached 25% Project Completion.",
            bold: &["Website Relaunch", "25% Project Completion"],
            fields: &[("Project", "Website Relaunch"), ("Progress", "33%")],
            colour: 0xff_66_00,
            style: "warning",
            time: deliveries[0].created_at,
        },
    );
}

#[test]
fn an_extended_streak() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();

    let deliveries = deliveries(&mut scene, "daily_streak");
    assert_eq!(
        deliveries[0].payload,
        json!({
            "user_name": "chen",
            "user_id": 3,
            "streak_days": 13,
            "streak_type": "Daily task completion",
        })
    );
    assert_shown(
        &scene,
        &channels,
        &Expected {
            title: "🔥 Daily Streak",
            text: "chen is on a 13-day streak.",
            bold: &["chen", "13-day"],
            fields: &[("Streak Type", "Daily task completion")],
            colour: 0x99_66_ff,
            style: "accent",
            time: deliveries[0].created_at,
        },
    );
}

/// The user first, whose streak rises, then the task, which is the third of nine: three events of one transaction.
#[test]
fn one_transaction_with_several_events() {
    let mut scene = Scene::start().unwrap();
    let channels = channels(&mut scene);
    zentry::bulk_complete(&mut scene.client, &[3]).unwrap();
    scene.settle().unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    zentry::extend_streak(&mut transaction, id::CHEN).unwrap();
    zentry::bulk_complete(&mut transaction, &[id::LANDING_PAGE]).unwrap();
    transaction.commit().unwrap();

    let fired = scene.settle().unwrap();
    for channel in &channels {
        let of_channel: Vec<&str> = fired
            .iter()
            .filter(|delivery| delivery.webhook_integration_id == channel.id)
            .map(|delivery| delivery.event_type.as_str())
            .collect();
        assert_eq!(
            of_channel,
            [
                "task_completed",
                "daily_streak",
                "task_completed",
                "milestone_reached"
            ]
        );
        assert_eq!(channel.webhook.event_count(), 4);
    }
    assert_clean(&scene);
}

/// The row's own values are of the moment of the write: later changes do not reach back. Names are of the moment after the commit.
#[test]
fn the_data_is_a_snapshot_of_the_write() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    let mut transaction = scene.client.transaction().unwrap();
    zentry::bulk_complete(&mut transaction, &[id::LANDING_PAGE]).unwrap();
    transaction
        .batch_execute(
            "UPDATE tasks_task SET title = 'Renamed' WHERE id = 2; UPDATE users_user SET username = 'changed' WHERE id = 3; \
             UPDATE tasks_project SET name = 'Other' WHERE id = 1",
        )
        .unwrap();
    transaction.commit().unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(fired.len(), 1);
    assert_eq!(fired[0].payload["task_title"], "Write the landing page");
    assert_eq!(
        channel.webhook.shown()[0].text,
        "changed completed Write the landing page in Other."
    );
    assert_clean(&scene);
}
