//! The event's data, as the log's `payload` holds it: a jsonb is built value by value, no text in between.

use std::borrow::Cow;
use std::ffi::CString;
use std::marker::PhantomData;

use pgrx::prelude::*;
use pgrx::{direct_function_call_as_datum, pg_sys};

use super::value::Scalar;
use crate::version;

/// A jsonb object in the making, in the current memory context.
pub struct Payload<'a> {
    state: version::JsonbState,
    /// Texts that the object refers to until it is finished.
    owned: Vec<String>,
    borrowed: PhantomData<&'a str>,
}

impl<'a> Payload<'a> {
    pub fn new() -> Self {
        let mut payload = Payload {
            state: version::JsonbState::default(),
            owned: Vec::new(),
            borrowed: PhantomData,
        };
        payload.push(pg_sys::JsonbIteratorToken::WJB_BEGIN_OBJECT, None);
        payload
    }

    /// Of two values of a key, the later one stays.
    pub fn set(&mut self, key: &'a str, value: Scalar<'a>) {
        let key = self.string(key.into());
        self.push(pg_sys::JsonbIteratorToken::WJB_KEY, Some(key));
        let value = match value {
            Scalar::Null => of(pg_sys::jbvType::jbvNull),
            Scalar::Bool(value) => {
                let mut boolean = of(pg_sys::jbvType::jbvBool);
                boolean.val.boolean = value;
                boolean
            }
            Scalar::Integer(value) => numeric(version::numeric(value)),
            Scalar::Number(text) => parsed(&text, pg_sys::numeric_in).map_or_else(
                || of(pg_sys::jbvType::jbvNull),
                |number| numeric(number.cast_mut_ptr()),
            ),
            Scalar::Text(text) => self.string(text),
            // What json may have and jsonb may not.
            Scalar::Json(text) if text.contains("\\u0000") => self.string(text),
            Scalar::Json(text) => {
                parsed(&text, pg_sys::jsonb_in).map_or_else(|| of(pg_sys::jbvType::jbvNull), nested)
            }
            Scalar::Jsonb(datum) => nested(datum),
        };
        self.push(pg_sys::JsonbIteratorToken::WJB_VALUE, Some(value));
    }

    /// The finished jsonb, in the current memory context.
    pub fn finish(mut self) -> pg_sys::Datum {
        let object = self.push(pg_sys::JsonbIteratorToken::WJB_END_OBJECT, None);
        // SAFETY: the end of the outermost object gives the whole of it; all that it refers to lives as long as `self`.
        unsafe { pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(object)) }
    }

    fn string(&mut self, text: Cow<'a, str>) -> pg_sys::JsonbValue {
        let text = match text {
            Cow::Borrowed(text) => text.as_bytes(),
            Cow::Owned(text) => {
                self.owned.push(text);
                self.owned.last().map_or(&[][..], |text| text.as_bytes())
            }
        };
        let mut value = of(pg_sys::jbvType::jbvString);
        value.val.string.len = text.len() as i32;
        value.val.string.val = text.as_ptr().cast_mut().cast();
        value
    }

    fn push(
        &mut self,
        token: pg_sys::JsonbIteratorToken::Type,
        value: Option<pg_sys::JsonbValue>,
    ) -> *mut pg_sys::JsonbValue {
        let mut value = value;
        let value = value
            .as_mut()
            .map_or(std::ptr::null_mut(), |value| &raw mut *value);
        // SAFETY: keys and values follow each other within one object; the value is copied, the texts that it points to stay.
        unsafe { version::push_jsonb(&mut self.state, token, value) }
    }
}

fn of(kind: pg_sys::jbvType::Type) -> pg_sys::JsonbValue {
    pg_sys::JsonbValue {
        type_: kind,
        ..pg_sys::JsonbValue::default()
    }
}

fn numeric(number: pg_sys::Numeric) -> pg_sys::JsonbValue {
    let mut value = of(pg_sys::jbvType::jbvNumeric);
    value.val.numeric = number;
    value
}

/// A jsonb as part of another one.
fn nested(datum: pg_sys::Datum) -> pg_sys::JsonbValue {
    let mut value = of(pg_sys::jbvType::jbvBinary);
    // SAFETY: a jsonb, detoasted; a single value is taken out of the array that it is stored as.
    unsafe {
        let jsonb = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
        let root = &raw mut (*jsonb.cast::<pg_sys::Jsonb>()).root;
        if !pg_sys::JsonbExtractScalar(root, &mut value) {
            value = of(pg_sys::jbvType::jbvBinary);
            value.val.binary.len = pgrx::varsize_any_exhdr(jsonb) as i32;
            value.val.binary.data = root;
        }
    }
    value
}

/// A value from its text form, which comes from a value of a kindred type.
fn parsed(text: &str, input: unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum) -> Option<pg_sys::Datum> {
    let text = CString::new(text).ok()?;
    // SAFETY: the arguments of an input function: text, type, modifier.
    unsafe {
        direct_function_call_as_datum(
            input,
            &[
                Some(pg_sys::Datum::from(text.as_ptr())),
                pg_sys::InvalidOid.into_datum(),
                (-1i32).into_datum(),
            ],
        )
    }
}
