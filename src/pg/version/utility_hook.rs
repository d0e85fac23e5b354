//! The hook of utility statements, whose arguments have changed over time.

use std::ffi::c_char;

use pgrx::prelude::*;

static mut PREVIOUS: pg_sys::ProcessUtility_hook_type = None;
static mut HANDLER: Option<unsafe fn(&UtilityCall)> = None;

/// A call of the hook.
pub struct UtilityCall {
    /// A planned utility statement, with its parse tree.
    pub statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    /// Whether the statement must be copied before it is changed.
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
}

/// Has `handler` called for every utility statement of the sessions to come; it has to [run](UtilityCall::run) it.
///
/// # Safety
/// Called once, while libraries are preloaded.
pub unsafe fn hook_utility(handler: unsafe fn(&UtilityCall)) {
    // SAFETY: by the caller's promise, nobody reads these yet.
    unsafe {
        HANDLER = Some(handler);
        PREVIOUS = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

#[allow(clippy::too_many_arguments, reason = "Postgres' own signature")]
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
    // SAFETY: the handler is set before the hook.
    unsafe {
        if let Some(handler) = HANDLER {
            handler(&call);
        }
    }
}

impl UtilityCall {
    /// Runs the statement, by the hook that was there before ours or by Postgres.
    ///
    /// # Safety
    /// Within the handler.
    pub unsafe fn run(&self) {
        let Self {
            statement,
            text,
            read_only_tree,
            context,
            parameters,
            environment,
            destination,
            completion,
        } = *self;
        // SAFETY: the arguments are passed on as they came.
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
