//! Memory of PostgreSQL's that a session keeps.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A memory context that outlives transactions; what is allocated in it goes with it.
pub struct SessionMemory(pg_sys::MemoryContext);

impl SessionMemory {
    pub fn new(name: &'static CStr) -> Self {
        // SAFETY: the name is never freed; TopMemoryContext lives as long as the process.
        SessionMemory(unsafe {
            pg_sys::AllocSetContextCreateExtended(
                pg_sys::TopMemoryContext,
                name.as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            )
        })
    }

    /// Runs `f` with this as the current context.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        let _current = Current::switch(self.0);
        f()
    }

    pub fn as_ptr(&self) -> pg_sys::MemoryContext {
        self.0
    }
}

impl Drop for SessionMemory {
    fn drop(&mut self) {
        // SAFETY: made in new(), and deleted once.
        unsafe { pg_sys::MemoryContextDelete(self.0) };
    }
}

/// A memory context that is emptied when it goes, within a transaction.
pub struct PassingMemory {
    context: pg_sys::MemoryContext,
    _current: Current,
}

impl PassingMemory {
    /// It is the current context as long as it lives.
    pub fn enter(name: &'static CStr) -> Self {
        // SAFETY: a child of the current context, which is deleted before it, or with it after an error.
        let context = unsafe {
            pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                name.as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        PassingMemory {
            context,
            _current: Current::switch(context),
        }
    }
}

impl Drop for PassingMemory {
    fn drop(&mut self) {
        // After an error, PostgreSQL deletes the contexts above it.
        if !std::thread::panicking() {
            // SAFETY: made in enter(); the context before it becomes current first, as a deleted one must not be.
            unsafe {
                pg_sys::MemoryContextSwitchTo(self._current.0);
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}

/// Puts the context that was current back.
pub(super) struct Current(pg_sys::MemoryContext);

impl Current {
    pub(super) fn switch(to: pg_sys::MemoryContext) -> Self {
        // SAFETY: a context that lives as long as the switch.
        Current(unsafe { pg_sys::MemoryContextSwitchTo(to) })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // SAFETY: it was current when this was made, in the same or an outer call.
        unsafe { pg_sys::MemoryContextSwitchTo(self.0) };
    }
}
