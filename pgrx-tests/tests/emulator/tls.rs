//! Certificates.

use serde_json::json;
use ureq::Agent;
use ureq::tls::{Certificate as Root, PemItem, RootCerts, parse_pem};
use zentry_e2e::emulator::{Certificate, Emulator};

use crate::{PATIENCE, client, current, plain_client, post};

fn trusting(emulator: &Emulator) -> Agent {
    let roots: Vec<Root<'static>> = parse_pem(emulator.ca_pem().as_bytes())
        .filter_map(|item| match item.unwrap() {
            PemItem::Certificate(root) => Some(root),
            _ => None,
        })
        .collect();
    client(RootCerts::new_with_certs(&roots), PATIENCE)
}

fn message() -> String {
    json!({"content": "c", "allowed_mentions": {"parse": []}}).to_string()
}

#[test]
fn who_trusts_the_authority_gets_through() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    let url = current(&webhook.https_url());
    assert_eq!(post(&trusting(&emulator), &url, &message()).unwrap().status, 200);
    assert_eq!(
        post(
            &trusting(&emulator),
            &url.replace("127.0.0.1", "localhost"),
            &message()
        )
        .unwrap()
        .status,
        200
    );
    assert!(post(&plain_client(), &url, &message()).is_err());
    assert_eq!(webhook.accepted(), 2);
}

#[test]
fn another_emulators_authority_is_not_trusted() {
    let (one, other) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    let url = current(&one.discord_webhook().https_url());
    assert!(post(&trusting(&other), &url, &message()).is_err());
}

#[test]
fn bad_certificates_are_bad_in_their_own_way() {
    let emulator = Emulator::start().unwrap();
    let webhook = emulator.discord_webhook();
    for (certificate, complaint) in [
        (Certificate::Expired, "certificate expired"),
        (Certificate::NotYetValid, "not valid yet"),
        (Certificate::SelfSigned, "UnknownIssuer"),
        (Certificate::UnknownAuthority, "BadSignature"),
        (Certificate::WrongName, "not valid for name"),
    ] {
        let base = emulator.https_base_with(certificate).unwrap();
        let error = post(&trusting(&emulator), &current(&webhook.url_at(&base)), &message())
            .err()
            .unwrap();
        assert!(error.to_string().contains(complaint), "{certificate:?}: {error}");
    }
    let good = emulator.https_base_with(Certificate::Good).unwrap();
    assert_eq!(
        post(&trusting(&emulator), &current(&webhook.url_at(&good)), &message())
            .unwrap()
            .status,
        200
    );
    assert_eq!(webhook.requests(), 1);
}
