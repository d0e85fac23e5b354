//! filter, min_streak_days and milestones.

use jiff::Timestamp;
use postgres::Client;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, Scene};
use zentry_e2e::zentry::{self, id};

use crate::refused;

/// A webhook with these further arguments.
fn register(scene: &mut Scene, arguments: &str) -> Channel {
    let webhook = scene.emulator.register(Kind::Discord);
    let sql = format!("SELECT zentry_register_webhook('Filtered', 'discord', $1, {arguments})");
    let id = scene.client.query_one(&sql, &[&webhook.url()]).unwrap().get(0);
    Channel { id, webhook }
}

fn complete(client: &mut Client, task: i64, points: i32) {
    client
        .execute(
            "UPDATE tasks_task SET experience_reward = $2 WHERE id = $1",
            &[&task, &points],
        )
        .unwrap();
    zentry::complete_task(client, task, Timestamp::now()).unwrap();
}

/// Event types with a key of their data, of one channel.
fn heard(scene: &mut Scene, channel: &Channel, key: &str) -> Vec<(String, serde_json::Value)> {
    let all = scene.settle().unwrap();
    let own = all.into_iter().filter(|d| d.webhook_integration_id == channel.id);
    own.map(|d| {
        assert_eq!(d.status, "sent");
        (d.event_type, d.payload[key].clone())
    })
    .collect()
}

#[test]
fn a_predicate_over_the_data() {
    let mut scene = Scene::start().unwrap();
    let all = register(&mut scene, "event_types => '{task_completed}'");
    let many = register(
        &mut scene,
        "event_types => '{task_completed}', filter => '$.points > 20'",
    );
    let named = register(
        &mut scene,
        r#"filter => '$.project_name like_regex "^web" flag "i" && !($.points == 5)', event_types => '{task_completed}'"#,
    );
    for (task, points) in [(2, 20), (3, 21), (4, 5), (12, 30)] {
        complete(&mut scene.client, task, points);
    }
    let points = |scene: &mut Scene, channel: &Channel| -> Vec<i64> {
        let heard = heard(scene, channel, "points");
        heard.iter().map(|(_, points)| points.as_i64().unwrap()).collect()
    };
    assert_eq!(points(&mut scene, &all), [20, 21, 5, 30]);
    assert_eq!(points(&mut scene, &many), [21, 30]);
    assert_eq!(points(&mut scene, &named), [20, 21]);
    assert_eq!(many.webhook.event_count(), 2);
}

#[test]
fn an_event_that_nobody_wants_leaves_no_row() {
    let mut scene = Scene::start().unwrap();
    register(&mut scene, "filter => '$.points > 20'");
    complete(&mut scene.client, id::LANDING_PAGE, 20);
    // A key that is not there makes the predicate unknown, which is not true.
    zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
    assert_eq!(scene.settle().unwrap(), []);
}

#[test]
fn long_streaks_and_some_milestones() {
    let mut scene = Scene::start().unwrap();
    let channel = register(&mut scene, "min_streak_days => 14, milestones => '{50,100}'");
    for _ in 0..3 {
        zentry::extend_streak(&mut scene.client, id::CHEN).unwrap(); // from 12 days on
    }
    let streaks = heard(&mut scene, &channel, "streak_days");
    assert_eq!(
        streaks,
        [
            ("daily_streak".into(), 14.into()),
            ("daily_streak".into(), 15.into())
        ]
    );
    zentry::bulk_complete(&mut scene.client, &[2, 3]).unwrap(); // 3 of 9
    zentry::bulk_complete(&mut scene.client, &[4, 5]).unwrap(); // 5 of 9
    let milestones = heard(&mut scene, &channel, "milestone_name");
    let milestones: Vec<_> = milestones
        .iter()
        .filter(|(event, _)| event == "milestone_reached")
        .collect();
    assert_eq!(
        milestones,
        [&("milestone_reached".into(), "50% Project Completion".into())]
    );
    let others = heard(&mut scene, &channel, "task_id");
    let others = others.iter().filter(|(event, _)| event == "task_completed");
    assert_eq!(others.count(), 4, "the rest is heard as ever");
}

#[test]
fn filters_are_changed_and_taken_away() {
    let mut scene = Scene::start().unwrap();
    let channel = register(
        &mut scene,
        "filter => '$.streak_days > 1000', min_streak_days => 2000, event_types => '{daily_streak}'",
    );
    let change = |scene: &mut Scene, arguments: &str| {
        let sql = format!("SELECT zentry_update_webhook({}, {arguments})", channel.id);
        scene.client.batch_execute(&sql).unwrap();
        zentry::extend_streak(&mut scene.client, id::CHEN).unwrap();
        heard(scene, &channel, "streak_days").len()
    };
    assert_eq!(change(&mut scene, "name => 'Still filtered'"), 0);
    assert_eq!(change(&mut scene, "filter => ''"), 0);
    assert_eq!(change(&mut scene, "min_streak_days => 0"), 1);
    assert_eq!(change(&mut scene, "min_streak_days => 2000"), 1);
    let shown = scene
        .client
        .query_one(
            "SELECT filter, min_streak_days, milestones::text FROM zentry_notify.webhooks",
            &[],
        )
        .unwrap();
    assert_eq!(
        (
            shown.get::<_, Option<String>>(0),
            shown.get::<_, Option<i32>>(1),
            shown.get::<_, Option<String>>(2)
        ),
        (None, Some(2000), None)
    );
}

