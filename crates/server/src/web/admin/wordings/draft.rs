//! The contents of the form of a wording, as they were typed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{fields_of, lines_of, without_value};
use crate::queries::words::Words;
use crate::web::error::Fields;

/// A part of a message, with its field of the form.
pub(super) struct Part {
    pub name: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    /// Whether its value may have several lines.
    pub is_long: bool,
    /// Whether the form has a box that says that messages have none of it.
    pub may_lack: bool,
}

const fn part(name: &'static str, label: &'static str, hint: &'static str) -> Part {
    Part {
        name,
        label,
        hint,
        is_long: false,
        may_lack: true,
    }
}

pub(super) const PARTS: [Part; 8] = [
    Part {
        may_lack: false,
        ..part(
            "title",
            "Title",
            "A text, with keys of the event data in double braces.",
        )
    },
    Part {
        is_long: true,
        ..part("text", "Text", "** switches bold on and off.")
    },
    Part {
        is_long: true,
        ..part(
            "fields",
            "Fields",
            "One per line: a name, a colon and a value, such as Points: {{ points }}.",
        )
    },
    Part {
        may_lack: false,
        ..part("colour", "Colour", "Such as #57F287.")
    },
    part("emoji", "Emoji", "In front of the title."),
    part("footer", "Footer", "Small print below the message."),
    part(
        "url",
        "Link",
        "URL of what the event is about, or a path below zentry_notify.link_base.",
    ),
    part("thumbnail", "Picture", "A URL, like the link."),
];

/// The texts of the form, by the name of the part, as they were typed. A part whose text is empty stays as it is without the wording.
#[derive(Debug, Default)]
pub(super) struct Draft {
    texts: BTreeMap<&'static str, String>,
    /// The parts that messages are to have none of.
    pub lacks: BTreeSet<&'static str>,
}

impl Draft {
    /// Returns the draft of the words that are set.
    pub fn of(words: &Words) -> Self {
        let mut draft = Self::default();
        for (name, value) in words.parts() {
            let text = match value {
                Some(Value::String(text)) => Some(text),
                fields => fields.as_ref().map(lines_of),
            };
            if text.as_deref() == Some("") {
                draft.lacks.insert(name);
            }
            draft.texts.insert(name, text.unwrap_or_default());
        }
        draft
    }

    /// Returns the draft that the form sent, without null characters and white space at the ends of texts.
    pub fn sent(sent: &[(String, String)]) -> Self {
        let mut draft = Self::default();
        for part in &PARTS {
            let mut values = sent.iter().rev().filter(|(name, _)| name == part.name);
            let text = values.next().map(|(_, text)| text.replace('\0', ""));
            let text = text.unwrap_or_default().replace("\r\n", "\n");
            draft.texts.insert(part.name, text.trim().to_owned());
            if part.may_lack
                && sent
                    .iter()
                    .any(|(name, value)| name == "none" && value == part.name)
            {
                draft.lacks.insert(part.name);
            }
        }
        draft
    }

    /// Returns the errors that the database cannot find, by field: a part with a text whose box says that there is none, and a line of the fields
    /// without a colon.
    pub fn slips(&self) -> Fields {
        let mut slips = Fields::new();
        let mut slip = |name: &str, words: String| slips.entry(name.to_owned()).or_default().push(words);
        for part in PARTS.iter().filter(|part| self.lacks.contains(part.name)) {
            if !self.text(part.name).is_empty() {
                let label = part.label.to_lowercase();
                slip(
                    part.name,
                    format!("There is a {label}, or there is none at all: empty it, or untick the box."),
                );
            }
        }
        if let Some(line) = without_value(self.text("fields")) {
            slip(
                "fields",
                format!("{line:?} has no colon between a name and a value."),
            );
        }
        slips
    }

    pub fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Returns the words to set: `None` for a part that stays as it is, empty for a part that messages are to have none of.
    pub fn words(&self) -> Words {
        let said = |name: &str| {
            let text = self.text(name);
            match self.lacks.contains(name) {
                true => Some(String::new()),
                false => (!text.is_empty()).then(|| text.to_owned()),
            }
        };
        Words::of(said, said("fields").map(|text| fields_of(&text)))
    }

    /// Returns the parts that are set, in one line.
    pub fn summary(&self) -> String {
        let said = |part: &&Part| !self.text(part.name).is_empty() || self.lacks.contains(part.name);
        let parts: Vec<String> = PARTS
            .iter()
            .filter(said)
            .map(|part| match self.lacks.contains(part.name) {
                true => format!("no {}", part.label.to_lowercase()),
                false => format!("{}: {}", part.label, self.text(part.name).replace('\n', "; ")),
            })
            .collect();
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_has_every_part() {
        let names = Words::default().parts().map(|(name, _)| name);
        assert_eq!(PARTS.map(|part| part.name), names);
    }

    #[test]
    fn what_is_empty_is_as_before_unless_it_is_to_be_none() {
        let sent = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            Draft::sent(&pairs).words()
        };
        let words = sent(&[
            ("title", " Done "),
            ("emoji", ""),
            ("none", "emoji"),
            ("none", "fields"),
            ("none", "title"),
        ]);
        let expected = Words {
            title: Some("Done".to_owned()),
            emoji: Some(String::new()),
            fields: Some(json!([])),
            ..Words::default()
        };
        assert_eq!(words, expected);
        let draft = Draft::of(&expected);
        assert_eq!(draft.words(), expected);
        assert_eq!(draft.summary(), "Title: Done · no fields · no emoji");
    }

    #[test]
    fn what_may_lack_and_what_has_several_lines_is_known() {
        let named =
            |is: fn(&&Part) -> bool| PARTS.iter().filter(is).map(|part| part.name).collect::<Vec<_>>();
        assert_eq!(named(|part| part.is_long), ["text", "fields"]);
        assert_eq!(named(|part| !part.may_lack), ["title", "colour"]);
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        let slips = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect();
            let slips = Draft::sent(&pairs).slips();
            slips.into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(slips(&[("emoji", "x"), ("none", "emoji")]), "emoji");
        assert_eq!(slips(&[("emoji", ""), ("none", "emoji"), ("text", "x")]), "");
        assert_eq!(slips(&[("fields", "Points"), ("text", "x")]), "fields");
        assert_eq!(slips(&[("fields", "Points: 1")]), "");
    }
}
