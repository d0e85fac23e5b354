//! Event types as data: what a message of each type says.

mod budget;
mod builtin;
mod catalogue;
mod context;
mod generic;
mod guard;
mod keys;
mod notation;
mod number;
mod packs;
mod print;
mod sample;
mod segments;
mod spoken;
mod template;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

pub use builtin::{TEST, TROUBLE, builtin};
pub use catalogue::Catalogue;
pub use keys::UnknownKey;
pub use notation::parse_fields;
pub use sample::{placeholder, sample};

use crate::card::{Card, humanised};
use crate::event::Event;
use crate::language::Language;
use crate::link;
use crate::rich_text::RichText;
use context::Data;
use template::Template;

/// The grey of events that have no colour of their own.
pub const DEFAULT_COLOUR: u32 = 0x80_80_80;

/// Bounds of a definition: those of Discord's embeds and of the column that holds the name.
const MAX_NAME: usize = 50;
const MAX_EMOJI: usize = 16;
const MAX_FIELDS: usize = 25;
const MAX_FIELD_NAME: usize = 256;
const MAX_FOOTER: usize = 2048;

/// An event type as it is stored.
///
/// `title`, `text` and the fields' values are templates in Jinja's language over the event's data, in which `**`
/// switches bold on and off. What they print is text, never markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventDefinition {
    pub name: String,
    pub title: String,
    /// 0xRRGGBB; as JSON `"#rrggbb"`.
    #[serde(serialize_with = "notation::write_colour")]
    pub colour: u32,
    pub emoji: String,
    pub text: String,
    /// A field whose value comes out empty is left out. As JSON an array of them, or an object of names and values.
    pub fields: Vec<FieldDefinition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The key of the data that holds the event's own time (ISO 8601 with an offset); the time when it was
    /// captured where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_key: Option<String>,
    /// Template of the address of the thing that it is about; a slash in front stands for the installation's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Template of the address of a picture of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// What the formats say themselves, and filters of numbers and dates; as JSON its code. It does not change the templates.
    #[serde(
        serialize_with = "notation::write_language",
        skip_serializing_if = "notation::is_default"
    )]
    pub language: Language,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDefinition {
    pub name: String,
    pub value: String,
}

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionError {
    /// A part that is no template is missing, too long or out of range.
    Invalid { part: String, reason: String },
    /// A template cannot be used. `place` is the part of its source that is to blame, where that is known.
    Template {
        part: String,
        line: usize,
        place: Option<String>,
        reason: String,
    },
}

impl DefinitionError {
    fn invalid(part: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            part: part.into(),
            reason: reason.into(),
        }
    }

    /// Returns which part of a definition is to blame, by the name of its column; empty: no single one.
    pub fn column(&self) -> &'static str {
        const COLUMNS: [&str; 10] = [
            "title",
            "text",
            "colour",
            "emoji",
            "footer",
            "url",
            "thumbnail",
            "time_key",
            "language",
            "name",
        ];
        let (Self::Invalid { part, .. } | Self::Template { part, .. }) = self;
        match COLUMNS.into_iter().find(|column| *column == part) {
            Some(column) => column,
            None if part.contains("field") => "fields",
            None => "",
        }
    }
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { part, reason } => write!(f, "{part} {reason}"),
            Self::Template {
                part,
                line,
                place: Some(place),
                reason,
            } => {
                write!(f, "template of {part}, line {line}, at \"{place}\": {reason}")
            }
            Self::Template {
                part,
                line,
                place: None,
                reason,
            } => {
                write!(f, "template of {part}, line {line}: {reason}")
            }
        }
    }
}

impl std::error::Error for DefinitionError {}

/// An event type, checked and ready to make cards.
#[derive(Debug)]
pub struct Definition {
    name: Box<str>,
    title: Template,
    colour: u32,
    emoji: Arc<str>,
    text: Template,
    fields: Vec<(Arc<str>, Template)>,
    footer: Arc<str>,
    time_key: Option<Box<str>>,
    url: Option<Template>,
    thumbnail: Option<Template>,
    language: Language,
}

