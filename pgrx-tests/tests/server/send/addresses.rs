//! The addresses that messages leave from, and what is done when Discord bans them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::{fs, io};

use anyhow::{Context, Result};
use postgres::Client;
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Behaviour, Certificate, Emulator, Kind, Limits, Webhook};
use zentry_e2e::numbered;
use zentry_e2e::proxy::Proxy;
use zentry_e2e::scene::{SOON, Scene, all_sent};
use zentry_e2e::wait::eventually;

use super::sender::{Sender, held, scene};
use crate::support::connecting;

/// Makes proxies at these addresses by which the emulator is reached as Discord's own host, and a file of its authority.
pub fn as_discord(scene: &mut Scene, name: &str, addresses: &[Ipv4Addr]) -> Result<(Vec<Proxy>, String)> {
    let base = scene.emulator.https_base_with(Certificate::Vendors)?;
    let target = base.trim_start_matches("https://").parse()?;
    let proxies: io::Result<Vec<Proxy>> = addresses
        .iter()
        .map(|address| Proxy::from_address(*address, target))
        .collect();
    let ca_file = Stage::get()?.private_dir().join(format!("{name}-ca.pem"));
    fs::write(&ca_file, scene.emulator.ca_pem())?;
    scene.database.set("zentry_notify.allowed_hosts", "discord.com")?;
    scene.client = scene.database.connect()?;
    Ok((proxies?, ca_file.to_str().context("a path")?.to_owned()))
}

/// Registers a webhook of this vendor's, at Discord's own host, and returns its number with it.
pub fn at_discord(vendor: &Emulator, client: &mut Client, name: &str) -> Result<(i64, Webhook)> {
    const REGISTER: &str =
        "SELECT zentry_register_webhook($1, 'discord', $2, event_types => '{task_completed}')";
    let webhook = vendor.register(Kind::Discord);
    webhook.limit(Limits::default());
    let url = webhook.url_at("https://discord.com");
    let id = client.query_one(REGISTER, &[&name, &url])?.get(0);
    Ok((id, webhook))
}

fn is_banned(client: &mut Client, sender: &Sender) -> Result<bool> {
    let sql = "SELECT banned_until IS NOT NULL FROM zentry_notify.sender WHERE name = $1";
    Ok(client.query_one(sql, &[&sender.name])?.get(0))
}

#[test]
fn an_address_that_is_banned_gives_its_webhooks_away() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let (proxies, ca_file) = as_discord(&mut scene, "banned-sender", &[Ipv4Addr::LOCALHOST])?;
    let (id, webhook) = at_discord(&scene.emulator, &mut scene.client, "banned")?;
    let url = proxies[0].url();
    let arguments = ["--proxy", url.as_str(), "--ca-file", &ca_file];
    let first = Sender::start_with(&mut scene, &login, &arguments)?;
    let second = Sender::start_with(&mut scene, &login, &arguments)?;
    eventually(SOON, "the first one to have it", || {
        (held(&mut scene.client, &[&first, &second]) == [1, 0]).then_some(())
    })?;
    webhook.script([Behaviour::EdgeBan]);
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    assert_eq!(numbered::accepted(&webhook), [1]);
    assert_eq!(second.holds(&mut scene.client), [id]);
    assert!(is_banned(&mut scene.client, &first)?);
    Ok(())
}

#[test]
fn a_sender_with_several_addresses_gives_its_webhooks_away_when_all_are_banned() -> Result<()> {
    const WEBHOOKS: usize = 20;
    const ADDRESSES: [Ipv4Addr; 3] = [
        Ipv4Addr::new(127, 0, 0, 2),
        Ipv4Addr::new(127, 0, 0, 3),
        Ipv4Addr::new(127, 0, 0, 4),
    ];
    let (mut scene, login) = scene("remote")?;
    let (proxies, ca_file) = as_discord(&mut scene, "several-addresses", &ADDRESSES)?;
    let webhooks: Result<Vec<_>> = (1..=WEBHOOKS)
        .map(|number| at_discord(&scene.emulator, &mut scene.client, &format!("webhook {number}")))
        .collect();
    let webhooks = webhooks?;
    let two = format!("{}, {}", proxies[0].url(), proxies[1].url());
    let first = Sender::start_with(&mut scene, &login, &["--proxy", &two, "--ca-file", &ca_file])?;
    eventually(SOON, "it to have all of them", || {
        (first.holds(&mut scene.client).len() == WEBHOOKS).then_some(())
    })?;
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    let received = webhooks.iter().flat_map(|(_, webhook)| webhook.received());
    let from: BTreeSet<IpAddr> = received.map(|one| one.from).collect();
    assert_eq!(from, ADDRESSES[..2].iter().copied().map(IpAddr::from).collect());

    scene.emulator.ban(ADDRESSES[0].into());
    numbered::complete(&mut scene.client, [2])?;
    assert!(all_sent(&scene.settle()?));
    for (_, webhook) in &webhooks {
        assert_eq!(numbered::accepted(webhook), [1, 2]);
    }
    assert!(!is_banned(&mut scene.client, &first)?);

    let third = proxies[2].url();
    let second = Sender::start_with(&mut scene, &login, &["--proxy", &third, "--ca-file", &ca_file])?;
    scene.emulator.ban(ADDRESSES[1].into());
    numbered::complete(&mut scene.client, [3])?;
    assert!(all_sent(&scene.settle()?));
    for (_, webhook) in &webhooks {
        assert_eq!(numbered::accepted(webhook), [1, 2, 3]);
        assert!(webhook.received().iter().any(|one| one.from == ADDRESSES[2]));
    }
    assert!(is_banned(&mut scene.client, &first)?);
    assert_eq!(second.holds(&mut scene.client).len(), WEBHOOKS);
    Ok(())
}

#[test]
fn messages_leave_from_the_address_that_is_asked_for() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let _sender = Sender::start_with(&mut scene, &login, &["--source-address", "127.0.0.7"])?;
    numbered::complete(&mut scene.client, [1])?;
    assert!(all_sent(&scene.settle()?));
    let from: Vec<IpAddr> = channel.webhook.received().iter().map(|one| one.from).collect();
    assert_eq!(from, [IpAddr::from([127, 0, 0, 7])]);
    // An address of documentation is no machine's.
    let cluster = scene.database.cluster();
    let refused = connecting(cluster.dir(), cluster.port(), scene.database.name(), &login)?
        .args(["send", "--source-address", "192.0.2.1"])
        .output()?;
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("messages cannot leave from 192.0.2.1"), "{said}");
    Ok(())
}
