//! Integrations: the list, one of them, what is changed of it.

pub mod delete;
mod draft;
pub mod edit;
mod facts;
pub mod list;
pub mod one;
pub mod secret;
pub mod switch;
pub mod trial;
