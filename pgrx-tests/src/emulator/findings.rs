//! What a walk through a JSON document finds: problems, for which it is refused, and warnings, for which the real
//! service would not refuse it but a test should.

use std::fmt::{self, Display, Write as _};

use serde_json::{Map, Value};

/// Why a document is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: Vec<String>,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path.join("."), self.message, self.code)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    path: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    /// Runs `walk` one step deeper in the document.
    pub(crate) fn within<R>(&mut self, step: impl Display, walk: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(step.to_string());
        let result = walk(self);
        self.path.pop();
        result
    }

    pub(crate) fn problem(&mut self, code: &'static str, message: impl Into<String>) {
        self.problems.push(Problem {
            path: self.path.clone(),
            code,
            message: message.into(),
        });
    }

    pub(crate) fn warn(&mut self, message: impl Display) {
        let mut warning = self.path.join(".");
        // Writing to a String cannot fail.
        let _ = write!(warning, "{}{message}", if warning.is_empty() { "" } else { ": " });
        self.warnings.push(warning);
    }

    /// Warns of every key that is not among the `known`.
    pub(crate) fn keys(&mut self, object: &Map<String, Value>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.warn(format_args!("unknown key {key:?}"));
        }
    }

    /// All problems in one line, for a person.
    pub(crate) fn summary(&self) -> String {
        self.problems
            .iter()
            .map(Problem::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// `object[key]`, with null taken as absent.
pub(crate) fn present<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}
