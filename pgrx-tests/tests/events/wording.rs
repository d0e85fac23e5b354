//! Other words for an event: of the installation, of one webhook, and back.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{Session, Streaks};

#[test]
fn the_installation_and_a_webhook_have_words_of_their_own_until_they_are_reset() {
    let mut scene = Scene::start().unwrap();
    let team = scene
        .channel_for(Kind::Discord, None, Some(&["daily_streak"]))
        .unwrap();
    let others = scene
        .channel_for(Kind::Workflow, None, Some(&["daily_streak"]))
        .unwrap();
    let mut streaks = Streaks {
        session: Session::of(&scene),
        channels: [&team, &others],
        rounds: 0,
    };
    let mut titles = |scene: &mut Scene, sql: &str| streaks.titles(scene, sql);
    assert_eq!(titles(&mut scene, ""), ["🔥 Daily Streak", "🔥 Daily Streak"]);
    let register = "SELECT zentry_register_event_type('daily_streak', 'Serie')";
    assert_eq!(titles(&mut scene, register), ["🔥 Serie", "🔥 Serie"]);
    let one = format!(
        "SELECT zentry_set_wording('daily_streak', {}, title => 'Ma série')",
        team.id
    );
    assert_eq!(titles(&mut scene, &one), ["🔥 Ma série", "🔥 Serie"]);
    let emoji = "SELECT zentry_set_wording('daily_streak', emoji => '⚡')";
    assert_eq!(titles(&mut scene, emoji), ["⚡ Ma série", "⚡ Serie"]);
    let reset = format!("SELECT zentry_reset_event_type('daily_streak', {})", team.id);
    assert_eq!(titles(&mut scene, &reset), ["⚡ Serie", "⚡ Serie"]);
    let reset =
        "SELECT zentry_reset_event_type('daily_streak'); SELECT zentry_reset_event_type('daily_streak')";
    assert_eq!(titles(&mut scene, reset), ["🔥 Daily Streak", "🔥 Daily Streak"]);
}

#[test]
fn a_wording_changes_what_is_given_and_goes_with_its_webhook() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    let channel = scene.channel(Kind::Discord).unwrap();
    session.run(&format!(
        "SELECT zentry_set_wording('badge_earned', {0}, text => 'x', fields => '{{}}'); \
         SELECT zentry_set_wording('badge_earned', {0}, colour => '#FFFFFF', footer => '')",
        channel.id
    ));
    let embed = &session.json(&format!(
        "SELECT zentry_preview('badge_earned', webhook_id => {})",
        channel.id
    ))["embeds"][0];
    assert_eq!(embed["description"], "x");
    assert_eq!(embed["color"], 0xFF_FF_FF);
    assert_eq!(embed["title"], "🏆 Badge Earned");
    assert!(
        embed.get("fields").is_none() && embed.get("footer").is_none(),
        "{embed}"
    );
    // The others' messages are as they were.
    assert_eq!(
        session.json("SELECT zentry_preview('badge_earned')")["embeds"][0]["color"],
        0xFF_D7_00
    );
    let error = session.fails("SELECT zentry_set_wording('badge_earned', 99, text => 'x')");
    assert!(
        error.starts_with("P0002 there is no webhook with id 99"),
        "{error}"
    );
    assert!(
        session
            .fails("SELECT zentry_set_wording('nothing')")
            .starts_with("22023 unknown event type")
    );
    assert!(
        session
            .fails("SELECT zentry_reset_event_type('nothing')")
            .starts_with("22023 unknown event type")
    );
    assert!(
        session
            .fails("SELECT zentry_reset_event_type('badge_earned', 99)")
            .starts_with("P0002 ")
    );
    session.run(&format!("SELECT zentry_delete_webhook({})", channel.id));
    assert_eq!(
        session.number("SELECT count(*) FROM zentry_notify.event_wording"),
        0
    );
}
