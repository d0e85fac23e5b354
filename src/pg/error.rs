//! Errors and warnings of ours, raised where their CONTEXT says where the caller was, and nothing of our own functions.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use pgrx::pg_sys;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::setting;

/// More nested calls than these have their whole CONTEXT.
const MAX_FRAMES: usize = 200;

/// What a message says. An empty detail, hint or column is none.
#[derive(Debug, Default)]
pub struct Message<'a> {
    pub text: &'a str,
    pub detail: &'a str,
    pub hint: &'a str,
    /// The column or parameter that is to blame.
    pub column: &'a str,
}

/// Raises an error.
pub fn raise(code: PgSqlErrorCode, message: &Message) -> ! {
    let outside = frame_of_the_caller();
    // SAFETY: a frame of the stack of frames, or null for none. Whoever catches the error puts its own back.
    unsafe { pg_sys::error_context_stack = outside };
    report(PgLogLevel::ERROR, code, message);
    unreachable!("an error does not return")
}

/// Raises a warning.
pub fn warn(code: PgSqlErrorCode, message: &Message) {
    // SAFETY: as above, put back here.
    unsafe {
        let whole = pg_sys::error_context_stack;
        pg_sys::error_context_stack = frame_of_the_caller();
        report(PgLogLevel::WARNING, code, message);
        pg_sys::error_context_stack = whole;
    }
}

fn report(level: PgLogLevel, code: PgSqlErrorCode, message: &Message) {
    let text = c_string(message.text).unwrap_or_default();
    let (detail, hint, column) = (
        c_string(message.detail),
        c_string(message.hint),
        c_string(message.column),
    );
    let pointer = |text: &Option<CString>| {
        text.as_ref()
            .map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut())
    };
    let mut data = pg_sys::ErrorData {
        elevel: level as i32,
        sqlerrcode: code as i32,
        message: text.as_ptr().cast_mut(),
        detail: pointer(&detail),
        hint: pointer(&hint),
        column_name: pointer(&column),
        filename: c"zentry_notify".as_ptr(),
        funcname: c"zentry_notify".as_ptr(),
        ..Default::default()
    };
    // SAFETY: PostgreSQL copies the texts before it does anything else.
    unsafe { pg_sys::ThrowErrorData(&mut data) };
}

fn c_string(text: &str) -> Option<CString> {
    (!text.is_empty()).then(|| CString::new(text.replace('\0', "")).unwrap_or_default())
}

/// Returns the innermost frame outside of our functions: what called them, and what ran the statements in them, is left out with them.
fn frame_of_the_caller() -> *mut pg_sys::ErrorContextCallback {
    // SAFETY: the frames are those of calls that go on; each names the one before it.
    let frames: Vec<*mut pg_sys::ErrorContextCallback> = unsafe {
        std::iter::successors(existing(pg_sys::error_context_stack), |frame| {
            existing((**frame).previous)
        })
        .take(MAX_FRAMES)
        .collect()
    };
    let Some(&innermost) = frames.first() else {
        return ptr::null_mut();
    };
    // Frames describe themselves in English meanwhile.
    let _language = setting::hold(&[(c"lc_messages", c"C")]);
    let outermost_of_ours = frames
        .iter()
        // SAFETY: as above.
        .rposition(|frame| is_ours(&unsafe { text_of(*frame) }));
    match outermost_of_ours {
        // SAFETY: as above.
        Some(index) => unsafe { (*frames[index]).previous },
        None => innermost,
    }
}

fn existing(frame: *mut pg_sys::ErrorContextCallback) -> Option<*mut pg_sys::ErrorContextCallback> {
    (!frame.is_null()).then_some(frame)
}

/// Whether the text of a frame is that of a function of ours: those of the schema, and those that users call.
fn is_ours(text: &str) -> bool {
    let name = text
        .strip_prefix("PL/pgSQL function ")
        .or_else(|| text.strip_prefix("SQL function \""));
    let signature = name.and_then(|name| name.split(['(', '"']).next());
    signature.is_some_and(|signature| {
        let (schema, name) = signature.rsplit_once('.').unwrap_or(("", signature));
        schema == "zentry_notify" || name.starts_with("zentry_")
    })
}

/// Returns what one frame adds to the CONTEXT.
///
/// # Safety
/// The frame is one of the stack of frames.
unsafe fn text_of(frame: *mut pg_sys::ErrorContextCallback) -> String {
    // SAFETY: a stack of one frame, a copy. An error in it is caught by somebody who puts their own stack back.
    unsafe {
        let whole = pg_sys::error_context_stack;
        let mut alone = *frame;
        alone.previous = ptr::null_mut();
        pg_sys::error_context_stack = &mut alone;
        let text: *mut c_char = pg_sys::GetErrorContextStack();
        pg_sys::error_context_stack = whole;
        if text.is_null() {
            return String::new();
        }
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        pg_sys::pfree(text.cast());
        owned
    }
}
