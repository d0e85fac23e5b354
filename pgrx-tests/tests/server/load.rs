//! Many requests while events are delivered: none fails, and nothing is lost. `scripts/load` runs it for longer, and prints how fast
//! it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, ensure};
use zentry_e2e::emulator::{Kind, Limits};
use zentry_e2e::numbered;
use zentry_e2e::scene::{Scene, all_sent};

use crate::support::{API, Server};

const CLIENTS: u32 = 16;

fn setting(name: &str, default: u32) -> Result<u32> {
    env::var(name).map_or(Ok(default), |value| value.parse().context(name.to_owned()))
}

/// One client's part: a request whenever it is time for one. How long each took.
fn requests(
    server: &Server,
    token: &str,
    first: Instant,
    pause: Duration,
    count: u32,
) -> Result<Vec<Duration>> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let authorization = format!("Bearer {token}");
    let mut took = Vec::new();
    for number in 0..count {
        thread::sleep((first + pause * number).saturating_duration_since(Instant::now()));
        let path = match number % 3 {
            0 => "webhook-integrations/",
            1 => "notification-logs/",
            _ => "notification-logs/?status=sent",
        };
        let start = Instant::now();
        let mut answer = agent
            .get(format!("{}{API}/{path}", server.url))
            .header("Authorization", &authorization)
            .call()?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status() == 200, "{path}: {} {text}", answer.status());
        took.push(start.elapsed());
    }
    Ok(took)
}

#[test]
fn requests_and_deliveries_do_not_hinder_each_other() -> Result<()> {
    let (rate, seconds) = (setting("ZENTRY_RATE", 100)?, setting("ZENTRY_SECONDS", 2)?);
    let mut scene = Scene::start()?;
    // Milestones are passed, too.
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    channel.webhook.limit(Limits::default());
    let server = Server::start_with(&mut scene, &["--log-level", "warn"])?;
    let reader = server.token(&mut scene, "reader")?;
    let mut writer = scene.database.connect()?;

    let done = AtomicBool::new(false);
    let start = Instant::now();
    let (mut took, written) = thread::scope(|scope| -> Result<_> {
        let writes = scope.spawn(|| -> Result<i64> {
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                numbered::complete(&mut writer, written..written + 5)?;
                written += 5;
                thread::sleep(Duration::from_millis(50));
            }
            Ok(written)
        });
        let pause = Duration::from_secs(1) * CLIENTS / rate;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (server, token) = (&server, reader.text.as_str());
                let first = start + pause / CLIENTS * client;
                scope.spawn(move || requests(server, token, first, pause, rate * seconds / CLIENTS))
            })
            .collect();
        let mut took = Vec::new();
        for client in clients {
            took.extend(client.join().expect("a client")?);
        }
        done.store(true, Ordering::Relaxed);
        Ok((took, writes.join().expect("the writer")?))
    })?;
    let elapsed = start.elapsed();
    let deliveries = scene.settle()?;
    assert_eq!(deliveries.len() as i64, written);
    assert!(all_sent(&deliveries));
    assert_eq!(
        numbered::accepted(&channel.webhook),
        (0..written).collect::<Vec<_>>()
    );

    took.sort_unstable();
    let quantile = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    eprintln!(
        "{} requests in {elapsed:.1?} ({:.0} a second), 50 % within {:.1?}, 99 % within {:.1?}, none failed; {written} events delivered meanwhile",
        took.len(),
        took.len() as f64 / elapsed.as_secs_f64(),
        quantile(0.5),
        quantile(0.99),
    );
    Ok(())
}
