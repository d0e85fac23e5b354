//! Events of users: types of their own, other words for Zentry's, and tables that are not Zentry's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attach;
mod conditions;
mod expressions;
mod privileges;
mod support;
mod types;
mod wording;
