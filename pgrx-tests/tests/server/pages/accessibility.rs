//! Every page as axe-core sees it: labels, contrast, landmarks, in the light and the dark, on a desk and on a phone.

use anyhow::Result;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::site::fire;
use zentry_e2e::zentry;

use super::browser::Look;
use super::{Site, enter};

/// Something of everything, and the paths of all pages.
fn furnish(site: &mut Site) -> Result<Vec<String>> {
    let (discord, teams) = (
        site.scene.channel(Kind::Discord)?,
        site.scene.channel(Kind::Workflow)?,
    );
    for kind in [
        Kind::Connector,
        Kind::Slack,
        Kind::GoogleChat,
        Kind::Mattermost,
        Kind::Ntfy,
        Kind::Signed,
    ] {
        site.scene.channel(kind)?;
    }
    discord
        .webhook
        .script([Behaviour::Status(500), Behaviour::Status(400)]);
    teams.webhook.script([Behaviour::Status(404)]);
    fire(&mut site.scene.client)?;
    site.scene.settle()?;
    zentry::complete_task(&mut site.scene.client, 2, jiff::Timestamp::now())?;
    let deliveries = site.scene.settle()?;
    site.scene.client.execute(
        "SELECT zentry_update_webhook($1, is_active => false)",
        &[&discord.id],
    )?;
    site.scene
        .client
        .batch_execute("SELECT zentry_set_wording('badge_earned', title => '{{ badge_name }}')")?;
    site.scene.client.execute(
        "SELECT zentry_create_api_token('spare', $1::text::name)",
        &[&site.manager.role],
    )?;
    let one = discord.id;
    Ok(vec![
        "/integrations/".to_owned(),
        "/integrations/new/".to_owned(),
        format!("/integrations/{one}/?said=saved"),
        format!("/integrations/{one}/edit/"),
        format!("/integrations/{one}/delete/"),
        "/logs/".to_owned(),
        "/logs/?status=failed&event_type=daily_streak".to_owned(),
        format!("/logs/{}/", deliveries[0].id),
        "/events/".to_owned(),
        "/events/task_completed/".to_owned(),
        "/events/badge_earned/".to_owned(),
        "/events/badge_earned/wording/".to_owned(),
        "/languages/?said=language".to_owned(),
        "/tokens/".to_owned(),
        "/tokens/revoke/?name=spare".to_owned(),
        "/guide/".to_owned(),
        "/guide/rest-api/".to_owned(),
        "/status/".to_owned(),
        "/nothing/".to_owned(),
    ])
}

/// What is wrong with the page that is shown.
fn look_at(site: &Site, path: &str, look: Look) -> Result<()> {
    let browser = &site.browser;
    // Everything that can be opened is looked at.
    browser.run("for (const one of document.querySelectorAll('details')) one.open = true")?;
    assert_eq!(browser.axe()?, Vec::<String>::new(), "{path} as {look:?}");
    let wide =
        browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")?;
    assert_eq!(wide, 0, "{path} as {look:?} is wider than its window");
    Ok(())
}

fn every_page(look: Look) -> Result<()> {
    let mut site = Site::start(look)?;
    let paths = furnish(&mut site)?;
    site.goto("/sign-in/")?;
    look_at(&site, "sign-in", look)?;
    enter(&site.browser, &site.server, &site.manager)?;
    for path in paths {
        site.goto(&path)?;
        look_at(&site, &path, look)?;
    }
    site.goto("/integrations/new/")?;
    site.browser.follow("form.sheet button.primary")?;
    look_at(&site, "a form with problems", look)?;
    Ok(())
}

#[test]
fn every_page_can_be_read_by_everybody() -> Result<()> {
    every_page(Look::DESK)
}

#[test]
fn every_page_can_be_read_in_the_dark_on_a_phone() -> Result<()> {
    every_page(Look::PHONE.dark())
}

#[test]
fn the_keyboard_is_enough() -> Result<()> {
    let site = Site::entered(Look::DESK)?;
    let browser = &site.browser;
    let tab = "\u{e004}";
    browser.press(tab)?;
    assert_eq!(
        browser.run("return document.activeElement.textContent")?,
        "To the content"
    );
    browser.press("\u{e007}")?;
    browser.press(tab)?;
    let focused = "const one = document.activeElement; return one.textContent.trim() + ' ' + getComputedStyle(one).outlineStyle";
    assert_eq!(
        browser.run(focused)?,
        "New integration solid",
        "the focus is seen"
    );
    browser.press("\u{e007}")?;
    browser.wait_for("h1", "New integration")?;
    Ok(())
}
