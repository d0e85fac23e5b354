//! The definitions of all event types of an installation.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Data;
use super::{Definition, builtin, generic};
use crate::card::Card;
use crate::event::Event;
use crate::language::Language;

/// Definitions by the name of their event type.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: Definitions,
    /// The wordings of single webhooks, by the webhook's id.
    own: HashMap<i64, Definitions>,
    /// The URL that URLs which begin with a slash are relative to.
    base: Option<Box<str>>,
}

type Definitions = HashMap<Box<str>, Arc<Definition>>;

impl Catalogue {
    /// Returns the built-in event types and the test message.
    pub fn builtin() -> Self {
        let mut catalogue = Self::default();
        for raw in builtin::builtin() {
            if let Ok(definition) = Definition::compile(raw) {
                catalogue.insert(definition);
            }
        }
        catalogue
    }

    /// Returns the built-in event types and the test message in a language; notices about webhooks, which are for administrators, stay in English.
    pub fn of(language: Language) -> Self {
        let mut catalogue = Self::builtin();
        for raw in language.pack() {
            if let Ok(definition) = Definition::compile(&raw) {
                catalogue.insert(definition);
            }
        }
        catalogue
    }

    /// Reads definitions as they are stored: JSON, of all webhooks (`None`) or of one, in this order. Also returns the errors of those that cannot be used.
    /// URLs that begin with a slash are relative to `base`.
    pub fn stored<'a>(
        rows: impl IntoIterator<Item = (Option<i64>, &'a str)>,
        base: Option<&str>,
    ) -> (Self, Vec<String>) {
        let mut catalogue = Self::builtin();
        catalogue.set_base(base);
        let mut wrong = Vec::new();
        for (webhook, definition) in rows {
            let compiled = serde_json::from_str(definition)
                .map_err(|error| error.to_string())
                .and_then(|raw| Definition::compile(&raw).map_err(|error| error.to_string()));
            match (compiled, webhook) {
                (Ok(definition), Some(webhook)) => catalogue.insert_own(webhook, definition),
                (Ok(definition), None) => catalogue.insert(definition),
                // Somebody wrote it past the checks of the table, or another version did.
                (Err(error), _) => wrong.push(error),
            }
        }
        (catalogue, wrong)
    }

    /// Adds an event type, or replaces the one of the same name.
    pub fn insert(&mut self, definition: impl Into<Arc<Definition>>) {
        let definition = definition.into();
        self.definitions.insert(definition.name().into(), definition);
    }

    /// Adds the wording of one webhook, which takes precedence over the event type's.
    pub fn insert_own(&mut self, webhook: i64, definition: impl Into<Arc<Definition>>) {
        let definition = definition.into();
        self.own
            .entry(webhook)
            .or_default()
            .insert(definition.name().into(), definition);
    }

    /// Sets the URL that URLs which begin with a slash are relative to.
    pub fn set_base(&mut self, base: Option<&str>) {
        self.base = base.map(Into::into);
    }

    pub fn get(&self, event_type: &str) -> Option<&Definition> {
        self.definitions.get(event_type).map(AsRef::as_ref)
    }

    /// Makes the card of an event. For an event type that is not in the catalogue it is the generic one, with its name as the title
    /// and its scalar values as fields.
    pub fn card(&self, event: &Event) -> Card {
        card(self.get(&event.event_type), event, self.base.as_deref())
    }

    /// Makes the card of an event for one webhook, in its own wording if it has one.
    pub fn card_for(&self, webhook: i64, event: &Event) -> Card {
        let own = self.own.get(&webhook).and_then(|own| own.get(&*event.event_type));
        card(
            own.map(AsRef::as_ref).or_else(|| self.get(&event.event_type)),
            event,
            self.base.as_deref(),
        )
    }
}

fn card(definition: Option<&Definition>, event: &Event, base: Option<&str>) -> Card {
    match definition {
        Some(definition) => definition.card(event, base),
        None => generic::card(event, &Data::new(event.parse(), Language::default())),
    }
}
