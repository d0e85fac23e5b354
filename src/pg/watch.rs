//! Notices changes of relations, by PostgreSQL's invalidation messages.

use std::cell::{Cell, RefCell};

use pgrx::prelude::*;

use super::version;

/// The relations that something cached depends on, and the count of their changes.
pub struct Watch {
    relations: RefCell<Vec<pg_sys::Oid>>,
    changes: Cell<u64>,
}

/// The system caches that a table's layout depends on beside its relation: the schema's name, the identity's sequence.
const LAYOUT_CACHES: [i32; 2] = [
    version::cache_number(pg_sys::SysCacheIdentifier::NAMESPACEOID),
    version::cache_number(pg_sys::SysCacheIdentifier::SEQRELID),
];

thread_local! {
    /// The relations that a session's cached sources and the event types that webhooks hear are read from.
    pub static CONFIGURATION: Watch = const { Watch::nothing() };
    /// The relations that the worker looks details up in.
    pub static LOOKED_UP: Watch = const { Watch::nothing() };
    /// The extension's tables that rows are written into.
    pub static WRITTEN: Watch = const { Watch::nothing() };
}

impl Watch {
    const fn nothing() -> Self {
        Watch {
            relations: RefCell::new(Vec::new()),
            changes: Cell::new(0),
        }
    }

    /// Returns how many changes were noticed in this process so far.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub fn add(&self, relation: pg_sys::Oid) {
        let mut relations = self.relations.borrow_mut();
        if !relations.contains(&relation) {
            relations.push(relation);
        }
    }

    pub fn clear(&self) {
        self.relations.borrow_mut().clear();
    }

    /// Counts a change of a relation, if it is watched; None stands for all relations.
    fn notice(&self, changed: Option<pg_sys::Oid>) {
        // If the list is borrowed, a relation is being added to it, and may be the one that has changed.
        let concerned = self.relations.try_borrow().map_or(true, |known| match changed {
            Some(oid) => known.contains(&oid),
            None => !known.is_empty(),
        });
        if concerned {
            self.changes.set(self.changes.get() + 1);
        }
    }
}

/// Registers the callbacks of invalidation messages. Called once in a process.
pub fn register_callbacks() {
    // SAFETY: the callbacks are functions, which live as long as the process, and raise no error.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        for cache in LAYOUT_CACHES {
            pg_sys::CacheRegisterSyscacheCallback(cache as _, Some(layout_changed), pg_sys::Datum::null());
        }
    }
}

/// Registers the callbacks of roles, memberships and schemas, by which it is decided whether an owner may read a relation. Called once, in a worker.
pub fn register_for_rights() {
    let caches = [
        pg_sys::SysCacheIdentifier::AUTHOID,
        pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM,
        pg_sys::SysCacheIdentifier::NAMESPACEOID,
    ];
    for cache in caches {
        // SAFETY: as in register_callbacks().
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(cache as _, Some(rights_changed), pg_sys::Datum::null());
        }
    }
}

#[pg_guard]
extern "C-unwind" fn rights_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    LOOKED_UP.with(|watch| watch.notice(None));
}

/// Called by PostgreSQL whenever it processes invalidation messages, also in the middle of a look-up: it only counts.
#[pg_guard]
extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let changed = (relation != pg_sys::InvalidOid).then_some(relation);
    CONFIGURATION.with(|watch| watch.notice(changed));
    LOOKED_UP.with(|watch| watch.notice(changed));
    WRITTEN.with(|watch| watch.notice(changed));
}

#[pg_guard]
extern "C-unwind" fn layout_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    WRITTEN.with(|watch| watch.notice(None));
}

/// Processes the invalidation messages of what others have committed, whatever the transaction's snapshot.
pub fn catch_up() {
    // SAFETY: called within a transaction, as PostgreSQL does whenever it locks a relation.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}
