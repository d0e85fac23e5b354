//! Changes the configuration of a database to that of a file, by the public SQL functions, with the rights of the role that logs in.
//!
//! Each change is made below a savepoint. If the audit log has no new entry afterwards, nothing was different, and the change is rolled back, so that
//! equal rows are not written. This also tells whether a secret differs, although no view or function returns the old one.

mod sources;
mod webhooks;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use tokio_postgres::Error;

use super::document::Secret;
use super::file::{Fault, File};
use super::state::State;
use crate::cli::output::tell;
use crate::database::{Session, explain};
use crate::queries::audit::{self, Change};
use crate::queries::{apply_lock, integrations, own_event_types, wordings};

/// The options of `diff` and `apply`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Delete what is not in the file.
    pub prune: bool,
    /// Leave the secrets of registered webhooks as they are, and do not read those of the file for them.
    pub keep_secrets: bool,
}

/// The result of applying a file, in the open transaction.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The entries of the audit log of this transaction, in order.
    pub changes: Vec<Change>,
    /// Descriptions of what the database has and the file does not, kept because [`Wishes::prune`] is not set.
    pub left: Vec<String>,
    /// The errors of the file, and the changes that the database refused. If there are any, the transaction must not be committed.
    pub faults: Vec<Fault>,
}

/// Applies a file in the session's transaction, one file at a time in a database. Does not commit.
///
/// # Errors
/// When the audit log is incomplete, names of webhooks are ambiguous, or the connection fails. Errors of the file, and refused changes, are in
/// [`Outcome::faults`] instead.
pub async fn apply(session: &Session<'_>, file: &File, wishes: Wishes) -> Result<Outcome> {
    ensure!(
        audit::is_complete(session).await.map_err(explain)?,
        "a trigger of the audit log is switched off, and without it nobody can tell what is changed\n\
         hint: SELECT * FROM zentry_status() names it, and the statement that switches it on."
    );
    // Every role can take an advisory lock, so the message names who holds it.
    if let Some((pid, role)) = apply_lock::holder(session).await.map_err(explain)? {
        tell(format_args!(
            "waiting for process {pid} of role {role:?}, which applies a file, or holds the lock for it"
        ));
    }
    apply_lock::take(session).await.map_err(explain)?;
    let state = State::read(session).await?;
    state.require_names(|name| wishes.prune || file.content.webhook.contains_key(name))?;
    let ids = state
        .webhooks
        .iter()
        .map(|one| (one.name.clone(), one.id))
        .collect();
    let mut work = Work {
        session,
        file,
        wishes,
        state,
        ids,
        outcome: Outcome::default(),
    };
    let secrets = work.secrets();
    if work.outcome.faults.is_empty() {
        work.event_types().await?;
        for (event, words) in &file.content.wording {
            work.wording(event, None, words, &["wording", event]).await?;
        }
        for (name, one) in &file.content.webhook {
            if let Some(secrets) = secrets.get(name) {
                work.webhook(name, one, secrets).await?;
            }
        }
        for (name, one) in &file.content.webhook {
            work.after(name, one).await?;
        }
        work.sources().await?;
        work.rest().await?;
    }
    Ok(work.outcome)
}

/// The secrets of a webhook that are set; `None`: unchanged.
#[derive(Default)]
struct Known {
    url: Option<String>,
    secret: Option<String>,
    /// A JSON object of all headers, which replaces the former ones.
    headers: Option<Value>,
}

/// The application of a file.
struct Work<'a> {
    session: &'a Session<'a>,
    file: &'a File,
    wishes: Wishes,
    /// The configuration before the first change.
    state: State,
    /// The ids of webhooks by name, those registered from the file included.
    ids: BTreeMap<String, i64>,
    outcome: Outcome,
}

