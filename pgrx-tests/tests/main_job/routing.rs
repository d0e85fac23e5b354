//! Who hears of what.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, Scene};
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, webhook_ids};

fn of_project(scene: &mut Scene, project: i64) -> Channel {
    scene.channel_for(Kind::Discord, Some(project), None).unwrap()
}

#[test]
fn a_task_is_heard_by_its_project_and_by_those_of_every_project() {
    let mut scene = Scene::start().unwrap();
    let everywhere = scene.channel(Kind::Discord).unwrap();
    let website = of_project(&mut scene, id::WEBSITE);
    let website_too = of_project(&mut scene, id::WEBSITE);
    let app = of_project(&mut scene, id::MOBILE_APP);
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(
        webhook_ids(&fired, "task_completed"),
        [everywhere.id, website.id, website_too.id]
    );
    assert_eq!(app.webhook.requests(), 0);
    assert_eq!(website.webhook.event_count(), 1);
    assert_clean(&scene);
}

/// One statement with rows of two projects.
#[test]
fn each_row_of_a_statement_goes_its_own_way() {
    let mut scene = Scene::start().unwrap();
    let website = of_project(&mut scene, id::WEBSITE);
    let app = of_project(&mut scene, id::MOBILE_APP);
    zentry::bulk_complete(&mut scene.client, &[2, 12, 13]).unwrap();
    let fired = scene.settle().unwrap();
    let heard = |channel: &Channel| {
        fired
            .iter()
            .filter(|delivery| {
                delivery.webhook_integration_id == channel.id && delivery.event_type == "task_completed"
            })
            .map(|delivery| delivery.payload["task_id"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!((heard(&website), heard(&app)), (vec![2], vec![12, 13]));
    assert_clean(&scene);
}

#[test]
fn a_milestone_is_heard_by_its_project_and_by_those_of_every_project() {
    let mut scene = Scene::start().unwrap();
    let everywhere = scene.channel(Kind::Discord).unwrap();
    let website = of_project(&mut scene, id::WEBSITE);
    let app = of_project(&mut scene, id::MOBILE_APP);
    zentry::bulk_complete(&mut scene.client, &[2, 3]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(
        webhook_ids(&fired, "milestone_reached"),
        [everywhere.id, website.id]
    );
    assert_eq!(app.webhook.requests(), 0);
    assert_clean(&scene);
}

#[test]
fn a_new_project_is_heard_by_all() {
    let mut scene = Scene::start().unwrap();
    let everywhere = scene.channel(Kind::Discord).unwrap();
    let website = of_project(&mut scene, id::WEBSITE);
    let app = of_project(&mut scene, id::MOBILE_APP);
    zentry::create_project(&mut scene.client, "Atlas", "", id::DALIA, &[]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(
        webhook_ids(&fired, "project_created"),
        [everywhere.id, website.id, app.id]
    );
    assert_clean(&scene);
}

#[test]
fn event_types_say_what_is_heard() {
    let mut scene = Scene::start().unwrap();
    let badges = scene
        .channel_for(Kind::Discord, None, Some(&["badge_earned"]))
        .unwrap();
    let two = scene
        .channel_for(Kind::Discord, None, Some(&["daily_streak", "task_completed"]))
        .unwrap();
    let none = scene.channel_for(Kind::Discord, None, Some(&[])).unwrap();
    let star = scene
        .channel_for(Kind::Discord, None, Some(&["*", "task_completed"]))
        .unwrap();
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
    zentry::create_project(&mut scene.client, "Atlas", "", id::DALIA, &[]).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(webhook_ids(&fired, "task_completed"), [two.id, star.id]);
    assert_eq!(webhook_ids(&fired, "daily_streak"), [two.id, star.id]);
    assert_eq!(webhook_ids(&fired, "badge_earned"), [badges.id, star.id]);
    assert_eq!(webhook_ids(&fired, "project_created"), [star.id]);
    assert_eq!(none.webhook.requests(), 0);
    assert_clean(&scene);
}

#[test]
fn what_is_switched_off_hears_nothing_and_nothing_is_kept_for_it() {
    let mut scene = Scene::start().unwrap();
    let off = scene.channel(Kind::Discord).unwrap();
    scene
        .client
        .execute("SELECT zentry_update_webhook($1, is_active => false)", &[&off.id])
        .unwrap();
    zentry::bulk_complete(&mut scene.client, &[id::LANDING_PAGE]).unwrap();
    zentry::extend_streak(&mut scene.client, id::ADA).unwrap();
    assert!(scene.deliveries().unwrap().is_empty());
    scene
        .client
        .execute("SELECT zentry_update_webhook($1, is_active => true)", &[&off.id])
        .unwrap();
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER).unwrap();
    let fired = scene.settle().unwrap();
    assert_eq!(fired.len(), 1);
    assert_eq!(off.webhook.event_count(), 1);
    assert_clean(&scene);
}
