//! The log in the browser: filters, details, sending again. And what leads there: events and status.

use anyhow::Result;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::site::{fire, wait_for, wait_for_counters};
use zentry_e2e::zentry::{self, id};

use super::Site;
use super::browser::Look;

#[test]
fn what_failed_is_found_understood_and_sent_again() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let (discord, teams) = (
        site.scene.channel(Kind::Discord)?,
        site.scene.channel(Kind::Connector)?,
    );
    let refusal = Behaviour::Status(400);
    discord
        .webhook
        .script([refusal.clone(), refusal.clone(), refusal.clone(), refusal]);
    for _ in 0..3 {
        fire(&mut site.scene.client)?;
        site.scene.settle()?;
    }
    zentry::complete_task(&mut site.scene.client, 2, jiff::Timestamp::now())?;
    site.scene.settle()?;

    let browser = &site.browser;
    browser.follow_text("Log")?;
    assert!(browser.count("tbody tr")? >= 8, "{}", browser.text("main")?);
    browser.choose("status", "failed")?;
    browser.choose("event_type", "daily_streak")?;
    browser.choose("webhook_type", "discord")?;
    browser.follow_text("Show")?;
    assert_eq!(browser.count("tbody tr")?, 3, "{}", browser.text("main")?);
    assert_eq!(
        browser.attribute("#status option[selected]", "value")?.as_deref(),
        Some("failed"),
        "the filter stays chosen"
    );

    browser.follow("tbody tr td[data-label=Delivery] a")?;
    let page = browser.text("main")?;
    for text in ["failed", "HTTP 400", "daily_streak", "\"streak_days\"", "Discord"] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(
        browser.text(".message.discord")?.contains("streak"),
        "the message is shown as it reads"
    );
    browser.follow_text("Send again")?;
    let page = browser.text("main")?;
    assert!(
        page.contains("sent again") && page.contains("re-send no. 1"),
        "{page}"
    );
    site.scene.settle()?;

    // Many: one of the three was sent again already, so it is refused and the others are not.
    let browser = &site.browser;
    site.goto("/logs/?status=failed&event_type=daily_streak")?;
    let boxes = browser.count("input[name=id]")?;
    browser.click("[data-select-all] input")?;
    browser.follow_text("Send selected again")?;
    assert_eq!(browser.count("tbody tr")?, boxes);
    let before = site.scene.settle()?.len();

    let browser = &site.browser;
    site.goto("/logs/")?;
    browser.click("details.more summary")?;
    browser.follow("form[action='/admin/logs/retry-failed/'] button")?;
    assert!(
        browser.text(".notice")?.contains("sent again"),
        "{}",
        browser.text("main")?
    );
    let after = site.scene.settle()?;
    assert!(after.len() > before, "{after:#?}");
    assert!(
        after
            .iter()
            .rev()
            .take(after.len() - before)
            .all(|delivery| delivery.status == "sent" && delivery.retry_of.is_some())
    );
    assert_eq!(site.browser.complaints()?, Vec::<String>::new());
    drop(teams);
    Ok(())
}

#[test]
fn a_long_log_is_paged_through() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    site.scene.channel(Kind::Discord)?;
    site.scene.client.batch_execute(
        "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, sent_at) \
         SELECT (SELECT id FROM zentry_notify.webhooks), 'daily_streak', '{}', 'sent', now() FROM generate_series(1, 45)",
    )?;
    let browser = &site.browser;
    site.goto("/logs/?event_type=daily_streak")?;
    assert!(browser.text(".pager")?.contains("45 deliveries"));
    let first = browser.text("tbody tr td a")?;
    browser.follow(".pager [rel=next]")?;
    browser.follow(".pager [rel=next]")?;
    assert_eq!(
        (browser.count("tbody tr")?, browser.count(".pager [rel=next]")?),
        (5, 0)
    );
    assert_eq!(
        browser
            .attribute("#event_type option[selected]", "value")?
            .as_deref(),
        Some("daily_streak")
    );
    browser.follow(".pager [rel=prev]")?;
    browser.follow(".pager [rel=prev]")?;
    assert_eq!(browser.text("tbody tr td a")?, first);
    Ok(())
}

