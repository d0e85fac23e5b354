//! Enriching a source's events of a batch, as far as its look-ups work.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use webhook::apart::{Credit, Fault, Trial, divide};
use webhook::json_members::Members;

use super::limited::Failure;
use super::lookups::{Keys, Kind, MAX_DETAIL, Statement};
use super::prepared::{LIMIT_ALONE, Prepared};
use super::query::{Enriched, Known, Query, Row};
use super::source::Source;
use crate::event_source::{Audience, Expression};

/// So many rows that fail, while none works, are reported.
const ALL_OF_THEM: usize = 16;

pub const TOO_LONG: &str = "its look-ups take too long";
pub const TOO_LONG_AT_TIMES: &str = "its look-ups take too long at times, and events are told without them";

/// A source's events of a batch.
pub struct Attempt<'a> {
    event_type: &'a str,
    source: &'a Source,
    prepared: &'a Prepared,
    pub found: Vec<(usize, Enriched)>,
    /// What each statement has found so far.
    known: Vec<Known>,
    /// How many more bytes may be found.
    pub room: usize,
    /// The lowest index of an event for which there was no room.
    pub left: Option<usize>,
    /// The number of rows that failed alone, and the last failure.
    failed: (usize, Option<Failure>),
    /// The first and the last event for which no time was left.
    untried: Option<(i64, i64)>,
    /// Whether the look-ups have worked for some row.
    worked: bool,
}

impl<'a> Attempt<'a> {
    /// Makes an attempt that finds `room` bytes, or a little more. None: nothing is to be looked up.
    pub fn new(event_type: &'a str, source: &'a Source, prepared: &'a Prepared, room: usize) -> Option<Self> {
        (!prepared.queries.is_empty()).then(|| Attempt {
            event_type,
            source,
            prepared,
            found: Vec::new(),
            known: prepared.queries.iter().map(|_| Known::default()).collect(),
            room,
            left: None,
            failed: (0, None),
            untried: None,
            worked: false,
        })
    }

    /// Enriches the rows. An error says that the look-ups cannot work for any row.
    pub fn run(&mut self, rows: &[Row<'a>], credit: &mut Credit) -> Result<(), Failure> {
        let outcome = divide(self, rows, credit);
        if let (Err(Failure::Passing(_)), [first, .., last] | [first @ last]) = (&outcome, rows) {
            self.say(
                first.id,
                last.id,
                &outcome.as_ref().err().map(Failure::reason).unwrap_or_default(),
            );
        }
        if let Some((first, last)) = self.untried {
            self.say(first, last, TOO_LONG);
        }
        outcome
    }

    /// Returns what people should know although the look-ups work for some rows.
    pub fn remark(&self) -> Option<String> {
        if self.untried.is_some() {
            return Some(TOO_LONG_AT_TIMES.to_owned());
        }
        match &self.failed {
            (count, Some(failure)) if *count >= ALL_OF_THEM && !self.worked => Some(format!(
                "of none of its events all could be found out: {}",
                failure.reason_of_row()
            )),
            _ => None,
        }
    }

    /// Returns what all statements have found. Rows for which there was no room are not among it: what events share is in memory once, but each
    /// event has a copy of its own once it is joined with what another statement has found.
    fn try_rows(&mut self, rows: &[Row], limit: Duration) -> Result<Vec<(usize, Enriched)>, Failure> {
        let owner = self.prepared.attached.owner;
        let room = self.room;
        let mut all: Option<Vec<(usize, Enriched)>> = None;
        for (query, known) in self.prepared.queries.iter().zip(&mut self.known) {
            let found = query.run(owner, limit, rows, known, room)?;
            all = Some(match all {
                None => found,
                Some(all) => {
                    let mut found: HashMap<usize, Enriched> = found.into_iter().collect();
                    let mut bytes = 0;
                    let add = |(place, mut enriched): (usize, Enriched)| {
                        let more = found.remove(&place).filter(|_| bytes < room)?;
                        enriched.add(more);
                        bytes += enriched.length();
                        Some((place, enriched))
                    };
                    all.into_iter().filter_map(add).collect()
                }
            });
        }
        Ok(all.unwrap_or_default())
    }

    /// Notes that there was no room for these events.
    fn leave(&mut self, places: impl Iterator<Item = usize>) {
        self.left = places.chain(self.left).min();
    }

    /// Looks up each key by itself. A key that fails is null, and a value that cannot be converted stays the string that was recorded.
    fn piecemeal(&mut self, row: &Row, until: Instant) {
        let mut detail = serde_json::Map::new();
        if let Some(nulls) = &self.prepared.nulls {
            detail = serde_json::from_str(nulls).unwrap_or_default();
        }
        let mut project = None;
        let mut bytes = 0;
        let columns = &self.source.definition.columns;
        let is_sql = |key: &&String| matches!(columns.get(*key), Some(Expression::Sql { .. }));
        // Expressions come last, since they are what may take long.
        let (last, first): (Vec<&String>, Vec<&String>) = columns.keys().partition(is_sql);
        for key in first.into_iter().chain(last) {
            if until <= Instant::now() {
                break;
            }
            let kind = if is_sql(&key) {
                Kind::Expressions
            } else {
                Kind::LookUps
            };
            let found = self.one_key(row, kind, key).ok().flatten();
            bytes += found.as_deref().map_or(0, str::len);
            if bytes > MAX_DETAIL {
                // As the statement for all keys does.
                return self.give_up(std::slice::from_ref(row));
            }
            for (key, value) in Members::of(found.as_deref().unwrap_or_default()).iter() {
                if let Ok(value) = serde_json::from_str(value) {
                    detail.insert(key.to_owned(), value);
                }
            }
        }
        if let Audience::Project { project: key } = &self.source.definition.audience {
            project = detail.get(key).and_then(serde_json::Value::as_i64);
        }
        let detail = (!detail.is_empty()).then(|| serde_json::Value::Object(detail).to_string().into());
        let found = Enriched { detail, project };
        self.room = self.room.saturating_sub(found.length());
        self.found.push((row.place, found));
    }

    fn one_key(&self, row: &Row, kind: Kind, key: &str) -> Result<Option<Arc<str>>, Failure> {
        let attached = &self.prepared.attached;
        let statement = Statement::new(&self.source.definition, attached, kind, Keys::One(key));
        let Some(query) = Query::prepare(statement, attached, LIMIT_ALONE)? else {
            return Ok(None);
        };
        let mut found = query.run(
            attached.owner,
            LIMIT_ALONE,
            std::slice::from_ref(row),
            &mut Known::default(),
            MAX_DETAIL,
        )?;
        Ok(found.pop().and_then(|(_, enriched)| enriched.detail))
    }

    fn give_up(&mut self, rows: &[Row]) {
        let nulls = || Enriched::nothing(self.prepared.nulls.clone());
        let told: Vec<_> = rows.iter().map(|row| (row.place, nulls())).collect();
        self.found.extend(told);
    }

    fn say(&self, first: i64, last: i64, reason: &str) {
        if first == last {
            pgrx::warning!(
                "zentry_notify: event {} ({}) is told without what can't be found out about it: {}",
                first,
                self.event_type,
                reason
            );
        } else {
            pgrx::warning!(
                "zentry_notify: events {} to {} ({}) are told without what can't be found out about them: {}",
                first,
                last,
                self.event_type,
                reason
            );
        }
    }
}

impl<'a> Trial<Row<'a>> for Attempt<'_> {
    type Failure = Failure;

