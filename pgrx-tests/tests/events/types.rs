//! Event types of users: registered with checks, shown without sending, sent as they say, and gone when nobody needs them.

use serde_json::json;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{Session, sent};

const RELEASE: &str = r##"SELECT zentry_register_event_type('release_published', 'Release {{ version }}',
    text => '**{{ author }}** published **{{ version }}**{% if notes %}: {{ notes }}{% endif %}',
    fields => '{"Zone": "{{ zone }}", "Downloads": "{{ downloads }}", "A": "{{ author|upper }}"}',
    colour => '#0099FF', emoji => '📦', footer => 'Build farm', time_key => 'at',
    sample => '{"version": "2.0", "author": "ada", "notes": "many", "zone": "EU", "downloads": 3, "at": "2024-01-15T10:30:00Z"}')"##;

#[test]
fn a_type_of_ones_own_reads_as_it_says_in_every_format() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    assert_eq!(session.run(RELEASE), [] as [&str; 0]);
    assert_eq!(
        session.json("SELECT zentry_preview('release_published')"),
        json!({
            "embeds": [{
                "title": "📦 Release 2.0",
                "description": "**ada** published **2.0**: many",
                "color": 0x00_99_FF,
                "fields": [
                    { "name": "Zone", "value": "EU", "inline": true },
                    { "name": "Downloads", "value": "3", "inline": true },
                    { "name": "A", "value": "ADA", "inline": true },
                ],
                "footer": { "text": "Build farm" },
                "timestamp": "2024-01-15T10:30:00Z",
            }],
            "allowed_mentions": { "parse": [] },
        })
    );
    let card = session.json("SELECT zentry_preview('release_published', 'teams')");
    assert_eq!(
        card["attachments"][0]["contentType"],
        "application/vnd.microsoft.card.adaptive"
    );
    assert_eq!(
        card,
        session.json("SELECT zentry_preview('release_published', 'teams_workflow')")
    );
    let card = session.json("SELECT zentry_preview('release_published', 'teams_connector')");
    assert_eq!(
        (&card["@type"], &card["themeColor"]),
        (&json!("MessageCard"), &json!("0099ff"))
    );
    let card = session
        .json(r#"SELECT zentry_preview('release_published', data => '{"author": "*<@1>", "version": 1}')"#);
    assert_eq!(card["embeds"][0]["description"], r"**\*\<@1\>** published **1**");

    // As sent, and as shown.
    let channels = [Kind::Discord, Kind::Connector, Kind::Workflow].map(|kind| scene.channel(kind).unwrap());
    let format = |id| format!("SELECT zentry_preview('release_published', webhook_id => {id})");
    let previews: Vec<_> = channels
        .iter()
        .map(|channel| session.json(&format(channel.id)))
        .collect();
    session.run("SELECT zentry_test_event('release_published')");
    assert_eq!(sent(&mut scene, "release_published").len(), 3);
    for (channel, preview) in channels.iter().zip(previews) {
        assert_eq!(channel.webhook.received()[0].body, preview);
    }
}

