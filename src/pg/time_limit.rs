//! A limit of the time for which code of a role may run in a background process.
//!
//! PostgreSQL's statement timeout cancels the code. If it catches the cancel and goes on, the process is terminated. A function that does not
//! check for interrupts notices neither: so the timer's handler also notes in shared memory that the process should have ended, and
//! wakes the launcher.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgrx::pg_sys;

use super::crash_note::{self, Ran};
use super::version;

/// `STATEMENT_TIMEOUT` of utils/timeout.h, the same from 15 to 19. (pgrx has no binding of it.)
const STATEMENT_TIMEOUT: c_int = 3;
/// A number above PostgreSQL's own timeouts in every supported version (USER_TIMEOUT is 12 in 15): for it, RegisterTimeout chooses a free one.
const ANY_USER_TIMEOUT: c_int = 20;
/// The time that cancelled code may take to end.
const GRACE: Duration = Duration::from_secs(1);

unsafe extern "C" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn RegisterTimeout(id: c_int, handler: extern "C-unwind" fn()) -> c_int;
}

thread_local! {
    static END: Cell<Option<c_int>> = const { Cell::new(None) };
}

/// Where this process notes what overran its limit, and a function that wakes whoever waits for that.
static NOTED_IN: OnceLock<(&'static Overran, fn())> = OnceLock::new();
/// Whether this process was told to end.
static ENDS: AtomicBool = AtomicBool::new(false);
/// The fields of the current [`Ran`].
static RUNS: AtomicI64 = AtomicI64::new(0);
static RUNS_FOR: AtomicU32 = AtomicU32::new(0);
static RUNS_UNTIL: AtomicI64 = AtomicI64::new(0);

/// The run that has ended a process, or should have ended it, because it did not react to a cancel. It is in shared memory.
pub struct Overran {
    /// [`Ran::number`]; 0: there is none.
    number: AtomicI64,
    /// [`Ran::owner`].
    owner: AtomicU32,
    /// [`Ran::until`].
    until: AtomicI64,
    /// Whether the launcher has still to look at it.
    pub unseen: AtomicBool,
    /// When the process was told to end, in microseconds since 1970; 0: it was not.
    told_at: AtomicI64,
}

impl Overran {
    pub const fn nothing() -> Self {
        Overran {
            number: AtomicI64::new(0),
            owner: AtomicU32::new(0),
            until: AtomicI64::new(0),
            unseen: AtomicBool::new(false),
            told_at: AtomicI64::new(0),
        }
    }

    /// Returns when the process was told to end, in microseconds since 1970; None: it was not.
    pub fn told_at(&self) -> Option<i64> {
        Some(self.told_at.load(SeqCst)).filter(|at| *at != 0)
    }

    /// Notes that the process has ended or was replaced.
    pub fn process_changes(&self) {
        self.told_at.store(0, SeqCst);
    }

    /// Returns the run that has ended the process; None: there is none.
    pub fn ran(&self) -> Option<Ran> {
        let ran = Ran {
            number: self.number.load(SeqCst),
            owner: self.owner.load(SeqCst),
            until: self.until.load(SeqCst),
        };
        Some(ran).filter(|ran| ran.number != 0)
    }

    pub fn forget(&self) {
        self.number.store(0, SeqCst);
        self.owner.store(0, SeqCst);
    }

    fn note(&self) {
        let number = RUNS.load(SeqCst);
        if number != 0 {
            self.owner.store(RUNS_FOR.load(SeqCst), SeqCst);
            self.until.store(RUNS_UNTIL.load(SeqCst), SeqCst);
            self.number.store(number, SeqCst);
            self.unseen.store(true, SeqCst);
        }
    }
}

/// Sets where a run that overruns its limit is noted, and what is called then. `tell` does only what a signal handler may.
pub fn note_in(place: &'static Overran, tell: fn()) {
    let _ = NOTED_IN.set((place, tell));
}

/// Notes the current run, if any, in a process that ends by itself: the run may have ended it.
pub fn note_what_runs() {
    if let Some((place, _)) = NOTED_IN.get() {
        place.note();
    }
}

/// Ends the process if it was told to during a run: another process may have taken over its work.
pub fn end_if_told() {
    if ENDS.load(SeqCst) {
        pgrx::check_for_interrupts!();
    }
}

/// While it lives, what runs is noted under a number and a role (see [`Ran`]), here and in the crash note.
pub struct Numbered {
    ran: Ran,
    before: Ran,
}

impl Numbered {
    pub fn new(number: i64, owner: u32) -> Self {
        let ran = Ran::now(number, owner);
        let before = Ran {
            number: RUNS.swap(number, SeqCst),
            owner: RUNS_FOR.swap(owner, SeqCst),
            until: RUNS_UNTIL.swap(ran.until, SeqCst),
        };
        crash_note::runs(ran);
        Numbered { ran, before }
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        RUNS.store(self.before.number, SeqCst);
        RUNS_FOR.store(self.before.owner, SeqCst);
        RUNS_UNTIL.store(self.before.until, SeqCst);
        crash_note::acquit(self.ran);
        crash_note::runs(self.before);
    }
}

/// While it lives, what runs is cancelled when its time is over. There is one at a time, in a process that has no statement timeout otherwise.
pub struct TimeLimit(());

impl TimeLimit {
    pub fn start(limit: Duration) -> Self {
        let end = END.get().unwrap_or_else(|| {
            // SAFETY: the process is connected to a database, so InitializeTimeouts was called; the handler does only what a signal handler may.
            let end = unsafe { RegisterTimeout(ANY_USER_TIMEOUT, end_process) };
            END.set(Some(end));
            end
        });
        // SAFETY: both timeouts are registered, the first by InitPostgres in every process that is connected to a database.
        unsafe {
            enable_timeout_after(STATEMENT_TIMEOUT, milliseconds(limit));
            enable_timeout_after(end, milliseconds(limit + GRACE));
        }
        TimeLimit(())
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        // SAFETY: as above. The flag is cleared because a cancel that came too late must not hit what runs next.
        unsafe {
            disable_timeout(STATEMENT_TIMEOUT, false);
            if let Some(end) = END.get() {
                disable_timeout(end, false);
            }
            pg_sys::QueryCancelPending = 0;
        }
    }
}

fn milliseconds(time: Duration) -> c_int {
    c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX).max(1)
}

/// The handler of the second timer: terminates the process at its next check for interrupts, since PL/pgSQL can catch a cancel but not that.
extern "C-unwind" fn end_process() {
    note_what_runs();
    ENDS.store(true, SeqCst);
    // SAFETY: die() is PostgreSQL's handler of SIGTERM, and this function is called in a signal handler (handle_sig_alrm, which keeps errno).
    unsafe { version::die(pg_sys::SIGTERM as i32) };
    if let Some((place, tell)) = NOTED_IN.get() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        place.told_at.store(now, SeqCst);
        tell();
    }
}
