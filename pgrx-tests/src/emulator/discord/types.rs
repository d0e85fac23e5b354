//! The types of members, and Discord's words for what is wrong with them.

use hyper::Uri;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::emulator::findings::{Findings, present};

pub(super) type Object = Map<String, Value>;

const LONGEST_URL: usize = 2048;

pub(super) fn object<'a>(value: &'a Value, f: &mut Findings) -> Option<&'a Object> {
    if !value.is_object() {
        f.problem("MODEL_TYPE_CONVERT", "Expected an object/dictionary.");
    }
    value.as_object()
}

pub(super) fn list<'a>(value: &'a Value, most: usize, f: &mut Findings) -> Option<&'a Vec<Value>> {
    match value.as_array() {
        None => f.problem("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"),
        Some(list) if list.len() > most => {
            f.problem(
                "BASE_TYPE_MAX_LENGTH",
                format!("Must be {most} or fewer in length."),
            );
        }
        Some(_) => {}
    }
    value.as_array()
}

/// A missing, null or blank string.
pub(super) fn required(parent: &Object, key: &str, findings: &mut Findings) {
    let blank = match parent.get(key) {
        None | Some(Value::Null) => true,
        Some(value) => value.as_str().is_some_and(|text| text.trim().is_empty()),
    };
    if blank {
        findings.within(key, |f| f.problem("BASE_TYPE_REQUIRED", "This field is required"));
    }
}

pub(super) fn string<'a>(parent: &'a Object, key: &str, findings: &mut Findings) -> Option<&'a str> {
    let value = present(parent, key)?;
    if !value.is_string() {
        findings.within(key, |f| {
            f.problem(
                "STRING_TYPE_CONVERT",
                format!("Could not interpret \"{value}\" as string."),
            );
        });
    }
    value.as_str()
}

/// Returns the length in code points, trimmed: how Discord counts.
pub(super) fn text(parent: &Object, key: &str, most: usize, findings: &mut Findings) -> usize {
    let length = string(parent, key, findings).map_or(0, |text| text.trim().chars().count());
    if length > most {
        findings.within(key, |f| {
            f.problem(
                "BASE_TYPE_MAX_LENGTH",
                format!("Must be {most} or fewer in length."),
            );
        });
    }
    length
}

pub(super) fn url(parent: &Object, key: &str, schemes: &[&str], findings: &mut Findings) {
    text(parent, key, LONGEST_URL, findings);
    let Some(url) = present(parent, key).and_then(Value::as_str) else {
        return;
    };
    findings.within(key, |f| match url.split_once("://") {
        Some((scheme, _)) if !schemes.contains(&scheme) => {
            f.problem(
                "URL_TYPE_INVALID_SCHEME",
                format!("Scheme {scheme:?} must be one of {schemes:?}."),
            );
        }
        Some(("attachment", name)) if !name.is_empty() => {}
        Some(_)
            if url
                .parse::<Uri>()
                .is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty())) => {}
        _ => f.problem("URL_TYPE_INVALID_URL", "Not a well formed URL."),
    });
}

pub(super) fn boolean(parent: &Object, key: &str, findings: &mut Findings) {
    if present(parent, key).is_some_and(|value| !value.is_boolean()) {
        findings.within(key, |f| {
            f.problem("BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
        });
    }
}

pub(super) fn integer(parent: &Object, key: &str, most: i64, findings: &mut Findings) {
    let Some(value) = present(parent, key) else { return };
    findings.within(key, |f| match value.as_i64() {
        None => f.problem("NUMBER_TYPE_COERCE", format!("Value \"{value}\" is not int.")),
        Some(number) if number > most => {
            f.problem(
                "NUMBER_TYPE_MAX",
                format!("int value should be less than or equal to {most}."),
            );
        }
        Some(number) if number < 0 => {
            f.problem(
                "NUMBER_TYPE_MIN",
                "int value should be greater than or equal to 0.",
            );
        }
        Some(_) => {}
    });
}

pub(super) fn timestamp(embed: &Object, findings: &mut Findings) {
    let Some(text) = string(embed, "timestamp", findings) else {
        return;
    };
    // The parser also takes RFC 9557's zone in brackets, which ISO 8601 does not know.
    if text.contains('[') || text.parse::<Timestamp>().is_err() {
        findings.within("timestamp", |f| {
            f.problem(
                "DATE_TIME_TYPE_PARSE",
                format!("Could not parse {text}. Should be ISO8601."),
            );
        });
    }
}
