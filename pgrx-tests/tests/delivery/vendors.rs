//! The vendors' own hosts have caps that no answer tells of. The emulator poses as them, by way of a proxy.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postgres::Client;
use zentry_e2e::cluster::{ClusterOptions, Stage};
use zentry_e2e::emulator::{Behaviour, Certificate, Kind, Limits, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::proxy::Proxy;
use zentry_e2e::scene::SOON;
use zentry_e2e::site::{Site, wait_for};
use zentry_e2e::wait::eventually;

use crate::replace_worker;

pub const DISCORD: &str = "https://discord.com";
const AZURE: &str = "https://default.01.environment.api.powerplatform.com";

/// A cluster that is set as in production, but for the proxies and their authority.
pub struct Vendors {
    pub site: Site,
    /// Never none.
    pub proxies: Vec<Proxy>,
    pub client: Client,
}

impl Vendors {
    fn enter(name: &str) -> Self {
        Self::enter_by(name, &[Ipv4Addr::LOCALHOST])
    }

    /// By a proxy for each of these addresses, whose password is in the setting.
    pub fn enter_by(name: &str, addresses: &[Ipv4Addr]) -> Self {
        let site = Site::start(ClusterOptions::default()).unwrap();
        let base = site.emulator.https_base_with(Certificate::Vendors).unwrap();
        let target = base.trim_start_matches("https://").parse().unwrap();
        let proxy = |address: &Ipv4Addr| Proxy::from_address(*address, target).unwrap();
        let proxies: Vec<Proxy> = addresses.iter().map(proxy).collect();
        let urls: Vec<String> = proxies
            .iter()
            .map(|proxy| proxy.url().replace("http://", &format!("http://me:{PASSWORD}@")))
            .collect();
        let urls = urls.join(", ");
        let ca_file = Stage::get().unwrap().private_dir().join(format!("{name}-ca.pem"));
        fs::write(&ca_file, site.emulator.ca_pem()).unwrap();
        let mut admin = site.cluster.connect().unwrap();
        for (setting, value) in [
            ("ca_file", ca_file.to_str().unwrap()),
            ("proxy", &urls),
            (
                "allowed_hosts",
                "discord.com, *.environment.api.powerplatform.com",
            ),
            ("allow_http", "off"),
            ("allow_private_addresses", "off"),
        ] {
            admin
                .batch_execute(&format!("ALTER SYSTEM SET zentry_notify.{setting} = '{value}'"))
                .unwrap();
        }
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
        eventually(SOON, "the settings", || {
            let row = admin.query_one("SHOW zentry_notify.proxy", &[]).unwrap();
            (row.get::<_, &str>(0) == urls).then_some(())
        })
        .unwrap();
        let client = site.database(name).unwrap();
        Self {
            site,
            proxies,
            client,
        }
    }

    /// Registers a webhook that has no limit of its own at this host.
    pub fn channel(&mut self, kind: Kind, base: &str) -> Webhook {
        channel(&self.site, &mut self.client, kind, base)
    }
}

pub fn channel(site: &Site, client: &mut Client, kind: Kind, base: &str) -> Webhook {
    const REGISTER: &str = "SELECT zentry_register_webhook($1, $2, $3, event_types => '{task_completed}')";
    let webhook = site.emulator.register(kind);
    webhook.limit(Limits::default());
    let webhook_type = if kind == Kind::Discord { "discord" } else { "teams" };
    let parameters = (webhook.name(), webhook_type, webhook.url_at(base));
    client
        .query_one(REGISTER, &[&parameters.0, &parameters.1, &parameters.2])
        .unwrap();
    webhook
}

/// Of the proxies.
pub const PASSWORD: &str = "MARKEDPROXYPASSWORD";

/// The most of these that were within a second.
pub fn most_in_a_second(mut arrivals: Vec<Timestamp>) -> usize {
    const SECOND: SignedDuration = SignedDuration::from_secs(1);
    arrivals.sort();
    let within = |first: &Timestamp| {
        let rest = arrivals.iter().skip_while(|at| *at < first);
        rest.take_while(|at| at.duration_since(*first) < SECOND).count()
    };
    arrivals.iter().map(within).max().unwrap_or(0)
}

fn arrivals(webhook: &Webhook) -> Vec<Timestamp> {
    webhook.received().iter().map(|received| received.at).collect()
}

#[test]
fn all_webhooks_at_discord_together_get_fifty_requests_a_second() {
    const WEBHOOKS: u64 = 80;
    let mut vendors = Vendors::enter("discord");
    let channels: Vec<Webhook> = (0..WEBHOOKS)
        .map(|_| vendors.channel(Kind::Discord, DISCORD))
        .collect();
    for round in 1..=3 {
        numbered::complete(&mut vendors.client, [round]).unwrap();
        vendors
            .site
            .emulator
            .wait_for_events(WEBHOOKS * round.unsigned_abs(), SOON);
    }
    // The first round shakes hands, which on a busy machine takes longer than the worker takes a request to be on its way:
    // what counts of it is when it left.
    let asked = vendors.proxies[0].asked_at();
    assert!(!asked.is_empty(), "nothing went by the proxy");
    let left = most_in_a_second(asked);
    assert!(left <= 50, "{left}: each on its own, and not together");
    let later: Vec<_> = channels
        .iter()
        .flat_map(|channel| arrivals(channel).split_off(1))
        .collect();
    assert!(later.len() >= channels.len(), "{later:?}");
    let most = most_in_a_second(later);
    assert!(most <= 50, "{most}");
    assert_eq!(vendors.proxies[0].hosts(), ["discord.com:443"]);
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn a_webhook_at_teams_gets_25_requests_in_five_minutes() {
    let mut vendors = Vendors::enter("flows");
    let channel = vendors.channel(Kind::Workflow, AZURE);
    vendors
        .client
        .batch_execute("UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1")
        .unwrap();
    numbered::complete(&mut vendors.client, 1..=30).unwrap();
    channel.wait_for_events(25, SOON);
    const WAITS: &str = "SELECT count(*) FILTER (WHERE status = 'sent'), count(*) FROM zentry_notify.logs";
    eventually(SOON, "25 of 30 to be sent", || {
        let row = vendors.client.query_one(WAITS, &[]).ok()?;
        ((row.get::<_, i64>(0), row.get::<_, i64>(1)) == (25, 30)).then_some(())
    })
    .unwrap();
    // Another worker knows of them.
    replace_worker(&mut vendors.client);
    let other = vendors.channel(Kind::Workflow, AZURE);
    numbered::complete(&mut vendors.client, [31]).unwrap();
    other.wait_for_events(1, SOON);
    assert_eq!(channel.requests(), 25);
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn each_webhook_at_teams_gets_what_its_rate_says() {
    const EVENTS: i64 = 9;
    let mut vendors = Vendors::enter("teams");
    let channels = [(); 3].map(|()| vendors.channel(Kind::Workflow, AZURE));
    vendors
        .client
        .batch_execute(
            "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1, rate_limit = '4/s'",
        )
        .unwrap();
    numbered::complete(&mut vendors.client, 1..=EVENTS).unwrap();
    for channel in &channels {
        channel.wait_for_events(EVENTS.unsigned_abs(), SOON + Duration::from_secs(3));
        assert!(numbered::accepted(channel).into_iter().eq(1..=EVENTS));
        assert!(most_in_a_second(arrivals(channel)) <= 4);
    }
    assert_eq!(
        vendors.proxies[0].hosts(),
        [AZURE.replace("https://", "") + ":443"]
    );
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn the_rate_of_a_webhook_at_teams_is_its_own() {
    let mut vendors = Vendors::enter("own");
    let channels = [(); 3].map(|()| vendors.channel(Kind::Workflow, AZURE));
    vendors
        .client
        .batch_execute(
            "UPDATE zentry_notify.webhook_integration SET max_events_per_message = 1, rate_limit = '4/5min'",
        )
        .unwrap();
    numbered::complete(&mut vendors.client, 1..=9).unwrap();
    for channel in &channels {
        channel.wait_for_events(4, SOON);
    }
    const ROUTED: &str = "SELECT count(*) FILTER (WHERE status = 'sent'), count(*) FROM zentry_notify.logs";
    eventually(SOON, "4 of 9 to be sent by each", || {
        let row = vendors.client.query_one(ROUTED, &[]).ok()?;
        ((row.get::<_, i64>(0), row.get::<_, i64>(1)) == (12, 27)).then_some(())
    })
    .unwrap();
    for channel in &channels {
        assert_eq!(channel.requests(), 4);
    }
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

/// A webhook of one database meets a limit of Discord's for the whole address, which another database's worker heeds; then somebody resumes it.
fn a_limit_of_the_address_ends_for_all(name: &str, others_worker_has_left: bool) {
    let mut vendors = Vendors::enter(name);
    if others_worker_has_left {
        let mut admin = vendors.site.cluster.connect().unwrap();
        admin
            .batch_execute("ALTER SYSTEM SET zentry_notify.idle_timeout = '1s'")
            .unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    }
    let first = vendors.channel(Kind::Discord, DISCORD);
    first.script([Behaviour::RateLimited {
        retry_after: Duration::from_hours(20),
        global: true,
    }]);
    numbered::complete(&mut vendors.client, [1]).unwrap();
    first.wait_for(1, SOON);
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 1 FROM zentry_notify.logs WHERE response_status_code = 429",
    )
    .unwrap();

    let mut other = vendors.site.database("other").unwrap();
    let second = channel(&vendors.site, &mut other, Kind::Discord, DISCORD);
    numbered::complete(&mut other, [1]).unwrap();
    wait_for(
        &mut other,
        "SELECT zentry_notify.unrouted_events() = 0
                AND (SELECT count(*) = 1 FROM zentry_notify.logs WHERE status = 'pending')
                AND (SELECT count(*) = 1 FROM zentry_status() WHERE subject = 'Discord' AND state = 'attention')",
    )
    .unwrap();
    if others_worker_has_left {
        vendors.site.wait_until_left("other").unwrap();
    } else {
        assert!(vendors.site.worker("other").unwrap().is_some());
    }
    assert_eq!(second.requests(), 0);
    vendors.client.batch_execute("SELECT zentry_resume(1)").unwrap();
    first.wait_for_events(1, SOON);
    second.wait_for_events(1, SOON);
    wait_for(
        &mut other,
        "SELECT count(*) = 0 FROM zentry_status() WHERE subject = 'Discord'",
    )
    .unwrap();
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn a_limit_of_the_address_that_is_lifted_ends_for_other_databases() {
    a_limit_of_the_address_ends_for_all("lifted", false);
}

#[test]
fn a_limit_of_the_address_that_is_lifted_brings_workers_back() {
    a_limit_of_the_address_ends_for_all("lifted_left", true);
}
