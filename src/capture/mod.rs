//! Capture: a write to an attached table becomes one row of `event`, however many webhooks hear it, with the row's own values and nothing that
//! would have to be looked up. The worker does the rest.

mod configuration;
mod progress;
mod recorder;
mod rows;
mod session;
mod source;
mod suspension;

use crate::event_source::PROJECT_PROGRESS;
use crate::pg::field::{KeptText, TextBuffer};
use crate::pg::json;
use crate::pg::trigger::{AnyTrigger, RowTrigger};
use crate::pg::watch;
use crate::{settings, wake};
use progress::Note;
use recorder::Recorder;
use rows::Rows;
use session::Known;
use source::Source;

pub fn register_callbacks() {
    watch::register_callbacks();
}

crate::pg_trigger_function!(capture_wrapper, pg_finfo_capture_wrapper, capture, RowTrigger);

/// The trigger function of the application's tables. Its arguments are event types; the trigger of a partitioned table that notes rows which leave a
/// partition has none.
fn capture(trigger: &RowTrigger) {
    if !settings::enabled() {
        return;
    }
    let known = session::known_of(trigger);
    if !known.wanted {
        if known.notes_moves {
            session::rows_of(trigger);
        }
        return;
    }
    if let Some(rows) = session::rows_of(trigger) {
        record(&known, &rows);
    }
}

fn record(known: &Known, rows: &Rows) {
    let mut notes: Vec<Note> = Vec::new();
    let wanted = || known.sources.iter().filter(|source| source.wanted);
    for source in wanted() {
        progress::note(source, rows, known.milestones_ride, &mut notes);
    }
    Recorder::with(|recorder| {
        for source in wanted().filter(|source| source.progress.is_none()) {
            if source.fires(rows) {
                record_event(recorder, source, rows, &notes);
                notes.clear();
            }
        }
        if let Some(first) = notes.first() {
            record_progress(recorder, first.source, &notes);
        }
    });
}

fn record_event(recorder: &mut Recorder, source: &Source, rows: &Rows, notes: &[Note]) {
    recorder.record(source.id, source.event_type.as_text(), |data, context| {
        let (mut cut, mut cut_columns) = (Vec::new(), Vec::new());
        source.write_data(rows, data, &mut cut);
        if source.needs_columns() {
            context.push(b"{\"columns\":");
            source.write_columns(rows, context, &mut cut_columns);
        }
        write_notes(source.id, notes, context);
        write_cut("cut", &cut, context);
        write_cut("cut_columns", &cut_columns, context);
        if let Some(owner) = source.partition_owner {
            begin(context, "partition_owner");
            context.push(owner.to_u32().to_string().as_bytes());
        }
        if let Some(traceparent) = settings::traceparent() {
            begin(context, "traceparent");
            json::write_string(context, traceparent.to_string().as_bytes());
        }
        close(context);
    });
}

/// Records an event that only has progress.
fn record_progress(recorder: &mut Recorder, source: i64, notes: &[Note]) {
    thread_local! {
        static EVENT_TYPE: KeptText = KeptText::of(PROJECT_PROGRESS);
    }
    EVENT_TYPE.with(|event_type| {
        recorder.record(source, event_type.as_text(), |data, context| {
            data.push(b"{}");
            write_notes(source, notes, context);
            close(context);
        });
    });
}

fn write_notes(source: i64, notes: &[Note], context: &mut TextBuffer) {
    if notes.is_empty() {
        return;
    }
    begin(context, "progress");
    context.push_byte(b'[');
    for (place, note) in notes.iter().enumerate() {
        if place > 0 {
            context.push_byte(b',');
        }
        note.write(source, context);
    }
    context.push_byte(b']');
}

fn write_cut(name: &str, cut: &[&str], context: &mut TextBuffer) {
    if cut.is_empty() {
        return;
    }
    begin(context, name);
    context.push_byte(b'[');
    for (place, key) in cut.iter().enumerate() {
        if place > 0 {
            context.push_byte(b',');
        }
        json::write_string(context, key.as_bytes());
    }
    context.push_byte(b']');
}

/// Begins the next member of the object.
fn begin(object: &mut TextBuffer, key: &str) {
    object.push_byte(if object.is_empty() { b'{' } else { b',' });
    json::write_key(object, key);
}

/// Ends the object, if it has begun.
fn close(object: &mut TextBuffer) {
    if !object.is_empty() {
        object.push_byte(b'}');
    }
}

crate::pg_trigger_function!(
    configuration_changed_wrapper,
    pg_finfo_configuration_changed_wrapper,
    configuration_changed,
    AnyTrigger
);

/// The trigger function of the extension's tables of configuration: notifies every session, by PostgreSQL's invalidation messages, and the worker.
fn configuration_changed(trigger: &AnyTrigger) {
    trigger.invalidate_relation();
    wake::at_commit(|work| work.configuration = true);
}
