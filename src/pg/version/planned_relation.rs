//! The planner's hook for its estimates of a relation: get_relation_info_hook until 18, build_simple_rel_hook from 19 on.

use std::sync::OnceLock;

use pgrx::pg_sys;

static REVISE: OnceLock<fn(&mut pg_sys::RelOptInfo)> = OnceLock::new();

#[cfg(not(feature = "pg19"))]
static mut BEFORE: pg_sys::get_relation_info_hook_type = None;
#[cfg(feature = "pg19")]
static mut BEFORE: pg_sys::build_simple_rel_hook_type = None;

/// Has `revise` called for each table of each statement that this process plans, after its sizes were estimated. It must not call PostgreSQL's
/// functions. A second call of this function has no effect.
pub fn hook_planned_relation(revise: fn(&mut pg_sys::RelOptInfo)) {
    if REVISE.set(revise).is_err() {
        return;
    }
    // SAFETY: variables of this process, read and written on its main thread, on which statements are planned.
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
    // SAFETY: the arguments are passed on as they came; the relation is the planner's, which does not use it during the hook.
    unsafe {
        if let Some(before) = BEFORE {
            before(root, table, has_children, relation);
        }
        // A parent has no size of its own: its children do.
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
    // SAFETY: the arguments are passed on as they came; the relation is the planner's, which does not use it during the hook.
    unsafe {
        if let Some(before) = BEFORE {
            before(root, relation, entry);
        }
        // The hook is also called for functions, subqueries and the like. A parent has no size of its own: its children do.
        let is_table = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && !(*entry).inh;
        if let (Some(revise), true) = (REVISE.get(), is_table) {
            revise(&mut *relation);
        }
    }
}
