//! This process: which database it is in, how it ends, and what may be done in it now.

use std::ffi::CStr;
use std::os::fd::RawFd;
use std::time::Duration;

use pgrx::prelude::*;
use webhook::nats::Origin;

use super::version;

/// The database that this process is connected to.
pub fn database() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

/// The database, as others may know it; within a transaction.
pub fn origin() -> Origin {
    // SAFETY: the control file is in shared memory. The process is in a database, whose row is there as long as somebody is in it; the name is copied.
    unsafe {
        let name = pg_sys::get_database_name(pg_sys::MyDatabaseId);
        Origin {
            system_identifier: pg_sys::GetSystemIdentifier(),
            database: CStr::from_ptr(name).to_string_lossy().into(),
        }
    }
}

pub fn pid() -> i32 {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyProcPid }
}

/// Whether the postmaster is loading `shared_preload_libraries`.
pub fn is_preloading() -> bool {
    // SAFETY: a plain flag of the postmaster, read on the main thread.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Whether this is a server that pg_upgrade has started.
pub fn is_upgrading() -> bool {
    // SAFETY: a plain flag of the postmaster, read on the main thread.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// Ends a background process in a way that has the postmaster start it again.
#[allow(
    unreachable_code,
    reason = "pgrx knows that it does not return, but of PostgreSQL 19"
)]
pub fn exit_to_restart() -> ! {
    // SAFETY: on the main thread, outside of a transaction.
    unsafe { pg_sys::proc_exit(1) };
    std::process::abort()
}

/// Has `leave` called with `database` when this process ends, while shared memory is still there. Once in a process.
pub fn at_exit(leave: fn(pg_sys::Oid), database: pg_sys::Oid) {
    AT_EXIT.set(Some(leave));
    // SAFETY: the callback lives as long as the process.
    unsafe { pg_sys::before_shmem_exit(Some(process_ends), database.into()) };
}

thread_local! {
    static AT_EXIT: std::cell::Cell<Option<fn(pg_sys::Oid)>> = const { std::cell::Cell::new(None) };
}

#[pg_guard]
extern "C-unwind" fn process_ends(_code: i32, argument: pg_sys::Datum) {
    if let Some(leave) = AT_EXIT.take() {
        leave(database_of(argument));
    }
}

/// The database that the launcher gives a worker as its argument.
pub fn database_of(argument: pg_sys::Datum) -> pg_sys::Oid {
    pg_sys::Oid::from(argument.value() as u32)
}

/// Whether the server is a standby, or still recovers from a crash.
pub fn recovers() -> bool {
    // SAFETY: a look at shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Gives the transaction its number, if it has none.
pub fn number_transaction() {
    // SAFETY: within a transaction, or an error.
    unsafe { pg_sys::GetCurrentTransactionId() };
}

/// Waits until this session's latch is set, or `socket` can be read, or the time is over; `name` is for pg_stat_activity. The caller
/// handles interrupts.
pub fn wait(socket: Option<RawFd>, longest: Duration, name: &CStr) {
    let milliseconds = longest.as_millis() as std::ffi::c_long;
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: this process's own latch; the caller keeps the socket open as long as the call lasts.
    unsafe {
        let event = version::wait_event(name);
        match socket {
            Some(socket) => {
                let events = events | pg_sys::WL_SOCKET_READABLE;
                pg_sys::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, socket, milliseconds, event);
            }
            None => {
                pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, event);
            }
        }
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}

/// Gives back to the system what the allocator keeps.
pub fn trim_memory() {
    // glibc keeps what was freed in the middle of its heaps; others give it back by themselves.
    #[cfg(target_env = "gnu")]
    // SAFETY: made to be called at any time, by any thread.
    unsafe {
        nix::libc::malloc_trim(0)
    };
}

/// Sets the latch of the process at a place of PostgreSQL's array of processes, which some process of ours was seen at.
pub fn wake(place: i32) {
    if let Some(process) = at(place) {
        // SAFETY: the array stays, and a latch may be set by any process at any time.
        unsafe { pg_sys::SetLatch(&raw mut (*process).procLatch) };
    }
}

/// Returns which process is at that place; 0: none.
pub fn pid_at(place: i32) -> i32 {
    // SAFETY: the array stays. The read is volatile because others write it.
    at(place).map_or(0, |process| unsafe {
        std::ptr::read_volatile(&raw const (*process).pid)
    })
}

/// Whether PostgreSQL counts the process among those that are in a database. (Until 16 its place keeps its number when it has left.)
pub fn is_counted(pid: i32) -> bool {
    // SAFETY: it looks under PostgreSQL's own lock; what it returns is not followed.
    unsafe { !pg_sys::BackendPidGetProc(pid).is_null() }
}

fn at(place: i32) -> Option<*mut pg_sys::PGPROC> {
    let place = u32::try_from(place).ok()?;
    // SAFETY: the array and its size are the same as long as the server runs; what is beyond it is not looked at.
    unsafe {
        let processes = pg_sys::ProcGlobal;
        (place < (*processes).allProcCount).then(|| (*processes).allProcs.add(place as usize))
    }
}
