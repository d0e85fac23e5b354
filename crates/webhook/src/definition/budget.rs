//! What a template may work on: each item of a list and each byte of a text that it hands to an operator or a filter is counted
//! before it gets there.

use std::fmt::{self, Write};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::number;
use super::print::print;

/// Items of lists that cost as much as an instruction.
const ITEMS: u64 = 8;
/// Lists in lists.
const MAX_DEPTH: usize = 16;
/// Bytes of a value that is printed: more than any format shows.
const MAX_PRINTED: usize = 64 * 1024;

/// The value, once all that is in it has been counted.
pub(super) fn measure(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    if is_list(&value) {
        let mut count = 0;
        walk(state, &value, 0, &mut count)?;
    }
    Ok(value)
}

/// The same for what counts or compares.
pub(super) fn operand(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    measure(state, value).map(number::counted)
}

/// The same for what works on texts: all else becomes the text that it prints as.
pub(super) fn text(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    let value = measure(state, value)?;
    if value.as_str().is_some() {
        return Ok(value);
    }
    let mut text = String::new();
    print(&value, &mut Bounded::new(&mut text)).map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
    Ok(text.into())
}

/// The same for the items of a list.
pub(super) fn texts(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    let value = measure(state, value)?;
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Ok(value);
    }
    let items = value.try_iter()?.map(|item| text(state, item));
    items.collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// The value, if it is no list: a product of lists is a promise that takes no time, and no message needs one.
pub(super) fn factor(value: Value) -> Result<Value, Error> {
    let value = number::counted(value);
    if is_list(&value) {
        let reason = "only numbers and texts can be multiplied";
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    Ok(value)
}

fn is_list(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::Plain
    )
}

fn walk(state: &State<'_, '_>, value: &Value, depth: usize, count: &mut u64) -> Result<(), Error> {
    *count += 1;
    if count.is_multiple_of(ITEMS) {
        state.consume_fuel(1)?;
    }
    if !is_list(value) {
        return Ok(());
    }
    if depth == MAX_DEPTH {
        let reason = "a list is nested too deeply";
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    let is_map = value.kind() == ValueKind::Map;
    for item in object.try_iter().into_iter().flatten() {
        if is_map && let Some(inner) = object.get_value(&item) {
            walk(state, &inner, depth + 1, count)?;
        }
        walk(state, &item, depth + 1, count)?;
    }
    Ok(())
}

/// Takes no more than may be printed of one value.
pub(super) struct Bounded<W> {
    inner: W,
    left: usize,
}

impl<W> Bounded<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            left: MAX_PRINTED,
        }
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        self.inner.write_str(text)
    }
}
