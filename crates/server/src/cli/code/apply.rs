//! A database is made what a file says, by the functions that everybody calls, with the rights of who asks.
//!
//! What is done to each thing is a trial: where the audit log has nothing of it, nothing was changed, and it is undone, so that what is the same is not
//! touched. That also says whether a secret is another one, which nobody could read to compare it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use tokio_postgres::Error;

use super::document::{self, Fault, File, Secret, Source, Webhook};
use super::state::State;
use crate::cli::explain;
use crate::database::Session;
use crate::queries::audit::{self, Change};
use crate::queries::configuration::{self, Attachment, Wording, Words};
use crate::queries::integrations::{self, New};
use crate::queries::settings::Rules;

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
    configuration::lock(session).await.map_err(explain)?;
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
            let done = configuration::register_event_type(self.session, &kind.named(name)).await;
            self.end(done, &["event_type", name]).await?;
        }
        Ok(())
    }

    /// What the file does not say of it is taken away.
    async fn wording(
        &mut self,
        event: &str,
        webhook: Option<i64>,
        wanted: &document::Wording,
        keys: &[&str],
    ) -> Result<()> {
        let wording = Wording {
            event_type: event.to_owned(),
            webhook,
            words: wanted.words(),
            language: wanted.language.clone(),
        };
        let is_of_all = event == configuration::ALL_EVENTS;
        if is_of_all && wording.words != Words::default() || !is_of_all && wording.language.is_some() {
            self.complain(
                keys,
                "the language is that of all events, and words are those of one".to_owned(),
                Some("Write the language alone, in the wording of \"*\".".to_owned()),
            );
            return Ok(());
        }
        let lacks = match self.state.wording(event, webhook) {
            Some(there) if *there == wording => return Ok(()),
            Some(there) => lacks(&there.words, &wording.words),
            None => false,
        };
        self.begin().await?;
        let done = async {
            if lacks {
                configuration::reset_wording(self.session, event, webhook).await?;
            }
            configuration::set_wording(self.session, &wording).await
        };
        let done = done.await;
        self.end(done, keys).await?;
        Ok(())
    }

    async fn webhook(&mut self, name: &str, one: &Webhook, known: &Known) -> Result<()> {
        let keys = ["webhook", name];
        let Some(id) = self.ids.get(name).copied() else {
            let new = New {
                name: name.to_owned(),
                webhook_type: one.webhook_type.clone(),
                webhook_url: known.url.clone().unwrap_or_default(),
                project: one.project_id,
                event_types: Some(one.event_types.clone()),
                is_active: Some(one.is_active),
                rules: one.rules(),
                secret: known.secret.clone(),
                headers: known.headers.clone(),
                created_by: one.created_by_id,
            };
            self.begin().await?;
            let done = integrations::create(self.session, &new).await;
            if let Some(id) = self.end(done, &keys).await? {
                self.ids.insert(name.to_owned(), id);
            }
            return Ok(());
        };
        let there = self.state.webhook(name);
        if there.is_some_and(|there| one.created_by_id.is_some() && there.created_by != one.created_by_id) {
            self.complain(
                &["webhook", name, "created_by_id"],
                "who registered a webhook can't be changed".to_owned(),
                Some("Leave it out; or delete the webhook, and it is registered anew.".to_owned()),
            );
            return Ok(());
        }
        let change = integrations::Change {
            name: None,
            webhook_type: Some(one.webhook_type.clone()),
            webhook_url: known.url.clone(),
            project: Some(one.project_id),
            event_types: Some(one.event_types.clone()),
            is_active: Some(one.is_active),
            rules: one.rules(),
            headers: known.headers.clone(),
        };
        self.begin().await?;
        let done = integrations::update(self.session, id, &change).await;
        self.end(done, &keys).await?;
        if let Some(secret) = &known.secret {
            self.begin().await?;
            let done = integrations::new_secret(self.session, id, Some(secret), None).await;
            self.end(done, &["webhook", name, "secret"]).await?;
        }
        Ok(())
    }

    /// What needs that all webhooks are there.
    async fn after(&mut self, name: &str, one: &Webhook) -> Result<()> {
        let Some(id) = self.ids.get(name).copied() else {
            return Ok(());
        };
        let told = match &one.notify_webhook {
            None => None,
            Some(told) => {
                let found = self.ids.get(told).copied();
                // One that was refused is complained of already.
                if found.is_none() && !self.file.content.webhook.contains_key(told) {
                    self.complain(
                        &["webhook", name, "notify_webhook"],
                        format!("there is no webhook {told:?}"),
                        Some("Name one of this file, or one that is registered.".to_owned()),
                    );
                }
                found
            }
        };
        let before = self
            .state
            .webhook(name)
            .and_then(|there| there.settings.notify_webhook_id);
        if told != before {
            let rules = Rules {
                notify_webhook_id: Some(told.unwrap_or_default()),
                ..Rules::default()
            };
            let change = integrations::Change {
                rules,
                ..integrations::Change::default()
            };
            self.begin().await?;
            let done = integrations::update(self.session, id, &change).await;
            self.end(done, &["webhook", name, "notify_webhook"]).await?;
        }
        for (event, words) in &one.wording {
            self.wording(event, Some(id), words, &["webhook", name, "wording", event])
                .await?;
        }
        Ok(())
    }

    async fn sources(&mut self) -> Result<()> {
        // Those that are made by themselves, and are not there yet.
        let file = self.file;
        let mut missing = Vec::new();
        let mut named = BTreeSet::new();
        for (number, one) in file.content.source.iter().enumerate() {
            let number = number.to_string();
            let keys = ["source", &number];
            // A name that can be none is an error.
            self.begin().await?;
            let relation = configuration::relation(self.session, &one.table).await;
            let Some(relation) = self.end(relation, &["source", &number, "table"]).await? else {
                continue;
            };
            let Some(relation) = relation else {
                self.complain(
                    &["source", &number, "table"],
                    format!("there is no table {:?}", one.table),
                    Some("Name it with its schema, such as \"public.task\".".to_owned()),
                );
                continue;
            };
            if !named.insert((one.event_type.clone(), relation)) {
                self.complain(
                    &keys,
                    format!("{} of {} is here twice", one.event_type, one.table),
                    None,
                );
                continue;
            }
            if one.built_in {
                if one.says_more() {
                    self.complain(
                        &["source", &number, "built_in"],
                        "a source that is built in has no mapping of its own".to_owned(),
                        Some("Leave out built_in, or everything but event_type, table and omit.".to_owned()),
                    );
                } else if !self
                    .state
                    .source(&one.event_type, relation)
                    .is_some_and(|there| there.built_in)
                {
                    missing.push((number, one, relation));
                } else {
                    self.omit(&keys, one, relation).await?;
                }
            } else {
                self.attach(&keys, one, relation).await?;
            }
        }
        if !missing.is_empty() {
            self.attach_built_in(&missing, &named).await?;
        }
        if self.wishes.prune {
            for there in self.not_named(&named) {
                self.begin().await?;
                let done = configuration::detach(self.session, &there.0, there.1).await;
                self.end(done, &[]).await?;
            }
        } else {
            let left: Vec<String> = self
                .state
                .sources
                .iter()
                .filter(|there| !named.contains(&(there.event_type.clone(), there.relation)))
                .map(|there| format!("event source {} of {}", there.event_type, there.table))
                .collect();
            self.outcome.left.extend(left);
        }
        Ok(())
    }

    fn not_named(&self, named: &BTreeSet<(String, u32)>) -> Vec<(String, u32)> {
        let there = self.state.sources.iter();
        there
            .map(|there| (there.event_type.clone(), there.relation))
            .filter(|there| !named.contains(there))
            .collect()
    }

    /// With a mapping of its own. What is the same to the letter is not attached again, which would lock the table.
    async fn attach(&mut self, keys: &[&str], one: &Source, relation: u32) -> Result<()> {
        let given = Attachment {
            columns: one.columns(),
            condition: one.condition.clone(),
            operation: one.operation.clone(),
            audience: one.audience(),
            done: one.done.clone(),
        };
        let same = self.state.source(&one.event_type, relation).is_some_and(|there| {
            !there.built_in
                && there.columns == given.columns
                && there.condition == given.condition
                && there.operation == given.operation
                && Some(&there.audience) == given.audience.as_ref()
                && there.done == given.done
        });
        if !same {
            self.begin().await?;
            let done = configuration::attach(self.session, &one.event_type, relation, &given).await;
            if self.end(done, keys).await?.is_none() {
                return Ok(());
            }
        }
        self.omit(keys, one, relation).await
    }

    async fn omit(&mut self, keys: &[&str], one: &Source, relation: u32) -> Result<()> {
        let there = self.state.source(&one.event_type, relation);
        if there.map_or(&[][..], |there| &there.omit) == one.omit {
            return Ok(());
        }
        self.begin().await?;
        let done = configuration::omit(self.session, &one.event_type, relation, &one.omit).await;
        self.end(done, keys).await?;
        Ok(())
    }

    /// `zentry_attach()` makes all five; those that nobody wants go again.
    async fn attach_built_in(
        &mut self,
        missing: &[(String, &Source, u32)],
        named: &BTreeSet<(String, u32)>,
    ) -> Result<()> {
        self.begin().await?;
        let done = async {
            for (_, one, relation) in missing {
                if self.state.source(&one.event_type, *relation).is_some() {
                    configuration::detach(self.session, &one.event_type, *relation).await?;
                }
            }
            let states = configuration::attach_all(self.session).await?;
            let now = configuration::sources(self.session).await?;
            for there in &now {
                let is_new = self.state.source(&there.event_type, there.relation).is_none();
                if is_new && !named.contains(&(there.event_type.clone(), there.relation)) {
                    configuration::detach(self.session, &there.event_type, there.relation).await?;
                }
            }
            Ok((states, now))
        };
        let done = done.await;
        let Some((states, now)) = self.end(done, &["source", &missing[0].0]).await? else {
            return Ok(());
        };
        for (number, one, relation) in missing {
            let keys = ["source", number.as_str()];
            let is_there = now.iter().any(|there| {
                there.event_type == one.event_type && there.relation == *relation && there.built_in
            });
            if is_there {
                self.omit(&keys, one, *relation).await?;
            } else {
                let state = states.iter().find(|(event, ..)| *event == one.event_type);
                let state = state.map_or("no table of Zentry fires it", |(.., state)| state);
                self.complain(
                    &keys,
                    format!("{} of {} is not attached: {state}", one.event_type, one.table),
                    Some("Leave out built_in, and say where its data come from.".to_owned()),
                );
            }
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
            let done = configuration::reset_wording(self.session, &event, webhook).await;
            self.end(done, &[]).await?;
        }
        for (_, id) in webhooks {
            self.begin().await?;
            let done = integrations::delete(self.session, id).await;
            self.end(done, &[]).await?;
        }
        for name in types {
            self.begin().await?;
            let done = configuration::unregister_event_type(self.session, &name).await;
            self.end(done, &[]).await?;
        }
        Ok(())
    }
}

/// Whether something is set that is not wanted: a wording can only be taken back as a whole.
fn lacks(there: &Words, wanted: &Words) -> bool {
    let Words {
        title,
        text,
        fields,
        colour,
        emoji,
        footer,
        url,
        thumbnail,
    } = there;
    (title.is_some() && wanted.title.is_none())
        || (text.is_some() && wanted.text.is_none())
        || (fields.is_some() && wanted.fields.is_none())
        || (colour.is_some() && wanted.colour.is_none())
        || (emoji.is_some() && wanted.emoji.is_none())
        || (footer.is_some() && wanted.footer.is_none())
        || (url.is_some() && wanted.url.is_none())
        || (thumbnail.is_some() && wanted.thumbnail.is_none())
}
