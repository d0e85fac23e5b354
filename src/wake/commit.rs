//! What a transaction has written is announced when it commits.

use std::cell::{Cell, RefCell};

use pgrx::prelude::*;

use super::registry::Registry;
use super::work::Work;
use crate::pg::process;
use crate::pg::transaction;
use crate::shared::registry;

thread_local! {
    /// The work that the running transaction has written.
    static WRITTEN: RefCell<Work> = const { RefCell::new(Work::NONE) };
    /// What it has changed of databases.
    static CHANGED: Cell<Changed> = const { Cell::new(Changed::NOTHING) };
}

/// What a transaction has changed of databases.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Changed {
    /// Whether a database may have been opened.
    databases: bool,
    settings: Settings,
}

impl Changed {
    const NOTHING: Changed = Changed {
        databases: false,
        settings: Settings::AsBefore,
    };
}

/// Whose settings have changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settings {
    AsBefore,
    Of(pg_sys::Oid),
    OfAll,
}

/// Has the launcher list the databases once the running transaction has committed.
pub fn databases_change_at_commit() {
    let changed = CHANGED.get();
    CHANGED.set(Changed {
        databases: true,
        ..changed
    });
}

/// Has workers with the new settings look into the database, or into all of them, once the running transaction has committed.
pub fn settings_change_at_commit(database: Option<pg_sys::Oid>) {
    let changed = CHANGED.get();
    let settings = match (changed.settings, database) {
        (Settings::AsBefore, Some(database)) => Settings::Of(database),
        (Settings::Of(before), Some(database)) if before == database => Settings::Of(database),
        _ => Settings::OfAll,
    };
    CHANGED.set(Changed { settings, ..changed });
}

/// Adds work for the database's worker, which is announced once the running transaction has committed.
pub fn at_commit(change: impl FnOnce(&mut Work)) {
    WRITTEN.with_borrow_mut(change);
}

pub fn register_callbacks() {
    transaction::at_every_end(transaction_ends);
}

fn transaction_ends(committed: bool) {
    let changed = CHANGED.replace(Changed::NOTHING);
    let written = WRITTEN.take();
    if !committed {
        return;
    }
    let Some(registry) = registry() else { return };
    if changed != Changed::NOTHING {
        tell(registry, changed);
    }
    if !written.is_empty() {
        registry.notify(process::database(), &written);
    }
}

fn tell(registry: &Registry, changed: Changed) {
    match changed.settings {
        Settings::AsBefore => {}
        Settings::Of(database) => registry.settings_changed(Some(database)),
        Settings::OfAll => registry.settings_changed(None),
    }
    if changed.databases {
        registry.databases_changed();
    }
}
