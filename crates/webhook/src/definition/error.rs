//! Why a definition cannot be used.

use std::fmt;

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionError {
    /// A part that is not a template is missing, too long or out of range.
    Invalid { part: String, reason: String },
    /// A template cannot be used. `place` is the part of its source that is at fault, if that is known.
    Template {
        part: String,
        line: usize,
        place: Option<String>,
        reason: String,
    },
}

impl DefinitionError {
    pub(super) fn invalid(part: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            part: part.into(),
            reason: reason.into(),
        }
    }

    /// Returns the column of the part that is at fault; empty: no single one.
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
        let part = part.strip_prefix("template of ").unwrap_or(part);
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
