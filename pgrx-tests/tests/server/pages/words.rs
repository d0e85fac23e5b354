//! Words, languages, tokens and the guide in the browser.

use anyhow::Result;
use zentry_e2e::emulator::Kind;

use super::browser::Look;
use super::{Site, enter};

fn set_wordings(site: &mut Site) -> Result<i64> {
    let row = site
        .scene
        .client
        .query_one("SELECT count(*) FROM zentry_notify.event_wordings", &[])?;
    Ok(row.get(0))
}

#[test]
fn words_are_tried_set_changed_and_taken_back() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Discord)?;
    let browser = &site.browser;
    site.goto("/events/task_completed/")?;
    browser.follow_text("Set wording")?;
    assert!(
        browser
            .text("h1")?
            .contains("task_completed for all integrations")
    );
    assert!(
        browser.text("#title-hint")?.contains("Now: "),
        "{}",
        browser.text("#title-hint")?
    );
    // What the database refuses stands beside its field, and nothing that was typed is lost.
    browser.fill("title", "Finished: {{ task_title }}")?;
    browser.fill("colour", "bluish")?;
    browser.follow_text("Save")?;
    assert!(browser.title()?.starts_with("Error: "));
    assert!(
        browser.text("#colour-problem")?.contains("colour"),
        "{}",
        browser.text("main")?
    );
    assert_eq!(
        browser.attribute("#title", "value")?.as_deref(),
        Some("Finished: {{ task_title }}")
    );
    // A preview keeps nothing.
    browser.fill("colour", "#112233")?;
    browser.fill("fields", "Points: {{ points }}\nWho: {{ user_name }}")?;
    browser.click("input[name=none][value=emoji]")?;
    // Nor what can't be meant.
    browser.fill("emoji", "!")?;
    browser.fill("fields", "Points")?;
    browser.follow_text("Save")?;
    assert!(browser.text("#emoji-problem")?.contains("untick"));
    assert!(
        browser
            .text("#fields-problem")?
            .contains("\"Points\" has no colon")
    );
    browser.fill("emoji", "")?;
    browser.fill("fields", "Points: {{ points }}\nWho: {{ user_name }}")?;
    browser.follow_text("Preview")?;
    let preview = browser.text("#preview")?;
    assert!(
        preview.contains("Nothing is saved yet")
            && preview.contains("Finished: ")
            && preview.contains("Points"),
        "{preview}"
    );
    assert_eq!(set_wordings(&mut site)?, 0);
    let browser = &site.browser;
    browser.follow_text("Save")?;
    assert!(browser.text(".notice")?.contains("saved"));
    let page = browser.text("main")?;
    for text in [
        "Finished: {{ task_title }}",
        "no emoji",
        "Points: {{ points }}; Who: {{ user_name }}",
    ] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    // An integration's preview is called after its service, and has its lines.
    let ntfy = site.scene.channel(Kind::Ntfy)?;
    let browser = &site.browser;
    site.goto(&format!("/events/task_completed/wording/?webhook={}", ntfy.id))?;
    let preview = browser.text("#preview")?;
    assert!(
        preview.contains("ntfy\n") && preview.contains("\n• Points:"),
        "{preview}"
    );
    site.goto("/events/task_completed/")?;
    // Those of one integration, and back; and what is emptied is as it was before.
    browser.click(&format!("#of option[value='{}']", channel.id))?;
    browser.follow_text("Set wording")?;
    browser.fill("title", "Just here")?;
    browser.follow_text("Save")?;
    assert_eq!(set_wordings(&mut site)?, 2);
    let browser = &site.browser;
    site.goto("/events/task_completed/wording/")?;
    assert_eq!(
        browser.run("return document.querySelector('#fields').value")?,
        "Points: {{ points }}\nWho: {{ user_name }}"
    );
    browser.fill("title", "")?;
    browser.follow_text("Save")?;
    let title: Option<String> = site
        .scene
        .client
        .query_one(
            "SELECT title FROM zentry_notify.event_wordings WHERE webhook_integration_id IS NULL",
            &[],
        )?
        .get(0);
    assert_eq!(title, None);
    for query in ["".to_owned(), format!("?webhook={}", channel.id)] {
        site.goto(&format!("/events/task_completed/wording/{query}"))?;
        site.browser.follow_text("Reset")?;
        assert!(site.browser.text(".notice")?.contains("is removed"));
    }
    assert_eq!(set_wordings(&mut site)?, 0);
    assert_eq!(site.browser.complaints()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn languages_are_set_for_all_and_for_one() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Discord)?;
    let browser = &site.browser;
    browser.follow_text("Events")?;
    browser.follow_text("Languages")?;
    assert!(browser.text("tbody")?.contains("English"));
    browser.choose("language", "de")?;
    browser.follow_text("Set")?;
    assert!(browser.text(".notice")?.contains("language is set"));
    assert!(browser.text("tbody")?.contains("German (Deutsch)"));
    browser.choose("webhook", &channel.id.to_string())?;
    browser.choose("language", "ja")?;
    browser.follow_text("Set")?;
    assert_eq!(browser.count("tbody tr")?, 2);
    site.goto("/events/task_completed/")?;
    assert!(browser.text(".message.discord")?.contains("Aufgabe erledigt"));
    // And back.
    site.goto(&format!("/languages/?webhook={}", channel.id))?;
    browser.follow_text("Set")?;
    assert_eq!(browser.count("tbody tr")?, 1);
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_token_is_made_shown_once_used_and_revoked() -> Result<()> {
    let site = Site::entered(Look::DESK)?;
    let browser = &site.browser;
    browser.follow_text("Tokens")?;
    assert!(browser.text("tbody")?.contains(&site.manager.name));
    browser.follow_text("Create")?;
    assert!(browser.text("#name-problem")?.contains("must not be empty"));
    browser.fill("name", &site.manager.name)?;
    browser.follow_text("Create")?;
    assert!(
        browser.text("#name-problem")?.contains("already"),
        "{}",
        browser.text("main")?
    );
    browser.fill("name", "front end")?;
    browser.run("document.querySelector('#expires_at').value = '2001-01-01'")?;
    browser.follow_text("Create")?;
    assert!(
        browser.text("#expires_at-problem")?.contains("expired already"),
        "{}",
        browser.text("main")?
    );
    browser.run("document.querySelector('#expires_at').value = ''")?;
    browser.follow_text("Create")?;
    let token = browser.text("pre")?;
    assert!(token.starts_with("zentry_"), "{token}");
    assert_eq!(browser.count("button.copy")?, 1);
    browser.follow_text("Done")?;
    let page = browser
        .run("return document.documentElement.outerHTML")?
        .to_string();
    assert!(
        page.contains("front end") && !page.contains(&token),
        "it is shown once"
    );

    // It is good, and gone when it is revoked.
    let other = super::browser::Browser::start(Look::DESK)?;
    let made = crate::support::Token {
        text: token,
        name: "front end".to_owned(),
        role: site.manager.role.clone(),
    };
    enter(&other, &site.server, &made)?;
    assert_eq!(other.text("h1")?, "Integrations");
    browser.follow("a[href='/admin/tokens/revoke/?name=front+end']")?;
    browser.follow_text("Revoke")?;
    assert!(browser.text(".notice")?.contains("revoked"));
    assert_eq!(browser.count("tbody tr")?, 1);
    other.goto(&format!("{}/admin/logs/", site.server.url))?;
    assert_eq!(other.text("h1")?, "Sign in");
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

/// By the keyboard alone, which sends a form from any of its fields.
#[test]
fn words_languages_and_tokens_need_no_script_and_show_text_as_text() -> Result<()> {
    const HOSTILE: &str = "\"><img src=x onerror=alert(1)></textarea><script>alert(1)</script>";
    const ENTER: &str = "\u{e007}";
    let mut site = Site::entered(Look::DESK.without_script())?;
    let channel = site.scene.channel(Kind::Discord)?;
    site.scene.client.execute(
        "SELECT zentry_update_webhook($1, name => $2)",
        &[&channel.id, &HOSTILE],
    )?;
    let browser = &site.browser;
    let is_clean = |path: &str| -> Result<()> {
        site.goto(path)?;
        assert_eq!(browser.count("main img, main script")?, 0, "{path}");
        assert!(
            browser.text("main")?.contains("<img src=x onerror=alert(1)>"),
            "{path}"
        );
        assert_eq!(browser.count("button.copy")?, 0, "there is no script");
        Ok(())
    };
    site.goto(&format!("/events/task_completed/wording/?webhook={}", channel.id))?;
    browser.fill("footer", HOSTILE)?;
    browser.fill("title", HOSTILE)?;
    browser.press(ENTER)?;
    browser.wait_for(".notice", "saved")?;
    site.goto("/languages/")?;
    browser.choose("webhook", &channel.id.to_string())?;
    browser.choose("language", "fr")?;
    browser.click("form.sheet button.primary")?;
    browser.wait_for(".notice", "language is set")?;
    site.goto("/tokens/")?;
    browser.fill("name", HOSTILE)?;
    browser.press(ENTER)?;
    browser.wait_for("h1", "New token")?;
    assert!(browser.text("main")?.contains(HOSTILE));
    is_clean("/languages/")?;
    is_clean("/tokens/")?;
    is_clean("/events/task_completed/")?;
    is_clean(&format!("/events/task_completed/wording/?webhook={}", channel.id))?;
    assert_eq!(
        browser.attribute("#title", "value")?.as_deref(),
        Some(HOSTILE),
        "nothing of it is lost"
    );
    browser.follow("a[href='/admin/events/task_completed/']")?;
    site.goto("/tokens/")?;
    browser.follow("a[href*='/tokens/revoke/?name=%22']")?;
    assert!(browser.text("h1")?.contains(HOSTILE));
    browser.click("main button.danger")?;
    browser.wait_for(".notice", "revoked")?;
    Ok(())
}

#[test]
fn the_guide_comes_with_the_pages() -> Result<()> {
    let site = Site::entered(Look::DESK)?;
    let browser = &site.browser;
    site.goto("/languages/")?;
    browser.follow("main p a[href='/admin/guide/languages/']")?;
    assert_eq!(browser.text("h1")?, "Languages");
    assert!(browser.text("article")?.contains("zentry_set_language('de')"));
    assert!(!browser.text("article")?.contains("Set-up of the test"));
    browser.follow_text("Guide")?;
    browser.follow_text("Quiet hours")?;
    assert_eq!(browser.path()?, "/admin/guide/quiet-hours/");
    assert!(browser.count("button.copy")? >= 1);
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}
