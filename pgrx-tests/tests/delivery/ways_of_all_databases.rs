//! What Discord has against an address is known to the workers of all databases at once.

use std::net::Ipv4Addr;

use postgres::Client;
use zentry_e2e::emulator::{Kind, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::scene::SOON;
use zentry_e2e::site::wait_for;

use crate::vendors::{DISCORD, Vendors, channel};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const WEBHOOKS: usize = 24;

fn channels(vendors: &Vendors, client: &mut Client) -> Vec<Webhook> {
    (0..WEBHOOKS)
        .map(|_| channel(&vendors.site, client, Kind::Discord, DISCORD))
        .collect()
}

/// The requests that came from the first address.
fn from_first(channels: &[Webhook]) -> usize {
    let received = channels.iter().flat_map(Webhook::received);
    received.filter(|received| received.from == FIRST).count()
}

#[test]
fn a_worker_leaves_an_address_alone_that_another_has_found_banned() {
    let mut vendors = Vendors::enter_by("finds", &[FIRST, SECOND]);
    let mut other = vendors.site.database("learns").unwrap();
    let learns = channels(&vendors, &mut other);
    let mut client = vendors.site.connect("finds").unwrap();
    let finds = channels(&vendors, &mut client);
    numbered::complete(&mut other, [1]).unwrap();
    vendors.site.emulator.wait_for_events(WEBHOOKS as u64, SOON);
    let before = from_first(&learns);
    assert!((1..WEBHOOKS).contains(&before), "{before}");

    vendors.site.emulator.ban(FIRST.into());
    numbered::complete(&mut vendors.client, [1]).unwrap();
    vendors.site.emulator.wait_for_events(2 * WEBHOOKS as u64, SOON);
    assert!(from_first(&finds) > 0);
    wait_for(
        &mut other,
        "SELECT discord_parked_until > now() FROM zentry_notify.ways_out() WHERE number = 1",
    )
    .unwrap();
    numbered::complete(&mut other, [2]).unwrap();
    vendors.site.emulator.wait_for_events(3 * WEBHOOKS as u64, SOON);
    assert_eq!(from_first(&learns), before);
}
