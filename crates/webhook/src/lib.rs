//! The decisions of `zentry_notify`, without PostgreSQL: what a message looks like, to which URLs it may be
//! posted, what an answer means, and when the next request may be made. And the HTTP client.

#![forbid(unsafe_code)]

pub mod active;
pub mod apart;
pub mod appearance;
pub mod card;
pub mod client;
pub mod definition;
pub mod delivery_columns;
pub mod digest;
pub mod endpoint;
pub mod event;
pub mod headers;
pub mod histogram;
pub mod http_thread;
pub mod id_set;
pub mod ids;
pub mod json_members;
pub mod keys;
pub mod kinds;
pub mod language;
pub mod link;
pub mod mention;
pub mod message;
pub mod message_id;
pub mod milestones;
pub mod nats;
pub mod open_batch;
pub mod outcome;
pub mod ownership;
pub mod proxy;
pub mod quiet_hours;
pub mod rate;
pub mod rich_text;
pub mod route_cursor;
pub mod schedule;
pub mod signature;
pub mod signing;
pub mod spelling;
pub mod thread;
pub mod traceparent;
pub mod way;
