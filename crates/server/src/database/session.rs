//! Sessions: transactions that run as one role. Settings end with the transaction, and before each one the connection is reset to its initial state,
//! whatever code of other roles has run in the previous one.

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::pinned;

/// The role that a session's statements run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The role that logged in; for commands.
    Login,
    /// Another role, of which the login role has to be a member; for requests. The audit log names the token with the key `token_key`.
    Role { role: String, token_key: String },
}

/// Whether a session may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read-only, and all statements see the same snapshot.
    Read,
    Write,
}

/// The error of [`Connection::begin`].
#[derive(Debug)]
pub enum BeginError {
    Database(Error),
    /// The login role may not SET ROLE to this one.
    Role(String, Error),
}

impl From<Error> for BeginError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// A connection of the pool whose sessions run as one identity.
pub struct Connection {
    object: Object,
    identity: Identity,
}

impl Connection {
    pub(super) fn new(object: Object, identity: Identity) -> Self {
        Self { object, identity }
    }

    /// Begins a transaction. Dropping it rolls it back before the connection is used again.
    pub async fn begin(&mut self, access: Access) -> Result<Session<'_>, BeginError> {
        self.object.batch_execute(pinned::RENEW).await?;
        let builder = self.object.build_transaction();
        let builder = match access {
            Access::Read => builder
                .read_only(true)
                .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead),
            Access::Write => builder,
        };
        let transaction = builder.start().await?;
        if let Identity::Role { role, token_key } = &self.identity {
            let statement = format!(
                "SET LOCAL zentry_notify.api_token_key = '{}'; SET LOCAL ROLE \"{}\"",
                token_key.replace('\'', "''"),
                role.replace('"', "\"\"")
            );
            transaction
                .batch_execute(&statement)
                .await
                .map_err(|error| BeginError::Role(role.clone(), error))?;
        }
        Ok(Session(transaction))
    }
}

/// A transaction as one role.
pub struct Session<'a>(Transaction<'a>);

impl Session<'_> {
    /// Runs a statement, which stays prepared for the lifetime of the connection.
    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.0.prepare_cached(sql).await?;
        self.0.query(&statement, values).await
    }

    /// Runs a statement, as [`query`](Self::query), and returns its only row.
    pub async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let statement = self.0.prepare_cached(sql).await?;
        self.0.query_one(&statement, values).await
    }

    /// Sets a savepoint.
    pub async fn begin_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("SAVEPOINT trial").await
    }

    /// Rolls back to the savepoint, also after an error.
    pub async fn undo_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("ROLLBACK TO SAVEPOINT trial").await
    }

    /// Releases the savepoint, and keeps what was done since it was set, unless that was rolled back.
    pub async fn end_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("RELEASE SAVEPOINT trial").await
    }

    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }
}
