//! One transaction as one role. What is set in it ends with it; and before each, everything is as when the connection was made, also
//! if something of somebody's has run in the one before.

use deadpool_postgres::{Object, Transaction};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::pinned;

/// As whom a session's statements run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// As the role that the connection logged in as: commands.
    Login,
    /// As another role, which the login role has to be a member of: requests, with a token of this key, which the audit log names.
    Role { role: String, token_key: String },
}

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The database refuses writes, and every statement sees the same moment.
    Read,
    Write,
}

/// Why there is no session.
#[derive(Debug)]
pub enum BeginError {
    Database(Error),
    /// The role that logs in may not act as this one.
    Role(String, Error),
}

impl From<Error> for BeginError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// A connection out of the pool, whose sessions run as one identity.
pub struct Connection {
    object: Object,
    identity: Identity,
}

impl Connection {
    pub(super) fn new(object: Object, identity: Identity) -> Self {
        Self { object, identity }
    }

    /// Begin a transaction. Dropping it rolls it back, before anything else is sent on the connection.
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
    /// Run a statement that stays prepared for the connection's life.
    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.0.prepare_cached(sql).await?;
        self.0.query(&statement, values).await
    }

    /// The only row.
    pub async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let statement = self.0.prepare_cached(sql).await?;
        self.0.query_one(&statement, values).await
    }

    /// What follows can be undone.
    pub async fn begin_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("SAVEPOINT trial").await
    }

    /// As it was when the trial began, also after an error.
    pub async fn undo_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("ROLLBACK TO SAVEPOINT trial").await
    }

    /// What the trial has done stays; of one that was undone, nothing.
    pub async fn end_trial(&self) -> Result<(), Error> {
        self.0.batch_execute("RELEASE SAVEPOINT trial").await
    }

    pub async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }
}
