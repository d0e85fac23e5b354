//! A limit for how long code may run in a background process: by PostgreSQL's own statement timeout, and, for code that catches the
//! cancel and goes on, by the end of the process. A function of PostgreSQL's own that looks at no interrupts heeds neither: then it is told
//! beyond the process, by the timer's signal, that it should have ended.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pgrx::pg_sys;

use super::crash_note::{self, Ran};
use super::version;

/// PostgreSQL's statement timeout; `utils/timeout.h`, the same in all versions that we know.
const STATEMENT_TIMEOUT: c_int = 3;
/// Beyond PostgreSQL's own timeouts in every version: a request for one of those that modules may have, which it numbers itself.
const ANY_USER_TIMEOUT: c_int = 20;
/// How long what was cancelled may take to end.
const GRACE: Duration = Duration::from_secs(1);

unsafe extern "C" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn RegisterTimeout(id: c_int, handler: extern "C-unwind" fn()) -> c_int;
}

thread_local! {
    static END: Cell<Option<c_int>> = const { Cell::new(None) };
}

/// Where it is noted, beyond the process, what has ended it, and what tells those who wait for that.
static NOTED_IN: OnceLock<(&'static Overran, fn())> = OnceLock::new();
/// This process was told to end.
static ENDS: AtomicBool = AtomicBool::new(false);
/// What runs now, and whose it is; 0: nothing that has a number. See [`Ran`].
static RUNS: AtomicI64 = AtomicI64::new(0);
static RUNS_FOR: AtomicU32 = AtomicU32::new(0);
static RUNS_UNTIL: AtomicI64 = AtomicI64::new(0);

/// What has ended a process because it heeded no cancel.
pub struct Overran {
    /// Its number; 0: nothing has.
    number: AtomicI64,
    /// Number of the role that it was of.
    owner: AtomicU32,
    /// The last one of the events that it ran for.
    until: AtomicI64,
    /// Not yet seen by who starts processes.
    pub unseen: AtomicBool,
    /// Since when the process should have ended, in microseconds since 1970; 0: it may go on.
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

    /// Since when the process should have ended, in microseconds since 1970.
    pub fn told_at(&self) -> Option<i64> {
        Some(self.told_at.load(SeqCst)).filter(|at| *at != 0)
    }

    /// Another process is there now, or none.
    pub fn process_changes(&self) {
        self.told_at.store(0, SeqCst);
    }

    /// What has ended the process; None: nothing has.
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

/// From now on what does not end is noted there before the process ends, and `tell` is called. It does what a signal's handler may.
pub fn note_in(place: &'static Overran, tell: fn()) {
    let _ = NOTED_IN.set((place, tell));
}

/// Notes what runs, if anything, in a process that ends by itself: what runs may have ended it.
pub fn note_what_runs() {
    if let Some((place, _)) = NOTED_IN.get() {
        place.note();
    }
}

/// Ends the process if it was told to while something ran: another one may have its work by now.
pub fn end_if_told() {
    if ENDS.load(SeqCst) {
        pgrx::check_for_interrupts!();
    }
}

/// While it lives, what runs has this number, and is of this role. It is noted beyond the process, should that die of it.
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

/// While it lives, what runs is cancelled when the time is over. One at a time, in a process without a statement timeout.
pub struct TimeLimit(());

impl TimeLimit {
    pub fn start(limit: Duration) -> Self {
        let end = END.get().unwrap_or_else(|| {
            // SAFETY: in a process that is connected to a database, where timeouts are initialized; the handler does what signal handlers may.
            let end = unsafe { RegisterTimeout(ANY_USER_TIMEOUT, end_process) };
            END.set(Some(end));
            end
        });
        // SAFETY: both are registered, the first by PostgreSQL for every process that is connected to a database; nobody else uses them here.
        unsafe {
            enable_timeout_after(STATEMENT_TIMEOUT, milliseconds(limit));
            enable_timeout_after(end, milliseconds(limit + GRACE));
        }
        TimeLimit(())
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        // SAFETY: as above; a cancel that came too late must not hit what runs next.
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

/// PL/pgSQL can catch a cancel, and nothing the end of the process, unless it is never asked whether it should end.
extern "C-unwind" fn end_process() {
    note_what_runs();
    ENDS.store(true, SeqCst);
    // SAFETY: PostgreSQL's own handler of SIGTERM, made to be called while a signal is handled, as this is.
    unsafe { version::die(pg_sys::SIGTERM as i32) };
    if let Some((place, tell)) = NOTED_IN.get() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        place.told_at.store(now, SeqCst);
        tell();
    }
}
