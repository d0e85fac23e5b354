//! What an event's data does not have, because somebody said so: for everybody, for one webhook, or once it is sent.

use anyhow::Result;
use postgres::error::SqlState;
use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::scene::{Channel, Delivery, Scene};
use zentry_e2e::zentry::{self, id};

use crate::role::Role;
use crate::search::Search;

/// Zentry's tables with a mark in the task's description, and channels that leave these keys out.
fn scene(omissions: &[&str]) -> Result<(Scene, Vec<Channel>)> {
    let mut scene = Scene::start()?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET description = 'MARKEDDESCRIPTION'")?;
    let channels = omissions.iter().map(|keys| {
        let channel = scene.channel_for(
            Kind::Discord,
            None,
            Some(&["task_completed", "milestone_reached"]),
        )?;
        let update = "SELECT zentry_update_webhook($1, omit_keys => $2::text::text[])";
        scene.client.query_one(update, &[&channel.id, keys])?;
        Ok(channel)
    });
    let channels = channels.collect::<Result<_>>()?;
    Ok((scene, channels))
}

fn complete(scene: &mut Scene, task: i64) -> Result<Vec<Delivery>> {
    zentry::complete_task(&mut scene.client, task, jiff::Timestamp::now())?;
    scene.settle()
}

/// In the order of the alphabet.
fn keys(delivery: &Delivery) -> Vec<&str> {
    let data = delivery.payload.as_object().expect("an object");
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

const ALL: [&str; 9] = [
    "completed_at",
    "points",
    "project_id",
    "project_name",
    "task_description",
    "task_id",
    "task_title",
    "user_id",
    "user_name",
];

fn without(left_out: &[&str]) -> Vec<&'static str> {
    ALL.into_iter().filter(|key| !left_out.contains(key)).collect()
}

fn of<'a>(deliveries: &'a [Delivery], channel: &Channel) -> &'a Delivery {
    let own = |d: &&Delivery| d.webhook_integration_id == channel.id && d.event_type == "task_completed";
    deliveries.iter().rfind(own).expect("a delivery of the channel")
}

#[test]
fn a_webhook_gets_what_it_may_have_and_others_get_all() -> Result<()> {
    let (mut scene, channels) = scene(&[
        "{}",
        "{task_description}",
        "{task_description,user_name,user_id,nothing}",
    ])?;
    let deliveries = complete(&mut scene, id::LANDING_PAGE)?;
    assert_eq!(keys(of(&deliveries, &channels[0])), ALL);
    assert_eq!(
        keys(of(&deliveries, &channels[1])),
        without(&["task_description"])
    );
    assert_eq!(
        keys(of(&deliveries, &channels[2])),
        without(&["task_description", "user_name", "user_id"])
    );
    let shown = channels[2].webhook.shown();
    assert!(!shown[0].text.contains("chen"), "{shown:#?}");
    assert!(channels[1].webhook.shown()[0].text.contains("chen"));
    // In a session that knows it otherwise already, too.
    scene.client.query_one(
        "SELECT zentry_update_webhook($1, omit_keys => '{}')",
        &[&channels[1].id],
    )?;
    let deliveries = complete(&mut scene, id::REDIRECTS)?;
    assert_eq!(keys(of(&deliveries, &channels[1])), ALL);
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}

