//! Who messages come from, where links lead, what a preview is of, and keys that nobody has.

use serde_json::{Value, json};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;
use zentry_e2e::zentry::id;

use crate::support::{Session, sent};

fn streak(session: &mut Session) {
    session.run(&format!(
        "UPDATE users_user SET current_streak = current_streak + 1 WHERE id = {}",
        id::CHEN
    ));
}

#[test]
fn messages_come_from_the_installation_or_from_what_the_webhook_says() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene
        .channel_for(Kind::Discord, None, Some(&["daily_streak"]))
        .unwrap();
    let mut round = 0;
    // A channel of texts takes no names of threads, and a forum nothing without one.
    let mut last = |scene: &mut Scene, sql: &str| -> Value {
        session.run(sql);
        channel.webhook.forum(sql.contains("'Streaks'"));
        streak(&mut session);
        round += 1;
        assert_eq!(sent(scene, "daily_streak").len(), round);
        let received = channel.webhook.received();
        let received = received.last().unwrap();
        assert_eq!(
            received.sender(),
            received.body["username"].as_str().unwrap_or("Captain Hook")
        );
        received.body.clone()
    };
    assert_eq!(last(&mut scene, "")["username"], "Zentry");
    let body = last(
        &mut scene,
        &format!(
            "SELECT zentry_update_webhook({}, username => 'Build farm', avatar_url => 'https://app.example.com/b.png', announce => true, \
             thread_name => 'Streaks', applied_tags => '{{123456789012345678}}')",
            channel.id
        ),
    );
    assert_eq!(
        (&body["username"], &body["avatar_url"], &body["thread_name"]),
        (
            &json!("Build farm"),
            &json!("https://app.example.com/b.png"),
            &json!("Streaks")
        )
    );
    assert_eq!(body["applied_tags"], json!(["123456789012345678"]));
    assert!(
        body["content"].as_str().unwrap().starts_with("🔥 Daily Streak: "),
        "{body}"
    );
    let body = last(
        &mut scene,
        &format!(
            "SELECT zentry_update_webhook({}, username => '', avatar_url => '', announce => false, thread_name => '', applied_tags => '{{}}')",
            channel.id
        ),
    );
    let mut keys: Vec<_> = body.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["allowed_mentions", "embeds", "username"]);
}

/// Of the installation, for webhooks that say nothing of their own; where both say nothing, Discord has a name.
#[test]
fn the_installation_says_whom_messages_come_from() {
    for (username, avatar_url, sender) in [
        ("Build farm", "https://app.example.com/b.png", "Build farm"),
        ("", "", "Captain Hook"),
    ] {
        let mut scene = Scene::start().unwrap();
        scene.database.set("zentry_notify.username", username).unwrap();
        scene
            .database
            .set("zentry_notify.avatar_url", avatar_url)
            .unwrap();
        let channels = [(); 2].map(|()| scene.channel(Kind::Discord).unwrap());
        let mut session = Session::of(&scene);
        session.run(&format!(
            "SELECT zentry_update_webhook({}, username => 'Own', avatar_url => 'https://app.example.com/own.png')",
            channels[1].id
        ));
        streak(&mut session);
        assert_eq!(sent(&mut scene, "daily_streak").len(), 2);
        let [of_all, own] = channels.map(|channel| channel.webhook.received().remove(0));
        assert_eq!(of_all.sender(), sender);
        let said = |key: &str| of_all.body.get(key).and_then(Value::as_str).unwrap_or_default();
        assert_eq!((said("username"), said("avatar_url")), (username, avatar_url));
        assert_eq!(own.sender(), "Own");
        assert_eq!(own.body["avatar_url"], "https://app.example.com/own.png");
    }
}

#[test]
fn what_discord_would_refuse_is_refused() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene.channel(Kind::Discord).unwrap();
    for (parameter, hint) in [
        ("username => 'My Discord bot'", "clyde"),
        ("avatar_url => 'http://app.example.com/a.png'", "https://"),
        ("thread_name => '  '", "Releases"),
        ("applied_tags => '{urgent}'", "developer mode"),
    ] {
        let error = session.fails(&format!(
            "SELECT zentry_update_webhook({}, {parameter})",
            channel.id
        ));
        assert!(error.starts_with("22023 ") && error.contains(hint), "{error}");
    }
    for setting in [
        "username = 'clyde'",
        "avatar_url = 'x'",
        "link_base = 'app.example.com'",
    ] {
        let error = session.fails(&format!("SET zentry_notify.{setting}"));
        assert!(error.starts_with("22023 "), "{error}");
    }
}

