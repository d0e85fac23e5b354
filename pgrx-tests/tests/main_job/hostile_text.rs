//! Whatever the columns hold: the vendors take the message, and a person reads what the row said.

use postgres::GenericClient;
use zentry_e2e::emulator::{Event, Kind};
use zentry_e2e::scene::{Channel, SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;
use zentry_e2e::zentry::{self, id};

use crate::support::assert_clean;

/// Texts that could be taken for something else.
const HOSTILE: &[&str] = &[
    "**bold** __under__ *it* _it_ ~~gone~~ ||spoiler|| `code` ```block```",
    "# not a heading",
    "- not a list",
    "1. not a list",
    "> not a quote",
    "@everyone @here <@123456789012345678> <@&1> <#2> <:a:3> :smile:",
    "<at>everyone</at> <at id=\"0\">x</at>",
    "[click](https://evil.example/) <https://evil.example/> ![i](https://evil.example/i.png)",
    "<script>alert(1)</script> <b>b</b> &lt;b&gt; &amp; &#42; &nbsp;",
    "{{DATE(2024-01-01T00:00:00Z, LONG)}} {{ user_name }} {% if x %}y{% endif %} ${x} %s",
    "\"quoted\" 'single' back\\slash \\* \\\\ \\n",
    "emoji 👩‍👩‍👧‍👦 🇩🇪 é e\u{301} 漢字 עברית",
    "C:\\dir\\* a_b_c snake_case_name 2 * 3 * 4 ** 5",
    "'; DROP TABLE tasks_task; --",
    "{\"json\": [1, null]}",
    "***",
    "\\",
    "**",
];

/// What is read: nobody sees the spaces of no width that keep a tag from being one.
fn visible(text: &str) -> String {
    text.replace('\u{200b}', "")
}

fn only(channel: &Channel) -> Event {
    let shown = channel.webhook.shown();
    assert_eq!(shown.len(), 1, "{shown:#?}");
    shown[0].clone()
}

/// The fields that are texts, each with this text; the parts that a reader sees.
fn set(client: &mut impl GenericClient, text: &str) {
    for update in [
        "UPDATE users_user SET username = $1::text WHERE id = 3",
        "UPDATE tasks_project SET name = $1::text, description = $1::text WHERE id = 1",
        "UPDATE tasks_task SET title = $1::text, description = $1::text WHERE id = 2",
        "UPDATE achievements_badge SET name = left($1::text, 100), description = $1::text WHERE id = 2",
    ] {
        client.execute(update, &[&text]).unwrap();
    }
}

/// One after the other, so that each is a message of its own and no two texts can be confused.
fn check(scene: &mut Scene, text: &str, cut: impl Fn(&str) -> String) {
    for kind in Kind::CHATS {
        let all = Some(&["task_completed", "badge_earned"][..]);
        let channel = scene.channel_for(kind, None, all).unwrap();
        set(&mut scene.client, text);
        zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
        scene.settle().unwrap();
        let task = only(&channel);
        let badge_channel = scene.channel_for(kind, None, all).unwrap();
        scene
            .client
            .execute("SELECT zentry_delete_webhook($1)", &[&channel.id])
            .unwrap();
        zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
        let payload = scene.settle().unwrap().pop().unwrap().payload;
        assert_eq!(payload["badge_description"], text);
        let badge = only(&badge_channel);
        scene
            .client
            .execute("SELECT zentry_delete_webhook($1)", &[&badge_channel.id])
            .unwrap();
        scene
            .client
            .batch_execute(
                "SET zentry_notify.enabled = off; DELETE FROM achievements_userbadge WHERE user_id = 3; \
                 UPDATE tasks_task SET status = 'todo' WHERE id = 2; RESET zentry_notify.enabled",
            )
            .unwrap();

        let (text, short) = (cut(text), cut(&text.chars().take(100).collect::<String>()));
        assert_eq!(
            visible(&task.text),
            format!("{text} completed {text} in {text}."),
            "{kind:?}"
        );
        assert_eq!(visible(task.field("Project").unwrap()), text, "{kind:?}");
        assert_eq!(
            visible(&badge.text),
            format!("{text} earned the badge {short}."),
            "{kind:?}"
        );
        assert_eq!(
            visible(badge.field("Badge Description").unwrap()),
            text,
            "{kind:?}"
        );
    }
    assert_clean(scene);
}

#[test]
fn markup_of_every_sort_is_text() {
    let mut scene = Scene::start().unwrap();
    for text in HOSTILE {
        check(&mut scene, text, str::to_owned);
    }
}

#[test]
fn the_longest_texts_that_the_columns_take() {
    let mut scene = Scene::start().unwrap();
    // The username is the shortest of them.
    for longest in ["*", "🎉", "a", "<", "&amp;", "_"] {
        let text: String = longest.chars().cycle().take(150).collect();
        check(&mut scene, &text, str::to_owned);
    }
}

#[test]
fn nobody_is_pinged() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    set(&mut scene.client, "@everyone");
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    scene.settle().unwrap();
    let body = &channel.webhook.received()[0].body;
    assert_eq!(body["allowed_mentions"], serde_json::json!({"parse": []}));
    assert!(body["content"].is_null());
}

