//! Several ways out: the emulator limits and bans by address, and each proxy has one of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use zentry_e2e::emulator::{Kind, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::site::wait_for;

use crate::vendors::{DISCORD, PASSWORD, Vendors, most_in_a_second};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

fn channels(vendors: &mut Vendors, count: usize) -> Vec<Webhook> {
    (0..count)
        .map(|_| vendors.channel(Kind::Discord, DISCORD))
        .collect()
}

/// When requests arrived, by the address that they came from.
fn arrivals(channels: &[Webhook]) -> BTreeMap<IpAddr, Vec<Timestamp>> {
    let mut found: BTreeMap<IpAddr, Vec<Timestamp>> = BTreeMap::new();
    for received in channels.iter().flat_map(Webhook::received) {
        found.entry(received.from).or_default().push(received.at);
    }
    found
}

/// Everything in order; the message of a webhook that was in flight when a proxy died may be there twice.
fn assert_complete(channels: &[Webhook], events: i64) {
    for channel in channels {
        let messages = numbered::messages(channel);
        let longest = messages.iter().map(Vec::len).max().unwrap_or_default();
        let accepted = messages.concat();
        let first = numbered::first(accepted.iter().copied());
        assert!(
            first.iter().copied().eq(1..=events),
            "{}: {accepted:?}",
            channel.name()
        );
        let repeats = accepted.len() - first.len();
        assert!(repeats <= longest, "{}: {accepted:?}", channel.name());
    }
}

/// Nothing that people see has the password of a proxy.
fn assert_redacted(vendors: &mut Vendors) {
    const SHOWN: &str = "SELECT concat_ws(' ', (SELECT string_agg(s::text, ' ') FROM zentry_status() s), \
                                              (SELECT string_agg(o::text, ' ') FROM zentry_notify.ways_out() o), \
                                              (SELECT string_agg(l::text, ' ') FROM zentry_notify.logs l), \
                                              (SELECT string_agg(a::text, ' ') FROM zentry_notify.delivery_attempt a))";
    let shown: String = vendors.client.query_one(SHOWN, &[]).unwrap().get(0);
    assert!(
        shown.contains("way out 2") && !shown.contains(PASSWORD),
        "{shown}"
    );
}

#[test]
fn messages_leave_by_both_ways_and_no_address_exceeds_its_limit() {
    const WEBHOOKS: usize = 120;
    const ROUNDS: i64 = 3;
    let mut vendors = Vendors::enter_by("both_ways", &[FIRST, SECOND]);
    let channels = channels(&mut vendors, WEBHOOKS);
    for round in 1..=ROUNDS {
        numbered::complete(&mut vendors.client, [round]).unwrap();
        let events = WEBHOOKS * usize::try_from(round).unwrap();
        vendors.site.emulator.wait_for_events(events as u64, SOON);
        if round == 1 {
            // Which shakes hands: it takes longer than the worker takes a request to be on its way.
            let by_address = arrivals(&channels);
            assert_eq!(
                by_address.keys().copied().collect::<Vec<_>>(),
                [IpAddr::from(FIRST), SECOND.into()]
            );
        }
    }
    for (proxy, number) in vendors.proxies.iter().zip(1..) {
        assert!(most_in_a_second(proxy.asked_at()) <= 50, "way {number}");
    }
    assert_complete(&channels, ROUNDS);
    let counted = "SELECT count(*) = 2 AND min(requests) > 0 AND sum(requests) = 360 AND sum(refused + unreached) = 0 FROM zentry_notify.ways_out()";
    wait_for(&mut vendors.client, counted).unwrap();
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 2 FROM zentry_status() WHERE subject LIKE 'way out _' AND state = 'ok'",
    )
    .unwrap();
    assert_redacted(&mut vendors);
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn a_banned_address_gives_its_webhooks_away_and_gets_them_back() {
    const WEBHOOKS: usize = 24;
    let mut vendors = Vendors::enter_by("banned", &[FIRST, SECOND]);
    let channels = channels(&mut vendors, WEBHOOKS);
    vendors.site.emulator.ban(FIRST.into());
    numbered::complete(&mut vendors.client, [1]).unwrap();
    vendors.site.emulator.wait_for_events(WEBHOOKS as u64, SOON);
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 1 FROM zentry_status() WHERE subject = 'way out 1' AND state = 'attention' AND detail LIKE '%has banned its address until%'",
    )
    .unwrap();
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 0 FROM zentry_status() WHERE subject = 'Discord'",
    )
    .unwrap();
    // From then on it is left alone.
    let told = arrivals(&channels).get(&FIRST.into()).map_or(0, Vec::len);
    assert!((1..=WEBHOOKS).contains(&told), "{told}");
    for number in 2..=4 {
        numbered::complete(&mut vendors.client, [number]).unwrap();
        vendors
            .site
            .emulator
            .wait_for_events(WEBHOOKS as u64 * number.unsigned_abs(), SOON);
    }
    assert_eq!(arrivals(&channels)[&FIRST.into()].len(), told);
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 96 AND max(attempts) = 1 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
    assert_redacted(&mut vendors);

    vendors.site.emulator.lift_ban(FIRST.into());
    vendors.client.batch_execute("SELECT zentry_resume(1)").unwrap();
    numbered::complete(&mut vendors.client, [5]).unwrap();
    vendors.site.emulator.wait_for_events(WEBHOOKS as u64 * 5, SOON);
    assert!(
        arrivals(&channels)[&FIRST.into()].len() > told,
        "nobody has come back"
    );
    assert_complete(&channels, 5);
    assert_eq!(vendors.site.emulator.complaints(), [""; 0]);
}

#[test]
fn when_a_proxy_dies_all_goes_by_the_other() {
    const WEBHOOKS: usize = 24;
    const EVENTS: i64 = 60;
    let mut vendors = Vendors::enter_by("dies", &[FIRST, SECOND]);
    let channels = channels(&mut vendors, WEBHOOKS);
    numbered::complete(&mut vendors.client, 1..=20).unwrap();
    vendors.site.emulator.wait_for_events(20 * WEBHOOKS as u64, SOON);
    assert_eq!(arrivals(&channels).len(), 2);
    numbered::complete(&mut vendors.client, 21..=40).unwrap();
    vendors.proxies[0].die();
    numbered::complete(&mut vendors.client, 41..=EVENTS).unwrap();
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 1440 FROM zentry_notify.logs WHERE status = 'sent'",
    )
    .unwrap();
    assert_complete(&channels, EVENTS);
    wait_for(
        &mut vendors.client,
        "SELECT down_until IS NOT NULL AND unreached > 0 FROM zentry_notify.ways_out() WHERE number = 1",
    )
    .unwrap();
    wait_for(
        &mut vendors.client,
        "SELECT count(*) = 1 FROM zentry_status() WHERE subject = 'way out 1' AND state = 'attention' AND detail LIKE '%no endpoint could be reached by it%'",
    )
    .unwrap();
    // It is said which one it was.
    wait_for(
        &mut vendors.client,
        "SELECT count(*) > 0 FROM zentry_notify.delivery_attempt WHERE error_message LIKE '%by way of zentry_notify.proxy no. 1: %'",
    )
    .unwrap();
    assert_redacted(&mut vendors);
}
