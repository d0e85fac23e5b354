//! Senders elsewhere: what several addresses carry, and what they cost the writers.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use anyhow::Result;
use zentry_e2e::emulator::{Certificate, Emulator, Keep, Kind, Options, RateLimit};
use zentry_e2e::program::{self, Running};
use zentry_e2e::proxy::Proxy;
use zentry_e2e::wait::eventually;

use crate::bed::{Bed, Spread, Way};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::load::{Load, Ran};
use crate::write::{A_THOUSAND, held};

const ADDRESSES: [Ipv4Addr; 3] = [
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(127, 0, 0, 3),
    Ipv4Addr::new(127, 0, 0, 4),
];
const PATIENCE: Duration = Duration::from_secs(300);
/// Messages of each address: one for each webhook in all, so that every sender has as many, which takes twenty seconds.
const EACH: u32 = 1_000;
const GLANCE: Duration = Duration::from_millis(1);
const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = :id";
const COMPLETE_ALL: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id <= $1";

pub fn measure(bed: &mut Bed) -> Result<Vec<Row>> {
    bed.connect(Way::Ours)?
        .batch_execute("CREATE ROLE sender LOGIN; SELECT zentry_grant('sender', 'sender')")?;
    let mut rows = vec![addresses(bed)?];
    rows.extend(writers(bed)?);
    Ok(rows)
}

/// Processes that send, each from an address of its own.
struct Senders(Vec<Running>);

impl Senders {
    /// One for each list of arguments, each of which has its share of the webhooks.
    fn start(bed: &mut Bed, arguments: &[Vec<String>]) -> Result<Self> {
        const SPREAD: &str = "\
            SELECT count(*) = $1 AND min(n) = min(w.n_all) / $1 \
              FROM (SELECT count(q.webhook_integration_id) AS n FROM zentry_notify.sender s \
                      LEFT JOIN zentry_notify.sender_queue q ON q.sender_id = s.id GROUP BY s.id) h, \
                   (SELECT count(*) AS n_all FROM zentry_notify.webhook w WHERE w.is_active) w";
        bed.cluster.conf(&[("zentry_notify.senders", "remote")])?;
        let mut senders = Senders(Vec::new());
        for arguments in arguments {
            let cluster = &bed.cluster;
            let child = program::connecting(cluster.dir(), cluster.port(), Way::Ours.database(), "sender")?
                .args(["send", "--log-level", "error"])
                .args(arguments)
                .stderr(Stdio::inherit())
                .spawn()?;
            senders.0.push(Running(child));
        }
        let mut client = bed.connect(Way::Ours)?;
        eventually(PATIENCE, "the webhooks to be spread", || {
            let row = client
                .query_one(SPREAD, &[&i64::try_from(arguments.len()).ok()?])
                .ok()?;
            row.get::<_, Option<bool>>(0)?.then_some(())
        })?;
        Ok(senders)
    }

    /// Leaves all to the worker again.
    fn end(self, bed: &mut Bed) -> Result<()> {
        drop(self);
        bed.cluster.conf(&[("zentry_notify.senders", "local")])?;
        let mut client = bed.connect(Way::Ours)?;
        eventually(PATIENCE, "the worker to have the webhooks", || {
            let held = "SELECT EXISTS (SELECT FROM zentry_notify.sender_queue)";
            (!client.query_one(held, &[]).ok()?.get::<_, bool>(0)).then_some(())
        })
    }
}

/// Under Discord's limit for an address, what three carry over what one does.
fn addresses(bed: &mut Bed) -> Result<Row> {
    crate::progress("Senders: one address, and three");
    let options = Options {
        keep: Keep::Last(1),
        rate_limits: false,
        discord_global: Some(RateLimit::DISCORD_GLOBAL),
        ..Options::default()
    };
    let emulator = Emulator::start_with(options)?;
    // At Discord's own host, as far as the senders know.
    let target = emulator.https_base_with(Certificate::Vendors)?;
    let target = target.trim_start_matches("https://").parse()?;
    let ca_file = std::env::temp_dir().join(format!("zentry-bench-{}.pem", std::process::id()));
    fs::write(&ca_file, emulator.ca_pem())?;
    let proxies: io::Result<Vec<Proxy>> = ADDRESSES
        .iter()
        .map(|address| Proxy::from_address(*address, target))
        .collect();
    let proxies = proxies?;
    let ways: Vec<Vec<String>> = proxies
        .iter()
        .map(|proxy| {
            let ca_file = ca_file.display().to_string();
            vec!["--proxy".to_owned(), proxy.url(), "--ca-file".to_owned(), ca_file]
        })
        .collect();
    let hosts = format!("discord.com, 127.0.0.1:{}", bed.receiver.port);
    bed.cluster
        .conf(&[("zentry_notify.allowed_hosts", hosts.as_str())])?;
    register(bed, &emulator)?;
    let (mut one, mut three, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bed.effort.rounds {
        for (count, rates) in [(1, &mut one), (3, &mut three)] {
            let messages = count * EACH;
            bed.refill(Way::Ours, messages, Spread::ThousandProjects)?;
            let senders = Senders::start(bed, &ways[..count as usize])?;
            emulator.clear();
            bed.connect(Way::Ours)?
                .execute(COMPLETE_ALL, &[&i64::from(messages)])?;
            rates.push(rate(&emulator, messages));
            refused.push((emulator.requests() - u64::from(messages)) as f64);
            bed.wait_until_sent(Way::Ours)?;
            senders.end(bed)?;
        }
    }
    fs::remove_file(ca_file)?;
    let (one, three) = (Samples(one), Samples(three));
    Ok(Row {
        key: "senders-addresses".to_owned(),
        what:
            "Senders on three addresses, each with Discord's 50 requests a second: messages over those of one"
                .to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtLeast(2.9)),
        ours: three.over(&one),
        beside: vec![
            ("one: messages/s".to_owned(), one),
            ("three: messages/s".to_owned(), three),
            ("refused by the limit, of each run".to_owned(), Samples(refused)),
        ],
    })
}

