//! The types of JSON members, for card formats that have no error codes of their own.

use serde_json::{Map, Value};

use super::findings::{Findings, present};

pub(crate) type Object = Map<String, Value>;

/// The code of every problem here: the vendor gives none.
pub(crate) const INVALID: &str = "invalid";

pub(crate) fn object<'a>(value: &'a Value, f: &mut Findings) -> Option<&'a Object> {
    if !value.is_object() {
        f.problem(INVALID, "is not an object");
    }
    value.as_object()
}

/// A string, if the member is there; its absence is a problem when it is `required`.
pub(crate) fn text<'a>(
    parent: &'a Object,
    key: &str,
    required: bool,
    findings: &mut Findings,
) -> Option<&'a str> {
    let value = present(parent, key);
    findings.within(key, |f| match value {
        None if required => f.problem(INVALID, "is missing"),
        Some(Value::String(text)) if required && text.trim().is_empty() => f.problem(INVALID, "is empty"),
        Some(value) if !value.is_string() => f.problem(INVALID, "is not a string"),
        _ => {}
    });
    value.and_then(Value::as_str)
}

pub(crate) fn boolean(parent: &Object, key: &str, findings: &mut Findings) {
    if present(parent, key).is_some_and(|value| !value.is_boolean()) {
        findings.within(key, |f| f.problem(INVALID, "is not true or false"));
    }
}

/// A string out of `choices`, compared without case.
pub(crate) fn choice(parent: &Object, key: &str, choices: &[&str], findings: &mut Findings) {
    let Some(value) = text(parent, key, false, findings) else {
        return;
    };
    if !choices.iter().any(|choice| choice.eq_ignore_ascii_case(value)) {
        findings.within(key, |f| {
            f.problem(INVALID, format!("{value:?} is not one of {choices:?}"))
        });
    }
}

/// Walks a list of objects; returns how many there are.
pub(crate) fn each(
    parent: &Object,
    key: &str,
    required: bool,
    findings: &mut Findings,
    mut walk: impl FnMut(&Object, &mut Findings),
) -> usize {
    let value = present(parent, key);
    findings.within(key, |f| match value {
        None if required => f.problem(INVALID, "is missing"),
        Some(Value::Array(list)) => {
            if required && list.is_empty() {
                f.problem(INVALID, "is empty");
            }
            for (index, value) in list.iter().enumerate() {
                f.within(index, |f| {
                    if let Some(entry) = object(value, f) {
                        walk(entry, f);
                    }
                });
            }
        }
        Some(_) => f.problem(INVALID, "is not a list"),
        None => {}
    });
    value.and_then(Value::as_array).map_or(0, Vec::len)
}

/// An `https` or `http` address.
pub(crate) fn address(parent: &Object, key: &str, required: bool, findings: &mut Findings) {
    let Some(url) = text(parent, key, required, findings) else {
        return;
    };
    let web = url.starts_with("https://") || url.starts_with("http://");
    if !web || url.parse::<hyper::Uri>().is_err() {
        findings.within(key, |f| f.problem(INVALID, "is not a web address"));
    }
}
