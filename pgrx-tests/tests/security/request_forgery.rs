//! The worker as a way into the database host's network: where a webhook may lead, at registration and when it is called.

use std::net::TcpListener;

use anyhow::{Result, ensure};
use postgres::Client;
use postgres::error::SqlState;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::{Emulator, Webhook};
use zentry_e2e::scene::{Delivery, Scene, hosts};
use zentry_e2e::site::{Site, fire};
use zentry_e2e::zentry;

pub const DISCORD: &str =
    "/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123";

/// Where nobody may come to.
pub fn trap() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

pub fn assert_untouched(trap: &TcpListener) {
    assert!(trap.accept().is_err(), "somebody has connected");
}

pub fn register(client: &mut Client, url: &str) -> Result<i64, postgres::Error> {
    let row = client.query_one("SELECT zentry_register_webhook('x', 'discord', $1)", &[&url])?;
    Ok(row.get(0))
}

/// Refused as a bad parameter, with these words in the message and these in the hint.
fn assert_refused(client: &mut Client, url: &str, words: &str, hint: &str) {
    let error = register(client, url).expect_err(url);
    assert_eq!(
        error.code(),
        Some(&SqlState::INVALID_PARAMETER_VALUE),
        "{url}: {error:?}"
    );
    let error = error.as_db_error().expect("an error of the server");
    assert!(error.message().contains(words), "{url}: {}", error.message());
    assert!(
        error.hint().is_some_and(|text| text.contains(hint)),
        "{url}: {error:?}"
    );
}

#[test]
fn registration_refuses_what_must_not_be_called_and_says_what_to_do() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.client.batch_execute(
        "SET zentry_notify.allow_http = off; SET zentry_notify.allow_private_addresses = off; \
         SET zentry_notify.allowed_hosts = 'discord.com, *.example.org'",
    )?;
    for (url, words, hint) in [
        (
            format!("http://discord.com{DISCORD}"),
            "must start with https://",
            "allow_http",
        ),
        (
            format!("ftp://discord.com{DISCORD}"),
            "must start with https://",
            "Copy the whole URL",
        ),
        (
            "file:///etc/passwd".to_owned(),
            "must start with https://",
            "Copy the whole URL",
        ),
        (
            format!("https://user:password@discord.com{DISCORD}"),
            "a user name or a password",
            "Remove it",
        ),
        (
            format!("https://discord.com{DISCORD}#x"),
            "a fragment",
            "Remove it",
        ),
        (
            format!("https://discord.com:8443{DISCORD}"),
            "port 8443",
            "\"discord.com:8443\"",
        ),
        (
            format!("https://evil.example{DISCORD}"),
            "the host \"evil.example\"",
            "\"evil.example\" to zentry_notify.allowed_hosts",
        ),
        (
            format!("https://discord.com.evil.example{DISCORD}"),
            "the host",
            "allowed_hosts",
        ),
        (
            format!("https://notdiscord.com{DISCORD}"),
            "the host",
            "allowed_hosts",
        ),
        (
            format!("https://example.org{DISCORD}"),
            "the host",
            "allowed_hosts",
        ),
        (
            format!("https://discord.com\\@evil.example{DISCORD}"),
            "not one of Discord's",
            "looks like",
        ),
        (
            format!("https://discord.com%2eevil.example{DISCORD}"),
            "the host",
            "allowed_hosts",
        ),
        (
            format!("https://127.0.0.1{DISCORD}"),
            "the host \"127.0.0.1\"",
            "allowed_hosts",
        ),
    ] {
        assert_refused(&mut scene.client, &url, words, hint);
    }
    Ok(())
}

#[test]
fn an_address_that_is_not_public_is_refused_in_every_notation_even_if_its_host_is_allowed() -> Result<()> {
    let mut scene = Scene::start()?;
    scene
        .client
        .batch_execute("SET zentry_notify.allow_private_addresses = off")?;
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "0xa9fea9fe",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "[fc00::1]",
        "[2001:db8::1]",
    ] {
        scene
            .client
            .batch_execute(&format!("SET zentry_notify.allowed_hosts = '{host}'"))?;
        assert_refused(
            &mut scene.client,
            &format!("https://{host}{DISCORD}"),
            "not a public address",
            "allow_private_addresses",
        );
    }
    for host in ["1.1.1.1", "[2606:4700:4700::1111]"] {
        scene
            .client
            .batch_execute(&format!("SET zentry_notify.allowed_hosts = '{host}'"))?;
        register(&mut scene.client, &format!("https://{host}{DISCORD}"))?;
    }
    Ok(())
}