/// One webhook for each of a thousand projects, with one event a message: so many that no limit of a webhook is met.
fn register(bed: &Bed, emulator: &Emulator) -> Result<()> {
    const REGISTER: &str = "SELECT zentry_register_webhook($1, 'discord', $2, $3, '{task_completed}')";
    let mut client = bed.connect(Way::Ours)?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute("DELETE FROM zentry_notify.webhook_integration WHERE name LIKE 'Channel %'")?;
    for number in 0..A_THOUSAND.integrations {
        let url = emulator.register(Kind::Discord).url_at("https://discord.com");
        let project = 1 + i64::try_from(number)?;
        transaction.execute(REGISTER, &[&format!("Channel {number}"), &url, &project])?;
    }
    transaction.batch_execute("UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1")?;
    Ok(transaction.commit()?)
}

/// Messages a second, from the first to the last.
fn rate(emulator: &Emulator, messages: u32) -> f64 {
    let wait = |count: u64| {
        while emulator.event_count() < count {
            thread::sleep(GLANCE);
        }
        Instant::now()
    };
    let first = wait(1);
    f64::from(messages - 1) / wait(u64::from(messages)).duration_since(first).as_secs_f64()
}

/// What a write costs while senders hold the webhooks, over what it costs while the worker does.
fn writers(bed: &mut Bed) -> Result<Vec<Row>> {
    let load = Load {
        statement: COMPLETE.to_owned(),
        clients: 4,
        synchronous: false,
        transactions: 0,
    };
    bed.refill(Way::Bare, bed.effort.tasks(), Spread::Even)?;
    let load = load.calibrated(bed)?;
    let mut rows = Vec::new();
    for (key, what, sending) in [
        ("senders-write", "while nothing is to be sent", false),
        (
            "senders-write-sending",
            "while it is sent, by senders on the same machine",
            true,
        ),
    ] {
        crate::progress(&format!("Senders: a write, {what}"));
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for round in 0..bed.effort.rounds {
            // A B B A, so that a drift of the machine touches both alike.
            let order = if round % 2 == 0 {
                [false, true]
            } else {
                [true, false]
            };
            for by_senders in order {
                bed.register(Way::Ours, if sending { A_THOUSAND } else { held() })?;
                let spread = if sending {
                    Spread::ThousandProjects
                } else {
                    Spread::Even
                };
                bed.refill(Way::Ours, bed.effort.tasks(), spread)?;
                let senders = if by_senders {
                    Some(Senders::start(bed, &vec![Vec::new(); 3])?)
                } else {
                    None
                };
                let ran = load.run(bed, Way::Ours)?;
                if sending {
                    bed.wait_until_sent(Way::Ours)?;
                }
                if let Some(senders) = senders {
                    senders.end(bed)?;
                }
                if by_senders {
                    remote.push(ran)
                } else {
                    local.push(ran)
                }
            }
        }
        let rates = |ran: &[Ran]| ran.iter().map(|ran| ran.rate).collect::<Samples>();
        let processor = |ran: &[Ran]| ran.iter().map(|ran| ran.processor).collect::<Samples>();
        rows.push(Row {
            key: key.to_owned(),
            what: format!(
                "One-row UPDATE that fires one notification, four clients, off, {what}: writes/s with `senders` = remote over local"
            ),
            unit: Unit::Ratio,
            // Senders, their sessions and pgbench share this machine's processors.
            goal: None,
            ours: rates(&remote).over(&rates(&local)),
            beside: vec![("local, writes/s".to_owned(), rates(&local))],
        });
        rows.push(Row {
            key: format!("{key}-processor"),
            what: "· processor time of the sessions, a write, likewise".to_owned(),
            unit: Unit::Ratio,
            goal: (!sending).then_some(Goal::AtMost(1.02)),
            ours: processor(&remote).over(&processor(&local)),
            beside: vec![("local, µs".to_owned(), processor(&local))],
        });
    }
    Ok(rows)
}
