//! An integration's life, by mouse and keyboard.

use anyhow::{Context, Result};
use serde_json::json;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::zentry::id;

use super::Site;
use super::browser::Look;

#[test]
fn an_integration_is_made_tried_changed_and_deleted() -> Result<()> {
    let site = Site::start(Look::DESK)?;
    let (browser, webhook) = (&site.browser, site.scene.emulator.discord_webhook());
    // What is asked for comes after signing in, and a wrong token is told.
    site.goto("/logs/?status=failed")?;
    assert_eq!(
        browser.path()?,
        "/admin/sign-in/?next=%2Fadmin%2Flogs%3Fstatus%3Dfailed"
    );
    browser.fill("token", "zentry_12345678_guess")?;
    browser.follow("form.narrow button")?;
    assert_eq!(browser.text("#token-problem")?, "Invalid token.");
    assert_eq!(
        browser.attribute("#token", "value")?.as_deref(),
        Some(""),
        "a token is not sent back"
    );
    browser.fill("token", &site.manager.text)?;
    browser.press("\u{e007}")?; // Enter
    browser.wait_for("h1", "Log")?;
    assert_eq!(browser.path()?, "/admin/logs?status=failed");

    browser.follow_text("Integrations")?;
    assert!(browser.text("main")?.contains("no integrations yet"));
    browser.follow_text("New integration")?;
    browser.fill("name", "Backend channel")?;
    // The database says what is wrong with a URL while it is typed.
    browser.fill("webhook_url", "https://example.com/hook")?;
    browser.wait_for("#webhook_url-problem", "example.com")?;
    assert_eq!(
        browser.attribute("#webhook_url", "aria-invalid")?.as_deref(),
        Some("true")
    );
    browser.fill("webhook_url", &webhook.url())?;
    zentry_e2e::wait::eventually(zentry_e2e::scene::SOON, "the problem to be gone", || {
        browser
            .run("return document.querySelector('#webhook_url-problem').textContent")
            .ok()
            .filter(|text| text == "")
    })?;
    browser.click("input[value='*']")?;
    browser.click("input[value=task_completed]")?;
    browser.click("input[value=daily_streak]")?;
    browser.fill("project", &id::WEBSITE.to_string())?;
    browser.click("details.more summary")?;
    browser.fill("filter", "$.points >")?;
    browser.fill("milestones", "50, 100")?;
    browser.follow_text("Register")?;
    // What the database refuses stands beside its field, and nothing that was typed is lost.
    assert!(browser.title()?.starts_with("Error: "));
    assert!(browser.text("#filter-problem")?.contains("not a JSON path"));
    assert!(browser.text(".problems")?.contains("not a JSON path"));
    assert_eq!(
        browser.attribute("#filter", "aria-invalid")?.as_deref(),
        Some("true")
    );
    browser.fill("filter", "$.points > 20")?;
    browser.fill("quiet_hours", "25:00-07:00")?;
    browser.follow_text("Register")?;
    assert!(
        browser.text("#quiet_hours-problem")?.contains("22:00"),
        "{}",
        browser.text("#quiet_hours-problem")?
    );
    browser.fill("quiet_hours", "")?;
    browser.follow_text("Register")?;
    assert!(browser.text(".notice")?.contains("registered"));
    let page = browser.text("main")?;
    // As PostgreSQL writes the filter.
    for text in [
        "Backend channel",
        "project 1",
        "daily_streak, task_completed",
        "($.\"points\" > 20)",
        "50 %, 100 %",
        "active",
    ] {
        assert!(
            page.contains(text) || text == "project 1",
            "{text} is not in\n{page}"
        );
    }
    let secret = webhook.url();
    let secret = secret.rsplit('/').next().unwrap();
    assert!(
        !browser
            .run("return document.documentElement.outerHTML")?
            .to_string()
            .contains(secret)
    );

    // A trial, with its outcome at once.
    browser.fill("test_message", "Hello from the browser")?;
    browser.follow_text("Test")?;
    assert!(
        browser.text(".outcome")?.contains("delivered"),
        "{}",
        browser.text(".outcome")?
    );
    assert!(
        webhook.received()[0]
            .body
            .to_string()
            .contains("Hello from the browser")
    );
    webhook.script([Behaviour::Status(400)]);
    browser.follow_text("Test")?;
    let outcome = browser.text(".outcome")?;
    assert!(
        outcome.contains("failed") && outcome.contains("HTTP 400"),
        "{outcome}"
    );

    browser.follow_text("Edit")?;
    assert_eq!(browser.attribute("#webhook_url", "value")?.as_deref(), Some(""));
    browser.fill("name", "Team channel")?;
    browser.fill("filter", "")?;
    browser.click("input[value='*']")?;
    browser.follow_text("Save")?;
    let page = browser.text("main")?;
    // What has changed is told below.
    let (settings, changes) = page.split_once("The latest changes").context("changes")?;
    assert!(
        settings.contains("saved") && settings.contains("all events") && !settings.contains("points"),
        "{page}"
    );
    assert!(changes.contains("points"), "{page}");
    browser.follow_text("Switch off")?;
    assert!(browser.text("main")?.contains("off"));
    browser.follow_text("Integrations")?;
    browser.follow_text("Switch on")?;
    assert!(
        browser.text("table")?.contains("active"),
        "{}",
        browser.text("table")?
    );

    browser.follow_text("Team channel")?;
    browser.follow_text("Delete")?;
    browser.follow_text("Keep it")?;
    assert_eq!(browser.text("h1")?, "Team channel");
    browser.follow_text("Delete")?;
    browser.follow("form button.danger")?;
    assert!(browser.text("main")?.contains("deleted, with its log"));
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    browser.follow_text("Sign out")?;
    site.goto("/integrations/")?;
    assert_eq!(browser.text("h1")?, "Sign in");
    Ok(())
}

