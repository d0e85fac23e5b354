//! What an integration hears of its event types, when, and whom its messages ping.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod conditions;
mod mentions;
mod quiet_hours;

use postgres::Client;

/// SQLSTATE, message and hint of a statement that must fail.
fn refused(client: &mut Client, sql: &str) -> (String, String, String) {
    let error = client.batch_execute(sql).expect_err(sql);
    let error = error.as_db_error().unwrap();
    (
        error.code().code().to_owned(),
        error.message().to_owned(),
        error.hint().unwrap_or_default().to_owned(),
    )
}
