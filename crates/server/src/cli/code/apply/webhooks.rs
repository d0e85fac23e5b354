//! Registers and changes webhooks, their secrets and wordings.

use anyhow::Result;

use super::{Known, Work};
use crate::cli::code::document::{self, Webhook};
use crate::queries::integrations::{self, New};
use crate::queries::settings::Rules;
use crate::queries::wordings::{self, Wording};
use crate::queries::words::Words;

impl Work<'_> {
    /// Sets a wording for a webhook, or with `None` for all webhooks. Parts that are not in the file are removed.
    pub(super) async fn wording(
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
        let is_of_all = event == wordings::ALL_EVENTS;
        if is_of_all && wording.words != Words::default() || !is_of_all && wording.language.is_some() {
            self.complain(
                keys,
                "a language is set for all events, and texts only for one".to_owned(),
                Some("In the wording of \"*\", give nothing but the language.".to_owned()),
            );
            return Ok(());
        }
        let lacks = match self.state.wording(event, webhook) {
            Some(there) if *there == wording => return Ok(()),
            // Single parts cannot be removed: the whole wording is reset before it is set again.
            Some(there) => there.words.has_more_than(&wording.words),
            None => false,
        };
        self.begin().await?;
        let done = async {
            if lacks {
                wordings::reset(self.session, event, webhook).await?;
            }
            wordings::set(self.session, &wording).await
        };
        let done = done.await;
        self.end(done, keys).await?;
        Ok(())
    }

    /// Registers or changes a webhook, and sets its secrets, but neither `notify_webhook` nor its wordings.
    pub(super) async fn webhook(&mut self, name: &str, one: &Webhook, known: &Known) -> Result<()> {
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
                Some("Leave it out; or delete the webhook first, so that it is registered again.".to_owned()),
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

    /// Sets a webhook's `notify_webhook`, which may be any other webhook, and its wordings, after all webhooks are registered. Skips a webhook that
    /// was refused.
    pub(super) async fn after(&mut self, name: &str, one: &Webhook) -> Result<()> {
        let Some(id) = self.ids.get(name).copied() else {
            return Ok(());
        };
        let told = match &one.notify_webhook {
            None => None,
            Some(told) => {
                let found = self.ids.get(told).copied();
                // If it is a webhook of the file, it was refused, which is a fault already.
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
}
