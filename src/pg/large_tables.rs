//! Plans the statements of a process as for large tables.
//!
//! The extension's tables fill and empty within seconds, and a kept plan is made once. On an empty table every index costs the same, so that the
//! planner may choose the wrong one: it then reads all of `delivery` for each batch, until autovacuum invalidates the plan.

use std::ffi::c_int;

use pgrx::pg_sys;

use super::version::hook_planned_relation;

/// The minimum sizes that the planner assumes: those of a table of some hundred megabytes.
const ROWS: f64 = 1e6;
const PAGES: u32 = 20_000;
const INDEX_PAGES: u32 = 3_000;
const INDEX_HEIGHT: c_int = 2;

/// Has this process, a worker and never a user's session, plan every statement as for large tables until it ends.
pub fn assume() {
    hook_planned_relation(enlarge);
}

/// Raises the planner's estimates of the relation's size to the minimum.
fn enlarge(relation: &mut pg_sys::RelOptInfo) {
    relation.pages = relation.pages.max(PAGES);
    relation.tuples = relation.tuples.max(ROWS);
    // SAFETY: the list is the relation's, null or of IndexOptInfo, and lives as long as the relation; from_pg does not free it.
    let indexes = unsafe { pgrx::PgList::<pg_sys::IndexOptInfo>::from_pg(relation.indexlist) };
    for index in indexes.iter_ptr() {
        // SAFETY: an element of that list, which nobody else borrows during the hook.
        let index = unsafe { &mut *index };
        index.pages = index.pages.max(INDEX_PAGES);
        index.tuples = index.tuples.max(ROWS);
        // A negative height means "not known", as for every index that is no btree.
        if index.tree_height >= 0 {
            index.tree_height = index.tree_height.max(INDEX_HEIGHT);
        }
    }
}
