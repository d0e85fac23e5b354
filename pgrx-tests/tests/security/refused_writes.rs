//! Writes to the table of webhooks that one of its rules refuses; what they raise must not tell the URL.

use postgres::Client;

use crate::redaction::with_url;
use crate::search::Search;

/// Writes that break a rule of the table.
const BAD_INSERTS: [&str; 11] = [
    "(webhook_type, webhook_url) VALUES ('discord', $1)",
    "(name, webhook_url) VALUES ('x', $1)",
    "(name, webhook_type, webhook_url, event_types) VALUES ('x', 'discord', $1, NULL)",
    "(name, webhook_type, webhook_url, event_types) VALUES ('x', 'discord', $1, '[\"nothing\"]')",
    "(name, webhook_type, webhook_url, is_active) VALUES ('x', 'discord', $1, NULL)",
    "(name, webhook_type, webhook_url, max_events_per_message) VALUES ('x', 'discord', $1, 99)",
    "(name, webhook_type, webhook_url, min_interval) VALUES ('x', 'discord', $1, '-1 s')",
    "(name, webhook_type, webhook_url, max_age) VALUES ('x', 'discord', $1, '0 s')",
    "(name, webhook_type, webhook_url, omit_keys) VALUES ('x', 'discord', $1, '{NULL}')",
    "(id, name, webhook_type, webhook_url) VALUES (1, 'x', 'discord', $1)",
    "(name, webhook_type, webhook_url, created_at) VALUES ('x', 'discord', $1, NULL)",
];

const BAD_UPDATES: [&str; 15] = [
    "max_events_per_message = 0",
    "max_events_per_message = NULL",
    "min_interval = '2 days'",
    "min_interval = NULL",
    "max_age = '-1 day'",
    "name = NULL",
    "name = ''",
    "webhook_type = NULL",
    "webhook_type = 'slack'",
    "webhook_url = NULL",
    "event_types = NULL",
    "is_active = NULL",
    "omit_keys = NULL",
    "created_at = NULL",
    "id = NULL",
];

/// Tries each write, and looks at its error.
pub fn try_each(client: &mut Client, search: &mut Search) {
    for values in BAD_INSERTS {
        let sql = with_url(&format!("INSERT INTO zentry_notify.webhook_integration {values}"));
        let error = client.execute(&sql, &[]).expect_err(&sql);
        search.look_at_error(&sql, &error);
    }
    for update in BAD_UPDATES {
        let sql = format!("UPDATE zentry_notify.webhook_integration SET {update} WHERE id = 1");
        let error = client.execute(&sql, &[]).expect_err(&sql);
        search.look_at_error(&sql, &error);
    }
}
