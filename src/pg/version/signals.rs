//! From 19 on, a signal's handler is told who sent it.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

type Handler = unsafe extern "C-unwind" fn(i32);

/// By the signal's number, of which there are fewer.
static HANDLERS: [AtomicPtr<()>; 64] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 64];
static SENDER_PID: AtomicU32 = AtomicU32::new(0);
static SENDER_UID: AtomicU32 = AtomicU32::new(0);

/// Has `handler` called in this process for the signal.
///
/// # Safety
/// The handler does only what a signal handler may, and does not unwind.
pub unsafe fn set_signal_handler(signal: i32, handler: Handler) {
    let Some(place) = usize::try_from(signal)
        .ok()
        .and_then(|number| HANDLERS.get(number))
    else {
        return;
    };
    place.store(handler as *mut (), SeqCst);
    // SAFETY: by the caller's promise; the name pqsignal is libpq's.
    unsafe { pg_sys::pqsignal_be(signal, Some(on_signal)) };
}

// Not pg_guard: a signal handler must not unwind, and this can't.
unsafe extern "C-unwind" fn on_signal(signal: i32, sender: *const pg_sys::pg_signal_info) {
    // SAFETY: Postgres hands over who sent it, or null.
    if let Some(sender) = unsafe { sender.as_ref() } {
        SENDER_PID.store(sender.pid, SeqCst);
        SENDER_UID.store(sender.uid, SeqCst);
    }
    let handler = HANDLERS[signal.unsigned_abs() as usize % HANDLERS.len()].load(SeqCst);
    if !handler.is_null() {
        // SAFETY: what was stored is a handler.
        unsafe { std::mem::transmute::<*mut (), Handler>(handler)(signal) };
    }
}

/// # Safety
/// In a signal handler.
pub unsafe fn die(signal: i32) {
    // SAFETY: made to be called there.
    unsafe { pg_sys::die(signal, &sender()) };
}

/// # Safety
/// In a signal handler.
pub unsafe fn cancel_statement(signal: i32) {
    // SAFETY: made to be called there.
    unsafe { pg_sys::StatementCancelHandler(signal, &sender()) };
}

fn sender() -> pg_sys::pg_signal_info {
    pg_sys::pg_signal_info {
        pid: SENDER_PID.load(SeqCst),
        uid: SENDER_UID.load(SeqCst),
    }
}