impl Definition {
    /// # Errors
    ///
    /// Names the part that cannot be used and, in a template, the place.
    pub fn compile(raw: &EventDefinition) -> Result<Self, DefinitionError> {
        check_text("name", &raw.name, 1..=MAX_NAME)?;
        check_text("title", &raw.title, 1..=usize::MAX)?;
        check_text("emoji", &raw.emoji, 0..=MAX_EMOJI)?;
        if raw.colour > 0xFF_FF_FF {
            return Err(DefinitionError::invalid(
                "colour",
                "must be 0 to 16777215 (0xRRGGBB)",
            ));
        }
        if raw.fields.len() > MAX_FIELDS {
            return Err(DefinitionError::invalid(
                "fields",
                format!("must not be more than {MAX_FIELDS}"),
            ));
        }
        let footer = raw.footer.as_deref().unwrap_or_default();
        check_text("footer", footer, 0..=MAX_FOOTER)?;
        Ok(Self {
            name: raw.name.as_str().into(),
            title: Template::compile("title", &raw.title)?,
            colour: raw.colour,
            emoji: raw.emoji.as_str().into(),
            text: Template::compile("text", &raw.text)?,
            fields: raw.fields.iter().map(compile_field).collect::<Result<_, _>>()?,
            footer: footer.into(),
            time_key: raw.time_key.as_deref().map(Into::into),
            url: compile_link("url", raw.url.as_deref())?,
            thumbnail: compile_link("thumbnail", raw.thumbnail.as_deref())?,
            language: raw.language,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the card of an event. Where a template fails on these data (too much work, a sum of text and number),
    /// the card is the generic one: it still says what happened.
    /// `base` is what addresses that begin with a slash are below.
    pub fn card(&self, event: &Event, base: Option<&str>) -> Card {
        let data = Arc::new(Data::new(event.parse(), self.language));
        self.render(event, &data, base)
            .unwrap_or_else(|_| generic::card(event, &data))
    }

    /// The same, but for the error of a template that fails on these data.
    ///
    /// # Errors
    ///
    /// What is wrong, and in which part.
    pub fn try_card(&self, event: &Event) -> Result<Card, String> {
        self.render(event, &Arc::new(Data::new(event.parse(), self.language)), None)
            .map_err(|error| error.to_string())
    }

    fn render(
        &self,
        event: &Event,
        data: &Arc<Data>,
        base: Option<&str>,
    ) -> Result<Card, template::RenderError> {
        let mut work = template::Work::of_a_card();
        let title = self.title.render(data, &mut work)?;
        let mut fields = Vec::with_capacity(self.fields.len());
        for (name, template) in &self.fields {
            let value = template.render(data, &mut work)?;
            if !value.is_empty() {
                fields.push((Arc::clone(name), value));
            }
        }
        let mut address = |template: &Option<Template>| -> Result<Option<Arc<str>>, template::RenderError> {
            let printed = match template {
                Some(template) => template.render(data, &mut work)?,
                None => return Ok(None),
            };
            Ok(link::resolve(printed.as_str(), base).map(Into::into))
        };
        let (url, thumbnail) = (address(&self.url)?, address(&self.thumbnail)?);
        Ok(Card {
            event_type: Arc::clone(&event.event_type),
            title: if title.is_empty() {
                RichText::plain(&humanised(&event.event_type))
            } else {
                title
            },
            emoji: Arc::clone(&self.emoji),
            colour: self.colour,
            text: self.text.render(data, &mut work)?,
            fields,
            time: self.own_time(data).unwrap_or(event.occurred_at),
            footer: Arc::clone(&self.footer),
            is_sample: sample::is_sample(data),
            url,
            thumbnail,
            language: self.language,
        })
    }

    fn own_time(&self, data: &Data) -> Option<Timestamp> {
        data.get(self.time_key.as_deref()?)?.as_str()?.parse().ok()
    }
}

fn compile_link(part: &str, source: Option<&str>) -> Result<Option<Template>, DefinitionError> {
    let Some(source) = source.filter(|source| !source.is_empty()) else {
        return Ok(None);
    };
    if !link::is_template(source) {
        return Err(DefinitionError::invalid(
            part,
            "must begin with https://, http:// or a slash (for below zentry_notify.link_base), such as /tasks/{{ task_id }}",
        ));
    }
    Template::compile(part, source).map(Some)
}

fn compile_field(raw: &FieldDefinition) -> Result<(Arc<str>, Template), DefinitionError> {
    check_text("name of a field", &raw.name, 1..=MAX_FIELD_NAME)?;
    let template = Template::compile(&format!("field \"{}\"", raw.name), &raw.value)?;
    Ok((raw.name.as_str().into(), template))
}

fn check_text(
    part: &str,
    text: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<(), DefinitionError> {
    let shown = RichText::plain(text);
    let (least, most) = (*length.start(), *length.end());
    if shown.as_str().len() < least {
        return Err(DefinitionError::invalid(part, "must not be empty"));
    }
    if text.chars().count() > most {
        return Err(DefinitionError::invalid(
            part,
            format!("must be at most {most} characters"),
        ));
    }
    Ok(())
}
