//! What is unsafe about PostgreSQL, behind interfaces that are not.

pub mod lock;
pub mod trigger;
pub mod when;
