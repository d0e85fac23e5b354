//! A sender's link to its database: the session, if there is one, the queues that it holds, and when to reconnect.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;
use webhook::ownership::Ownership;

use super::clock::{self, DatabaseClock};
use super::pause::{self, Pause};
use super::session::Session;
use crate::database::{Parameters, explain};

/// A sender's connection to its database.
pub struct Link {
    parameters: Parameters,
    /// The name of the database in the log.
    database: String,
    /// The sender's name in `zentry_notify.sender`.
    name: String,
    /// How long the database waits for a sign of life from the sender.
    patience: Duration,
    session: Option<Session>,
    /// The queues that the sender holds.
    pub ownership: Ownership,
    clock: DatabaseClock,
    began_at: Duration,
    begins_at: Duration,
    /// The next pause before reconnecting.
    pause: Pause,
    /// The last logged reason for losing a session.
    said: String,
}

impl Link {
    /// Returns a link that is not connected yet.
    pub fn new(parameters: Parameters, database: String, name: String, patience: Duration) -> Self {
        Link {
            parameters,
            database,
            name,
            patience,
            session: None,
            ownership: Ownership::new(patience),
            clock: DatabaseClock::of_this_machine(),
            began_at: Duration::ZERO,
            begins_at: Duration::ZERO,
            pause: Pause::FIRST,
            said: String::new(),
        }
    }

    /// Returns the name of the database in the log.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the database's time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Compares the clock with the time `said` that the database reported in a call that was made at `sent`. Returns whether the database's clock was
    /// set.
    pub fn hear(&mut self, said: Timestamp, sent: Duration) -> bool {
        self.clock.hear(said, sent)
    }

    /// Returns whether there is a session that is not known to have ended.
    pub fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// Returns how long to wait before beginning a session; `None`: there is one.
    pub fn begins_in(&self, now: Duration) -> Option<Duration> {
        let is_down = self.session.is_none();
        is_down.then(|| self.begins_at.saturating_sub(now))
    }

    /// Begins a session, and returns the current settings.
    ///
    /// # Errors
    /// What prevents it, with a hint.
    pub async fn begin(&mut self) -> Result<Value> {
        let sent = clock::now();
        let begin = Session::begin(&self.parameters, &self.name, self.patience);
        let begun = timeout(pause::LONGEST, begin).await;
        let (session, settings) = begun.context("the database does not answer")??;
        self.clock = DatabaseClock::said(session.began);
        self.session = Some(session);
        self.began_at = sent;
        self.ownership.begin(sent);
        Ok(settings)
    }

    /// Drops the session, after an error. The reason is logged unless it is the same as last time.
    pub fn lose(&mut self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        if self.said != reason {
            tracing::warn!("{}: {reason}", self.database());
            self.said = reason;
        }
        self.session = None;
        self.ownership.lose();
        self.begins_at = clock::now() + self.pause.take();
    }

    /// Resets the pause before reconnecting once a session has lasted long enough.
    pub fn forgive(&mut self) {
        if self.began_at + pause::LONGEST <= clock::now() {
            (self.pause, self.said) = (Pause::FIRST, String::new());
        }
    }

    /// # Errors
    /// An error if the session has ended.
    pub fn check(&self) -> Result<()> {
        match self.session.as_ref().is_none_or(Session::is_over) {
            true => Err(lost()),
            false => Ok(()),
        }
    }

    /// Waits for the database's answer to `call`, which is also the sign of life of each to the other.
    ///
    /// # Errors
    /// An error if the session has ended or the database does not answer in time. The inner result is that of the call itself.
    pub async fn call<'a, T>(
        &'a mut self,
        call: impl AsyncFnOnce(&'a Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Result<T, tokio_postgres::Error>> {
        let (sent, patience) = (clock::now(), self.patience);
        let session = self.session.as_ref().context("there is no session")?;
        let answered = timeout(patience, call(session)).await;
        let answered = answered.context("the database does not answer")?;
        if answered.is_ok() {
            self.ownership.hear(sent);
        } else if session.is_over() {
            return Err(lost());
        }
        Ok(answered)
    }

    /// Reads the current settings in a new session.
    ///
    /// # Errors
    /// An error if they cannot be read.
    pub async fn settings(&self) -> Result<Value> {
        let session = self.session.as_ref().context("there is no session")?;
        let read = timeout(self.patience, session.settings()).await;
        read.context("the database does not answer")?
    }

    /// Waits for a notification, for ever if there is no session; `None`: the session has ended.
    pub async fn word(&mut self) -> Option<String> {
        match &mut self.session {
            Some(session) => session.words.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Returns a notification that has already arrived.
    pub fn next_word(&mut self) -> Option<String> {
        self.session.as_mut()?.words.try_recv().ok()
    }

    /// Ends sending and releases all queues.
    pub async fn end(mut self) {
        if let Some(session) = self.session.take()
            && let Ok(Err(error)) = timeout(self.patience, session.end()).await
        {
            tracing::debug!("{}: {:#}", self.database(), explain(error));
        }
        tracing::info!("{}: ended", self.database());
    }
}

/// Returns the error for a session that has ended.
pub fn lost() -> anyhow::Error {
    anyhow!("the connection to the database is lost")
}
