//! The boundary to PostgreSQL: unsafe code, behind interfaces that are safe to use.

pub mod error;
pub mod guc;
pub mod json;
