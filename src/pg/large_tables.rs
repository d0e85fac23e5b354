//! Statements of this process are planned as for large tables.
//!
//! Our tables fill and empty within seconds, and a kept plan is made once. One that was made for an empty table costs as much by any index as by the
//! right one, so that the planner takes either: it read all of `delivery` for each batch until autovacuum came.

use std::ffi::c_int;

use pgrx::pg_sys;

use super::version::hook_planned_relation;

/// Sizes that no table of a plan has less of. Rows and pages are of a table of some hundred megabytes.
const ROWS: f64 = 1e6;
const PAGES: u32 = 20_000;
const INDEX_PAGES: u32 = 3_000;
const INDEX_HEIGHT: c_int = 2;

/// From now on, every table that this process plans a statement for is taken for large, for good: for a worker, never for a session of others.
pub fn assume() {
    hook_planned_relation(enlarge);
}

/// Raises the sizes that the planner goes by.
fn enlarge(relation: &mut pg_sys::RelOptInfo) {
    relation.pages = relation.pages.max(PAGES);
    relation.tuples = relation.tuples.max(ROWS);
    // SAFETY: the planner's own list of the relation's indexes, which lives as long as the relation; nobody else has it meanwhile.
    let indexes = unsafe { pgrx::PgList::<pg_sys::IndexOptInfo>::from_pg(relation.indexlist) };
    for index in indexes.iter_ptr() {
        // SAFETY: an element of that list.
        let index = unsafe { &mut *index };
        index.pages = index.pages.max(INDEX_PAGES);
        index.tuples = index.tuples.max(ROWS);
        // (Below zero is "not known", as for other kinds than B-trees.)
        if index.tree_height >= 0 {
            index.tree_height = index.tree_height.max(INDEX_HEIGHT);
        }
    }
}
