//! The boundary to PostgreSQL: what is unsafe about it is here, behind interfaces that are not.

pub mod acting_as;
pub mod column;
pub mod equality;
pub mod error;
pub mod field;
pub mod guc;
mod heap;
mod iso;
pub mod json;
pub mod jsonb;
pub mod lock;
pub mod make_trigger;
pub mod memory;
pub mod moved_when;
pub mod output;
mod pinned;
pub mod plan;
pub mod relation;
pub mod row_writer;
pub mod scan;
pub mod search_path;
mod sequence;
pub mod subtransaction;
mod table_layout;
pub mod trigger;
pub mod watch;
pub mod when;