#[test]
fn it_holds_for_events_of_every_origin() -> Result<()> {
    let (mut scene, channels) = scene(&["{task_description,project_name,milestone_name}"])?;
    let left_out = ["task_description", "project_name", "milestone_name"];
    // Its project comes later in the transaction; counted by the worker; a sample; sent again.
    let mut transaction = scene.client.transaction()?;
    transaction.batch_execute(
        "INSERT INTO tasks_task (id, title, description, status, priority, emoji, experience_reward, created_at, updated_at, created_by_id, project_id) \
         VALUES (900, 'Held', 'MARKEDDESCRIPTION', 'completed', 'low', '', 1, now(), now(), 1, 900); \
         INSERT INTO tasks_project (id, name, description, emoji, created_by_id, created_at, updated_at) VALUES (900, 'Late', '', '', 1, now(), now())",
    )?;
    transaction.commit()?;
    scene
        .client
        .batch_execute("SELECT zentry_test_event('task_completed')")?;
    let deliveries = scene.settle()?;
    let events: Vec<&str> = deliveries.iter().map(|d| d.event_type.as_str()).collect();
    assert!(
        events.contains(&"milestone_reached") && events.len() >= 3,
        "{deliveries:#?}"
    );
    channels[0].webhook.always(Behaviour::Status(400));
    let failed = complete(&mut scene, id::LANDING_PAGE)?;
    channels[0].webhook.recover();
    // What is left out since then is not sent again either.
    scene.client.query_one(
        "SELECT zentry_update_webhook($1, omit_keys => '{task_description,project_name,milestone_name,user_name}')",
        &[&channels[0].id],
    )?;
    let last = failed.iter().rfind(|d| d.status == "failed").expect("it failed");
    scene.client.query_one("SELECT zentry_retry($1)", &[&last.id])?;
    let deliveries = scene.settle()?;
    let again = deliveries.last().expect("a delivery");
    assert_eq!((again.retry_of, again.status.as_str()), (Some(last.id), "sent"));
    assert!(!keys(again).contains(&"user_name"));
    for delivery in &deliveries {
        assert!(
            keys(delivery).iter().all(|key| !left_out.contains(key)),
            "{delivery:#?}"
        );
    }
    let mut search = Search::for_words(["MARKEDDESCRIPTION".to_owned()]);
    for delivery in &deliveries {
        search.look_at("the log", &format!("{delivery:?}"));
    }
    search.assert_nothing_found();
    Ok(())
}

#[test]
fn what_a_source_leaves_out_is_not_read() -> Result<()> {
    let (mut scene, channels) = scene(&["{}"])?;
    let project = scene.channel_for(Kind::Discord, Some(id::WEBSITE), Some(&["task_completed"]))?;
    let owner = Role::create(&mut scene)?;
    // The owner may not read names, and the description's column is gone: nobody asks for either.
    scene.client.batch_execute(&format!(
        "UPDATE zentry_notify.event_source SET omit = '{{task_description,user_name,project_id}}' WHERE event_type = 'task_completed'; \
         ALTER TABLE tasks_task OWNER TO {0}; GRANT SELECT ON tasks_project TO {0}; \
         ALTER TABLE tasks_task DROP COLUMN description",
        owner.name
    ))?;
    scene
        .client
        .batch_execute("UPDATE tasks_task SET status = 'completed' WHERE id IN (2, 12)")?;
    let deliveries = scene.settle()?;
    for channel in [&channels[0], &project] {
        assert_eq!(
            keys(of(&deliveries, channel)),
            without(&["task_description", "user_name", "project_id"])
        );
    }
    // Who hears goes by the project as before.
    assert_eq!(
        (channels[0].webhook.event_count(), project.webhook.event_count()),
        (2, 1)
    );
    // Attaching again keeps it.
    scene.client.batch_execute("SELECT zentry_attach()")?;
    let omitted: String = scene
        .client
        .query_one(
            "SELECT omit::text FROM zentry_notify.event_source WHERE event_type = 'task_completed'",
            &[],
        )?
        .get(0);
    assert_eq!(omitted, "{task_description,user_name,project_id}");
    Ok(())
}

#[test]
fn an_event_without_any_data_is_an_event() -> Result<()> {
    let (mut scene, channels) = scene(&["{}"])?;
    scene.client.execute(
        "UPDATE zentry_notify.event_source SET omit = $1",
        &[&ALL.map(str::to_owned).to_vec()],
    )?;
    let deliveries = complete(&mut scene, id::LANDING_PAGE)?;
    assert_eq!(of(&deliveries, &channels[0]).payload, serde_json::json!({}));
    assert_eq!(channels[0].webhook.shown()[0].text, "A task was completed.");
    Ok(())
}

