//! The pages of the log: the list, the page of a delivery, and sending again.

pub mod list;
pub mod one;
pub mod retry;