impl Work<'_> {
    /// Returns the secrets of the file's webhooks by name, read before the first change. Secrets that cannot be read are faults.
    fn secrets(&mut self) -> BTreeMap<String, Known> {
        let file = self.file;
        let mut known = BTreeMap::new();
        for (name, one) in &file.content.webhook {
            let mut secrets = Known::default();
            if !(self.wishes.keep_secrets && self.ids.contains_key(name)) {
                secrets.url = self.secret(&one.url, &["webhook", name, "url"]);
                secrets.secret = one
                    .secret
                    .as_ref()
                    .and_then(|secret| self.secret(secret, &["webhook", name, "secret"]));
                let headers: Map<String, Value> = one
                    .headers
                    .iter()
                    .filter_map(|(header, secret)| {
                        let value = self.secret(secret, &["webhook", name, "headers", header])?;
                        Some((header.clone(), Value::String(value)))
                    })
                    .collect();
                let there = self.state.webhook(name);
                let has_headers = there.is_some_and(|there| !there.header_names.is_empty());
                secrets.headers = (has_headers || !headers.is_empty()).then_some(Value::Object(headers));
            }
            known.insert(name.clone(), secrets);
        }
        known
    }

    /// Returns a secret; `None`: it cannot be read, which is added as a fault.
    fn secret(&mut self, secret: &Secret, keys: &[&str]) -> Option<String> {
        match secret.resolve(self.file.directory()) {
            Ok(text) => Some(text),
            Err((message, hint)) => {
                self.complain(keys, message, Some(hint));
                None
            }
        }
    }

    /// Adds a fault at the place of a key.
    fn complain(&mut self, keys: &[&str], message: String, hint: Option<String>) {
        let fault = self.file.fault(keys, message, hint);
        self.outcome.faults.push(fault);
    }

    /// Sets the savepoint of a change.
    async fn begin(&self) -> Result<()> {
        self.session.begin_trial().await.map_err(explain)
    }

    /// Ends a change: keeps it if the audit log has a new entry, else rolls back to the savepoint. Returns the value of `done`; `None`: the
    /// database has refused the change, which is added as a fault at `keys`, or at the key below them that the error's column names.
    ///
    /// # Errors
    /// When the connection fails.
    async fn end<T>(&mut self, done: Result<T, Error>, keys: &[&str]) -> Result<Option<T>> {
        let done = match done {
            Ok(done) => {
                let changes = audit::of_this_transaction(self.session).await.map_err(explain)?;
                if changes.len() == self.outcome.changes.len() {
                    self.session.undo_trial().await.map_err(explain)?;
                }
                self.outcome.changes = changes;
                Some(done)
            }
            Err(error) => {
                let Some(said) = error.as_db_error() else {
                    return Err(error.into());
                };
                let column = said.column().unwrap_or_default();
                let key = match column {
                    "webhook_url" => "url",
                    other => other,
                };
                let hint = said.hint().map(ToOwned::to_owned);
                self.complain(&[keys, &[key]].concat(), said.message().to_owned(), hint);
                self.session.undo_trial().await.map_err(explain)?;
                None
            }
        };
        self.session.end_trial().await.map_err(explain)?;
        Ok(done)
    }

    /// Registers the event types of the file.
    async fn event_types(&mut self) -> Result<()> {
        let file = self.file;
        for (name, kind) in &file.content.event_type {
            self.begin().await?;
            let done = own_event_types::register(self.session, &kind.named(name)).await;
            self.end(done, &["event_type", name]).await?;
        }
        Ok(())
    }

    /// Deletes the webhooks, wordings and event types that are not in the file, or lists them as left if [`Wishes::prune`] is not set.
    async fn rest(&mut self) -> Result<()> {
        let file = self.file;
        let content = &file.content;
        let webhooks: Vec<(String, i64)> = self
            .state
            .webhooks
            .iter()
            .filter(|there| !content.webhook.contains_key(&there.name))
            .map(|there| (there.name.clone(), there.id))
            .collect();
        let names: BTreeMap<i64, String> = self.ids.iter().map(|(name, id)| (*id, name.clone())).collect();
        let wordings: Vec<(String, Option<i64>)> = self
            .state
            .wordings
            .iter()
            .filter(|there| match there.webhook {
                None => !content.wording.contains_key(&there.event_type),
                // The wordings of a webhook that is not in the file are deleted with the webhook, or stay with it.
                Some(id) => names
                    .get(&id)
                    .and_then(|name| content.webhook.get(name))
                    .is_some_and(|webhook| !webhook.wording.contains_key(&there.event_type)),
            })
            .map(|there| (there.event_type.clone(), there.webhook))
            .collect();
        let types: Vec<String> = self
            .state
            .event_types
            .iter()
            .map(|there| there.name.clone())
            .filter(|name| !content.event_type.contains_key(name))
            .collect();
        if !self.wishes.prune {
            let of = |id: Option<i64>| {
                let name = id.and_then(|id| names.get(&id));
                name.map_or_else(String::new, |name| format!(" of webhook {name:?}"))
            };
            let left = webhooks
                .iter()
                .map(|(name, _)| format!("webhook {name:?}"))
                .chain(
                    wordings
                        .iter()
                        .map(|(event, id)| format!("wording {event}{}", of(*id))),
                )
                .chain(types.iter().map(|name| format!("event type {name}")));
            self.outcome.left.extend(left);
            return Ok(());
        }
        for (event, webhook) in wordings {
            self.begin().await?;
            let done = wordings::reset(self.session, &event, webhook).await;
            self.end(done, &[]).await?;
        }
        for (_, id) in webhooks {
            self.begin().await?;
            let done = integrations::delete(self.session, id).await;
            self.end(done, &[]).await?;
        }
        for name in types {
            self.begin().await?;
            let done = own_event_types::unregister(self.session, &name).await;
            self.end(done, &[]).await?;
        }
        Ok(())
    }
}
