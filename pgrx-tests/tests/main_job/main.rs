//! The main job, end to end: what the application writes arrives as messages, and nothing else does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attach;
mod attach_again;
mod bulk;
mod configuration;
mod events;
mod hostile_text;
mod https;
mod log;
mod milestones;
mod milestones_meanwhile;
mod not_preloaded;
mod person;
mod resend;
mod routing;
mod session;
mod short_cuts;
mod silence;
mod support;
mod suspension;
mod suspension_rights;
mod test_webhook;
mod ways_to_write;
