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
    /// From 14 on: whether the statement must be copied before it is changed.
    #[cfg(not(feature = "pg13"))]
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

/// The hook itself and how a call is passed on, with the argument that a version has beyond those of 13.
macro_rules! with_argument {
    ($($name:ident: $type:ty)?) => {
        #[allow(clippy::too_many_arguments, reason = "Postgres' own signature")]
        unsafe extern "C-unwind" fn process_utility(
            statement: *mut pg_sys::PlannedStmt,
            text: *const c_char,
            $($name: $type,)?
            context: pg_sys::ProcessUtilityContext::Type,
            parameters: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            destination: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        ) {
            let call = UtilityCall {
                statement,
                text,
                $($name,)?
                context,
                parameters,
                environment,
                destination,
                completion,
            };
            // SAFETY: what #[pg_guard] makes of a function, which loses the name that a macro is given; the handler is set before the hook.
            unsafe {
                pg_sys::panic::pgrx_extern_c_guard(|| {
                    if let Some(handler) = HANDLER {
                        handler(&call);
                    }
                });
            }
        }

        impl UtilityCall {
            /// Runs the statement, by the hook that was there before ours or by Postgres.
            ///
            /// # Safety
            /// Within the handler.
            pub unsafe fn run(&self) {
                let Self { statement, text, $($name,)? context, parameters, environment, destination, completion } = *self;
                // SAFETY: the arguments are passed on as they came.
                unsafe {
                    match PREVIOUS {
                        Some(previous) => pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| {
                            previous(statement, text, $($name,)? context, parameters, environment, destination, completion);
                        }),
                        None => pg_sys::standard_ProcessUtility(
                            statement, text, $($name,)? context, parameters, environment, destination, completion,
                        ),
                    }
                }
            }
        }
    };
}

#[cfg(feature = "pg13")]
with_argument!();
#[cfg(not(feature = "pg13"))]
with_argument!(read_only_tree: bool);
