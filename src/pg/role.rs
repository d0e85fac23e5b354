//! Questions about roles, which PostgreSQL answers from its catalogue.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The role whose rights the current code has.
pub fn current() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::GetUserId() }
}

/// Whether `member` has the privileges of `role`.
pub fn has_privileges(member: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a look into the catalogue; no role that there is not has any.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}

pub fn exists(role: pg_sys::Oid) -> bool {
    // SAFETY: a look into the catalogue, which gives a string or null.
    unsafe { !pg_sys::GetUserNameFromId(role, true).is_null() }
}

/// Returns the name of a role, or its number when it is gone.
pub fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: a look into the catalogue, which gives a string of the current memory context, or null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return role.to_u32().to_string();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
