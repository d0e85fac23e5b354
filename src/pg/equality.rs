//! Comparison of values as PostgreSQL's `=` does it: by the type's default equality operator and the column's collation.

use std::ffi::CString;

use pgrx::pg_sys;

use super::memory::SessionMemory;
use super::output::Output;
use super::subtransaction;

/// A comparison with a constant.
pub struct Equality {
    function: *mut pg_sys::FmgrInfo,
    collation: pg_sys::Oid,
    value: pg_sys::Datum,
    /// Whether the comparison runs only PostgreSQL's own code, which does not fail.
    infallible: bool,
    /// Holds what the pointers point to.
    _memory: SessionMemory,
}

impl Equality {
    /// Prepares a comparison with the value whose text is `text`. It raises an error if the text is no value of the type, or if the type has no
    /// equality operator.
    pub fn with(text: &str, type_oid: pg_sys::Oid, collation: pg_sys::Oid) -> Self {
        let memory = SessionMemory::new(c"zentry_notify equality");
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: catalogue look-ups, and a call of the type's input function with the parameter that belongs to it; what they allocate is in
        // `memory`. The entries of the type cache stay.
        let (function, value, built_in) = memory.within(|| unsafe {
            // The base type, since the checks of a domain are code of its owner.
            let base = pg_sys::getBaseType(type_oid);
            let flags = pg_sys::TYPECACHE_EQ_OPR | pg_sys::TYPECACHE_EQ_OPR_FINFO;
            let entry = &*pg_sys::lookup_type_cache(base, flags as i32);
            if entry.eq_opr == pg_sys::InvalidOid {
                pgrx::ereport!(
                    ERROR,
                    pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
                    "the column's type has no equality operator"
                );
            }
            let function = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
            pg_sys::fmgr_info_cxt(entry.eq_opr_finfo.fn_oid, function, pg_sys::CurrentMemoryContext);
            let (mut input, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(base, &mut input, &mut parameter);
            let value = pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), parameter, -1);
            (
                function,
                value,
                entry.eq_opr.to_u32() < pg_sys::FirstNormalObjectId,
            )
        });
        Equality {
            function,
            collation,
            value,
            infallible: built_in && Output::of(type_oid, &memory).is_infallible(),
            _memory: memory,
        }
    }

    /// Whether the value equals the constant; null and a value that cannot be compared do not. The value has to be of the type.
    pub fn holds(&self, value: Option<pg_sys::Datum>) -> bool {
        let Some(value) = value else { return false };
        // SAFETY: `self.value` is of the type that the function compares, and so is `value`: the column gives only values of its own type.
        let compare = || unsafe {
            pg_sys::FunctionCall2Coll(self.function, self.collation, value, self.value).value() != 0
        };
        match self.infallible {
            true => compare(),
            false => subtransaction::attempt(compare).unwrap_or(false),
        }
    }
}

/// Returns the type's default equality operator. It raises an error for an unknown type.
pub fn operator_of(type_oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    if type_oid == pg_sys::InvalidOid {
        return None;
    }
    // SAFETY: a look-up in the type cache, whose entries stay.
    let operator = unsafe { (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32)).eq_opr };
    (operator != pg_sys::InvalidOid).then_some(operator)
}
