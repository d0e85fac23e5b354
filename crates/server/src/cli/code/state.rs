//! The configuration in the database.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::database::{Session, explain};
use crate::queries::Slice;
use crate::queries::integrations::{self, Filter, Integration};
use crate::queries::own_event_types::{self, EventType};
use crate::queries::sources::{self, Source};
use crate::queries::wordings::{self, Wording};

/// The configuration in the database, without secrets.
pub struct State {
    /// Sorted by name, then by id.
    pub webhooks: Vec<Integration>,
    pub event_types: Vec<EventType>,
    pub wordings: Vec<Wording>,
    pub sources: Vec<Source>,
}

impl State {
    /// Reads the configuration.
    ///
    /// # Errors
    /// When the database reports one.
    pub async fn read(session: &Session<'_>) -> Result<Self> {
        const ALL: Slice = Slice {
            offset: 0,
            limit: i64::MAX,
        };
        let mut webhooks = integrations::list(session, &Filter::default(), ALL)
            .await
            .map_err(explain)?;
        webhooks.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        Ok(Self {
            webhooks,
            event_types: own_event_types::list(session).await.map_err(explain)?,
            wordings: wordings::list(session).await.map_err(explain)?,
            sources: sources::list(session).await.map_err(explain)?,
        })
    }

    /// Requires that webhooks have different names.
    ///
    /// # Errors
    /// When two have the same name, and `matters` is true for this name.
    pub fn require_names(&self, matters: impl Fn(&str) -> bool) -> Result<()> {
        let mut ids: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for one in &self.webhooks {
            ids.entry(&one.name).or_default().push(one.id);
        }
        for (name, ids) in ids {
            if let ([first, .., last], true) = (&ids[..], matters(name)) {
                bail!(
                    "webhooks {first} and {last} have the same name, {name:?}, and a file knows them by their names\n\
                     hint: Give one another name: zentry-notify update {last} --name NAME"
                );
            }
        }
        Ok(())
    }

    /// Returns the webhook of this name; if there are several, that with the lowest id.
    pub fn webhook(&self, name: &str) -> Option<&Integration> {
        self.webhooks.iter().find(|one| one.name == name)
    }

    /// Returns the wordings for a webhook, sorted by event type; `None`: those for all webhooks.
    pub fn wordings_of(&self, webhook: Option<i64>) -> impl Iterator<Item = &Wording> {
        self.wordings
            .iter()
            .filter(move |wording| wording.webhook == webhook)
    }

    /// Returns the wording of an event type for a webhook; `None`: that for all webhooks.
    pub fn wording(&self, event: &str, webhook: Option<i64>) -> Option<&Wording> {
        self.wordings_of(webhook)
            .find(|wording| wording.event_type == event)
    }

    /// Returns the event source of a table, by its OID, that fires this event type.
    pub fn source(&self, event: &str, relation: u32) -> Option<&Source> {
        self.sources
            .iter()
            .find(|one| one.event_type == event && one.relation == relation)
    }
}
