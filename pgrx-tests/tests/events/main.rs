//! Events of users: types of their own, other words for Zentry's, and tables that are not Zentry's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod appearance;
mod attach;
mod attach_errors;
mod conditions;
mod equality;
mod expressions;
mod languages;
mod mapping;
mod moved_rows;
mod numbers;
mod other_languages;
mod privileges;
mod recorded;
mod support;
mod types;
mod wording;
