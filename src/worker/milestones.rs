//! Milestones: projects' tasks are counted when events say that a project may have come further.
//!
//! They are counted with the snapshot that the events were read with. A project's progress before is what is counted, less what the events
//! changed. So all visible events have to be known, and while there are more to read, the changes are kept.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::events::Page;
use super::limited::Failure;
use super::milestone_count::{Change, Derived, Project, count_source};
use super::route::Router;
use super::source::{Suspension, Tried, Weight};
use crate::acting_as::ActingAs;
use crate::event_source::MILESTONE;
use crate::plan::{Argument, Plan, with_spi};
use pgrx::prelude::*;

const COUNTING: &str = "counting the tasks of projects";
/// How long a project is left out whose tasks could not be counted.
const PAUSE: Duration = Duration::from_secs(600);
/// The most bytes of a project's id, which is in an index.
const LONGEST_KEY: usize = 1_000;

type Changes = BTreeMap<Project, Change>;

/// What is known of projects' progress and not written.
#[derive(Clone)]
pub struct Ledger {
    /// Changes that are not counted yet.
    uncounted: Changes,
    /// Whether the table may have more such changes.
    noted: bool,
    /// Projects whose changes in the table have been counted.
    taken: Vec<Project>,
    derived: BTreeMap<Project, Derived>,
    /// Sources whose projects could not be counted, with their back-offs.
    back_offs: BTreeMap<i64, BackOff>,
    /// Projects that could not be counted even alone, and until when they are left out.
    avoided: BTreeMap<Project, Instant>,
    /// What the current transaction makes of it.
    staged: Option<Box<Ledger>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger {
            uncounted: Changes::new(),
            noted: true,
            taken: Vec::new(),
            derived: BTreeMap::new(),
            back_offs: BTreeMap::new(),
            avoided: BTreeMap::new(),
            staged: None,
        }
    }
}

impl Ledger {
    /// Adds the changes of a page of events, and counts when there is no more to read. It is called within the transaction that read the
    /// page.
    pub fn count(&mut self, router: &mut Router, page: &Page) {
        let mut staged = Ledger {
            staged: None,
            ..self.clone()
        };
        if router.wants(MILESTONE) {
            for event in &page.events {
                for note in &event.context.progress {
                    if note.project.len() > LONGEST_KEY {
                        pgrx::warning!(
                            "zentry_notify: event {} says how far a project has come whose id has more than {LONGEST_KEY} bytes, which has no milestones",
                            event.id
                        );
                        continue;
                    }
                    if let Some(source) = note.source.or(event.source) {
                        let change = staged
                            .uncounted
                            .entry((source, note.project.clone()))
                            .or_default();
                        change.done += i64::from(note.done);
                        change.total += i64::from(note.total);
                    }
                }
            }
        }
        if page.complete {
            staged.count_all(router);
        }
        self.staged = Some(Box::new(staged));
    }

    /// Takes over what the transaction made of it, once that has committed.
    pub fn counted(&mut self) {
        if let Some(staged) = self.staged.take() {
            *self = *staged;
        }
    }

    /// Returns how long until projects are counted again that could not be.
    pub fn wait(&self) -> Option<Duration> {
        let retries = self.back_offs.values().filter_map(BackOff::wait);
        retries.min()
    }

    pub fn is_due(&self) -> bool {
        self.wait().is_some_and(|wait| wait.is_zero())
    }

    fn count_all(&mut self, router: &mut Router) {
        let mut changes = self.uncounted.clone();
        if self.noted {
            let notes = read_notes();
            self.taken = notes.keys().cloned().collect();
            for (project, note) in notes {
                let change = changes.entry(project).or_default();
                change.done += note.done;
                change.total += note.total;
            }
        }
        let now = Instant::now();
        self.avoided.retain(|_, until| *until > now);
        changes.retain(|project, _| !self.avoided.contains_key(project));
        let mut by_source: BTreeMap<i64, Vec<(String, Change)>> = BTreeMap::new();
        for ((source, project), change) in changes {
            by_source.entry(source).or_default().push((project, change));
        }
        self.back_offs.retain(|id, _| by_source.contains_key(id));
        self.uncounted
            .retain(|project, _| !self.avoided.contains_key(project));
        self.noted = false;
        for (id, projects) in by_source {
            if self.back_offs.get(&id).is_some_and(BackOff::is_waiting) {
                self.leave(id, |_| true);
                continue;
            }
            let counted = router.sources.get(id).map(|source| {
                let credit = router.credits.of(source, Tried::Counts, None);
                count_source(source, &projects, &self.derived, credit)
            });
            match counted {
                Some(Ok(counted)) => {
                    for (project, derived) in counted.derived {
                        // The project may come further before that is written.
                        let known = self.derived.entry(project).or_default();
                        known.reached = known.reached.max(derived.reached);
                        known.events.extend(derived.events);
                    }
                    let until = now + PAUSE;
                    let failed = counted.failed.into_iter();
                    self.avoided.extend(failed.map(|project| ((id, project), until)));
                    if !counted.late.is_empty() {
                        let reason = Failure::Late.reason();
                        self.back_offs.entry(id).or_default().failed(COUNTING, reason);
                        self.leave(id, |project| counted.late.contains(project));
                        continue;
                    }
                }
                Some(Err(Failure::Passing(said))) => {
                    let reason = Failure::Passing(said).reason();
                    self.back_offs.entry(id).or_default().failed(COUNTING, reason);
                    self.leave(id, |_| true);
                    continue;
                }
                Some(Err(failure)) => {
                    router.sources.suspend(id);
                    router.enricher.suspensions.push(Suspension {
                        source: id,
                        reason: failure.reason(),
                        weight: Weight::Suspended,
                    });
                }
                None => {}
            }
            self.back_offs.remove(&id);
            self.leave(id, |_| false);
        }
    }

