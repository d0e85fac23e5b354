//! Counts the items of lists and the bytes of texts that a template passes to operators and filters, before they are used.

use std::fmt::{self, Write};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::number;
use super::print::print;

/// The number of items of lists that count as an instruction.
const ITEMS: u64 = 8;
/// The maximum nesting of lists.
const MAX_DEPTH: usize = 16;
/// The maximum length of a printed value, in bytes: more than any format shows.
const MAX_PRINTED: usize = 64 * 1024;

/// Returns the value, after counting all its items.
pub(super) fn measure(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    if is_list(&value) {
        let mut count = 0;
        walk(state, &value, 0, &mut count)?;
    }
    Ok(value)
}

/// Counts the value, and converts its numbers to the engine's, for calculations and comparisons.
pub(super) fn operand(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    measure(state, value).map(number::counted)
}

/// Counts the value, and converts it to the text that it is printed as, for filters that work on texts.
pub(super) fn text(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    let value = measure(state, value)?;
    if value.as_str().is_some() {
        return Ok(value);
    }
    let mut text = String::new();
    print(&value, &mut Bounded::new(&mut text)).map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
    Ok(text.into())
}

/// Counts the value, and if it is a list, converts its items as [`text`] does.
pub(super) fn texts(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    let value = measure(state, value)?;
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Ok(value);
    }
    let items = value.try_iter()?.map(|item| text(state, item));
    items.collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// Returns the value unless it is a list: a product of a list is computed only when it is used, so it could not be counted here.
///
/// # Errors
/// For a list.
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

/// A writer that fails after [`MAX_PRINTED`] bytes.
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