#[test]
fn events_are_shown_with_their_tables_and_messages() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Workflow)?;
    let browser = &site.browser;
    browser.follow_text("Events")?;
    assert_eq!(browser.count("tbody tr")?, 6);
    assert!(browser.text("tbody")?.contains("webhooks that fail"));
    assert_eq!(browser.count("tbody .state.good")?, 5);
    // No table fires it, and its page says what does.
    browser.follow_text("webhook_trouble")?;
    assert_eq!(browser.text("p.empty")?, "None: webhooks that fail fire it.");
    browser.follow_text("Events")?;
    browser.follow_text("task_completed")?;
    assert_eq!(
        (
            browser.count(".message.discord")?,
            browser.count(".message.teams")?
        ),
        (1, 2)
    );
    for message in ["discord", "teams"] {
        let text = browser.text(&format!(".message.{message}"))?;
        assert!(
            text.contains("Task") && !text.contains("**") && !text.contains("{{"),
            "{text}"
        );
    }
    // In the words of one integration, in its format.
    site.scene.client.execute(
        "SELECT zentry_set_wording('task_completed', $1, title => 'Aufgabe erledigt')",
        &[&channel.id],
    )?;
    let browser = &site.browser;
    browser.choose("webhook", &channel.id.to_string())?;
    browser.follow_text("Show")?;
    assert_eq!(
        (
            browser.count(".message.discord")?,
            browser.count(".message.teams")?
        ),
        (0, 1)
    );
    assert!(browser.text(".message.teams")?.contains("Aufgabe erledigt"));
    browser.fill("project", &id::WEBSITE.to_string())?;
    browser.follow_text("Send")?;
    assert!(
        browser.text(".notice")?.contains("on its way"),
        "{}",
        browser.text("main")?
    );
    assert_eq!(site.scene.settle()?.len(), 1);
    // A source that is suspended says so, and how to mend it.
    site.scene
        .client
        .batch_execute("ALTER TABLE tasks_task RENAME COLUMN title TO headline")?;
    site.scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE status <> 'completed'")?;
    site.goto("/events/task_completed/")?;
    let page = site.browser.text("main")?;
    assert!(
        page.contains("suspended") && page.contains("zentry_attach()"),
        "{page}"
    );
    Ok(())
}

