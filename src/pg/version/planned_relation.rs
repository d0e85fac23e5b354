//! The planner's hook for what it knows of a relation: PostgreSQL 19 has another one than those before.

use std::sync::OnceLock;

use pgrx::pg_sys;

static REVISE: OnceLock<fn(&mut pg_sys::RelOptInfo)> = OnceLock::new();

#[cfg(not(feature = "pg19"))]
static mut BEFORE: pg_sys::get_relation_info_hook_type = None;
#[cfg(feature = "pg19")]
static mut BEFORE: pg_sys::build_simple_rel_hook_type = None;

/// From now on, `revise` sees each table of each statement that this process plans, after its sizes were estimated. It calls nothing of PostgreSQL's.
/// A second call does nothing.
pub fn hook_planned_relation(revise: fn(&mut pg_sys::RelOptInfo)) {
    if REVISE.set(revise).is_err() {
        return;
    }
    // SAFETY: plain variables of this process, set by its only thread that plans statements.
    unsafe {
        #[cfg(not(feature = "pg19"))]
        {
            BEFORE = pg_sys::get_relation_info_hook;
            pg_sys::get_relation_info_hook = Some(planned);
        }
        #[cfg(feature = "pg19")]
        {
            BEFORE = pg_sys::build_simple_rel_hook;
            pg_sys::build_simple_rel_hook = Some(planned);
        }
    }
}

#[cfg(not(feature = "pg19"))]
unsafe extern "C-unwind" fn planned(
    root: *mut pg_sys::PlannerInfo,
    table: pg_sys::Oid,
    has_children: bool,
    relation: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: the planner's call, handed on to who was there before; the relation is the planner's, and nobody else has it meanwhile.
    unsafe {
        if let Some(before) = BEFORE {
            before(root, table, has_children, relation);
        }
        // (Its children have sizes of their own.)
        if let (Some(revise), false) = (REVISE.get(), has_children) {
            revise(&mut *relation);
        }
    }
}

#[cfg(feature = "pg19")]
unsafe extern "C-unwind" fn planned(
    root: *mut pg_sys::PlannerInfo,
    relation: *mut pg_sys::RelOptInfo,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: the planner's call, handed on to who was there before; the relation is the planner's, and nobody else has it meanwhile.
    unsafe {
        if let Some(before) = BEFORE {
            before(root, relation, entry);
        }
        // (Functions and the like are relations for it, too; and a table's children have sizes of their own.)
        let is_table = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && !(*entry).inh;
        if let (Some(revise), true) = (REVISE.get(), is_table) {
            revise(&mut *relation);
        }
    }
}
