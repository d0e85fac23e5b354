//! Numbers of an event's data: they are printed with the digits that they were written with, and can be used in calculations.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Value, ValueKind};
use serde_json::Number;

/// A number with all its digits, for which the engine's numbers are not precise enough.
#[derive(Debug)]
struct Exact(Box<str>);

impl Exact {
    fn approximate(&self) -> Value {
        match self.0.parse::<i128>() {
            Ok(whole) => Value::from(whole),
            // (One that is too large for a float is infinite.)
            Err(_) => Value::from(self.0.parse::<f64>().unwrap_or(f64::NAN)),
        }
    }
}

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.0
            .bytes()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| matches!(byte, b'1'..=b'9'))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        Some(self.approximate().cmp(&other.approximate()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a number of the data as a value for templates.
pub(super) fn to_value(number: &Number) -> Value {
    let small = number.as_i64().map(Value::from);
    small
        .or_else(|| number.as_u64().map(Value::from))
        .unwrap_or_else(|| Value::from_object(Exact(spelled(number).into())))
}

/// Returns the number as it was written, but 7.0 as 7; more digits (7.00) are meant, and kept.
pub(super) fn spelled(number: &Number) -> String {
    without_float(number.to_string())
}

pub(super) fn without_float(mut number: String) -> String {
    if number.ends_with(".0") {
        number.truncate(number.len() - 2);
    }
    number
}

/// Converts an [`Exact`] number, or those in a list, to the engine's numbers, for calculations and comparisons.
pub(super) fn counted(value: Value) -> Value {
    if let Some(exact) = exact(&value) {
        return exact.approximate();
    }
    let is_list = matches!(value.kind(), ValueKind::Seq);
    let Some(items) = value
        .as_object()
        .filter(|_| is_list)
        .and_then(|list| list.try_iter())
    else {
        return value;
    };
    let items: Vec<Value> = items.collect();
    if items.iter().all(|item| exact(item).is_none()) {
        return value;
    }
    items.into_iter().map(counted).collect::<Vec<_>>().into()
}

fn exact(value: &Value) -> Option<&Exact> {
    value.downcast_object_ref::<Exact>()
}
