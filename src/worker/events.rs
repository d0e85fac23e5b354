//! Reading captured events.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use webhook::id_set::IdRange;
use webhook::json_members::Members;
use webhook::traceparent::Traceparent;

use crate::event_source::{ColumnRef, Image, Place, ProgressNote};
use crate::plan::{Plan, Rows, with_spi};

/// The most events that are read at once.
pub const PAGE: usize = 2_000;
/// The most bytes of recorded data and context that are read at once, and of data that are routed at once; one event may have more.
pub const MAX_BYTES: usize = 16 << 20;

/// An event that capture wrote: a row of `event`.
pub struct Captured {
    pub id: i64,
    pub created_at: Timestamp,
    pub source: Option<i64>,
    pub event_type: Arc<str>,
    /// The event's data: a JSON object, as text.
    pub data: String,
    pub context: Context,
}

/// What capture recorded for the worker alone.
#[derive(Default)]
pub struct Context {
    /// The recorded columns with their values, as JSON.
    columns: Vec<(String, String)>,
    pub progress: Vec<ProgressNote>,
    /// The keys of the data whose values are not whole.
    cut: HashSet<String>,
    /// The same of the recorded columns.
    cut_columns: HashSet<String>,
    /// Whether its deliveries were written with it.
    pub routed: bool,
    /// The owner of the partition that was written, if that is not the attached table's.
    pub partition_owner: Option<u32>,
    /// The trace context that it was written in.
    pub traceparent: Option<Traceparent>,
}

impl Context {
    fn parse(text: &str) -> Context {
        let members = Members::of(text);
        let own = |name| members.get(name).unwrap_or_default();
        Context {
            columns: Members::of(own("columns"))
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            progress: serde_json::from_str(own("progress")).unwrap_or_default(),
            cut: serde_json::from_str(own("cut")).unwrap_or_default(),
            cut_columns: serde_json::from_str(own("cut_columns")).unwrap_or_default(),
            routed: own("routed") == "true",
            partition_owner: own("partition_owner").parse().ok(),
            traceparent: own("traceparent").trim_matches('"').parse().ok(),
        }
    }

    fn column(&self, name: &str) -> Option<&str> {
        let column = self.columns.iter().find(|(known, _)| known == name);
        column.map(|(_, value)| value.as_str())
    }
}

/// A page of events, in order of id.
pub struct Page {
    pub events: Vec<Captured>,
    /// Whether there were no more.
    pub complete: bool,
}

impl Page {
    /// Leaves out all events after the first `count`, which are read again.
    pub fn cut(&mut self, count: usize) {
        if count < self.events.len() {
            self.events.truncate(count);
            self.complete = false;
        }
    }
}

/// Reads the first events in these ranges, at most `most`.
pub fn read(statement: &Plan, ranges: &[IdRange], most: usize) -> Page {
    let lows: Vec<i64> = ranges.iter().map(|range| range.low).collect();
    let highs: Vec<i64> = ranges.iter().map(|range| range.high).collect();
    with_spi(|spi| {
        let rows = statement.execute(spi, &[lows.into(), highs.into(), (most as i32).into()]);
        let mut types = HashSet::new();
        let mut events = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in 0..rows.len() {
            let Some((event, length)) = event(&rows, row, &mut types) else {
                continue;
            };
            bytes += length;
            if bytes > MAX_BYTES && !events.is_empty() {
                return Page {
                    events,
                    complete: false,
                };
            }
            events.push(event);
        }
        Page {
            complete: rows.len() < most,
            events,
        }
    })
}

/// Returns the event of a row, and the bytes of its data and context. Values are read one by one, so that TOAST is fetched only here.
fn event(rows: &Rows, row: usize, types: &mut HashSet<Arc<str>>) -> Option<(Captured, usize)> {
    let name = rows.get::<&str>(row, 4)?;
    let event_type = match types.get(name) {
        Some(known) => known.clone(),
        None => {
            let new: Arc<str> = name.into();
            types.insert(new.clone());
            new
        }
    };
    let context = rows.get::<&str>(row, 6);
    let data = rows.get::<String>(row, 5)?;
    let length = data.len() + context.map_or(0, str::len);
    let event = Captured {
        id: rows.get::<i64>(row, 1)?,
        created_at: rows.get(row, 2)?,
        source: rows.get::<i64>(row, 3),
        event_type,
        data,
        context: context.map(Context::parse).unwrap_or_default(),
    };
    Some((event, length))
}

/// The columns that capture recorded of an event.
pub struct Columns<'a> {
    image: &'a Image,
    data: Members<'a>,
    context: &'a Context,
}

impl<'a> Columns<'a> {
    pub fn of(event: &'a Captured, image: &'a Image) -> Self {
        Columns {
            image,
            data: Members::of(&event.data),
            context: &event.context,
        }
    }

    /// Returns the column's value in its type's text form. None: it is null, or was not recorded whole.
    pub fn text(&self, column: &ColumnRef) -> Option<String> {
        text_of(self.recorded(column)?)
    }

    /// Returns the value of a column of type jsonb. None: it is null, or JSON's null, or was not recorded whole.
    pub fn json(&self, column: &ColumnRef) -> Option<String> {
        let value = self.recorded(column).filter(|value| *value != "null");
        value.map(str::to_owned)
    }

    fn recorded(&self, column: &ColumnRef) -> Option<&str> {
        let exact = self.image.exact_key(column);
        let exact = exact.and_then(|key| self.context.column(key));
        let (value, is_cut) = match self.image.place(column)? {
            Place::Data(_) if exact.is_some() => (exact, false),
            Place::Data(key) => (self.data.get(key), self.context.cut.contains(key)),
            Place::Context(key) => (self.context.column(key), self.context.cut_columns.contains(key)),
        };
        value.filter(|_| !is_cut)
    }
}

/// Returns a string's characters, or else the JSON text. None: null.
fn text_of(value: &str) -> Option<String> {
    match value {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}
