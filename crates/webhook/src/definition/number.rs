//! Numbers of an event's data: printed with the digits that they were written with, and numbers to whatever counts with them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr, Value, ValueKind};
use serde_json::Number;

/// A number with all its digits, where the engine's own have fewer.
#[derive(Debug)]
struct Exact(Box<str>);

impl Exact {
    fn approximate(&self) -> Value {
        match self.0.parse::<i128>() {
            Ok(whole) => Value::from(whole),
            // Beyond all bounds it is infinite.
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

/// A number of the data as templates see it.
pub(super) fn to_value(number: &Number) -> Value {
    let small = number.as_i64().map(Value::from);
    small
        .or_else(|| number.as_u64().map(Value::from))
        .unwrap_or_else(|| Value::from_object(Exact(spelled(number).into())))
}

/// The number as it was written. A float that is a whole number (7.0) reads as one; what has more digits (7.00) means them.
pub(super) fn spelled(number: &Number) -> String {
    without_float(number.to_string())
}

pub(super) fn without_float(mut number: String) -> String {
    if number.ends_with(".0") {
        number.truncate(number.len() - 2);
    }
    number
}

/// What counts or compares is given the engine's own numbers, also those of a list.
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
