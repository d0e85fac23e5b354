//! What servers of NATS ask of who publishes: credentials, certificates, rights.

use std::fs;

use async_nats::{Auth, ConnectOptions};
use serde_json::json;
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::{Certificate, Emulator};
use zentry_e2e::nats::{NatsServer, Observer};
use zentry_e2e::numbered;
use zentry_e2e::scene::{all_sent, all_sent_at_once};

use crate::nats::*;
use crate::{is_true, scene};

#[test]
fn a_server_is_shown_who_publishes() {
    let users = format!(
        "authorization {{ users: [ {{ user: zentry, password: \"open sesame\" }}, {{ nkey: {PUBLIC} }} ] }}"
    );
    for (configuration, good, bad) in [
        (&*users, "zentry:open sesame", "zentry:close sesame"),
        (&users, SEED, "zentry:no"),
        ("authorization { token: swordfish1 }", "swordfish1", "swordfish2"),
    ] {
        let server = NatsServer::start_with(configuration).unwrap();
        let options = match configuration.contains("token") {
            true => ConnectOptions::with_token("swordfish1".into()),
            false => ConnectOptions::with_user_and_password("zentry".into(), "open sesame".into()),
        };
        let observer = Observer::connect(&[server.url()], options).unwrap();
        observer.create_stream(&json!({})).unwrap();
        let mut scene = scene_with(std::slice::from_ref(&server), &[]);
        let id = register(&mut scene, &server.url(), Some(bad));
        numbered::complete(&mut scene.client, 1..=3).unwrap();
        let refused = wait_for_error(&mut scene, "401: the server does not accept the credentials");
        assert!(refused.waits(), "kept");
        scene
            .client
            .execute("SELECT zentry_new_secret($1, secret => $2)", &[&id, &good])
            .unwrap();
        assert!(all_sent(&scene.settle().unwrap()));
        assert_complete(&observer.messages().unwrap(), 1..=3);
        // They are nobody else's: another URL does not get them.
        let secret =
            "(SELECT signing_secret FROM zentry_notify.webhook_secret WHERE webhook_integration_id = $1)";
        assert!(is_true(
            &mut scene.client,
            &format!("{secret} IS NOT NULL"),
            &[&id]
        ));
        let elsewhere = format!("{}/other", server.url());
        scene
            .client
            .execute(
                "SELECT zentry_update_webhook($1, webhook_url => $2)",
                &[&id, &elsewhere],
            )
            .unwrap();
        assert!(is_true(&mut scene.client, &format!("{secret} IS NULL"), &[&id]));
    }
}

/// As operators give them to users: a file with what the account says of a key, and the key.
#[test]
fn a_file_of_credentials_is_shown() {
    const OPERATOR: &str = include_str!("../../fixtures/nats/operator.conf");
    const USER: &str = include_str!("../../fixtures/nats/user.creds");
    const OBSERVER: &str = include_str!("../../fixtures/nats/observer.jwt");
    let server = NatsServer::start_with(OPERATOR).unwrap();
    let options = ConnectOptions::with_auth_callback(|_| async {
        let mut auth = Auth::new();
        auth.jwt = Some(OBSERVER.to_owned());
        Ok(auth)
    });
    let observer = Observer::connect(&[server.url()], options).unwrap();
    observer.create_stream(&json!({})).unwrap();
    let mut scene = scene_with(std::slice::from_ref(&server), &[]);
    let id = register(&mut scene, &server.url(), Some(&USER.replace('\n', "\r\n")));
    numbered::complete(&mut scene.client, 1..=3).unwrap();
    assert!(all_sent_at_once(&scene.settle().unwrap()));
    assert_complete(&observer.messages().unwrap(), 1..=3);
    let shown: String = scene
        .client
        .query_one(
            "SELECT row_to_json(w)::text FROM zentry_notify.webhooks w WHERE id = $1",
            &[&id],
        )
        .unwrap()
        .get(0);
    let seed = USER.lines().find(|line| line.starts_with("SU")).unwrap();
    assert!(!shown.contains(seed) && !shown.contains("eyJ"), "{shown}");
}

