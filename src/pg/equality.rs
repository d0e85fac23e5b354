//! Whether a value equals another, as PostgreSQL sees it: by the type's own operator and the column's collation.

use std::ffi::CString;

use pgrx::pg_sys;

use super::memory::SessionMemory;
use super::output::Output;
use super::subtransaction;

/// A comparison with one value.
pub struct Equality {
    function: *mut pg_sys::FmgrInfo,
    collation: pg_sys::Oid,
    value: pg_sys::Datum,
    /// It runs PostgreSQL's own code alone, which does not fail.
    certain: bool,
    /// What the pointers point to.
    _memory: SessionMemory,
}

impl Equality {
    /// With the value that is written so; an error if it is none of the type, or if the type has no equality.
    pub fn with(text: &str, type_oid: pg_sys::Oid, collation: pg_sys::Oid) -> Self {
        let memory = SessionMemory::new(c"zentry_notify equality");
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: catalogue look-ups; the type's own input function, whose result stays in the memory.
        let (function, value, own) = memory.within(|| unsafe {
            // A domain's values are its base type's, and its checks are somebody's code.
            let base = pg_sys::getBaseType(type_oid);
            let flags = pg_sys::TYPECACHE_EQ_OPR | pg_sys::TYPECACHE_EQ_OPR_FINFO;
            let known = &*pg_sys::lookup_type_cache(base, flags as i32);
            if known.eq_opr == pg_sys::InvalidOid {
                pgrx::ereport!(
                    ERROR,
                    pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
                    "the column's type has no equality"
                );
            }
            let function = pg_sys::palloc0(size_of::<pg_sys::FmgrInfo>()).cast::<pg_sys::FmgrInfo>();
            pg_sys::fmgr_info_cxt(known.eq_opr_finfo.fn_oid, function, pg_sys::CurrentMemoryContext);
            let (mut input, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(base, &mut input, &mut parameter);
            let value = pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), parameter, -1);
            (
                function,
                value,
                known.eq_opr.to_u32() < pg_sys::FirstNormalObjectId,
            )
        });
        Equality {
            function,
            collation,
            value,
            certain: own && Output::of(type_oid, &memory).is_certain(),
            _memory: memory,
        }
    }

    /// Returns whether the value, which is of the type and stands in memory as a whole, equals it. Null equals nothing.
    pub fn holds(&self, value: Option<pg_sys::Datum>) -> bool {
        let Some(value) = value else { return false };
        // SAFETY: both are of the function's type.
        let compare = || unsafe {
            pg_sys::FunctionCall2Coll(self.function, self.collation, value, self.value).value() != 0
        };
        match self.certain {
            true => compare(),
            false => subtransaction::attempt(compare).unwrap_or(false),
        }
    }
}

/// Returns the operator that PostgreSQL takes for equality of a type's values.
pub fn operator_of(type_oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    if type_oid == pg_sys::InvalidOid {
        return None;
    }
    // SAFETY: a look-up in the type cache, whose entries stay; an error if there is no such type.
    let operator = unsafe { (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32)).eq_opr };
    (operator != pg_sys::InvalidOid).then_some(operator)
}
