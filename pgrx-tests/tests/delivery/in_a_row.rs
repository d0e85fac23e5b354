//! What is counted in a row outlives the worker that counts.

use std::time::Duration;

use zentry_e2e::emulator::{Behaviour, Kind};
use zentry_e2e::numbered;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

use crate::outages::*;
use crate::{channel, is_true, replace_worker, scene};

/// A worker leaves when nothing is to be done.
#[test]
fn refusals_in_a_row_are_counted_across_workers() {
    const COUNTED: &str =
        "count(*) = 1 FROM zentry_notify.webhook_state WHERE webhook_integration_id = $1 AND refusals = $2";
    let mut scene = scene(&[]);
    let channel = channel(&mut scene, Kind::Discord);
    channel.webhook.always(Behaviour::Status(403));
    for refusals in 1..=3 {
        numbered::complete(&mut scene.client, [refusals]).unwrap();
        let number = i32::try_from(refusals).unwrap();
        eventually(SOON, "the refusal to be counted", || {
            is_true(&mut scene.client, COUNTED, &[&channel.id, &number]).then_some(())
        })
        .unwrap();
        replace_worker(&mut scene.client);
    }
    scene
        .client
        .execute("UPDATE zentry_notify.webhook_state SET refusals = 9", &[])
        .unwrap();
    replace_worker(&mut scene.client);
    numbered::complete(&mut scene.client, [4]).unwrap();
    let reason = wait_for_state(&mut scene, &channel, "gone").unwrap();
    assert!(reason.contains("10"), "{reason}");
}

/// Likewise what fails, and what is told to wait: the next worker goes on counting where this one was. More limits than four are
/// counted as four.
#[test]
fn failures_and_limits_in_a_row_are_counted_across_workers() {
    let limited = Behaviour::RateLimited {
        retry_after: Duration::ZERO,
        global: false,
    };
    for (behaviour, column, after) in [(Behaviour::Status(503), "failures", 1001), (limited, "limits", 4)] {
        let counted = format!(
            "EXISTS (SELECT FROM zentry_notify.webhook_state WHERE webhook_integration_id = $1 AND {column} = $2)"
        );
        let mut scene = scene(&[]);
        let channel = channel(&mut scene, Kind::Discord);
        let wait_for_count = |scene: &mut Scene, count: i32| {
            eventually(SOON, format!("{column} to be {count}"), || {
                is_true(&mut scene.client, &counted, &[&channel.id, &count]).then_some(())
            })
            .unwrap();
        };
        // While a request hangs, nothing is counted.
        let one_answer = [behaviour, Behaviour::Hang];
        channel.webhook.script([one_answer.clone(), one_answer].concat());
        numbered::complete(&mut scene.client, [1]).unwrap();
        channel.webhook.wait_for(2, SOON);
        wait_for_count(&mut scene, 1);
        scene
            .client
            .execute(
                &format!("UPDATE zentry_notify.webhook_state SET {column} = 1000"),
                &[],
            )
            .unwrap();
        replace_worker(&mut scene.client);
        wait_for_count(&mut scene, after);
    }
}
