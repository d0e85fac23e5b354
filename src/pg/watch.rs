//! Notices that relations have changed, by Postgres' own invalidation messages.

use std::cell::{Cell, RefCell};

use pgrx::prelude::*;

use super::version;

/// Relations that something kept depends on, and how many changes of them were noticed.
pub struct Watch {
    relations: RefCell<Vec<pg_sys::Oid>>,
    changes: Cell<u64>,
}

/// What else than a relation itself decides how its rows are written: its schema's name, its identity's sequence.
const FURTHER: [i32; 2] = [
    version::cache_number(pg_sys::SysCacheIdentifier::NAMESPACEOID),
    version::cache_number(pg_sys::SysCacheIdentifier::SEQRELID),
];

thread_local! {
    /// What sources are made of, and what is wanted.
    pub static CONFIGURATION: Watch = const { Watch::nothing() };
    /// What the worker enriches from.
    pub static LOOKED_UP: Watch = const { Watch::nothing() };
    /// The tables that we write to.
    pub static WRITTEN: Watch = const { Watch::nothing() };
}

impl Watch {
    const fn nothing() -> Self {
        Watch {
            relations: RefCell::new(Vec::new()),
            changes: Cell::new(0),
        }
    }

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

    /// `changed`: None stands for all.
    fn notice(&self, changed: Option<pg_sys::Oid>) {
        // What cannot be looked at is being added to: then something is kept.
        let concerned = self.relations.try_borrow().map_or(true, |known| match changed {
            Some(oid) => known.contains(&oid),
            None => !known.is_empty(),
        });
        if concerned {
            self.changes.set(self.changes.get() + 1);
        }
    }
}

/// Once in a process.
pub fn register_callbacks() {
    // SAFETY: once per process, and the callbacks live as long as it does.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        for cache in FURTHER {
            pg_sys::CacheRegisterSyscacheCallback(cache as _, Some(further_changed), pg_sys::Datum::null());
        }
    }
}

/// In a worker, once: what else than a relation itself decides whether its owner may read it.
pub fn register_for_rights() {
    let caches = [
        pg_sys::SysCacheIdentifier::AUTHOID,
        pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM,
        pg_sys::SysCacheIdentifier::NAMESPACEOID,
    ];
    for cache in caches {
        // SAFETY: the callback lives as long as the process.
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(cache as _, Some(rights_changed), pg_sys::Datum::null());
        }
    }
}

#[pg_guard]
extern "C-unwind" fn rights_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    LOOKED_UP.with(|watch| watch.notice(None));
}

/// Called by Postgres at any moment that it takes note of changes, so it only counts.
#[pg_guard]
extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let changed = (relation != pg_sys::InvalidOid).then_some(relation);
    CONFIGURATION.with(|watch| watch.notice(changed));
    LOOKED_UP.with(|watch| watch.notice(changed));
    WRITTEN.with(|watch| watch.notice(changed));
}

#[pg_guard]
extern "C-unwind" fn further_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    WRITTEN.with(|watch| watch.notice(None));
}

/// Takes note of what others have committed, whatever snapshot the transaction has.
pub fn catch_up() {
    // SAFETY: as PostgreSQL does whenever it locks a relation.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}
