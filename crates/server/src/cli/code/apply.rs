//! A database is made what a file says, by the functions that everybody calls, with the rights of who asks.
//!
//! What is done to each thing is a trial: where the audit log has nothing of it, nothing was changed, and it is undone, so that what is the same is not
//! touched. That also says whether a secret is another one, which nobody could read to compare it.

mod sources;
mod webhooks;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use tokio_postgres::Error;

use super::document::Secret;
use super::file::{Fault, File};
use super::state::State;
use crate::cli::explain;
use crate::cli::output::tell;
use crate::database::Session;
use crate::queries::audit::{self, Change};
use crate::queries::{apply_lock, integrations, own_event_types, wordings};

/// What is wanted besides what the file says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// What the file does not have goes.
    pub prune: bool,
    /// Secrets of webhooks that there are stay.
    pub keep_secrets: bool,
}

/// What was done, in this transaction.
#[derive(Debug, Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    /// What is not in the file, and was left.
    pub left: Vec<String>,
    /// What was refused: nothing may be kept.
    pub faults: Vec<Fault>,
}

pub async fn apply(session: &Session<'_>, file: &File, wishes: Wishes) -> Result<Outcome> {
    ensure!(
        audit::is_complete(session).await.map_err(explain)?,
        "a trigger of the audit log is switched off, and without it nobody can tell what is changed\n\
         hint: SELECT * FROM zentry_status() names it, and the statement that switches it on."
    );
    // Anybody may take such a lock, so it is said who has.
    if let Some((pid, role)) = apply_lock::holder(session).await.map_err(explain)? {
        tell(format_args!(
            "waiting for process {pid} of role {role:?}, which applies a file, or holds the lock of those who do"
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

/// What there is to know of a webhook's secrets; none: they stay.
#[derive(Default)]
struct Known {
    url: Option<String>,
    secret: Option<String>,
    headers: Option<Value>,
}

struct Work<'a> {
    session: &'a Session<'a>,
    file: &'a File,
    wishes: Wishes,
    /// As it was before.
    state: State,
    /// Of webhooks, by name, those that are new included.
    ids: BTreeMap<String, i64>,
    outcome: Outcome,
}

impl Work<'_> {
    /// Of every webhook, before anything is done.
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

    fn secret(&mut self, secret: &Secret, keys: &[&str]) -> Option<String> {
        match secret.resolve(self.file.directory()) {
            Ok(text) => Some(text),
            Err((message, hint)) => {
                self.complain(keys, message, Some(hint));
                None
            }
        }
    }

    fn complain(&mut self, keys: &[&str], message: String, hint: Option<String>) {
        let fault = self.file.fault(keys, message, hint);
        self.outcome.faults.push(fault);
    }

    async fn begin(&self) -> Result<()> {
        self.session.begin_trial().await.map_err(explain)
    }

    /// What a trial has come to: it stays if it has changed anything. None: it was refused.
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

    async fn event_types(&mut self) -> Result<()> {
        let file = self.file;
        for (name, kind) in &file.content.event_type {
            self.begin().await?;
            let done = own_event_types::register(self.session, &kind.named(name)).await;
            self.end(done, &["event_type", name]).await?;
        }
        Ok(())
    }

    /// What is in the database and not in the file.
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
                // With its webhook, or not at all.
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