/// The only delivery's error, once it has been tried.
pub fn refusal(client: &mut Client) -> Result<String> {
    let tried = |all: &[Delivery]| {
        all.last()
            .is_some_and(|last| last.attempts > 0 && !last.error_message.is_empty())
    };
    let all = Delivery::wait_until(client, "the worker to try", tried)?;
    let last = all.last().expect("a delivery");
    ensure!(last.status == "retry", "{last:#?}");
    Ok(last.error_message.clone())
}

#[test]
fn what_was_registered_is_checked_again_when_it_is_called() -> Result<()> {
    let emulator = Emulator::start()?;
    let allowed = hosts(&emulator);
    let mut site = Site::start(ClusterOptions::default())?;
    site.cluster.conf(&[("zentry_notify.allowed_hosts", &allowed)])?;
    let mut client = site.database("zentry")?;
    for (setting, forbidding, permitting, words) in [
        (
            "zentry_notify.allowed_hosts",
            "discord.com",
            allowed.as_str(),
            "not allowed: webhooks may not be sent to the host \"127.0.0.1\"",
        ),
        (
            "zentry_notify.allow_private_addresses",
            "off",
            "on",
            "not allowed: webhooks may not be sent to 127.0.0.1, which is not a public address",
        ),
        (
            "zentry_notify.allow_http",
            "off",
            "on",
            "not allowed: the webhook URL must start with https://",
        ),
    ] {
        let webhook = emulator.discord_webhook();
        let id = register(&mut client, &webhook.url())?;
        site.cluster.conf(&[(setting, forbidding)])?;
        fire(&mut client)?;
        let error = refusal(&mut client)?;
        assert!(error.contains(words), "{setting}: {error}");
        // In a session, too, and there it is the caller's error.
        let mut session = site.connect("zentry")?;
        let error = session
            .query("SELECT * FROM zentry_test_webhook($1)", &[&id])
            .expect_err("it is forbidden");
        assert_eq!(
            error.code(),
            Some(&SqlState::INVALID_PARAMETER_VALUE),
            "{error:?}"
        );
        assert_eq!(webhook.requests(), 0, "{setting}");
        // Nothing is lost by it.
        site.cluster.conf(&[(setting, permitting)])?;
        Delivery::settle(&mut client)?;
        assert_eq!(webhook.event_count(), 1, "{setting}");
        client.query_one("SELECT zentry_delete_webhook($1)", &[&id])?;
    }
    Ok(())
}

#[test]
fn a_name_is_judged_by_what_it_resolves_to() -> Result<()> {
    let (trap, port) = trap()?;
    let mut site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    // Not for the database alone: a worker that runs already would not hear of it.
    site.cluster.conf(&[
        ("zentry_notify.allowed_hosts", &format!("localhost:{port}")),
        ("zentry_notify.allow_private_addresses", "off"),
    ])?;
    register(&mut client, &format!("http://localhost:{port}{DISCORD}"))?;
    fire(&mut client)?;
    // It is tried until it is too old: settings are mended.
    let deliveries = Delivery::wait_until(&mut client, "the deliveries to be refused", |all| {
        !all.is_empty() && all.iter().all(|delivery| delivery.status == "retry")
    })?;
    let error = &deliveries[0].error_message;
    assert!(
        error.starts_with("not allowed: localhost resolves to "),
        "{error}"
    );
    assert!(error.ends_with("which is not a public address"), "{error}");
    assert_untouched(&trap);
    Ok(())
}

#[test]
fn proxies_of_the_servers_environment_are_ignored() -> Result<()> {
    let (trap, port) = trap()?;
    let proxy = format!("http://127.0.0.1:{port}");
    let mut options = ClusterOptions::default();
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        options = options.env(name, &proxy).env(&name.to_ascii_uppercase(), &proxy);
    }
    let site = Site::start(options)?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    zentry::extend_streak(&mut client, zentry::id::CHEN)?;
    client.query_one("SELECT * FROM zentry_test_webhook($1)", &[&channel.id])?;
    Delivery::settle(&mut client)?;
    assert_eq!(channel.webhook.event_count(), 2);
    assert_untouched(&trap);
    Ok(())
}

#[test]
fn a_redirect_leads_nowhere() -> Result<()> {
    let (trap, port) = trap()?;
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("zentry")?;
    let channel = site.channel(&mut client)?;
    redirect(&channel.webhook, &format!("http://127.0.0.1:{port}{DISCORD}"));
    fire(&mut client)?;
    let deliveries = Delivery::settle(&mut client)?;
    assert!(
        deliveries[0].error_message.contains("redirects elsewhere"),
        "{deliveries:#?}"
    );
    assert_untouched(&trap);
    Ok(())
}

fn redirect(webhook: &Webhook, target: &str) {
    webhook.always(zentry_e2e::emulator::Behaviour::Redirect(target.to_owned()));
}
