//! Definitions of event types: what their messages say.

mod budget;
mod builtin;
mod catalogue;
mod context;
mod error;
mod event_definition;
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

use std::sync::Arc;

use jiff::Timestamp;

pub use builtin::{TEST, TROUBLE, builtin};
pub use catalogue::Catalogue;
pub use error::DefinitionError;
pub use event_definition::{DEFAULT_COLOUR, EventDefinition, FieldDefinition};
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

/// The limits of a definition: those of Discord's embeds, and of the column for the name.
const MAX_NAME: usize = 50;
const MAX_EMOJI: usize = 16;
const MAX_FIELDS: usize = 25;
const MAX_FIELD_NAME: usize = 256;
const MAX_FOOTER: usize = 2048;
/// As `zentry_attach` has it.
const MAX_KEY: usize = 100;

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
    /// Checks a definition and compiles its templates.
    ///
    /// # Errors
    ///
    /// The part that cannot be used and, in a template, the place.
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
        check_text(
            "time_key",
            raw.time_key.as_deref().unwrap_or_default(),
            0..=MAX_KEY,
        )?;
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

    /// Makes the card of an event. If a template fails on these data (too much work, a sum of text and number),
    /// it returns the generic card, which still says what happened.
    /// URLs that begin with a slash are relative to `base`.
    pub fn card(&self, event: &Event, base: Option<&str>) -> Card {
        let data = Arc::new(Data::new(event.parse(), self.language));
        self.render(event, &data, base)
            .unwrap_or_else(|_| generic::card(event, &data))
    }

    /// Does the same as [`Definition::card`], but returns the error of a template that fails on these data.
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
