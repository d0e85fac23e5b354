//! Numbers and other values of rows, from the column to the message.

use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};

use crate::support::Session;

#[test]
fn a_number_reads_in_the_message_as_it_stands_in_the_row() {
    let mut scene = Scene::start().unwrap();
    let mut session = Session::of(&scene);
    session.run(
        r#"CREATE TABLE bill (id bigint PRIMARY KEY, amount numeric(20, 2), exact numeric, large numeric, days numeric, half float8, more json, kept jsonb, open boolean);
           SELECT zentry_register_event_type('paid', 'Paid',
             text => '{{ amount }}; {{ exact }}; {{ large }}; {{ days }} days; {{ half }}; {{ more }}; {{ kept }}; {{ open }}; {{ again }}; {{ double|round(2) }}');
           SELECT zentry_attach('paid', 'bill', '{"amount": "amount", "exact": "exact", "large": "large", "days": "days", "half": "half",
             "more": "more", "kept": "kept", "open": "open", "again": "exact + 0", "double": "amount * 2"}', operation => 'insert')"#,
    );
    let channels = [Kind::Discord, Kind::Workflow, Kind::Connector]
        .map(|kind| scene.channel_for(kind, None, Some(&["paid"])).unwrap());
    session.run(
        r#"INSERT INTO bill VALUES (1, 10.50, 12345678901234567.89, 123456789012345678901234567890, 7.0, 0.1,
             '{"n": 1e999}', '{"n": 1.10, "list": [true, null]}', true)"#,
    );
    let beyond = format!("1{}", "0".repeat(999));
    for channel in &channels {
        channel.webhook.wait_for_events(1, SOON);
        let shown = channel.webhook.shown();
        let text = shown
            .last()
            .unwrap()
            .text
            .replace(&beyond, "1e+999")
            .replace("\\", "");
        assert_eq!(
            text,
            r#"10.50; 12345678901234567.89; 123456789012345678901234567890; 7 days; 0.1; {"n": 1e+999}; {"list": [true, null], "n": 1.10}; true; 12345678901234567.89; 21"#,
        );
    }
}
