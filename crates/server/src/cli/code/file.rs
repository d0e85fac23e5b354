//! A configuration file: its content, and the place of each key, so that a fault can name line and column.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::document::Content;
use crate::spelling::closest;

/// An error in a file, with its place: the path, and if possible line and column.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    place: String,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A configuration file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    text: String,
    /// The offset in bytes at which each key, or each element of an array, begins. An element's key is its index.
    places: HashMap<Vec<String>, usize>,
    pub content: Content,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or has unknown keys or values that are not accepted.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let text = fs::read_to_string(path).map_err(|error| Fault {
            place: path.display().to_string(),
            message: format!("it cannot be read: {error}"),
            hint: Some("zentry-notify export writes one.".to_owned()),
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Fault> {
        let content = toml::from_str(&text).map_err(|error| refusal(path, &text, &error))?;
        let mut places = HashMap::new();
        if let Ok(table) = DeTable::parse(&text) {
            note_table(table.get_ref(), &[], &mut places);
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            places,
            content,
        })
    }

    /// Returns the directory of the file, to which paths in it are relative.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns a fault at the place of a key, or of the nearest key above it that the file has; if it has none, the place is the file.
    pub fn fault(&self, keys: &[&str], message: String, hint: Option<String>) -> Fault {
        let found = (0..=keys.len()).rev().find_map(|length| {
            let keys: Vec<String> = keys.iter().take(length).map(|key| (*key).to_owned()).collect();
            self.places.get(&keys).copied()
        });
        Fault {
            place: place(&self.path, &self.text, found),
            message,
            hint,
        }
    }
}

/// Returns a place as compilers write it, `PATH:LINE:COLUMN`, counted from 1, with columns in characters. `at` is an offset in bytes; `None`: only
/// the path is known.
fn place(path: &Path, text: &str, at: Option<usize>) -> String {
    let Some(before) = at.and_then(|at| text.get(..at)) else {
        return path.display().to_string();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{line}:{column}", path.display())
}

/// Returns the parser's error as a fault, without the line of the file that the parser quotes: it may contain a secret.
fn refusal(path: &Path, text: &str, error: &toml::de::Error) -> Fault {
    let place = place(path, text, error.span().map(|span| span.start));
    let said = error.message().trim();
    let Some((name, known)) = said
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'))
    else {
        let (message, hint) = match said.split_once('\n') {
            Some((message, hint)) => (message.to_owned(), Some(hint.replace('\n', " "))),
            None => (said.to_owned(), None),
        };
        return Fault { place, message, hint };
    };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let hint = match closest(name, known.iter().copied()) {
        Some(meant) => format!("Perhaps \"{meant}\" is meant."),
        None => format!("There are {}.", known.join(", ")),
    };
    Fault {
        place,
        message: format!("unknown key \"{name}\""),
        hint: Some(hint),
    }
}

/// Adds the places of a table's keys, and of all below them; `above`: the keys of the table itself.
fn note_table(table: &DeTable<'_>, above: &[String], places: &mut HashMap<Vec<String>, usize>) {
    for (key, value) in table {
        let keys = [above, &[key.get_ref().to_string()]].concat();
        places.insert(keys.clone(), key.span().start);
        note_value(value.get_ref(), &keys, places);
    }
}

/// Adds the places below a value; `keys`: those of the value itself.
fn note_value(value: &DeValue<'_>, keys: &[String], places: &mut HashMap<Vec<String>, usize>) {
    match value {
        DeValue::Table(table) => note_table(table, keys, places),
        DeValue::Array(array) => {
            for (number, one) in array.iter().enumerate() {
                let keys = [keys, &[number.to_string()]].concat();
                places.insert(keys.clone(), one.span().start);
                note_value(one.get_ref(), &keys, places);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
