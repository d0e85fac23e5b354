//! How parts of a definition are written as JSON.

use std::fmt;

use serde::Deserializer;
use serde::de::{self, MapAccess, SeqAccess, Visitor};

use super::FieldDefinition;

/// `"#rrggbb"`.
pub(super) mod colour {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(colour: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("#{colour:06x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| {
                D::Error::custom(format!(
                    "\"{text}\" is no colour: write it as #rrggbb, such as #0099ff"
                ))
            })
    }
}

/// Reads fields that somebody wrote, in their order.
///
/// # Errors
///
/// What is wrong, and where in the text.
pub fn parse_fields(text: &str) -> Result<Vec<FieldDefinition>, serde_json::Error> {
    fields(&mut serde_json::Deserializer::from_str(text))
}

/// An array of fields, or an object whose order is that of the text.
pub(super) fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FieldDefinition>, D::Error> {
    deserializer.deserialize_any(Fields)
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<FieldDefinition>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields as an object {\"name\": \"value\"} or an array [{\"name\": ..., \"value\": ...}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        de::Deserialize::deserialize(de::value::SeqAccessDeserializer::new(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry()? {
            fields.push(FieldDefinition { name, value });
        }
        Ok(fields)
    }
}
