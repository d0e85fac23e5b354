//! Errors and warnings whose CONTEXT begins with the caller: the frames of the extension's own functions are left out.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use pgrx::pg_sys;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::setting;

/// Maximum number of frames of the CONTEXT that are looked at, from the innermost.
const MAX_FRAMES: usize = 200;

/// The fields of a message. An empty detail, hint or column is left out.
#[derive(Debug, Default)]
pub struct Message<'a> {
    pub text: &'a str,
    pub detail: &'a str,
    pub hint: &'a str,
    /// The column or parameter that the message is about.
    pub column: &'a str,
}

/// Raises an error.
pub fn raise(code: PgSqlErrorCode, message: &Message) -> ! {
    let outside = frame_of_the_caller();
    // SAFETY: `outside` is null or a frame of an enclosing call, which is still on the stack. PG_CATCH and pg_guard restore the stack that they
    // saved, in every supported version.
    unsafe { pg_sys::error_context_stack = outside };
    report(PgLogLevel::ERROR, code, message);
    unreachable!("an error does not return")
}

/// Raises a warning.
pub fn warn(code: PgSqlErrorCode, message: &Message) {
    // SAFETY: as in raise(); a warning returns, and the stack is restored here.
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
    // SAFETY: ThrowErrorData copies the texts into its own memory before it raises anything; the names of file and function are constants.
    unsafe { pg_sys::ThrowErrorData(&mut data) };
}

/// Returns the text as a C string without its zero bytes; None if it is empty.
fn c_string(text: &str) -> Option<CString> {
    (!text.is_empty()).then(|| CString::new(text.replace('\0', "")).unwrap_or_default())
}

/// Returns the frame that is just outside of the outermost of our functions; null if there is none.
fn frame_of_the_caller() -> *mut pg_sys::ErrorContextCallback {
    // SAFETY: each frame is on the stack of a call that has not returned, and points to the frame of the call around it, or null.
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
    // is_ours() compares English texts.
    let _language = setting::hold(&setting::ENGLISH);
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

/// Whether a frame's text names a function of the extension: one of its schema, or one of those that users call (`zentry_*`).
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

/// Returns the text that one frame adds to the CONTEXT; empty if it adds none.
///
/// # Safety
/// `frame` is on the error context stack.
unsafe fn text_of(frame: *mut pg_sys::ErrorContextCallback) -> String {
    // SAFETY: the stack is a copy of the one frame for the time of the call. If its callback raises an error, the catcher restores its own
    // stack. GetErrorContextStack allocates the text in the current memory context.
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
