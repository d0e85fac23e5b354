//! What a transaction has written is told at its commit.

use std::cell::{Cell, RefCell};

use pgrx::prelude::*;

use super::{Registry, Work, registry};

thread_local! {
    /// What the running transaction has written.
    static WRITTEN: RefCell<Work> = const { RefCell::new(Work::NONE) };
    /// What it has changed of databases.
    static CHANGED: Cell<Changed> = const { Cell::new(Changed::NOTHING) };
}

/// What a transaction has changed of databases.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Changed {
    /// Whether one may be open now.
    doors: bool,
    settings: Settings,
}

impl Changed {
    const NOTHING: Changed = Changed {
        doors: false,
        settings: Settings::AsBefore,
    };
}

/// Whose settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settings {
    AsBefore,
    Of(pg_sys::Oid),
    OfAll,
}

/// Has the launcher look which databases are open, once the running transaction has committed.
pub fn databases_change_at_commit() {
    let changed = CHANGED.get();
    CHANGED.set(Changed {
        doors: true,
        ..changed
    });
}

/// Has workers with the new settings look at the database, or at all of them, once the running transaction has committed.
pub fn settings_change_at_commit(database: Option<pg_sys::Oid>) {
    let changed = CHANGED.get();
    let settings = match (changed.settings, database) {
        (Settings::AsBefore, Some(database)) => Settings::Of(database),
        (Settings::Of(before), Some(database)) if before == database => Settings::Of(database),
        _ => Settings::OfAll,
    };
    CHANGED.set(Changed { settings, ..changed });
}

/// Lets the worker look at these integrations once the running transaction has committed.
pub fn at_commit(change: impl FnOnce(&mut Work)) {
    WRITTEN.with_borrow_mut(change);
}

pub fn register_callbacks() {
    // SAFETY: once per process; the callback neither raises errors nor allocates.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

#[pg_guard]
extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let changed = CHANGED.replace(Changed::NOTHING);
    if event == XACT_EVENT_COMMIT
        && changed != Changed::NOTHING
        && let Some(registry) = registry()
    {
        tell(registry, changed);
    }
    let written = WRITTEN.take();
    if event == XACT_EVENT_COMMIT
        && !written.is_empty()
        && let Some(registry) = registry()
    {
        // SAFETY: a plain variable of this process.
        registry.notify(unsafe { pg_sys::MyDatabaseId }, &written);
    }
}

fn tell(registry: &Registry, changed: Changed) {
    match changed.settings {
        Settings::AsBefore => {}
        Settings::Of(database) => registry.settings_changed(Some(database)),
        Settings::OfAll => registry.settings_changed(None),
    }
    if changed.doors {
        registry.databases_changed();
    }
}
