//! Senders that hold queues are killed, paused, cut off and come back: thousands of random schedules of the state
//! machine that `zentry-notify send` runs, over a model of what the database's functions do (`sql/28_sender_queues.sql`).
//!
//! In each: nobody posts to a queue that another session holds; what is recorded goes by what its holder knows; deliveries arrive in order; nothing is
//! lost; and what arrives twice is at most one delivery for each time that a queue changes hands. Without the fencing, or without the patience, that
//! does not hold, and the same simulation says so.
#![allow(clippy::unwrap_used)]

mod database;
mod sender;
mod world;

use database::Variant;
use world::World;

/// What goes wrong in so many random schedules, each of its own seed.
fn found(variant: Variant, schedules: u64) -> Vec<(u64, String)> {
    let run = |seed| World::new(variant, seed).run().err().map(|error| (seed, error));
    (0..schedules).filter_map(run).collect()
}

#[test]
fn senders_that_are_killed_paused_and_cut_off_lose_nothing_and_keep_the_order() {
    assert_eq!(found(Variant::Whole, 2_000), []);
}

#[test]
fn without_the_fencing_what_comes_back_changes_what_others_have_recorded() {
    let found = found(Variant::Unfenced, 300);
    assert!(!found.is_empty());
}

#[test]
fn without_the_patience_two_post_at_the_same_time() {
    let found = found(Variant::Impatient, 200);
    let posted = found
        .iter()
        .filter(|(_, error)| error.contains("while another holds it"));
    assert!(posted.count() > 0, "{found:?}");
}
