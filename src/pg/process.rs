//! This process: its database, its state, its end; and other processes of the server.

use std::ffi::CStr;
use std::os::fd::RawFd;
use std::time::Duration;

use pgrx::prelude::*;
use webhook::nats::Origin;

use super::version;

/// Returns the database that this process is connected to.
pub fn database() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}

/// Returns the identity of the database towards the outside: the cluster's system identifier and the database's name. It is called within a
/// transaction.
pub fn origin() -> Origin {
    // SAFETY: every process has the control file in memory. The process is connected to a database, which cannot be dropped meanwhile, so the
    // name is a C string in the current memory context, and it is copied.
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

/// Whether `shared_preload_libraries` are being loaded, in the postmaster.
pub fn is_preloading() -> bool {
    // SAFETY: a plain flag of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Whether this is a server that pg_upgrade has started.
pub fn is_upgrading() -> bool {
    // SAFETY: a plain flag of this process.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// Ends a background process with exit code 1, so that the postmaster starts it again (bgworker.h). It is called outside of a transaction.
#[allow(
    unreachable_code,
    reason = "pgrx's binding of proc_exit is declared to return in PostgreSQL 19 only"
)]
pub fn exit_to_restart() -> ! {
    // SAFETY: called on the main thread, outside of a transaction; the exit callbacks of PostgreSQL run, and no Rust destructors.
    unsafe { pg_sys::proc_exit(1) };
    std::process::abort()
}

/// Has `leave` called with `database` when this process ends, while it is still attached to shared memory. Called once in a process.
pub fn at_exit(leave: fn(pg_sys::Oid), database: pg_sys::Oid) {
    AT_EXIT.set(Some(leave));
    // SAFETY: the callback is a function, which lives as long as the process.
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

/// Returns the database that the launcher has given a worker as its argument.
pub fn database_of(argument: pg_sys::Datum) -> pg_sys::Oid {
    pg_sys::Oid::from(argument.value() as u32)
}

/// Whether the server is a standby, or still recovers from a crash.
pub fn recovers() -> bool {
    // SAFETY: reads a flag in shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Assigns a transaction id to the current transaction, if it has none.
pub fn number_transaction() {
    // SAFETY: called within a transaction; where no id may be assigned, it raises an error.
    unsafe { pg_sys::GetCurrentTransactionId() };
}

/// Waits until this process's latch is set, `socket` can be read, or `longest` has passed, and resets the latch. `name` is the wait event in
/// pg_stat_activity. The caller handles interrupts.
pub fn wait(socket: Option<RawFd>, longest: Duration, name: &CStr) {
    let milliseconds = longest.as_millis() as std::ffi::c_long;
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: MyLatch is this process's own; the caller keeps the socket open during the call.
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

/// Returns free memory of the allocator to the system.
pub fn trim_memory() {
    // glibc keeps what was freed in the middle of its heaps until malloc_trim(3); other allocators return it by themselves.
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time, by any thread.
    unsafe {
        nix::libc::malloc_trim(0)
    };
}

/// Sets the latch of the process with this number. Nothing happens if there is none; if the number was reused, another process is woken for
/// nothing.
pub fn wake(number: i32) {
    if let Some(process) = entry_of(number) {
        // SAFETY: the entry is in shared memory that stays mapped, and any process may set a latch at any time.
        unsafe { pg_sys::SetLatch(&raw mut (*process).procLatch) };
    }
}

/// Returns the pid of the process with this number; 0: there is none.
pub fn pid_of(number: i32) -> i32 {
    // SAFETY: the entry is in shared memory that stays mapped. The read is volatile because other processes write the field.
    entry_of(number).map_or(0, |process| unsafe {
        std::ptr::read_volatile(&raw const (*process).pid)
    })
}

/// Whether PostgreSQL counts the process among those that are connected to a database. ([`pid_of`] does not tell: until 16, an entry keeps its
/// pid when the process has ended.)
pub fn is_counted(pid: i32) -> bool {
    // SAFETY: the search takes PostgreSQL's own lock; the pointer that it returns is not dereferenced.
    unsafe { !pg_sys::BackendPidGetProc(pid).is_null() }
}

/// Returns the entry of the process with this number (`MyProcNumber`, until 16 `pgprocno`) in the server's array of processes.
fn entry_of(number: i32) -> Option<*mut pg_sys::PGPROC> {
    let number = u32::try_from(number).ok()?;
    // SAFETY: the server sets the array and its length when it starts, and both stay the same; the index is within the length.
    unsafe {
        let processes = pg_sys::ProcGlobal;
        (number < (*processes).allProcCount).then(|| (*processes).allProcs.add(number as usize))
    }
}
