//! The keys of the data that a definition uses.

use std::collections::BTreeSet;

use super::event_definition::EventDefinition;
use super::template::Template;
use crate::spelling::closest;

/// A key that a definition uses and the data do not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    pub key: String,
    /// The key of the data that was probably meant.
    pub meant: Option<String>,
}

impl EventDefinition {
    /// Returns the keys of the data that its templates and `time_key` use.
    pub fn keys(&self) -> BTreeSet<String> {
        let templates = [&self.title, &self.text];
        let fields = self.fields.iter().map(|field| &field.value);
        templates
            .into_iter()
            .chain(fields)
            .chain(&self.url)
            .chain(&self.thumbnail)
            .flat_map(|source| Template::keys(source))
            .chain(self.time_key.clone())
            .collect()
    }

    /// Returns those of its keys that are not among `known`.
    pub fn unknown_keys(&self, known: &BTreeSet<String>) -> Vec<UnknownKey> {
        self.keys()
            .into_iter()
            .filter(|key| !known.contains(key))
            .map(|key| UnknownKey {
                meant: closest(&key, known.iter().map(String::as_str)).map(ToOwned::to_owned),
                key,
            })
            .collect()
    }
}