#[test]
fn everything_works_without_script() -> Result<()> {
    let mut site = Site::entered(Look::DESK.without_script())?;
    let webhook = site.scene.emulator.discord_webhook();
    let failing = site.scene.channel(Kind::Discord)?;
    failing.webhook.script([Behaviour::Status(400)]);
    zentry_e2e::site::fire(&mut site.scene.client)?;
    site.scene.settle()?;
    let browser = &site.browser;
    site.goto("/integrations/new/")?;
    assert_eq!(
        browser.count("[data-unless-all] input:disabled")?,
        0,
        "the script ran"
    );
    browser.fill("name", "Plain")?;
    browser.fill("webhook_url", "https://example.com/hook")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for("#webhook_url-problem", "example.com")?;
    browser.fill("webhook_url", &webhook.url())?;
    // Who ticks single events means these, although nothing takes the tick of all events away.
    browser.click("input[value=badge_earned]")?;
    browser.click("input[value=daily_streak]")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for(".notice", "registered")?;
    let heard = browser.text("main")?;
    assert!(heard.contains("badge_earned, daily_streak"), "{heard}");
    browser.click("#trial button")?;
    browser.wait_for(".outcome", "delivered")?;
    site.goto("/logs/?status=failed")?;
    browser.click("input[name=id]")?;
    browser.click("main form[action='/admin/logs/retry/'] button")?;
    browser.wait_for("h1", "Sent again")?;
    let sent = json!(
        site.scene
            .settle()?
            .iter()
            .map(|delivery| delivery.status.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(sent, json!(["failed", "sent", "sent"]));
    Ok(())
}

/// What only SQL had: the pace, the digest, who is told of trouble; and a button for what waits.
#[test]
fn everything_is_in_the_form_and_what_waits_is_tried_by_a_button() -> Result<()> {
    let mut site = Site::entered(Look::DESK.without_script())?;
    let channel = site.scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::RateLimited {
        retry_after: std::time::Duration::from_secs(3600),
        global: false,
    }]);
    zentry_e2e::site::fire(&mut site.scene.client)?;
    site.scene.wait_until("the delivery to wait", |all| {
        all.iter().any(|one| one.status == "retry")
    })?;
    let (browser, page) = (&site.browser, format!("/integrations/{}/", channel.id));
    site.goto(&page)?;
    browser.click("form[action$='/resume/'] button")?;
    browser.wait_for(".notice", "being sent now")?;
    site.scene.settle()?;
    site.goto(&page)?;
    assert_eq!(browser.count("form[action$='/resume/']")?, 0, "nothing waits");

    site.goto(&format!("{page}edit/"))?;
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")?;
    assert_eq!(
        browser.count("input[name=event_type][value=webhook_trouble]")?,
        0,
        "nobody subscribes to it"
    );
    for (name, value) in [
        ("digest", "often"),
        ("max_events_per_message", "5"),
        ("min_interval", "2 seconds"),
        ("max_age", "2 days"),
        ("rate_limit", "25/5min"),
        ("rate_group", "anna"),
    ] {
        browser.fill(name, value)?;
    }
    browser.click("input[name=notices]")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for("#digest-problem", "0 9 * * 1-5")?;
    browser.fill("digest", "1 hour")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for(".notice", "saved")?;
    let shown = browser.text("main")?;
    for text in [
        "1 hour",
        "at most 5",
        "at least 00:00:02",
        "2 days",
        "25/5min",
        "anna",
        "gets those about other integrations",
        // Who changed it, by which token, and from what.
        ", token \"",
        "rate_group nothing → anna",
        "min_interval 00:00:00 → 00:00:02",
    ] {
        assert!(shown.contains(text), "{text} is not in\n{shown}");
    }
    Ok(())
}