    fn alone(&self) -> Duration {
        LIMIT_ALONE
    }

    fn attempt(&mut self, rows: &[Row<'a>], limit: Duration) -> Result<(), Failure> {
        let places = rows.iter().map(|row| row.place);
        if self.room == 0 {
            self.leave(places);
            return Ok(());
        }
        let found = self.try_rows(rows, limit)?;
        let bytes: usize = found.iter().map(|(_, enriched)| enriched.length()).sum();
        self.room = self.room.saturating_sub(bytes);
        if found.len() < rows.len() {
            let known: HashSet<usize> = found.iter().map(|(place, _)| *place).collect();
            self.leave(places.filter(|place| !known.contains(place)));
        }
        self.found.extend(found);
        self.worked = true;
        Ok(())
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, worked: bool) -> Option<Failure> {
        // Without rows, rights, names and types are checked.
        let mut outcome = self.try_rows(&[], LIMIT_ALONE).map(drop);
        if outcome.is_ok() && !worked {
            // With a row of nulls, what waits or fails for every row does so too.
            let owner = self.prepared.attached.owner;
            let mut queries = self.prepared.queries.iter();
            outcome = queries.try_for_each(|query| query.try_with_nulls(owner, LIMIT_ALONE));
        }
        outcome
            .err()
            .filter(|failure| !matches!(failure, Failure::Data(_)))
    }

    fn fail(&mut self, rows: &[Row<'a>], fault: Fault<Failure>, until: Instant) {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return;
        };
        match fault {
            Fault::Theirs(failure) => {
                self.say(first.id, last.id, &failure.reason_of_row());
                self.failed = (self.failed.0 + rows.len(), Some(failure.clone()));
                match rows {
                    [row] => self.piecemeal(row, until),
                    _ => self.give_up(rows),
                }
            }
            Fault::NoTime => {
                let (begin, _) = *self.untried.get_or_insert((first.id, last.id));
                self.untried = Some((begin, last.id));
                self.give_up(rows);
            }
            Fault::Everybodys(_) => self.give_up(rows),
        }
    }
}
