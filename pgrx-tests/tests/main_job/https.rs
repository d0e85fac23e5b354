//! Over HTTPS, with an authority of one's own.

use std::fs;

use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Certificate, Kind, Webhook};
use zentry_e2e::scene::{Scene, all_sent};
use zentry_e2e::zentry::{self, id};

use crate::support::{assert_clean, sqlstate};

/// A database whose workers and sessions trust the emulator's authority, and allow what the vendors' hosts are allowed.
fn scene() -> Scene {
    let mut scene = Scene::empty().unwrap();
    let name = format!("{}-ca.pem", scene.database.name());
    let file = Stage::get().unwrap().private_dir().join(name);
    fs::write(&file, scene.emulator.ca_pem()).unwrap();
    let database = &scene.database;
    database
        .set("zentry_notify.ca_file", file.to_str().unwrap())
        .unwrap();
    database.set("zentry_notify.allow_http", "off").unwrap();
    scene.client = database.connect().unwrap();
    zentry::load(&mut scene.client).unwrap();
    scene.install().unwrap();
    scene
}

fn register(scene: &mut Scene, kind: &str, url: &str) -> Result<i64, postgres::Error> {
    let register = "SELECT zentry_register_webhook('Secure', $1, $2)";
    Ok(scene.client.query_one(register, &[&kind, &url])?.get(0))
}

#[test]
fn messages_arrive() {
    let mut scene = scene();
    let webhooks: Vec<Webhook> = Kind::ALL.map(|kind| scene.emulator.register(kind)).into();
    for webhook in &webhooks {
        let kind = webhook.kind().webhook_type();
        let id = register(&mut scene, kind, &webhook.https_url()).unwrap();
        let test = scene
            .client
            .query_one("SELECT status FROM zentry_test_webhook($1)", &[&id])
            .unwrap();
        assert_eq!(test.get::<_, &str>(0), "sent");
    }
    zentry::complete_task(&mut scene.client, id::LANDING_PAGE, jiff::Timestamp::now()).unwrap();
    let deliveries = scene.settle().unwrap();
    assert!(all_sent(&deliveries), "{deliveries:#?}");
    assert!(webhooks.iter().all(|webhook| webhook.event_count() == 2));
    assert_clean(&scene);
}

#[test]
fn plain_http_is_refused_unless_allowed() {
    let mut scene = scene();
    let url = scene.emulator.discord_webhook().url();
    assert_eq!(sqlstate(register(&mut scene, "discord", &url)), "22023");
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_gets_no_message() {
    let mut scene = scene();
    let webhook = scene.emulator.discord_webhook();
    for certificate in [
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::SelfSigned,
        Certificate::UnknownAuthority,
        Certificate::WrongName,
    ] {
        let base = scene.emulator.https_base_with(certificate).unwrap();
        let host = base.trim_start_matches("https://").to_owned();
        scene
            .client
            .batch_execute(&format!("SET zentry_notify.allowed_hosts = '{host}'"))
            .unwrap();
        let id = register(&mut scene, "discord", &webhook.url_at(&base)).unwrap();
        let row = scene
            .client
            .query_one(
                "SELECT status, error_message FROM zentry_test_webhook($1)",
                &[&id],
            )
            .unwrap();
        let error: &str = row.get(1);
        assert_eq!(row.get::<_, &str>(0), "failed");
        assert!(error.starts_with("TLS failed"), "{error}");
    }
    assert_eq!(webhook.requests(), 0);
}
