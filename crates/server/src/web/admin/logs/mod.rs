//! The log: the list, one delivery, sending again.

pub mod list;
pub mod one;
pub mod retry;