#[test]
fn a_link_leads_from_each_message_to_the_thing() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channels = [Kind::Discord, Kind::Connector, Kind::Workflow].map(|kind| scene.channel(kind).unwrap());
    session.run(
        "SELECT zentry_register_event_type('release_published', 'Release published', \
         url => 'https://app.example.com/releases/{{ id }}', sample => '{\"id\": 5}'); \
         SELECT zentry_test_event('release_published', data => '{\"id\": 7}')",
    );
    assert_eq!(sent(&mut scene, "release_published").len(), 3);
    let bodies = channels.map(|channel| channel.webhook.received()[0].body.clone());
    let url = "https://app.example.com/releases/7";
    assert_eq!(bodies[0]["embeds"][0]["url"], url);
    assert_eq!(
        bodies[1]["sections"][0]["potentialAction"][0]["targets"][0]["uri"],
        url
    );
    assert!(
        bodies[2].to_string().contains(&format!("\"url\":\"{url}\"")),
        "{}",
        bodies[2]
    );
    let error = session.fails("SELECT zentry_set_wording('release_published', url => 'javascript:alert(1)')");
    assert!(error.contains("must begin with https://"), "{error}");
}

/// What begins with a slash is below the address that a setting gives, in messages as in previews; without it there is no link.
#[test]
fn a_setting_gives_the_base_of_links() {
    for (base, url) in [
        (
            "https://app.example.com/zentry/",
            Some("https://app.example.com/zentry/tasks/7"),
        ),
        ("", None),
    ] {
        let mut scene = Scene::start().unwrap();
        scene.database.set("zentry_notify.link_base", base).unwrap();
        let channel = scene.channel(Kind::Discord).unwrap();
        let mut session = Session::of(&scene);
        session.run(
            "SELECT zentry_register_event_type('task_shown', 'Task shown', url => '/tasks/{{ id }}', thumbnail => '/tasks/{{ id }}.png'); \
             SELECT zentry_test_event('task_shown', data => '{\"id\": 7}')",
        );
        assert_eq!(sent(&mut scene, "task_shown").len(), 1);
        let preview = session.json(&format!(
            "SELECT zentry_preview('task_shown', data => '{{\"id\": 7}}', webhook_id => {})",
            channel.id
        ));
        for body in [&channel.webhook.received()[0].body, &preview] {
            let embed = &body["embeds"][0];
            assert_eq!(embed.get("url").and_then(Value::as_str), url, "{embed}");
            let picture = embed.get("thumbnail").and_then(|picture| picture["url"].as_str());
            assert_eq!(picture, url.map(|url| format!("{url}.png")).as_deref(), "{embed}");
        }
    }
}

#[test]
fn a_preview_is_what_the_webhook_gets_to_the_byte() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channels = Kind::CHATS.map(|kind| scene.channel(kind).unwrap());
    session.run("SELECT zentry_set_wording('badge_earned', text => '{{ badge_name }} for {{ user_name }}')");
    session.run(&format!(
        "SELECT zentry_update_webhook({}, mention => 'role:123456789012345678', username => 'Ops', announce => true, omit_keys => '{{user_name}}')",
        channels[0].id
    ));
    let previews = channels.each_ref().map(|channel| {
        session.text(&format!(
            "SELECT zentry_preview('badge_earned', webhook_id => {})::text",
            channel.id
        ))
    });
    session.run("SELECT zentry_test_event('badge_earned')");
    assert_eq!(sent(&mut scene, "badge_earned").len(), channels.len());
    for (channel, preview) in channels.iter().zip(previews) {
        // A topic is a secret, which a preview does not show.
        let url = channel.webhook.url();
        let topic = url.rsplit('/').next().unwrap_or_default();
        let raw = channel.webhook.received()[0].raw.replace(topic, "topic");
        assert_eq!(raw, preview);
        assert!(preview.contains("A sample, not an event"), "{preview}");
    }
}

#[test]
fn a_sample_asks_what_an_event_asks() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene.channel(Kind::Discord).unwrap();
    for (rule, event) in [
        ("filter => '$.points > 1000'", "task_completed"),
        ("filter => '', min_streak_days => 365", "daily_streak"),
        ("min_streak_days => 0, milestones => '{100}'", "milestone_reached"),
    ] {
        session.run(&format!("SELECT zentry_update_webhook({}, {rule})", channel.id));
        let heard = format!("SELECT count(*) FROM zentry_test_event('{event}')");
        assert_eq!(session.number(&heard), 0, "{rule}");
    }
    session.run(&format!(
        "SELECT zentry_update_webhook({}, filter => '$.points > 20', milestones => '{{}}')",
        channel.id
    ));
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_test_event('task_completed')"),
        1
    );
}