#[test]
fn the_status_shows_what_works_and_how_it_went() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Discord)?;
    site.goto("/status/")?;
    assert!(
        site.browser.text(".verdict")?.contains("Everything works"),
        "{}",
        site.browser.text("main")?
    );
    assert!(
        site.browser
            .text("main")?
            .contains("Nothing was sent, and nothing failed")
    );
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut site.scene.client)?;
    site.scene.settle()?;
    fire(&mut site.scene.client)?;
    site.scene.settle()?;
    wait_for_counters(&mut site.scene.client, 2)?;
    let browser = &site.browser;
    browser.choose("span", "week")?;
    browser.follow_text("Show")?;
    assert!(browser.text(".verdict")?.contains("One thing needs attention"));
    // What the pages can do is a button, and no SQL.
    assert_eq!(
        browser.count("form[action='/admin/logs/retry-failed/'] button")?,
        1
    );
    assert!(
        !browser.text("main")?.contains("SELECT"),
        "{}",
        browser.text("main")?
    );
    let label = browser.attribute(".plot svg", "aria-label")?.unwrap_or_default();
    assert_eq!(label, "1 sent and 1 failed, by the hour");
    assert_eq!(
        (
            browser.count(".plot rect.sent")?,
            browser.count(".plot rect.failed")?
        ),
        (1, 1)
    );
    assert_eq!(browser.count(".plot .mark")?, 2, "what half and what 95 % took");
    browser.click("figure details summary")?;
    assert!(browser.text("figure details table")?.contains('1'));
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn the_status_speaks_names_and_has_buttons() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Discord)?;
    site.scene.client.execute(
        "SELECT zentry_update_webhook($1, name => 'Backend channel')",
        &[&channel.id],
    )?;
    channel.webhook.script([Behaviour::Status(404)]);
    fire(&mut site.scene.client)?;
    // That the webhook is gone is written after the delivery's outcome.
    wait_for(
        &mut site.scene.client,
        "SELECT state = 'gone' FROM zentry_notify.webhooks",
    )?;
    site.scene
        .client
        .batch_execute("ALTER TABLE tasks_task DISABLE TRIGGER USER")?;
    let browser = &site.browser;
    site.goto("/status/")?;
    let page = browser.text("main")?;
    assert!(!page.contains(&format!("webhook {}", channel.id)), "{page}");
    assert_eq!(page.matches("gone since").count(), 1, "each once: {page}");
    // For what the pages cannot do, there is the SQL, which can be taken along.
    assert!(page.contains("ENABLE TRIGGER"), "{page}");
    assert!(browser.count("button.copy")? >= 1);
    browser.follow_text("Backend channel")?;
    assert_eq!(browser.path()?, format!("/admin/integrations/{}/", channel.id));
    site.goto("/status/")?;
    browser.follow_text("Set a new URL")?;
    assert_eq!(
        browser.path()?,
        format!("/admin/integrations/{}/edit/", channel.id)
    );
    site.goto("/status/")?;
    browser.follow_text("task_completed")?;
    assert_eq!(browser.path()?, "/admin/events/task_completed/");
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn the_log_is_searched_by_words_time_and_what_waits() -> Result<()> {
    let mut site = Site::entered(Look::DESK)?;
    let channel = site.scene.channel(Kind::Discord)?;
    channel.webhook.script([Behaviour::Status(400)]);
    zentry::complete_task(&mut site.scene.client, id::LANDING_PAGE, jiff::Timestamp::now())?;
    let failed = site.scene.settle()?[0].id;
    fire(&mut site.scene.client)?;
    site.scene.settle()?;
    let title: String = site
        .scene
        .client
        .query_one("SELECT title FROM tasks_task WHERE id = $1", &[&id::LANDING_PAGE])?
        .get(0);
    let browser = &site.browser;
    site.goto("/logs/")?;
    let rows = browser.count("tbody tr")?;
    assert!(
        browser.text("tbody")?.contains(&title),
        "a column says what it is about"
    );
    browser.fill("text", &title.to_uppercase())?;
    browser.follow_text("Show")?;
    assert!(browser.count("tbody tr")? < rows);
    assert!(browser.text("tbody")?.contains(&title));
    browser.fill("text", "nobody says this")?;
    browser.follow_text("Show")?;
    assert!(browser.text("main")?.contains("No delivery matches"));

    // By time, and in the reader's time; UTC is what hovers.
    site.goto("/logs/?within=hour")?;
    assert_eq!(browser.count("tbody tr")?, rows);
    site.goto("/logs/?from=2001-01-01&to=2001-12-31")?;
    assert_eq!(browser.count("tbody tr")?, 0);
    site.goto("/logs/?from=yesterday")?;
    assert!(browser.text("main")?.contains("2026-11-29"));
    site.goto("/logs/")?;
    let hovers = browser.attribute("tbody time", "title")?.unwrap_or_default();
    assert!(hovers.ends_with(" UTC"), "{hovers}");

    // A delivery and what repeats it lead to each other.
    let offers = [
        (
            format!("/logs/{failed}/"),
            format!("form[action='/admin/logs/{failed}/retry/'] button"),
        ),
        ("/logs/".to_owned(), format!("input[name=id][value='{failed}']")),
    ];
    for (page, offer) in offers.iter().rev() {
        site.goto(page)?;
        assert_eq!(browser.count(offer)?, 1, "{page}");
    }
    browser.follow_text("Send again")?;
    site.scene.settle()?;
    let browser = &site.browser;
    // It is not offered twice.
    for (page, offer) in &offers {
        site.goto(page)?;
        assert_eq!(browser.count(offer)?, 0, "{page}");
    }
    let page = browser.text("tbody")?;
    assert!(
        page.contains(&format!("repeats {failed}")) && page.contains("sent again as"),
        "{page}"
    );

    // Pending and retry together.
    site.scene.client.execute(
        "SELECT zentry_update_webhook($1, is_active => false)",
        &[&channel.id],
    )?;
    site.scene.client.batch_execute(
        "UPDATE zentry_notify.notification_log SET status = CASE id % 2 WHEN 0 THEN 'pending' ELSE 'retry' END, next_attempt_at = now() + interval '1 hour'",
    )?;
    let browser = &site.browser;
    site.goto("/logs/?status=waiting")?;
    assert_eq!(browser.count("tbody tr")?, rows + 1);
    site.goto("/logs/?status=sent")?;
    assert_eq!(browser.count("tbody tr")?, 0);
    assert_eq!(browser.complaints()?, Vec::<String>::new());
    Ok(())
}
