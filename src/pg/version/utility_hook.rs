//! The hook of utility statements (`ProcessUtility_hook`).

use std::ffi::c_char;

use pgrx::prelude::*;

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;
static mut HANDLER: Option<fn(UtilityCall)> = None;

/// A call of the hook, whose statement runs when the handler says so.
pub struct UtilityCall {
    /// The utility statement, with its parse tree.
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    /// Whether the tree must be copied before it is changed.
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
}

/// Has `handler` called for every utility statement of the sessions to come, which it has to [run](UtilityCall::run).
///
/// # Safety
/// Called once, while libraries are preloaded.
pub unsafe fn hook_utility(handler: fn(UtilityCall)) {
    // SAFETY: by the caller's promise, the postmaster is running, which has one thread and calls no hook meanwhile.
    unsafe {
        HANDLER = Some(handler);
        PREVIOUS = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[allow(clippy::too_many_arguments, reason = "the signature of ProcessUtility_hook")]
#[pg_guard]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let call = UtilityCall {
        statement,
        text,
        read_only_tree,
        context,
        parameters,
        environment,
        destination,
        completion,
    };
    // SAFETY: the handler was set before the hook.
    if let Some(handler) = unsafe { HANDLER } {
        handler(call);
    }
}

impl UtilityCall {
    /// Returns the parse tree of the statement, which is valid until that runs.
    pub fn node(&self) -> *mut pg_sys::Node {
        // SAFETY: the hook is called with a utility statement, whose PlannedStmt has its parse tree.
        unsafe { (*self.statement).utilityStmt }
    }

    /// Runs the statement, by the hook that was set before or by PostgreSQL.
    pub fn run(self) {
        let Self {
            statement,
            text,
            read_only_tree,
            context,
            parameters,
            environment,
            destination,
            completion,
        } = self;
        // SAFETY: the arguments are passed on as they came, and once, since this takes the call. It exists only within the hook.
        unsafe {
            match PREVIOUS {
                Some(previous) => pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| {
                    previous(
                        statement,
                        text,
                        read_only_tree,
                        context,
                        parameters,
                        environment,
                        destination,
                        completion,
                    );
                }),
                None => pg_sys::standard_ProcessUtility(
                    statement,
                    text,
                    read_only_tree,
                    context,
                    parameters,
                    environment,
                    destination,
                    completion,
                ),
            }
        }
    }
}
