//! Leaves out what ended the previous worker: the look-ups of an event source, the filter of a webhook, or the tables of a role.

use super::database;
use super::filter;
use super::source::{self, Ending};
use crate::pg::crash_note::{self, Ran, Verdict};
use crate::pg::process;
use crate::wake::Slot;

/// Leaves out what ended the previous worker, and whatever else of the same owner may do the same.
pub fn leave_out_what_ended(slot: &Slot) {
    let known = slot.overran().ran();
    match (crash_note::open(process::database(), known), known) {
        (_, Some(ran)) => leave_out(slot, ran, Ending::GoesOn),
        (Verdict::Guilty(ran), None) => leave_out(slot, ran, Ending::Crashes),
        (Verdict::Suspected(ran), None) => {
            let what = match ran.number {
                Ran::FILTERS => "filters were evaluated".to_owned(),
                number if number < 0 => format!("the filter of webhook {} was evaluated", -number),
                number => format!("the look-ups of event source {number} ran"),
            };
            pgrx::warning!(
                "zentry_notify: the worker before this one was killed or crashed while {what}, which is left out if that happens again"
            );
        }
        (Verdict::Nothing, None) => {}
    }
    slot.overran().forget();
}

fn leave_out(slot: &Slot, ran: Ran, ending: Ending) {
    match ran.number {
        Ran::FILTERS => {}
        number if number < 0 => filter::switch_off(-number, ending),
        source => leave_out_source(slot, source, ran.owner, ending),
    }
}

fn leave_out_source(slot: &Slot, source: i64, owner: u32, ending: Ending) {
    let is_its_own =
        database::transaction("zentry_notify: look whose it is", || source::is_of(source, owner));
    let is_its_own = is_its_own.unwrap_or(true);
    // This holds whatever becomes of the rows, which may be locked or deleted.
    let held = slot.hold_role(owner, !is_its_own);
    if !is_its_own {
        pgrx::warning!(
            "zentry_notify: tables of role {owner} are read for nobody else's events for an hour: reading one of them for event source {source} has ended a worker"
        );
        return;
    }
    let reason = ending.reason();
    pgrx::warning!(
        "zentry_notify: what event source {source} looks up can't be found out, its events are told without it: {reason}"
    );
    let written = database::transaction("zentry_notify: suspend look-ups", || {
        source::suspend_unending(source, owner, held, ending);
    });
    if let Err(error) = written {
        pgrx::warning!(
            "zentry_notify: event source {source} could not be suspended, and is left out for an hour: {error}"
        );
    }
}
