//! Errors of the database in words, with their hints.

use deadpool_postgres::{HookError, PoolError};

use super::session::BeginError;

/// Returns the database's message with its hint, which tokio-postgres's `Display` leaves out.
pub fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    let Some(said) = error.as_db_error() else {
        return error.into();
    };
    match said.hint() {
        Some(hint) => anyhow::anyhow!("{}\nhint: {hint}", said.message()),
        None => anyhow::anyhow!("{}", said.message()),
    }
}

/// Returns the same for a transaction that cannot begin.
pub fn explain_begin(error: BeginError) -> anyhow::Error {
    match error {
        BeginError::Database(error) | BeginError::Role(_, error) => explain(error),
    }
}

/// Returns why there is no connection, with a hint.
pub fn explain_pool(error: PoolError) -> anyhow::Error {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            let answered = error.as_db_error().is_some();
            let why = explain(error);
            let hint = "Is the server running? Its address comes from the connection string, or else from PGHOST, PGPORT and the like.";
            if answered {
                why.context("cannot connect to the database")
            } else {
                anyhow::anyhow!("cannot connect to the database: {why:#}\nhint: {hint}")
            }
        }
        PoolError::PostCreateHook(HookError::Message(message)) => anyhow::anyhow!("{message}"),
        other => other.into(),
    }
}
