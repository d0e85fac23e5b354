//! Pictures of the pages for the guide: `scripts/screenshots`. Without it nothing is written, and the pages are only looked at.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Result;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::site::fire;
use zentry_e2e::zentry;

use super::browser::{Browser, Look};
use super::{Site, enter};

/// Days like any other: a hundred hours of deliveries, some of which failed, slower towards noon.
const HISTORY: &str = "\
    INSERT INTO zentry_notify.delivery_stat (span, since, webhook_integration_id, event_type, sent, failed, requests, messages, latency) \
    SELECT 'hour', hour, w.id, '*', c.sent, CASE WHEN n % 17 IN (3, 4) THEN c.sent / 4 ELSE (n * 7 % 23 = 0)::integer END, c.sent, c.sent, \
           (SELECT array_agg(CASE WHEN b = slow THEN c.sent / 2 + 1 WHEN b = slow + 3 THEN c.sent / 2 WHEN b = slow + 9 THEN c.sent / 12 ELSE 0 END ORDER BY b) \
              FROM generate_series(0, 54) AS b) \
      FROM zentry_notify.webhooks w, generate_series(1, 100) AS n, \
           LATERAL (SELECT date_trunc('hour', now(), 'UTC') - n * interval '1 hour' AS hour) h, \
           LATERAL (SELECT abs(extract(hour FROM hour AT TIME ZONE 'UTC')::integer - 13) AS noon) d, \
           LATERAL (SELECT greatest(0, 60 - noon * 5 + n * 37 % 19)::bigint AS sent, 11 + (12 - noon) / 3 + n % 3 AS slow) c \
     WHERE w.id < 3";

fn furnish(site: &mut Site) -> Result<()> {
    let scene = &mut site.scene;
    scene.client.batch_execute(&format!(
        "CREATE ROLE notifications_lead NOLOGIN; SELECT zentry_grant('notifications_lead', 'manager'); \
         GRANT notifications_lead TO {}; GRANT SELECT ON tasks_project, users_user TO notifications_lead",
        site.server.login
    ))?;
    let emulator = &scene.emulator;
    let (backend, lobby) = (emulator.discord_webhook(), emulator.discord_webhook());
    let (announcements, website) = (emulator.connector(), emulator.workflow());
    for (name, kind, webhook, rest) in [
        ("Backend channel", "discord", &backend, ""),
        (
            "Website team",
            "teams",
            &website,
            ", project_id => 1, event_types => '{task_completed,milestone_reached}'",
        ),
        ("Announcements", "teams", &announcements, ""),
        (
            "Lobby",
            "discord",
            &lobby,
            ", event_types => '{badge_earned,daily_streak}'",
        ),
    ] {
        let sql = format!("SELECT zentry_register_webhook($1, $2, $3{rest})");
        scene.client.execute(&sql, &[&name, &kind, &webhook.url()])?;
    }
    announcements.script([Behaviour::Status(500), Behaviour::Status(400)]);
    lobby.script([Behaviour::Normal, Behaviour::Status(404)]);
    zentry::complete_task(&mut scene.client, 2, jiff::Timestamp::now())?;
    scene.settle()?;
    for _ in 0..2 {
        fire(&mut scene.client)?;
        scene.settle()?;
    }
    scene.client.batch_execute(HISTORY)?;
    scene.client.batch_execute(
        "SELECT zentry_update_webhook(2, filter => '$.points > 20', quiet_hours => '22:00-07:00 Europe/Berlin')",
    )?;
    site.manager = site.server.token_of(scene, "notifications_lead")?;
    Ok(())
}

#[test]
fn the_pages_of_the_guide() -> Result<()> {
    let pictures = env::var_os("ZENTRY_SCREENSHOTS").map(PathBuf::from);
    // Light and dark from one server, so that both show the same.
    let light = Look::DESK;
    let mut site = Site::start(light)?;
    furnish(&mut site)?;
    enter(&site.browser, &site.server, &site.manager)?;
    let mut looks = vec![("light", None)];
    if pictures.is_some() {
        let dark = Browser::start(light.dark())?;
        enter(&dark, &site.server, &site.manager)?;
        looks.push(("dark", Some(dark)));
    }
    for (name, path, height) in [
        ("integrations", "/integrations/", 660),
        ("integration", "/integrations/1/", 1000),
        ("form", "/integrations/2/edit/", 1200),
        ("log", "/logs/", 760),
        ("delivery", "/logs/3/", 900),
        ("event", "/events/task_completed/", 860),
        ("words", "/events/task_completed/wording/", 1500),
        ("tokens", "/tokens/", 820),
        ("status", "/status/?span=days", 1080),
    ] {
        for (colours, browser) in &looks {
            let browser = browser.as_ref().unwrap_or(&site.browser);
            browser.goto(&format!("{}/admin{path}", site.server.url))?;
            assert_eq!(browser.count("h1")?, 1, "{path}");
            if let Some(directory) = &pictures {
                fs::write(
                    directory.join(format!("admin-{name}-{colours}.png")),
                    browser.picture(height)?,
                )?;
            }
        }
    }
    if let Some(directory) = &pictures {
        let phone = Browser::start(Look::PHONE)?;
        enter(&phone, &site.server, &site.manager)?;
        phone.goto(&format!("{}/admin/integrations/", site.server.url))?;
        fs::write(directory.join("admin-phone.png"), phone.picture(844)?)?;
    }
    Ok(())
}
