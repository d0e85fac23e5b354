//! All event types of an installation.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Data;
use super::{Definition, builtin, generic};
use crate::card::Card;
use crate::event::Event;

/// Event types by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: HashMap<Box<str>, Arc<Definition>>,
}

impl Catalogue {
    /// The five built-in types and the test message.
    pub fn builtin() -> Self {
        let mut catalogue = Self::default();
        for definition in builtin::compiled() {
            catalogue.insert(definition);
        }
        catalogue
    }

    /// Adds a type; one of the same name gives way.
    pub fn insert(&mut self, definition: impl Into<Arc<Definition>>) {
        let definition = definition.into();
        self.definitions.insert(definition.name().into(), definition);
    }

    pub fn get(&self, event_type: &str) -> Option<&Definition> {
        self.definitions.get(event_type).map(AsRef::as_ref)
    }

    /// Makes the card of an event. A type that is not in the catalogue gets a generic one: its name as the title
    /// and its plain values as fields.
    pub fn card(&self, event: &Event) -> Card {
        match self.get(&event.event_type) {
            Some(definition) => definition.card(event),
            None => generic::card(event, &Data::new(event.parse())),
        }
    }
}