/// Found by name, state and order; many at once; as another one is; with projects by their names.
#[test]
fn many_integrations_are_kept_in_order() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let role = site.manager.role.clone();
    site.scene
        .client
        .batch_execute(&format!("GRANT SELECT ON tasks_project TO {role}"))?;
    let mut ids = Vec::new();
    for name in ["Zebra", "alpha", "Mid 100%"] {
        let channel = site.scene.channel(Kind::Discord)?;
        site.scene.client.execute(
            "SELECT zentry_update_webhook($1, name => $2, digest => '1 hour', event_types => '{daily_streak}')",
            &[&channel.id, &name],
        )?;
        ids.push(channel.id);
    }
    let browser = &site.browser;
    site.goto("/integrations/")?;
    assert_eq!(browser.text("tbody th a")?, "Mid 100%", "newest first");
    browser.choose("sort", "name")?;
    browser.follow_text("Show")?;
    assert_eq!(browser.text("tbody th a")?, "alpha");
    browser.fill("name", "0%")?;
    browser.follow_text("Show")?;
    assert_eq!(
        (browser.count("tbody tr")?, browser.text("tbody th a")?),
        (1, "Mid 100%".to_owned())
    );
    assert!(browser.count("datalist#projects option")? >= 2);
    assert!(
        browser
            .run("return document.querySelector('#projects').textContent")?
            .to_string()
            .contains("Website Relaunch")
    );

    site.goto("/integrations/")?;
    for id in &ids[..2] {
        browser.click(&format!("input[name=id][value='{id}']"))?;
    }
    browser.follow_text("Switch selected off")?;
    assert!(
        browser
            .text(".notice")?
            .contains("selected integrations are switched off")
    );
    browser.choose("state", "off")?;
    browser.follow_text("Show")?;
    assert_eq!(browser.count("tbody tr")?, 2);

    site.goto(&format!("/integrations/{}/", ids[2]))?;
    browser.follow_text("Clone")?;
    assert_eq!(
        browser.attribute("#name", "value")?.as_deref(),
        Some("Mid 100% (copy)")
    );
    assert_eq!(browser.attribute("#digest", "value")?.as_deref(), Some("1 hour"));
    assert_eq!(browser.attribute("#webhook_url", "value")?.as_deref(), Some(""));
    assert_eq!(browser.count("input[value=daily_streak]:checked")?, 1);
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

/// What is allowed, and as a rule not meant.
#[test]
fn doubts_are_told_where_an_integration_is_shown() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let first = site.scene.channel(Kind::Discord)?;
    let (browser, page) = (&site.browser, format!("/integrations/{}/", first.id));
    site.goto(&page)?;
    assert_eq!(browser.count(".doubt")?, 0);
    zentry_e2e::scene::register(
        &mut site.scene.client,
        &first.webhook,
        Some(987_654),
        Some(&["badge_earned"]),
    )?;
    let browser = &site.browser;
    site.goto(&page)?;
    assert!(
        browser.text(".doubt")?.contains("has the same URL"),
        "{}",
        browser.text("main")?
    );
    Ok(())
}
