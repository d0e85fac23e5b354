//! What binds a sender to its database: the session while there is one, what is held in it, and when another one is tried.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;
use webhook::ownership::Ownership;

use super::clock::{self, DatabaseClock};
use super::session::Session;
use crate::cli::explain;
use crate::database::Parameters;

/// How soon a session is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A sender's connection to its database.
pub struct Link {
    parameters: Parameters,
    /// What the log calls the database.
    database: String,
    /// What the sender is called there.
    name: String,
    /// How long the database waits for a word of the sender.
    patience: Duration,
    session: Option<Session>,
    /// What the database has given to the sender.
    pub ownership: Ownership,
    clock: DatabaseClock,
    began_at: Duration,
    begins_at: Duration,
    pause: Duration,
    /// Why the last session was lost, as it was logged.
    said: String,
}

impl Link {
    /// A connection that is still to be made.
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
            pause: FIRST_PAUSE,
            said: String::new(),
        }
    }

    /// What the log calls the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the database's time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Notes the time of day that the database has said in answer to a call that was made at `sent`. Returns whether its clock was set.
    pub fn hear(&mut self, said: Timestamp, sent: Duration) -> bool {
        self.clock.hear(said, sent)
    }

    /// Returns whether there is a session, as far as is known.
    pub fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// Returns after what time a session is to be begun; None: there is one.
    pub fn begins_in(&self, now: Duration) -> Option<Duration> {
        let is_down = self.session.is_none();
        is_down.then(|| self.begins_at.saturating_sub(now))
    }

    /// Begins a session, and returns the settings of now.
    ///
    /// # Errors
    /// What hinders it, with a hint.
    pub async fn begin(&mut self) -> Result<Value> {
        let sent = clock::now();
        let begin = Session::begin(&self.parameters, &self.name, self.patience);
        let begun = timeout(LONGEST_PAUSE, begin).await;
        let (session, settings) = begun.context("the database does not answer")??;
        self.clock = DatabaseClock::said(session.began);
        self.session = Some(session);
        self.began_at = sent;
        self.ownership.begin(sent);
        Ok(settings)
    }

    /// Ends the session here and now: it is over, or will be. The reason is logged unless it is that of the time before.
    pub fn lose(&mut self, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        if self.said != reason {
            tracing::warn!("{}: {reason}", self.database());
            self.said = reason;
        }
        self.session = None;
        self.ownership.lose();
        self.begins_at = clock::now() + self.pause;
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
    }

    /// Forgets failures of before once a session has lasted.
    pub fn forgive(&mut self) {
        if self.began_at + LONGEST_PAUSE <= clock::now() {
            (self.pause, self.said) = (FIRST_PAUSE, String::new());
        }
    }

    /// # Errors
    /// When the session is over.
    pub fn check(&self) -> Result<()> {
        match self.session.as_ref().is_none_or(Session::is_over) {
            true => Err(lost()),
            false => Ok(()),
        }
    }

    /// Waits for the database's answer to `call`, which makes known that both are there.
    ///
    /// # Errors
    /// When the session is over, or the database does not answer. What it answers to the call itself is inside.
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

    /// Reads the settings of now, in a session of its own.
    ///
    /// # Errors
    /// When the database does not say them.
    pub async fn settings(&self) -> Result<Value> {
        let session = self.session.as_ref().context("there is no session")?;
        let read = timeout(self.patience, session.settings()).await;
        read.context("the database does not answer")?
    }

    /// Waits for a notification; there is none without a session. None: the session is over.
    pub async fn word(&mut self) -> Option<String> {
        match &mut self.session {
            Some(session) => session.words.recv().await,
            None => std::future::pending().await,
        }
    }

    /// Returns a notification that has come already.
    pub fn next_word(&mut self) -> Option<String> {
        self.session.as_mut()?.words.try_recv().ok()
    }

    /// Ends sending in order: what is held is free for others.
    pub async fn end(mut self) {
        if let Some(session) = self.session.take()
            && let Ok(Err(error)) = timeout(self.patience, session.end()).await
        {
            tracing::debug!("{}: {:#}", self.database(), explain(error));
        }
        tracing::info!("{}: ended", self.database());
    }
}

/// The error of a session that is over.
pub fn lost() -> anyhow::Error {
    anyhow!("the connection to the database is lost")
}
