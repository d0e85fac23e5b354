//! Roles and their privileges, by the catalogue.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Returns the role with whose rights code runs now (`current_user`).
pub fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetUserId() }
}

/// Whether `member` has the privileges of `role`.
pub fn has_privileges(member: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up, which returns false for an unknown role.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}

pub fn exists(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up; with noerr, it returns null for an unknown role.
    unsafe { !pg_sys::GetUserNameFromId(role, true).is_null() }
}

/// Returns the name of a role; of an unknown one, its OID.
pub fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: a catalogue look-up; with noerr, it returns null for an unknown role, else a C string in the current memory context.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return role.to_u32().to_string();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