#[test]
fn keys_that_no_event_has_are_told() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene.channel(Kind::Discord).unwrap();
    for slip in [
        "omit_keys => '{user_nmae}'",
        "filter => '$.pionts > 5'",
        "filter => '$.user_nmae == \"alice\"'",
    ] {
        let error = session.fails(&format!("SELECT zentry_update_webhook({}, {slip})", channel.id));
        assert!(
            error.starts_with("22023 ") && error.contains("Perhaps \""),
            "{slip}: {error}"
        );
    }
    let said = session.run(&format!(
        "SELECT zentry_update_webhook({}, omit_keys => '{{weather}}', filter => '$.points > 5')",
        channel.id
    ));
    assert!(
        said.iter()
            .any(|message| message.contains("no event's data have \"weather\"")),
        "{said:?}"
    );
    // What a source leaves out, likewise.
    for slip in [
        "SELECT zentry_omit('task_completed', 'tasks_task', '{user_nmae}')",
        "UPDATE zentry_notify.event_source SET omit = '{user_nmae}' WHERE event_type = 'task_completed'",
    ] {
        let error = session.fails(slip);
        assert!(
            error.starts_with("22023 ") && error.contains("Perhaps \"user_name\" is meant."),
            "{slip}: {error}"
        );
    }
    let said = session.run("SELECT zentry_omit('task_completed', 'tasks_task', '{weather,user_name}')");
    assert!(
        said.iter()
            .any(|message| message.contains("no event's data have \"weather\"")),
        "{said:?}"
    );
    // Of a type that has neither a sample nor a source, nobody knows what its data have.
    session.run("SELECT zentry_register_event_type('own', 'Own')");
    let said = session.run(&format!(
        "SELECT zentry_update_webhook({}, omit_keys => '{{user_nmae}}')",
        channel.id
    ));
    assert!(
        said.iter().any(|message| message.contains("user_nmae")),
        "{said:?}"
    );
}

/// Everything that can be set of a webhook can be set by the functions, and taken away again.
#[test]
fn what_is_set_of_a_webhook_is_set_and_taken_away() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let other = scene.channel(Kind::Discord).unwrap();
    let url = scene.emulator.workflow().url();
    let id = session.number(&format!(
        "SELECT zentry_register_webhook('all', 'teams', '{url}', rate_limit => '25/5min', rate_group => 'anna', notify_webhook_id => {}, \
         notices => true, digest => '1 hour', max_events_per_message => 5, min_interval => '2 seconds', max_age => '2 days', thread_by => 'project')",
        other.id
    ));
    let shown = |session: &mut Session| {
        session.text(&format!(
            "SELECT concat_ws(',', rate_limit, rate_group, notify_webhook_id > 0, notices, digest, max_events_per_message, min_interval, max_age, thread_by) \
             FROM zentry_notify.webhooks WHERE id = {id}"
        ))
    };
    assert_eq!(
        shown(&mut session),
        "25/5min,anna,t,t,1 hour,5,00:00:02,2 days,project"
    );
    session.run(&format!("SELECT zentry_update_webhook({id}, name => 'still')"));
    assert_eq!(
        shown(&mut session),
        "25/5min,anna,t,t,1 hour,5,00:00:02,2 days,project"
    );
    session.run(&format!(
        "SELECT zentry_update_webhook({id}, rate_limit => '', rate_group => '', notify_webhook_id => 0, notices => false, digest => '', \
         max_events_per_message => 10, min_interval => '0', max_age => '0', thread_by => '')"
    ));
    assert_eq!(shown(&mut session), "f,10,00:00:00");
    for (parameter, hint) in [
        ("rate_limit => 'often'", "25/5min"),
        ("rate_group => '  '", "anna@example.com"),
        ("rate_group => repeat('x', 101)", "Shorten it"),
        ("notify_webhook_id => 987654", "lists them"),
        ("digest => 'often'", "0 9 * * 1-5"),
        ("digest => '0 9 * * 1-5 Middle/Earth'", "0 9 * * 1-5"),
        ("digest => '0 0 30 2 *'", "0 9 * * 1-5"),
        ("max_events_per_message => 100000", "ten events"),
        ("min_interval => '2 days'", "no minimum"),
        ("max_age => '-1 second'", "zentry_notify.max_age"),
        ("thread_by => 'user'", "task or project"),
    ] {
        let error = session.fails(&format!("SELECT zentry_update_webhook({id}, {parameter})"));
        assert!(error.starts_with("22") || error.starts_with("23514"), "{error}");
        assert!(error.contains(hint), "{error}");
    }
}
