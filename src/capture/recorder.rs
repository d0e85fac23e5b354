//! Recording events: one row of `event` each.

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::suspension;
use crate::pg::acting_as::ActingAs;
use crate::pg::field::{Field, Text, TextBuffer};
use crate::pg::plan::{Argument, Plan, with_spi};
use crate::pg::row_writer::{RowWriter, Table, Unfit};
use crate::pg::scan;
use crate::pg::subtransaction::{self, Failure};
use crate::pg::transaction;
use crate::wake;

static EVENT: Table = Table {
    name: c"event",
    columns: &[
        ("created_at", pg_sys::TIMESTAMPTZOID),
        ("source_id", pg_sys::INT8OID),
        ("event_type", pg_sys::TEXTOID),
        ("data", pg_sys::JSONOID),
        ("context", pg_sys::JSONOID),
    ],
};

/// What is recorded of a write.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub source: i64,
    pub event_type: Text<'a>,
    pub data: Text<'a>,
    pub context: Option<Text<'a>>,
}

/// The recorder of a session: the writer of the table `event`, and the buffers of the last event, which are reused.
pub struct Recorder {
    writer: RowWriter,
    pub data: TextBuffer,
    pub context: TextBuffer,
}

thread_local! {
    // It is never dropped: at the end of the process, PostgreSQL's memory contexts are gone.
    static RECORDER: ManuallyDrop<RefCell<Recorder>> = ManuallyDrop::new(RefCell::new(Recorder::new()));
}

impl Recorder {
    fn new() -> Self {
        Recorder {
            writer: RowWriter::new(&EVENT),
            data: TextBuffer::new(),
            context: TextBuffer::new(),
        }
    }

    /// Calls `f` with the session's recorder, or with a new one if that is in use: a trigger on the table of events may write to an
    /// attached table.
    pub fn with(f: impl FnOnce(&mut Recorder)) {
        RECORDER.with(|kept| match kept.try_borrow_mut() {
            Ok(mut recorder) => f(&mut recorder),
            Err(_) => f(&mut Recorder::new()),
        });
    }

    /// Writes the event, or counts it as lost: the application's write goes on.
    pub fn record(
        &mut self,
        source: i64,
        event_type: Text,
        write: impl FnOnce(&mut TextBuffer, &mut TextBuffer),
    ) {
        self.data.clear();
        self.context.clear();
        write(&mut self.data, &mut self.context);
        let event = Event {
            source,
            event_type,
            context: (!self.context.is_empty()).then(|| self.context.finish()),
            data: self.data.finish(),
        };
        let writer = &mut self.writer;
        // A subtransaction for each event would be expensive, so there is one only where something may fail. Whether an index has to grow on a full
        // disk is not known beforehand: the first such write fails.
        let written = match suspension::is_careful() {
            true => Err(Unfit::MayFail),
            false => subtransaction::noting_failure(|| writer.write(&event.fields()), suspension::note),
        };
        let recorded = match written {
            Ok(_) => Ok(()),
            Err(Unfit::MayFail) => subtransaction::attempt(|| {
                let _agent = ActingAs::agent();
                let row = [event.fields().to_vec()];
                if writer.write_all(&row).is_err() {
                    writer.insert(&row);
                }
            }),
            Err(Unfit::NeedsStatement) => {
                subtransaction::attempt(|| writer.insert(&[event.fields().to_vec()]))
            }
            Err(Unfit::Missing) => event.park(),
        };
        match recorded {
            Ok(()) => wake::at_commit(|work| work.events = true),
            Err(failure) => {
                suspension::note(&failure);
                let event_type = String::from_utf8_lossy(event.event_type.as_bytes());
                suspension::warn_of_loss(&event_type, &failure);
            }
        }
    }
}

impl<'a> Event<'a> {
    fn fields(&self) -> [Field<'a>; 5] {
        let now = transaction::began_at();
        [
            Field::Timestamptz(now),
            Field::Int8(self.source),
            Field::Text(self.event_type),
            Field::Json(self.data),
            self.context.map_or(Field::Null, Field::Json),
        ]
    }

    /// Writes the event into the log of 0.2.0, between a restart of the server with this library and ALTER EXTENSION UPDATE, while there is no table
    /// `event`. There it is a delivery of a webhook that does not exist, until the update moves it.
    fn park(&self) -> Result<(), Failure> {
        const SQL: &str = "INSERT INTO zentry_notify.notification_log (webhook_integration_id, event_type, payload) \
                           VALUES (0, $2, pg_catalog.jsonb_build_object('source_id', $1, 'data', $3, 'context', $4))";
        if scan::our_table(c"notification_log").is_none() {
            return Err(Failure::new(
                PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                "there is no table of events",
            ));
        }
        let text = |text: Text| String::from_utf8_lossy(text.as_bytes()).into_owned();
        let context = self.context.map(text);
        subtransaction::attempt(|| {
            let _agent = ActingAs::agent();
            with_spi(|spi| {
                let types = [pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::JSONOID, pg_sys::JSONOID];
                Plan::prepare(spi, SQL, &types).execute(
                    spi,
                    &[
                        self.source.into(),
                        text(self.event_type).into(),
                        Argument::json(Some(&text(self.data))),
                        Argument::json(context.as_deref()),
                    ],
                );
            });
        })
    }
}
