//! Memory contexts.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A memory context that outlives transactions. Dropping it frees all that was allocated in it.
pub struct SessionMemory(pg_sys::MemoryContext);

impl SessionMemory {
    pub fn new(name: &'static CStr) -> Self {
        // SAFETY: PostgreSQL keeps the pointer to the name, which is static; TopMemoryContext lives as long as the process.
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

    /// Runs `f` with this as the current memory context.
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
        // SAFETY: created by new(), and deleted only here. within() borrows it, so it is not the current context now.
        unsafe { pg_sys::MemoryContextDelete(self.0) };
    }
}

/// A memory context for a part of a transaction. It is the current context while it lives; dropping it frees all that was allocated in it.
pub struct ScratchMemory {
    context: pg_sys::MemoryContext,
    caller: Current,
}

impl ScratchMemory {
    pub fn enter(name: &'static CStr) -> Self {
        // SAFETY: a child of the current context, deleted by Drop, or with its parent after an error. PostgreSQL keeps the pointer to the
        // name, which is static.
        let context = unsafe {
            pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                name.as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        };
        ScratchMemory {
            context,
            caller: Current::switch(context),
        }
    }
}

impl Drop for ScratchMemory {
    fn drop(&mut self) {
        // After an error, the abort of the (sub)transaction deletes it with its parent.
        if !std::thread::panicking() {
            // SAFETY: created by enter(), and deleted only here; the caller's context becomes current first, since a deleted one must not be.
            unsafe {
                pg_sys::MemoryContextSwitchTo(self.caller.0);
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}

/// Makes a memory context the current one while it lives, and then the one that was current before.
pub(super) struct Current(pg_sys::MemoryContext);

impl Current {
    pub(super) fn switch(to: pg_sys::MemoryContext) -> Self {
        // SAFETY: every caller in this module and in `plan` keeps the context alive as long as the result.
        Current(unsafe { pg_sys::MemoryContextSwitchTo(to) })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // SAFETY: the context was current when this was made, so it belongs to this call or an outer one, which has not returned.
        unsafe { pg_sys::MemoryContextSwitchTo(self.0) };
    }
}
