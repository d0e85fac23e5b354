//! Pictures of the pages for the guide: `scripts/screenshots`. Without it nothing is written, and the pages are only looked at.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Result;
use zentry_e2e::emulator::Behaviour;
use zentry_e2e::site::fire;
use zentry_e2e::zentry;

use super::Site;
use super::browser::Look;

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
    let (discord, connector, workflow) = (
        scene.emulator.discord_webhook(),
        scene.emulator.connector(),
        scene.emulator.workflow(),
    );
    let register = "SELECT zentry_register_webhook($1, $2, $3, $4, $5, quiet_hours => $6)";
    let none: Option<i64> = None;
    let all: Option<&[&str]> = None;
    let few: Option<&[&str]> = Some(&["task_completed", "milestone_reached"]);
    let quiet: Option<&str> = Some("22:00-07:00 Europe/Berlin");
    let never: Option<&str> = None;
    scene.client.execute(
        register,
        &[
            &"Backend channel",
            &"discord",
            &discord.url(),
            &none,
            &all,
            &never,
        ],
    )?;
    scene.client.execute(
        register,
        &[
            &"Website team",
            &"teams",
            &workflow.url(),
            &Some(1i64),
            &few,
            &quiet,
        ],
    )?;
    scene.client.execute(
        register,
        &[&"Announcements", &"teams", &connector.url(), &none, &all, &never],
    )?;
    scene.client.batch_execute(&format!(
        "GRANT SELECT ON tasks_project, users_user TO {}; SELECT zentry_update_webhook(2, quiet_hours => '')",
        site.manager.role
    ))?;
    connector.script([Behaviour::Status(400)]);
    zentry::complete_task(&mut scene.client, 2, jiff::Timestamp::now())?;
    scene.settle()?;
    for _ in 0..2 {
        fire(&mut scene.client)?;
        scene.settle()?;
    }
    scene.client.batch_execute(HISTORY)?;
    scene
        .client
        .execute("SELECT zentry_update_webhook(2, quiet_hours => $1)", &[&quiet])?;
    Ok(())
}

#[test]
fn the_pages_of_the_guide() -> Result<()> {
    let pictures = env::var_os("ZENTRY_SCREENSHOTS").map(PathBuf::from);
    // Light and dark from one server, so that both show the same.
    let light = Look {
        height: 760,
        ..Look::DESK
    };
    let mut site = Site::entered(light)?;
    furnish(&mut site)?;
    let mut looks = vec![("light", None)];
    if pictures.is_some() {
        let dark = super::browser::Browser::start(light.dark())?;
        super::enter(&dark, &site.server, &site.manager)?;
        looks.push(("dark", Some(dark)));
    }
    for (name, path) in [
        ("integrations", "/integrations/"),
        ("integration", "/integrations/1/"),
        ("form", "/integrations/2/edit/"),
        ("log", "/logs/"),
        ("delivery", "/logs/2/"),
        ("event", "/events/task_completed/"),
        ("status", "/status/?span=days"),
    ] {
        for (colours, browser) in &looks {
            let browser = browser.as_ref().unwrap_or(&site.browser);
            browser.goto(&format!("{}/admin{path}", site.server.url))?;
            assert_eq!(browser.count("h1")?, 1, "{path}");
            if let Some(directory) = &pictures {
                fs::write(
                    directory.join(format!("admin-{name}-{colours}.png")),
                    browser.picture()?,
                )?;
            }
        }
    }
    Ok(())
}
