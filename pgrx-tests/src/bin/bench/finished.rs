//! Whether 10,000,000 finished rows in the log matter.

use anyhow::Result;

use crate::bed::{Audience, Bed, CHANNELS, Spread, Way, is_earlier};
use crate::drain::Backlog;
use crate::figures::{Goal, Row, Samples, Unit};
use crate::load::Load;
use crate::write;

const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = :id";
/// What the finished events had, as SQL.
const PAYLOAD: &str = "jsonb_build_object('task_id', 1, 'task_title', 'Task 1', 'task_description', 'What has to be done', \
                                         'user_name', 'user1', 'project_name', 'Project 1')";
const WAYS: [Way; 2] = [Way::Ours, Way::Finished];

pub fn measure(bed: &mut Bed) -> Result<Vec<Row>> {
    crate::progress("10,000,000 finished rows in the log");
    bed.cluster.conf(&[("autovacuum", "off")])?;
    bed.make_database(Way::Finished)?;
    for way in WAYS {
        bed.register(way, write::held())?;
    }
    register_archive(bed)?;
    fill(bed)?;
    let mut rows = capture(bed)?;
    rows.push(claim(bed)?);
    Ok(rows)
}

/// Whom the finished rows are of: the deliveries of a webhook that is deleted are removed, and each backlog has webhooks of its own.
fn register_archive(bed: &Bed) -> Result<()> {
    let mut client = bed.connect(Way::Finished)?;
    for number in 0..CHANNELS {
        client.execute(
            "SELECT zentry_register_webhook($1, 'discord', $2)",
            &[&format!("Archive {number}"), &bed.receiver.url(number)],
        )?;
    }
    client.batch_execute(
        "UPDATE zentry_notify.webhook_integration SET is_active = false WHERE name LIKE 'Archive %'",
    )?;
    Ok(())
}

fn fill(bed: &Bed) -> Result<()> {
    let rows = bed.effort.either(10_000_000, 200_000);
    let mut client = bed.connect(Way::Finished)?;
    let (fill, vacuum) = if is_earlier(&mut client)? {
        (
            format!(
                "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload, status, attempts, \
                        response_status_code, response_body, sent_at) \
                 SELECT w.ids[1 + n % 100], 'task_completed', {PAYLOAD}, 'sent', 1, 200, '{{\"id\": \"123\"}}', now() \
                   FROM (SELECT array_agg(id ORDER BY id) AS ids FROM zentry_notify.webhook_integration WHERE name LIKE 'Archive %') w, \
                        generate_series(1, {rows}) n"
            ),
            "VACUUM (ANALYZE) zentry_notify.notification_log",
        )
    } else {
        (
            format!(
                "INSERT INTO zentry_notify.event (event_type, data, context) \
                 SELECT 'task_completed', {PAYLOAD}::json, '{{\"routed\": true}}' FROM generate_series(1, {rows}) n; \
                 INSERT INTO zentry_notify.delivery (event_id, webhook_integration_id, event_type, status, attempts, \
                        response_status_code, finished_at) \
                 SELECT e.id, w.ids[1 + e.id % 100], 'task_completed', 's', 1, 200, now() \
                   FROM (SELECT array_agg(id ORDER BY id) AS ids FROM zentry_notify.webhook_integration WHERE name LIKE 'Archive %') w, \
                        zentry_notify.event e"
            ),
            "VACUUM (ANALYZE) zentry_notify.event, zentry_notify.delivery",
        )
    };
    client.batch_execute(&fill)?;
    client.batch_execute(vacuum)?;
    // Rows that are put into the tables of events and deliveries by hand wake no worker.
    client.batch_execute("SELECT zentry_notify.wake('{}')")?;
    bed.wait_until_sent(Way::Finished)
}

fn capture(bed: &Bed) -> Result<Vec<Row>> {
    bed.refill(Way::Bare, bed.effort.tasks(), Spread::Even)?;
    let load = Load {
        statement: COMPLETE.to_owned(),
        clients: 4,
        synchronous: false,
        transactions: 0,
    };
    let load = load.calibrated(bed)?;
    let runs = write::in_turns(bed, &WAYS, |way| {
        bed.refill(way, bed.effort.tasks(), Spread::Even)?;
        load.run(bed, way)
    })?;
    let what = "10,000,000 finished rows in the log: capture, over that with an empty log, four clients, off";
    let mut rows = write::rows("finished-capture", what, &WAYS, &runs, Goal::AtLeast(1.0 / 1.1));
    for (name, _) in rows.iter_mut().flat_map(|row| &mut row.beside) {
        *name = name.replace(Way::Ours.name(), "empty log");
    }
    Ok(rows.into())
}

fn claim(bed: &mut Bed) -> Result<Row> {
    for way in WAYS {
        // What the writes have left.
        bed.register(way, Audience::default())?;
        bed.wait_until_sent(way)?;
    }
    let backlog = Backlog {
        integrations: CHANNELS,
        deliveries: 10_000,
        events_per_message: 1,
    };
    let (mut empty, mut full) = (Vec::new(), Vec::new());
    for _ in 0..bed.effort.rounds {
        empty.push(backlog.drain(bed, Way::Ours)?.rate);
        full.push(backlog.drain(bed, Way::Finished)?.rate);
    }
    let (empty, full) = (Samples(empty), Samples(full));
    Ok(Row {
        key: "finished-claim".to_owned(),
        what: "· claim and record: the rate of a backlog of 10,000, over that with an empty log".to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtLeast(1.0 / 1.1)),
        ours: full.over(&empty),
        beside: vec![("empty log: requests/s".to_owned(), empty)],
    })
}