#[test]
fn a_list_of_keys_has_keys() -> Result<()> {
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    for (keys, code) in [
        ("ARRAY[NULL]::text[]", SqlState::INVALID_PARAMETER_VALUE),
        ("'{a,NULL}'", SqlState::INVALID_PARAMETER_VALUE),
        ("'{{a},{b}}'", SqlState::INVALID_PARAMETER_VALUE),
    ] {
        let update = format!(
            "SELECT zentry_update_webhook({}, omit_keys => {keys})",
            channel.id
        );
        let error = scene.client.batch_execute(&update).expect_err(keys);
        assert_eq!(error.code(), Some(&code), "{error:?}");
        assert!(error.as_db_error().is_some_and(|e| e.hint().is_some()));
        let update = format!("UPDATE zentry_notify.event_source SET omit = {keys}");
        let error = scene.client.batch_execute(&update).expect_err(keys);
        assert_eq!(error.code(), Some(&code), "{error:?}");
    }
    Ok(())
}

/// Whether nothing is kept of what the deliveries told.
fn all_without_data(deliveries: &[Delivery]) -> bool {
    !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery.payload.is_null())
}

#[test]
fn the_log_keeps_no_data_of_what_is_done_with_if_it_is_not_to() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.database.set("zentry_notify.log_payloads", "off")?;
    scene.client = scene.database.connect()?;
    zentry::load(&mut scene.client)?;
    scene.install()?;
    let sent = scene.channel(Kind::Discord)?;
    let failing = scene.channel(Kind::Workflow)?;
    let gone = scene.channel(Kind::Connector)?;
    failing.webhook.always(Behaviour::Status(413));
    gone.webhook.remove();
    zentry::extend_streak(&mut scene.client, id::CHEN)?;
    zentry::award_badge(&mut scene.client, id::CHEN, id::TASK_MASTER)?;
    for channel in [&sent, &failing] {
        scene.client.query_one(
            "SELECT * FROM zentry_test_webhook($1, 'MARKEDMESSAGE')",
            &[&channel.id],
        )?;
    }
    scene.settle()?;
    let deliveries = scene.wait_until("the data to go", all_without_data)?;
    // The one that is gone may have been switched off before the second event was routed.
    assert!(deliveries.len() >= 7, "{deliveries:#?}");
    for delivery in &deliveries {
        assert!(
            delivery.status != "sent" || delivery.response_body.is_empty(),
            "{delivery:#?}"
        );
    }
    let failed = deliveries
        .iter()
        .find(|d| d.status == "failed")
        .expect("some failed");
    let error = scene
        .client
        .query_one("SELECT zentry_retry($1)", &[&failed.id])
        .expect_err("nothing is left to send");
    assert_eq!(error.code(), Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE));
    let error = error.as_db_error().expect("an error of the server");
    assert!(error.message().contains("has no data any more"), "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("log_payloads")),
        "{error:?}"
    );
    let again: i64 = scene
        .client
        .query_one("SELECT zentry_retry_failed()", &[])?
        .get(0);
    assert_eq!(again, 0);
    // The messages themselves had it all.
    assert!(
        sent.webhook
            .shown()
            .iter()
            .any(|event| event.text.contains("MARKEDMESSAGE"))
    );
    Ok(())
}

#[test]
fn what_waits_has_its_data_until_it_is_sent() -> Result<()> {
    let mut scene = Scene::empty()?;
    scene.database.set("zentry_notify.log_payloads", "off")?;
    scene.client = scene.database.connect()?;
    zentry::load(&mut scene.client)?;
    scene.install()?;
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.always(Behaviour::Status(500));
    zentry::extend_streak(&mut scene.client, id::CHEN)?;
    let waiting = scene.wait_until("the first attempt", |all| all.iter().any(|d| d.status == "retry"))?;
    assert!(waiting[0].payload.is_object(), "{waiting:#?}");
    channel.webhook.recover();
    scene.settle()?;
    scene.wait_until("the data to go", all_without_data)?;
    assert_eq!(channel.webhook.event_count(), 1);
    Ok(())
}
