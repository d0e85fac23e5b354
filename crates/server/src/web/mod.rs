//! The HTTP server.
//!
//! A request that needs rights has a [`Caller`] among its handler's arguments: who asks, by the token that they show. It hands
//! out the only sessions there are, which run as the token's role. The pages find the token in a cookie, and get theirs from
//! [`Caller::by_token`].

mod admin;
pub mod api;
mod app;
mod caller;
mod description;
mod error;
mod filters;
mod form;
mod forwarded;
mod headers;
mod health;
mod listen;
mod log_page;
mod many;
mod monitoring;
mod page;
mod path;
mod request_log;
mod routes;
pub mod seats;
mod throttle;
mod uri;
mod used_tokens;

pub use self::app::{App, Options};
pub use self::caller::Caller;
pub use self::error::Error;
pub use self::listen::{Bound, Listen};
