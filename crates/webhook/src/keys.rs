//! Keys of events' data in filters and settings, and corrections of misspelt ones.

use std::collections::BTreeSet;

use crate::spelling::closest;

/// Returns the first keys of the paths in a JSON path, as PostgreSQL prints it: `($."points" > 20)` uses `points`.
pub fn of_filter(path: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut rest = path;
    while let Some(at) = rest.find('"') {
        let (before, quoted) = rest.split_at(at);
        let mut texts = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
        let Some(Ok(text)) = texts.next() else { break };
        rest = &quoted[texts.byte_offset()..];
        if before.ends_with("$.") {
            keys.insert(text);
        }
    }
    keys
}

/// Whether a JSON path, as PostgreSQL prints it, has a variable: `$"name"`.
pub fn asks_for_variables(path: &str) -> bool {
    let mut rest = path;
    while let Some(at) = rest.find('"') {
        let (before, quoted) = rest.split_at(at);
        if before.ends_with('$') {
            return true;
        }
        let mut texts = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
        let Some(Ok(_)) = texts.next() else { break };
        rest = &quoted[texts.byte_offset()..];
    }
    false
}

/// A key that is not among the known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub key: String,
    /// The key that was probably meant.
    pub meant: Option<String>,
}

/// Returns those of the keys that are not among `known`.
pub fn unknown<'a>(keys: impl IntoIterator<Item = &'a str>, known: &BTreeSet<String>) -> Vec<Unknown> {
    keys.into_iter()
        .filter(|key| !known.contains(*key))
        .map(|key| Unknown {
            meant: closest(key, known.iter().map(String::as_str)).map(ToOwned::to_owned),
            key: key.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(path: &str) -> Vec<String> {
        of_filter(path).into_iter().collect()
    }

    #[test]
    fn a_filter_asks_for_the_first_keys_of_its_paths() {
        assert_eq!(keys(r#"($."points" > 20)"#), ["points"]);
        assert_eq!(
            keys(
                r#"($."a"."b" == "$.\"x\"" && exists ($."c"[*]?(@."d" > 1)) || $."e f\u00e9" starts with "Web")"#
            ),
            ["a", "c", "e fé"]
        );
        assert_eq!(keys("($[*] > 1)"), Vec::<String>::new());
        assert_eq!(keys(r#"($."text" == "$.")"#), ["text"]);
    }

    #[test]
    fn a_variable_is_told_from_a_key_and_from_a_text() {
        for path in [
            r#"($."points" > $"v")"#,
            r#"($"v" == 1)"#,
            r#"($."a" == 1 && $."b" > $"$.")"#,
        ] {
            assert!(asks_for_variables(path), "{path}");
        }
        for path in [
            r#"($."points" > 20)"#,
            r#"($."$" == "$")"#,
            r#"($."a" == "costs $\"5\"")"#,
            "($[*] > 1)",
        ] {
            assert!(!asks_for_variables(path), "{path}");
        }
    }

    #[test]
    fn a_slip_is_told_from_a_key_that_nobody_knows() {
        let known = BTreeSet::from(["user_name".to_owned(), "points".to_owned()]);
        let found = unknown(["user_nmae", "points", "weather"], &known);
        let meant: Vec<_> = found.iter().map(|unknown| unknown.meant.as_deref()).collect();
        assert_eq!(meant, [Some("user_name"), None]);
    }
}
