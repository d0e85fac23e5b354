//! Attacks, each tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod anybody;
mod attach_rights;
mod audit;
mod audit_columns;
mod borrowed_session;
mod calls;
mod code_of_others;
mod crashes;
mod credentials;
mod endless;
mod foreign_code;
mod grants;
mod handed_over;
mod hostile_answers;
mod hostile_objects;
mod hostile_streams;
mod looked_into;
mod others_rows;
mod privacy;
mod privileges;
mod privileges_table;
mod raw_nats;
mod raw_server;
mod rebinding;
mod redaction;
mod remedies;
mod request_forgery;
mod rights;
mod roles;
mod room;
mod search;
mod secret;
mod statements;
mod stored_text;
mod stuck;
