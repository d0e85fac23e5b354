//! The pages of integrations: the list, the page of one, and the forms that change it.

pub mod delete;
mod draft;
pub mod edit;
mod facts;
pub mod list;
pub mod one;
pub mod secret;
pub mod switch;
pub mod trial;