#[test]
fn a_subject_that_is_denied_is_named() {
    let server = NatsServer::start_with(
        "authorization { users: [
            { user: all, password: all },
            { user: zentry, password: zentry, permissions: { publish: { deny: \"zentry.*.task_completed.>\" } } },
            { user: deaf, password: deaf, permissions: { subscribe: { deny: \"_INBOX.>\" } } } ] }",
    )
    .unwrap();
    let options = ConnectOptions::with_user_and_password("all".into(), "all".into());
    let observer = Observer::connect(&[server.url()], options).unwrap();
    observer.create_stream(&json!({})).unwrap();
    let mut scene = scene_with(std::slice::from_ref(&server), &[]);
    let id = register(&mut scene, &server.url(), Some("zentry:zentry"));
    numbered::complete(&mut scene.client, [1]).unwrap();
    let subject = format!("zentry.{}.task_completed", scene.database.name());
    let refused = wait_for_error(&mut scene, "403: the user may not do this");
    assert!(
        refused.error_message.contains(&subject),
        "{}",
        refused.error_message
    );
    assert!(refused.waits(), "kept");
    let new_secret = "SELECT zentry_new_secret($1, secret => $2)";
    scene.client.execute(new_secret, &[&id, &"deaf:deaf"]).unwrap();
    let deaf = wait_for_error(&mut scene, "_INBOX");
    assert!(deaf.error_message.starts_with("403"), "{}", deaf.error_message);
    scene.client.execute(new_secret, &[&id, &"all:all"]).unwrap();
    assert!(all_sent(&scene.settle().unwrap()));
    assert_complete(&observer.messages().unwrap(), [1]);
}

#[test]
fn a_certificate_is_checked_by_the_name_in_the_url() {
    let emulator = Emulator::start().unwrap();
    for certificate in [
        Certificate::Good,
        Certificate::WrongName,
        Certificate::Expired,
        Certificate::UnknownAuthority,
    ] {
        let server = NatsServer::start_with_tls(&emulator, certificate).unwrap();
        let mut scene = scene_with(std::slice::from_ref(&server), &[]);
        let file = Stage::get()
            .unwrap()
            .private_dir()
            .join(format!("{}-ca.pem", scene.database.name()));
        fs::write(&file, emulator.ca_pem()).unwrap();
        scene
            .database
            .set("zentry_notify.ca_file", file.to_str().unwrap())
            .unwrap();
        scene.client = scene.database.connect().unwrap();
        // What is encrypted because the server asks for it is checked as well.
        for scheme in ["tls", "nats"] {
            let id = register(&mut scene, &format!("{scheme}://{}", server.host()), None);
            let tried = scene
                .client
                .query_one("SELECT error_message FROM zentry_test_webhook($1)", &[&id])
                .unwrap();
            let error: Option<&str> = tried.get(0);
            let error = error.unwrap();
            if certificate == Certificate::Good {
                // The connection is there, and no stream.
                assert!(error.starts_with("503: no stream"), "{error}");
            } else {
                assert!(error.starts_with("TLS failed"), "{certificate:?}: {error}");
            }
        }
    }
}

/// What is allowed for the web is not allowed for this, and credentials belong to no URL.
#[test]
fn servers_are_allowed_with_their_ports() {
    let mut scene = scene(&[]);
    for (hosts, private, url, said) in [
        ("nats.example.com", "on", "nats://nats.example.com", "port 4222"),
        (
            "nats.example.com:4222",
            "on",
            "nats://nats.example.com,other.example.com",
            "\"other.example.com\"",
        ),
        (
            "127.0.0.1:4222",
            "off",
            "nats://127.0.0.1",
            "not a public address",
        ),
        (
            "nats.example.com:4222",
            "on",
            "nats://a:secret1234@nats.example.com",
            "user name",
        ),
        (
            "nats.example.com:4222",
            "on",
            "nats://nats.example.com/zentry.*",
            "prefix of subjects",
        ),
        (
            "nats.example.com:4222",
            "on",
            "https://nats.example.com:4222",
            "nats:// or tls://",
        ),
    ] {
        let set = format!(
            "SET zentry_notify.allowed_hosts = '{hosts}'; SET zentry_notify.allow_private_addresses = {private}"
        );
        scene.client.batch_execute(&set).unwrap();
        let register = "SELECT zentry_register_webhook('Stream', 'nats', $1)";
        let error = scene.client.query_one(register, &[&url]).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "22023");
        assert!(error.message().contains(said), "{url}: {error:?}");
        assert!(!format!("{error:?}").contains("secret1234"));
        let needed = "SELECT string_agg(needed, '; ') FROM zentry_notify.settings_in_the_way('nats', $1, $2, false, $3 = 'on')";
        let needed: Option<String> = scene
            .client
            .query_one(needed, &[&url, &hosts, &private])
            .unwrap()
            .get(0);
        let wanted = match said {
            "port 4222" => Some("nats.example.com:4222"),
            "\"other.example.com\"" => Some("other.example.com:4222"),
            "not a public address" => Some("on"),
            _ => None,
        };
        assert_eq!(needed.as_deref(), wanted, "{url}");
    }
}
