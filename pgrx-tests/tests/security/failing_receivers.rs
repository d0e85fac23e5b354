//! Receivers of every kind, and every way in which one can fail.

use anyhow::Result;
use postgres::Client;
use zentry_e2e::emulator::{Behaviour, Kind, Webhook};
use zentry_e2e::scene::register;
use zentry_e2e::site::Site;

/// Registers one webhook of each kind, under their names; their ids go with them.
pub fn webhooks(site: &Site, client: &mut Client) -> Result<Vec<(i64, Webhook)>> {
    Kind::ALL
        .into_iter()
        .map(|kind| {
            let webhook = site.emulator.register(kind);
            Ok((register(client, &webhook, None, None)?, webhook))
        })
        .collect()
}

/// How many ways `misbehaviour` knows.
pub const FAILURES: usize = 12;

/// Every way in which a receiver can fail, with the URL itself in the answer where it can be.
pub fn misbehaviour(webhook: &Webhook) -> Vec<Behaviour> {
    let url = webhook.url();
    let echo = |status: u16, body: String| Behaviour::Answer {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    };
    let all = vec![
        echo(500, format!("cannot handle {url}")),
        echo(
            400,
            serde_json::json!({ "message": format!("bad request for {url}"), "code": 50035 }).to_string(),
        ),
        echo(401, format!("no access to {url}")),
        echo(403, format!("{url} is forbidden")),
        echo(200, format!("Webhook message delivery failed with error: {url}")),
        Behaviour::Redirect(url.clone()),
        Behaviour::DropBeforeAnswer,
        Behaviour::Reset,
        Behaviour::CutAnswer,
        Behaviour::Garbage,
        Behaviour::Hang,
        echo(404, format!("{url} is unknown")),
    ];
    assert_eq!(all.len(), FAILURES);
    all
}
