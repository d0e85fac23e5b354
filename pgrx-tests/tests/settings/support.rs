//! What the tests here have in common.

use postgres::Client;
use postgres::error::DbError;

/// The error of a statement that must fail.
pub fn refusal(client: &mut Client, statement: &str) -> DbError {
    match client.batch_execute(statement) {
        Ok(()) => panic!("it was not refused: {statement}"),
        Err(error) => error
            .as_db_error()
            .unwrap_or_else(|| panic!("{statement}: {error:?}"))
            .clone(),
    }
}

/// Everything that a client is told with an error.
pub fn whole_text(error: &DbError) -> String {
    [
        Some(error.message()),
        error.detail(),
        error.hint(),
        error.where_(),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join("\n")
}

pub fn show(client: &mut Client, setting: &str) -> String {
    client
        .query_one("SELECT current_setting($1)", &[&setting])
        .unwrap()
        .get(0)
}

/// A text as SQL has it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