    /// Keeps these projects of the source for a later count, with the changes that the table has. The others have been counted.
    fn leave(&mut self, source: i64, is_left: impl Fn(&String) -> bool) {
        let is_left = |(of, project): &Project| *of == source && is_left(project);
        self.noted |= self.taken.iter().any(is_left);
        self.taken.retain(|project| !is_left(project));
        self.uncounted
            .retain(|project, _| project.0 != source || is_left(project));
    }

    /// Returns whether something is to be written that has to be written together with all events that it comes from.
    pub fn wants_all(&self) -> bool {
        !self.uncounted.is_empty() || !self.derived.is_empty() || !self.taken.is_empty()
    }

    /// Returns whether there are milestones to be written.
    pub fn has_news(&self) -> bool {
        !self.derived.is_empty()
    }

    /// Writes it, within the transaction that writes the events that it comes from.
    pub fn write(&self) {
        const REMOVE: &str = "DELETE FROM zentry_notify.progress_note n USING unnest($1, $2) t (source, project) \
                              WHERE n.event_source_id = t.source AND n.project_key = t.project";
        const NOTE: &str = "INSERT INTO zentry_notify.progress_note AS n (event_source_id, project_key, done_change, total_change) \
                            SELECT * FROM unnest($1, $2, $3, $4) \
                            ON CONFLICT (event_source_id, project_key) DO UPDATE \
                            SET done_change = n.done_change + EXCLUDED.done_change, total_change = n.total_change + EXCLUDED.total_change";
        const RAISE: &str = "INSERT INTO zentry_notify.project_progress AS p (event_source_id, project_key, highest) \
                             SELECT * FROM unnest($1, $2, $3) \
                             ON CONFLICT (event_source_id, project_key) DO UPDATE SET highest = EXCLUDED.highest WHERE p.highest < EXCLUDED.highest";
        const EVENTS: &str = "INSERT INTO zentry_notify.event (source_id, event_type, data, context) \
                              SELECT e.source, 'milestone_reached', e.data::json, e.context::json FROM unnest($1, $2, $3) e (source, data, context)";
        use pg_sys::{INT2ARRAYOID, INT8ARRAYOID, TEXTARRAYOID};
        fn projects<'a>(of: impl Iterator<Item = &'a Project>) -> [Argument; 2] {
            let (sources, keys): (Vec<i64>, Vec<&str>) =
                of.map(|(source, project)| (*source, project.as_str())).unzip();
            [sources.into(), keys.into()]
        }
        with_spi(|spi| {
            if !self.taken.is_empty() {
                Plan::prepare(spi, REMOVE, &[INT8ARRAYOID, TEXTARRAYOID])
                    .execute(spi, &projects(self.taken.iter()));
            }
            if !self.uncounted.is_empty() {
                let [sources, keys] = projects(self.uncounted.keys());
                let done: Vec<i64> = self.uncounted.values().map(|change| change.done).collect();
                let total: Vec<i64> = self.uncounted.values().map(|change| change.total).collect();
                Plan::prepare(
                    spi,
                    NOTE,
                    &[INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID],
                )
                .execute(spi, &[sources, keys, done.into(), total.into()]);
            }
            if !self.derived.is_empty() {
                let [sources, keys] = projects(self.derived.keys());
                let reached: Vec<i16> = self.derived.values().map(|d| i16::from(d.reached)).collect();
                Plan::prepare(spi, RAISE, &[INT8ARRAYOID, TEXTARRAYOID, INT2ARRAYOID])
                    .execute(spi, &[sources, keys, reached.into()]);
                let (mut sources, mut data, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
                for ((source, _), derived) in &self.derived {
                    for (event, context) in &derived.events {
                        sources.push(*source);
                        data.push(event.as_str());
                        contexts.push(context.as_str());
                    }
                }
                Plan::prepare(spi, EVENTS, &[INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID])
                    .execute(spi, &[sources.into(), data.into(), contexts.into()]);
            }
        });
    }

    /// Forgets what was written, once the transaction has committed. Returns whether it wrote events.
    pub fn wrote(&mut self) -> bool {
        let made = self.derived.values().any(|derived| !derived.events.is_empty());
        self.noted |= !self.uncounted.is_empty();
        self.uncounted.clear();
        self.taken.clear();
        self.derived.clear();
        made
    }
}

fn read_notes() -> Changes {
    const SQL: &str = "SELECT n.event_source_id, n.project_key, n.done_change, n.total_change FROM zentry_notify.progress_note n";
    let _agent = ActingAs::agent();
    with_spi(|spi| {
        let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
        let note = |row| {
            let number = |column| rows.get::<i64>(row, column);
            let project = rows.get::<String>(row, 2)?;
            let change = Change {
                done: number(3)?,
                total: number(4)?,
            };
            Some(((number(1)?, project), change))
        };
        (0..rows.len()).filter_map(note).collect()
    })
}
