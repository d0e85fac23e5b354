//! Event types as they are stored.

use serde::Serialize;

use crate::language::Language;

/// The colour of events without one of their own: grey.
pub const DEFAULT_COLOUR: u32 = 0x80_80_80;

/// An event type as it is stored.
///
/// `title`, `text` and the fields' values are templates in Jinja's language over the event's data, in which `**`
/// switches bold on and off. What they print is text, never markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventDefinition {
    pub name: String,
    pub title: String,
    /// 0xRRGGBB; as JSON `"#rrggbb"`.
    #[serde(serialize_with = "write_colour")]
    pub colour: u32,
    pub emoji: String,
    pub text: String,
    /// The fields; one whose value is empty is left out. As JSON, an array of them, or an object of names and values.
    pub fields: Vec<FieldDefinition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The key of the data that has the event's own time (ISO 8601 with an offset); `None`, or if that is missing: the time
    /// when it was captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_key: Option<String>,
    /// The template of the URL of what the event is about; one that begins with a slash is relative to the installation's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The template of the URL of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// The language of the formats' own words, and of the filters for numbers and dates; as JSON, its code. It does not change the templates.
    #[serde(serialize_with = "write_language", skip_serializing_if = "is_default")]
    pub language: Language,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDefinition {
    pub name: String,
    pub value: String,
}

/// Writes a colour as `"#rrggbb"`.
fn write_colour<S: serde::Serializer>(colour: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("#{colour:06x}"))
}

/// Writes a language as its code.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn write_language<S: serde::Serializer>(language: &Language, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(language.code())
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_default(language: &Language) -> bool {
    *language == Language::default()
}
