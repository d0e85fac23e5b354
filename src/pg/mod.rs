//! The boundary to PostgreSQL: unsafe code, behind interfaces that are safe to use.

pub mod guc;
