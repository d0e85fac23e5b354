//! The configuration that a sender has read from its database: settings, its webhooks, and wordings.

use std::collections::HashMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use webhook::active::{ActiveWebhook, Composer, config};
use webhook::definition::Catalogue;
use webhook::nats::Origin;
use webhook::schedule::{QueueConfig, QueueId, Request, Scheduler};

use super::configuration::{Configuration, Settings};

/// The configuration in use.
pub struct Known {
    settings: Option<Settings>,
    /// The settings as the database returned them.
    said: Value,
    webhooks: HashMap<QueueId, ActiveWebhook>,
    catalogue: Catalogue,
}

impl Known {
    /// Returns an empty configuration.
    pub fn new() -> Self {
        Known {
            settings: None,
            said: Value::Null,
            webhooks: HashMap::new(),
            catalogue: Catalogue::builtin(),
        }
    }

    /// Returns the settings in `said`; `None`: they are in use already.
    ///
    /// # Errors
    /// An error if the answer is of another version of the extension.
    pub fn news(&self, said: &Value) -> Result<Option<Settings>> {
        if self.settings.is_some() && self.said == *said {
            return Ok(None);
        }
        Settings::read(said).map(Some)
    }

    /// Puts settings into use.
    pub fn use_settings(&mut self, settings: Settings, said: Value) {
        self.settings = Some(settings);
        self.said = said;
    }

    /// Returns whether response bodies are to be stored.
    pub fn log_payloads(&self) -> bool {
        self.settings
            .as_ref()
            .is_none_or(|settings| settings.log_payloads)
    }

    /// Puts an answer of `sending_webhooks` into use, and returns the configuration of its queues for the scheduler, limited to those for which
    /// `posts` is true. `database`: its name in the log.
    ///
    /// # Errors
    /// An error if the answer is of another version of the extension.
    pub fn use_webhooks(
        &mut self,
        said: Value,
        database: &str,
        posts: impl Fn(QueueId) -> bool,
    ) -> Result<Vec<QueueConfig>> {
        let read = Configuration::read(said)?;
        let settings = self.settings.as_ref().context("the settings are not known")?;
        let wordings = read
            .wordings
            .iter()
            .map(|(webhook, json)| (*webhook, json.as_str()));
        let (catalogue, wrong) = Catalogue::stored(wordings, settings.link_base.as_deref());
        for error in wrong {
            tracing::warn!("{database}: a definition is not used: {error}");
        }
        self.catalogue = catalogue;
        let active = |webhook| ActiveWebhook::of(webhook, &settings.urls, &settings.of_all);
        self.webhooks = read
            .webhooks
            .iter()
            .map(|webhook| (webhook.id, active(webhook)))
            .collect();
        Ok(read
            .webhooks
            .iter()
            .filter(|webhook| settings.sending && posts(webhook.id))
            .map(|webhook| config(webhook, &self.webhooks[&webhook.id]))
            .collect())
    }

    /// Returns the webhooks that the sender holds.
    pub fn webhooks(&self) -> &HashMap<QueueId, ActiveWebhook> {
        &self.webhooks
    }

    /// Returns the requests that may leave now, with the messages that they carry.
    pub fn requests(&self, scheduler: &mut Scheduler, now: Timestamp) -> Vec<Request> {
        let origin = Origin {
            system_identifier: 0,
            database: "".into(),
        };
        let mut composer = Composer {
            webhooks: &self.webhooks,
            catalogue: &self.catalogue,
            // For streams only, which the worker publishes to.
            origin: &origin,
            buffers: &mut Vec::new,
        };
        scheduler.poll(now, &mut composer)
    }
}
