//! All event types of an installation.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Data;
use super::{Definition, builtin, generic};
use crate::card::Card;
use crate::event::Event;
use crate::language::Language;

/// Event types by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: Definitions,
    /// The wording of single webhooks, by their number.
    own: HashMap<i64, Definitions>,
    /// What addresses that begin with a slash are below.
    base: Option<Box<str>>,
}

type Definitions = HashMap<Box<str>, Arc<Definition>>;

impl Catalogue {
    /// The five built-in types and the test message.
    pub fn builtin() -> Self {
        let mut catalogue = Self::default();
        for definition in builtin::compiled() {
            catalogue.insert(definition);
        }
        catalogue
    }

    /// The five built-in types and the test message in a language; what is told of webhooks is for those who run them, in English.
    pub fn of(language: Language) -> Self {
        let mut catalogue = Self::builtin();
        for raw in language.pack() {
            if let Ok(definition) = Definition::compile(&raw) {
                catalogue.insert(definition);
            }
        }
        catalogue
    }

    /// Of definitions as they are stored, everybody's before a webhook's own, each as JSON; with what is wrong with those that are not used. `base` is what
    /// addresses that begin with a slash are below.
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
                // The rules of the table were broken by hand, or another version wrote it.
                (Err(error), _) => wrong.push(error),
            }
        }
        (catalogue, wrong)
    }

    /// Adds a type; one of the same name gives way.
    pub fn insert(&mut self, definition: impl Into<Arc<Definition>>) {
        let definition = definition.into();
        self.definitions.insert(definition.name().into(), definition);
    }

    /// Adds the wording of one webhook, which goes before what the type says to the others.
    pub fn insert_own(&mut self, webhook: i64, definition: impl Into<Arc<Definition>>) {
        let definition = definition.into();
        self.own
            .entry(webhook)
            .or_default()
            .insert(definition.name().into(), definition);
    }

    /// Sets the address of the installation's own pages.
    pub fn set_base(&mut self, base: Option<&str>) {
        self.base = base.map(Into::into);
    }

    pub fn get(&self, event_type: &str) -> Option<&Definition> {
        self.definitions.get(event_type).map(AsRef::as_ref)
    }

    /// Makes the card of an event. A type that is not in the catalogue gets a generic one: its name as the title
    /// and its plain values as fields.
    pub fn card(&self, event: &Event) -> Card {
        card(self.get(&event.event_type), event, self.base.as_deref())
    }

    /// The same for one webhook, in its own wording if it has one.
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
