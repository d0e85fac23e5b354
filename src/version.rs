//! Differences between major versions of PostgreSQL, each with a name.

use std::ffi::CStr;

use pgrx::pg_sys;

/// No socket, where a socket may stand.
pub const NO_SOCKET: pg_sys::pgsocket = -1;

/// This process's place in the array of processes in shared memory.
pub fn my_process_number() -> i32 {
    #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16"))]
    // SAFETY: MyProc is set for every process that runs extension code after start-up.
    unsafe {
        (*pg_sys::MyProc).pgprocno
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: a plain variable of this process.
    unsafe {
        pg_sys::MyProcNumber
    }
}

/// What pg_stat_activity says that a process of ours waits for: in class Extension, with this name where extensions can name theirs.
pub fn wait_event(name: &CStr) -> u32 {
    #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16"))]
    {
        let _ = name;
        pg_sys::PG_WAIT_EXTENSION
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: Postgres copies the name; the same name gives the same event.
    unsafe {
        pg_sys::WaitEventExtensionNew(name.as_ptr())
    }
}

/// A set of events that lives as long as the process.
pub fn create_wait_event_set(events: i32) -> *mut pg_sys::WaitEventSet {
    #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15", feature = "pg16"))]
    // SAFETY: TopMemoryContext is never reset.
    unsafe {
        pg_sys::CreateWaitEventSet(pg_sys::TopMemoryContext, events)
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    // SAFETY: without a resource owner the set is kept until the process ends.
    unsafe {
        pg_sys::CreateWaitEventSet(std::ptr::null_mut(), events)
    }
}
