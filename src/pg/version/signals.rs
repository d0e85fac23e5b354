//! Signal handlers from 19 on, which are told who sent the signal.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

type Handler = unsafe extern "C-unwind" fn(i32);

/// The handlers, as pointers, by signal number. The standard signals are below 64.
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
    // SAFETY: by the caller's promise, which on_signal() keeps too. The symbol pqsignal is libpq's.
    unsafe { pg_sys::pqsignal_be(signal, Some(on_signal)) };
}

// Without pg_guard: a signal handler must not unwind, and this cannot.
unsafe extern "C-unwind" fn on_signal(signal: i32, sender: *const pg_sys::pg_signal_info) {
    // SAFETY: PostgreSQL passes null or the sender, for the time of the call.
    if let Some(sender) = unsafe { sender.as_ref() } {
        SENDER_PID.store(sender.pid, SeqCst);
        SENDER_UID.store(sender.uid, SeqCst);
    }
    let handler = HANDLERS[signal.unsigned_abs() as usize % HANDLERS.len()].load(SeqCst);
    if !handler.is_null() {
        // SAFETY: every pointer that is not null was stored by set_signal_handler(), from a function of this type.
        unsafe { std::mem::transmute::<*mut (), Handler>(handler)(signal) };
    }
}

/// Requests the end of this process.
///
/// # Safety
/// Called in a signal handler.
pub unsafe fn die(signal: i32) {
    // SAFETY: by the caller's promise: this is PostgreSQL's own handler.
    unsafe { pg_sys::die(signal, &sender()) };
}

/// Requests the cancel of the current statement.
///
/// # Safety
/// Called in a signal handler.
pub unsafe fn cancel_statement(signal: i32) {
    // SAFETY: by the caller's promise: this is PostgreSQL's own handler.
    unsafe { pg_sys::StatementCancelHandler(signal, &sender()) };
}

/// Returns the sender of the last signal.
fn sender() -> pg_sys::pg_signal_info {
    pg_sys::pg_signal_info {
        pid: SENDER_PID.load(SeqCst),
        uid: SENDER_UID.load(SeqCst),
    }
}
