//! Names of databases, for processes that serve several.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, ensure};

/// A name of a database: the first segment of its paths, the label `database` of its metrics, and its name in logs. It has up to 63 lower-case
/// letters, digits, `-` and `_`, and begins with a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_known = |c: char| is_letter(c) || matches!(c, '-' | '_');
        let fits = text.starts_with(is_letter) && text.chars().all(is_known) && text.len() <= 63;
        ensure!(
            fits,
            "a name consists of lower-case letters, digits, - and _, begins with a letter or a digit, and has at most 63 characters"
        );
        Ok(Name(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_parts_of_paths() {
        for name in ["sales", "shop_2", "0", "a-b"] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        let long = "x".repeat(64);
        for name in ["", "Sales", "a/b", "a b", "-a", "_", "ä", "a.b", "..", &long] {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
    }
}
