//! Integrations: the list, one of them, what is changed of it.

pub mod delete;
mod draft;
pub mod edit;
pub mod list;
pub mod one;
