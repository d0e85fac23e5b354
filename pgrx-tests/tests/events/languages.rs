//! Messages in other languages: for all webhooks, for one, and back.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{Session, Streaks};

#[test]
fn the_installation_and_a_webhook_have_a_language() {
    let mut scene = Scene::start().unwrap();
    let osaka = scene
        .channel_for(Kind::Discord, None, Some(&["daily_streak"]))
        .unwrap();
    let others = scene
        .channel_for(Kind::GoogleChat, None, Some(&["daily_streak"]))
        .unwrap();
    let mut streaks = Streaks {
        session: Session::of(&scene),
        channels: [&osaka, &others],
        rounds: 0,
    };
    let mut titles = |scene: &mut Scene, sql: &str| streaks.titles(scene, sql);
    assert_eq!(titles(&mut scene, ""), ["🔥 Daily Streak", "🔥 Daily Streak"]);
    assert_eq!(
        titles(&mut scene, "SELECT zentry_set_language('de')"),
        ["🔥 Tagesserie", "🔥 Tagesserie"]
    );
    let ja = format!("SELECT zentry_set_language('ja', {})", osaka.id);
    assert_eq!(titles(&mut scene, &ja), ["🔥 連続達成", "🔥 Tagesserie"]);
    // What a team has set stays, whatever the language.
    let own = "SELECT zentry_set_wording('daily_streak', title => 'Serie!', emoji => '⚡')";
    assert_eq!(titles(&mut scene, own), ["⚡ 連続達成", "⚡ Serie!"]);
    let fr = format!(
        "SELECT zentry_set_language('fr'); SELECT zentry_set_wording('daily_streak', {}, title => '一番')",
        osaka.id
    );
    assert_eq!(titles(&mut scene, &fr), ["⚡ 一番", "⚡ Serie!"]);
    let reset = format!(
        "SELECT zentry_reset_event_type('daily_streak'); SELECT zentry_reset_event_type('daily_streak', {})",
        osaka.id
    );
    assert_eq!(
        titles(&mut scene, &reset),
        ["🔥 連続達成", "🔥 Série quotidienne"]
    );
    // English of its own, and then the others'.
    let en = format!("SELECT zentry_set_language('en', {})", osaka.id);
    assert_eq!(
        titles(&mut scene, &en),
        ["🔥 Daily Streak", "🔥 Série quotidienne"]
    );
    let as_others = format!("SELECT zentry_set_language(NULL, {})", osaka.id);
    assert_eq!(
        titles(&mut scene, &as_others),
        ["🔥 Série quotidienne", "🔥 Série quotidienne"]
    );
    assert_eq!(
        titles(&mut scene, "SELECT zentry_set_language('en')"),
        ["🔥 Daily Streak", "🔥 Daily Streak"]
    );
    assert_eq!(
        streaks
            .session
            .number("SELECT count(*) FROM zentry_notify.event_wording"),
        0
    );
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
}

#[test]
fn the_test_message_and_types_of_ones_own_have_it_too() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene.channel(Kind::Discord).unwrap();
    session.run("SELECT zentry_set_language('es')");
    session.run(&format!("SELECT * FROM zentry_test_webhook({})", channel.id));
    assert_eq!(
        channel.webhook.shown().last().unwrap().title,
        "🔔 Prueba del webhook"
    );
    session.run(
        "SELECT zentry_register_event_type('release', 'Release', text => '{{ n|number }} {{ n|plural(''punto'', ''puntos'') }}, {{ day|date }}', \
                sample => '{\"n\": 12345, \"day\": \"2024-03-01\"}')",
    );
    let text = |session: &mut Session, arguments: &str| {
        session.json(&format!("SELECT zentry_preview('release', {arguments})"))["embeds"][0]["description"]
            .clone()
    };
    assert_eq!(
        text(&mut session, "'discord'"),
        "12.345 puntos, 1 de marzo de 2024"
    );
    session.run(&format!("SELECT zentry_set_language('fr', {})", channel.id));
    let own = format!(
        "webhook_id => {}, data => '{{\"n\": 0, \"day\": \"2024-03-01\"}}'",
        channel.id
    );
    assert_eq!(text(&mut session, &own), "0 punto, 1er mars 2024");
    session.run(&format!("SELECT zentry_delete_webhook({})", channel.id));
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_wording"),
        1,
        "the installation's"
    );
}

#[test]
fn a_language_that_there_is_not() {
    let scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    for wrong in ["tlh", "DE", "", "de-AT"] {
        let error = session.fails(&format!("SELECT zentry_set_language('{wrong}')"));
        let expected = format!("22023 unknown language \"{wrong}\"");
        assert!(
            error.starts_with(&expected) && error.contains("The languages are en, de, es, fr, ja, pt."),
            "{error}"
        );
    }
    assert!(
        session
            .fails("SELECT zentry_set_language('de', 99)")
            .starts_with("P0002 there is no webhook with id 99")
    );
    // The rules of the table.
    for wrong in [
        "INSERT INTO zentry_notify.event_wording (event_type, language) VALUES ('*', 'tlh')",
        "INSERT INTO zentry_notify.event_wording (event_type) VALUES ('*')",
        "INSERT INTO zentry_notify.event_wording (event_type, language) VALUES ('task_completed', 'de')",
    ] {
        session.fails(wrong);
    }
}
