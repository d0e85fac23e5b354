//! That whoever runs the cluster does not notice us: databases that come and go, faults, standbys, dumps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod attached_tables;
mod change_capture;
mod closed_databases;
mod databases;
mod drop_extension;
mod due_work;
mod dump;
mod exclusive_ddl;
mod faults;
mod invariant;
mod messages;
mod migrations;
mod monitoring;
mod pg_upgrade;
mod processes;
mod replication;
mod standby;
mod transactions;