#[test]
fn texts_without_a_limit_are_cut_to_what_the_vendors_take() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    let long = "🎉*".repeat(50_000);
    let members = [id::ADA];
    zentry::create_project(&mut scene.client, &"*".repeat(200), &long, id::DALIA, &members).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    // Of a value at most 65,536 bytes are recorded, and no half of a character.
    let recorded = deliveries[0].payload["project_description"].as_str().unwrap();
    assert!(long.starts_with(recorded));
    assert_eq!(recorded.len(), 65_535);
    for channel in &channels {
        let event = only(channel);
        assert_eq!(
            event.text,
            format!("dalia created the project {}.", "*".repeat(200))
        );
        let description = event.field("Description").unwrap();
        let kept = description.strip_suffix('…').unwrap();
        assert!(
            long.starts_with(kept) && kept.chars().count() > 400,
            "{description}"
        );
    }
    assert_clean(&scene);
}

#[test]
fn several_long_texts_in_one_message() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    scene
        .client
        .batch_execute(
            "INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
             SELECT repeat('🎉_', 100), repeat('é`', 3000) || n, '', 1, now(), now() FROM generate_series(1, 25) n",
        )
        .unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    for channel in &channels {
        assert_eq!(channel.webhook.event_count(), 25);
    }
    assert_clean(&scene);
}

#[test]
fn empty_texts_leave_no_gaps() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    set(&mut scene.client, "");
    scene
        .client
        .batch_execute("UPDATE tasks_task SET experience_reward = 0 WHERE id = 2")
        .unwrap();
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
    zentry::create_project(&mut scene.client, "", "", id::CHEN, &[]).unwrap();
    zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
    let deliveries = scene.settle().unwrap();
    assert_eq!(deliveries[0].payload["task_title"], "");
    for channel in &channels {
        let texts: Vec<String> = channel
            .webhook
            .shown()
            .into_iter()
            .map(|event| event.text)
            .collect();
        assert_eq!(
            texts,
            [
                "A task was completed.",
                "Somebody earned a badge.",
                "A project was created.",
                "Somebody is on a 13-day streak."
            ]
        );
        let fields: Vec<usize> = channel
            .webhook
            .shown()
            .iter()
            .map(|event| event.fields.len())
            .collect();
        // Points that are 0 are told.
        assert_eq!(fields, [1, 0, 0, 1]);
    }
    assert_clean(&scene);
}

#[test]
fn values_at_their_ends() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    // PostgreSQL's numbers and times go further than JSON's and the vendors'.
    scene
        .client
        .batch_execute(
            "ALTER TABLE tasks_task ALTER COLUMN experience_reward TYPE numeric; \
             UPDATE users_user SET current_streak = 2147483646 WHERE id = 3; \
             UPDATE users_user SET current_streak = 2147483647 WHERE id = 3",
        )
        .unwrap();
    for (points, time) in [
        ("'NaN'", "'infinity'"),
        ("-1e1000", "'-infinity'"),
        ("1e1000", "'294276-12-31 23:59:59 UTC'"),
        (
            "-0.000000000000000000000000000000000001",
            "'4713-01-01 00:00:00 UTC BC'",
        ),
        ("12345678901234567890123456789.123456789", "'0001-01-01 UTC'"),
        ("0", "'9999-12-31 23:59:59.999999 UTC'"),
    ] {
        scene
            .client
            .batch_execute(&format!(
                "UPDATE tasks_task SET status = 'todo' WHERE id = 2; \
                 UPDATE tasks_task SET status = 'completed', experience_reward = {points}, completed_at = {time}, created_at = {time} WHERE id = 2"
            ))
            .unwrap();
    }
    // Not by Delivery: what is stored is more than this test's JSON reader takes.
    const UNSENT: &str = "SELECT zentry_notify.unrouted_events() \
                          + (SELECT count(*) FROM zentry_notify.notification_log WHERE status <> 'sent')";
    eventually(SOON, "every delivery to be sent", || {
        let unsent: i64 = scene.client.query_one(UNSENT, &[]).unwrap().get(0);
        (unsent == 0).then_some(())
    })
    .unwrap();
    for channel in &channels {
        assert_eq!(channel.webhook.event_count(), 8);
    }
    assert_clean(&scene);
}

#[test]
fn white_space_and_control_characters() {
    let mut scene = Scene::start().unwrap();
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    set(
        &mut scene.client,
        "  tab\tbell\u{7}esc\u{1b}[31m \u{202e}reversed\u{feff}  ",
    );
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries));
    for channel in &channels {
        let text = only(channel).text;
        assert!(text.contains("bell") && text.contains("reversed"), "{text:?}");
        assert!(
            text.chars()
                .all(|c| !(c.is_control() && c != '\t') && c != '\u{202e}'),
            "{text:?}"
        );
    }
    assert_clean(&scene);
}