#[test]
fn what_is_no_filter_is_refused_with_a_hint() {
    let mut scene = Scene::start().unwrap();
    let channel = scene.channel(Kind::Discord).unwrap();
    for (arguments, state, message) in [
        ("filter => '$.points >'", "22023", "filter is not a JSON path: "),
        (
            "filter => '$ ? (@.points > 20)'",
            "22023",
            "filter is not a predicate: ",
        ),
        ("filter => '$.points'", "22023", "filter is not a predicate: "),
        (
            "filter => '$.name like_regex \"(\"'",
            "22023",
            "filter is not a JSON path: ",
        ),
        (
            "min_streak_days => -1",
            "23514",
            "min_streak_days must be at least 1",
        ),
        (
            "milestones => '{0,50}'",
            "23514",
            "milestones must be numbers from 1 to 100",
        ),
        (
            "milestones => '{50,NULL}'",
            "23514",
            "milestones must be numbers from 1 to 100",
        ),
    ] {
        let (code, text, hint) = refused(
            &mut scene.client,
            &format!("SELECT zentry_update_webhook({}, {arguments})", channel.id),
        );
        assert_eq!(
            (code.as_str(), text.starts_with(message), hint.is_empty()),
            (state, true, false),
            "{arguments}: {text}"
        );
    }
}

/// Comparing times with dates, which Postgres refuses even where it is told to be silent, and data of every shape.
#[test]
fn no_filter_makes_a_write_fail() {
    let mut scene = Scene::start().unwrap();
    let channel = register(
        &mut scene,
        r#"event_types => '{task_completed}',
           filter => '$.points > 1 && "2024-01-15T10:30:00+00:00".datetime() > "2024-01-01".datetime()'"#,
    );
    let strict = register(
        &mut scene,
        "event_types => '{task_completed}', filter => 'strict $.no.such.key[7] > 20'",
    );
    complete(&mut scene.client, id::LANDING_PAGE, 20);
    assert_eq!(heard(&mut scene, &channel, "points").len(), 1);
    assert_eq!(heard(&mut scene, &strict, "points").len(), 0);
}

/// One that never ends is taken for fulfilled, and those beside it are heeded.
#[test]
fn a_filter_that_takes_too_long_is_its_own_webhooks_trouble() {
    let mut scene = Scene::start().unwrap();
    scene
        .client
        .batch_execute(
            r#"CREATE TABLE public.measurement (id bigint, samples jsonb);
               SELECT zentry_attach('badge_earned', 'public.measurement', '{"samples": "samples"}', operation => 'insert',
                 audience => '{"all": true}')"#,
        )
        .unwrap();
    let mut nested = "@ == 1".to_owned();
    for _ in 0..4 {
        nested = format!("exists($.samples[*] ? ({nested}))");
    }
    let slow = register(
        &mut scene,
        &format!("event_types => '{{badge_earned}}', filter => '{nested}'"),
    );
    let high = register(
        &mut scene,
        "event_types => '{badge_earned}', filter => 'exists($.samples[*] ? (@ > 5))'",
    );
    scene
        .client
        .batch_execute(
            "INSERT INTO public.measurement SELECT id, (SELECT jsonb_agg(CASE WHEN i = 1 AND id <> 2 THEN 9 ELSE 0 END) \
               FROM generate_series(1, 400) i) FROM generate_series(1, 3) id",
        )
        .unwrap();
    assert_eq!(heard(&mut scene, &slow, "samples").len(), 3);
    let first = |(_, samples): (String, serde_json::Value)| samples[0].as_i64();
    let of_high: Vec<_> = heard(&mut scene, &high, "samples")
        .into_iter()
        .map(first)
        .collect();
    assert_eq!(of_high, [Some(9), Some(9)]);
}

/// Nothing gives it a value: it would fail for the first event that gets so far.
#[test]
fn a_variable_is_refused_wherever_it_stands() {
    let mut scene = Scene::start().unwrap();
    let url = scene.emulator.register(Kind::Discord).url();
    for filter in [
        "$.points > $v",
        "$v == 1",
        r#"$.points > 20 && $.user_name == $"user name""#,
    ] {
        let (code, message, hint) = refused(
            &mut scene.client,
            &format!("SELECT zentry_register_webhook('a', 'discord', '{url}', filter => '{filter}')"),
        );
        assert_eq!(code, "22023", "{message}");
        assert!(message.starts_with("filter has a variable"), "{message}");
        assert!(hint.contains("$.points > 20"), "{hint}");
    }
}

/// What update takes away, register leaves out.
#[test]
fn what_is_empty_is_as_if_it_were_left_out() {
    let mut scene = Scene::start().unwrap();
    let empty = register(
        &mut scene,
        "project_id => 0, omit_keys => '{}', filter => '', min_streak_days => 0, milestones => '{}', quiet_hours => '', mention => '', \
         username => '', avatar_url => '', thread_name => '', applied_tags => '{}', rate_limit => '', rate_group => '', \
         notify_webhook_id => 0, digest => '', max_age => '0'",
    );
    let plain = scene.channel(Kind::Discord).unwrap();
    let row = |scene: &mut Scene, id: i64| -> serde_json::Value {
        let sql = "SELECT to_jsonb(w) - '{id,name,webhook_url,created_at,updated_at,activated_at}'::text[] \
                   FROM zentry_notify.webhook_integration w WHERE id = $1";
        scene.client.query_one(sql, &[&id]).unwrap().get(0)
    };
    let expected = row(&mut scene, plain.id);
    assert_eq!(row(&mut scene, empty.id), expected);
    scene
        .client
        .execute(
            "SELECT zentry_update_webhook($1, project_id => 0, omit_keys => '{}', filter => '', min_streak_days => 0, milestones => '{}', \
                    quiet_hours => '', mention => '', username => '', avatar_url => '', thread_name => '', applied_tags => '{}', rate_limit => '', \
                    rate_group => '', notify_webhook_id => 0, digest => '', max_age => '0')",
            &[&empty.id],
        )
        .unwrap();
    assert_eq!(row(&mut scene, empty.id), expected);
}