#[test]
fn registering_again_replaces_what_a_type_says_and_the_worker_follows() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    session.run(RELEASE);
    let channel = scene
        .channel_for(Kind::Discord, None, Some(&["release_published"]))
        .unwrap();
    session.run("SELECT zentry_test_event('release_published')");
    sent(&mut scene, "release_published");
    session.run(
        "SELECT zentry_register_event_type('release_published', 'Out: {{ version }}'); \
         SELECT zentry_test_event('release_published', data => '{\"version\": \"3\"}')",
    );
    assert_eq!(
        sent(&mut scene, "release_published")[1],
        json!({ "version": "3" })
    );
    let events = channel.webhook.shown();
    assert_eq!(events[0].title, "📦 Release 2.0");
    assert_eq!(events[1].title, "Out: 3");
    assert_eq!(events[1].fields.len(), 0);
    // Without a sample there are words in the place of data.
    session.run("SELECT zentry_test_event('release_published')");
    assert_eq!(
        sent(&mut scene, "release_published")[2],
        json!({ "version": "Version" })
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_the_place() {
    let scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let mut refused =
        |arguments: &str| session.fails(&format!("SELECT zentry_register_event_type({arguments})"));
    for (arguments, expected) in [
        (
            "'own', 'T', '{{ a'",
            "22023 event type \"own\" cannot be used: template of text, line 1",
        ),
        (
            "'own', 'T', E'a\\n{{ b|shout }}'",
            "template of text, line 2, at \"shout\": filter shout is unknown",
        ),
        (
            "'own', 'T', fields => '{\"Points\": \"{% if %}\"}'",
            "template of field \"Points\", line 1",
        ),
        (
            "'own', 'T', fields => '[1]'",
            "22023 each of fields must be an object with \"name\" and \"value\", not a number",
        ),
        (
            "'own', 'T', fields => '{\"a\": 1}'",
            "HINT: Give names and templates",
        ),
        ("'own', 'T', '{% include \"x\" %}'", "template of text"),
        (
            "'own', 'T', '{% for i in range(99999) %}{% endfor %}'",
            "it does too much",
        ),
        ("'own', ''", "title must not be empty"),
        ("'own', NULL", "22004 the title must not be null"),
        (
            "'own', 'T', colour => 'red'",
            "colour must be #rrggbb, such as #0099ff, not \"red\"",
        ),
        (
            "'own', 'T', emoji => repeat('x', 17)",
            "emoji must be at most 16 characters",
        ),
        (
            "'own', 'T', sample => '[]'",
            "22023 the sample of event type \"own\" must be a JSON object",
        ),
        (
            "'own', 'T', '{{ n + 1 }}', sample => '{\"n\": \"x\"}'",
            "makes no message of its sample: template of text",
        ),
        (
            "'Own', 'T'",
            "22023 an event type cannot have the name \"Own\"\nHINT: A name has",
        ),
        ("'test', 'T'", "cannot have the name \"test\""),
        ("'', 'T'", "cannot have the name \"\""),
        ("NULL, 'T'", "cannot have the name \"(null)\""),
        ("repeat('x', 41), 'T'", "cannot have the name"),
        (
            "repeat('x', 400), 'T'",
            "22001 name must not be longer than 50 characters",
        ),
        (
            "'task_completed', 'T', sample => '{}'",
            "0A000 a built-in event type keeps",
        ),
    ] {
        let error = refused(arguments);
        assert!(error.contains(expected), "{arguments}: {error}");
        assert!(error.contains("HINT: "), "{arguments}: {error}");
    }
    assert_eq!(session.number("SELECT count(*) FROM zentry_notify.event_type"), 6);
    for (call, expected) in [
        (
            "zentry_preview('nothing')",
            "22023 unknown event type \"nothing\"\nHINT: The event types are badge_earned,",
        ),
        ("zentry_preview(NULL)", "unknown event type \"(null)\""),
        (
            "zentry_preview('task_completed', 'pigeon')",
            "22023 unknown webhook type \"pigeon\"\nHINT: The types are discord,",
        ),
        (
            "zentry_preview('task_completed', data => '1')",
            "22023 the data must be a JSON object",
        ),
        (
            "zentry_preview('task_completed', webhook_id => 99)",
            "P0002 there is no webhook with id 99",
        ),
        (
            "zentry_test_event('task_completed', data => '[]')",
            "22023 the data must be a JSON object",
        ),
    ] {
        let error = session.fails(&format!("SELECT {call}"));
        assert!(error.contains(expected), "{call}: {error}");
    }
}

#[test]
fn a_misspelt_key_is_warned_of() {
    let scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    assert_eq!(
        session.run("SELECT zentry_register_event_type('own', 'T', '{{ versoin }}{{ weather }}', sample => '{\"version\": 1}')"),
        [
            "a template of event type \"own\" asks for \"versoin\", which its data do not have\nHINT: Perhaps \"version\" is meant.",
            "a template of event type \"own\" asks for \"weather\", which its data do not have\nHINT: The data have version.",
        ]
    );
    // Nothing is known of what the data will have.
    assert_eq!(
        session.run("SELECT zentry_register_event_type('other', 'T', '{{ anything }}')"),
        [] as [&str; 0]
    );
    let said = session.run("SELECT zentry_set_wording('task_completed', text => '{{ task_titel }}')");
    assert!(
        said[0].ends_with("HINT: Perhaps \"task_title\" is meant."),
        "{said:?}"
    );
    let said = session.run("SELECT zentry_register_event_type('own', 'T', '{{ n + 1 }}'); SELECT zentry_preview('own', data => '{\"n\": \"x\"}')");
    assert!(
        said[0].contains("fails on these data: template of text"),
        "{said:?}"
    );
}

#[test]
fn integrations_may_name_types_of_users_and_keep_them_from_being_removed() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let hooks = scene
        .channel_for(Kind::Discord, None, Some(&["task_completed"]))
        .unwrap();
    let name = format!(
        "SELECT zentry_update_webhook({}, event_types => '{{release_published}}')",
        hooks.id
    );
    assert!(
        session
            .fails(&name)
            .starts_with("22023 unknown event type \"release_published\"")
    );
    session.run(RELEASE);
    session.run(&name);
    let error = session.fails("SELECT zentry_unregister_event_type('release_published')");
    assert!(error.starts_with("2BP01 webhooks subscribe to event type \"release_published\"\nDETAIL: They are 1 (\"discord-1\")."), "{error}");
    session.run(&format!(
        "SELECT zentry_update_webhook({}, event_types => '{{*}}')",
        hooks.id
    ));
    session.run("SELECT zentry_set_wording('release_published', emoji => '🎁')");
    session.run("SELECT zentry_unregister_event_type('release_published')");
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_wording"),
        0
    );
    assert!(
        session
            .fails("SELECT zentry_unregister_event_type('release_published')")
            .starts_with("22023 unknown event type")
    );
    let error = session.fails("SELECT zentry_unregister_event_type('task_completed')");
    assert!(
        error.starts_with(
            "42809 event type \"task_completed\" is built in\nHINT: SELECT zentry_reset_event_type"
        ),
        "{error}"
    );
}

#[test]
fn a_table_written_by_hand_has_the_same_rules() {
    let scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    for sql in [
        "INSERT INTO zentry_notify.event_type (name, title) VALUES ('x', '{{')",
        "UPDATE zentry_notify.event_type SET fields = '1' WHERE name = 'task_completed'",
        "INSERT INTO zentry_notify.event_wording (event_type, text) VALUES ('task_completed', '{% if %}')",
        "INSERT INTO zentry_notify.event_wording (event_type, colour) VALUES ('task_completed', 'x')",
    ] {
        assert!(session.fails(sql).starts_with("22023 "), "{sql}");
    }
    session.run("INSERT INTO zentry_notify.event_wording (event_type, text) VALUES ('task_completed', 'x')");
    assert!(
        session
            .fails(
                "INSERT INTO zentry_notify.event_wording (event_type, text) VALUES ('task_completed', 'y')"
            )
            .starts_with("23505 ")
    );
    assert!(
        session
            .fails("INSERT INTO zentry_notify.event_wording (event_type) VALUES ('nothing')")
            .starts_with("23503 ")
    );
}
