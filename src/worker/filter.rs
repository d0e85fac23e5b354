//! Filters: which of the webhooks that hear an event's type want this event.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use webhook::apart::{Credit, Fault, SharedBudget, Trial, divide};
use webhook::schedule::QueueId;

use super::database;
use super::limited::{self, Failure};
use super::source::Ending;
use crate::pg::crash_note::{self, Ran};
use crate::pg::time_limit::Numbered;
use crate::plan::{Plan, with_spi};

/// The time limit for the filters of a batch.
const LIMIT: Duration = Duration::from_secs(2);
/// The time limit for one filter, after the filters of a batch have failed together, and for one event.
const LIMIT_ALONE: Duration = Duration::from_millis(200);
/// The time in all to find out which filters fail.
const BUDGET: Duration = Duration::from_secs(5);

/// The filters of the active webhooks.
#[derive(Default)]
pub struct Conditions(HashMap<QueueId, Vec<Condition>>);

/// A JSON path predicate that an event's data have to fulfil for a webhook to hear of it.
struct Condition {
    /// The event type that the filter is for. None: every one.
    event_type: Option<String>,
    path: String,
}

/// An event, with the webhooks that may hear it.
pub struct Heard {
    pub id: i64,
    pub event_type: Arc<str>,
    pub payload: Arc<str>,
    pub queues: Vec<QueueId>,
}

impl Conditions {
    /// Reads the filters of the active webhooks.
    pub fn load() -> Conditions {
        const SQL: &str = "SELECT w.id, c.event_type, c.path FROM zentry_notify.webhook w \
            CROSS JOIN LATERAL (VALUES \
              (NULL, w.filter::text), \
              ('daily_streak', '$.streak_days >= ' || w.min_streak_days), \
              ('milestone_reached', \
               (SELECT string_agg(format('$.milestone_name starts with \"%s%%\"', m), ' || ') FROM unnest(w.milestones) m))) c (event_type, path) \
            WHERE w.is_active AND c.path IS NOT NULL";
        let mut conditions = Conditions::default();
        with_spi(|spi| {
            let rows = Plan::prepare(spi, SQL, &[]).execute(spi, &[]);
            for row in 0..rows.len() {
                let (queue, event_type, path) = {
                    let text = |column| rows.get::<String>(row, column);
                    let queue = rows.get::<i64>(row, 1);
                    (queue, text(2), text(3))
                };
                if let (Some(queue), Some(path)) = (queue, path) {
                    let of_queue = conditions.0.entry(QueueId(queue)).or_default();
                    of_queue.push(Condition { event_type, path });
                }
            }
        });
        conditions
    }

    fn of(&self, queue: QueueId, event_type: &str) -> impl Iterator<Item = &str> {
        let conditions = self.0.get(&queue).into_iter().flatten();
        conditions
            .filter(move |condition| {
                condition
                    .event_type
                    .as_deref()
                    .is_none_or(|only| only == event_type)
            })
            .map(|condition| &*condition.path)
    }

    pub fn concern(&self, event_type: &str, queues: &[QueueId]) -> bool {
        !self.0.is_empty()
            && queues
                .iter()
                .any(|queue| self.of(*queue, event_type).next().is_some())
    }

    /// Returns the number that is noted while the filter is evaluated, in case that ends the process: that of a webhook that has it. Others
    /// may have the same filter.
    fn number_of(&self, path: &str) -> i64 {
        let is_of = |conditions: &Vec<Condition>| conditions.iter().any(|condition| condition.path == path);
        let queues = self.0.iter().filter(|(_, conditions)| is_of(conditions));
        queues
            .map(|(queue, _)| queue.0)
            .min()
            .map_or(Ran::FILTERS, |webhook| -webhook)
    }

    /// Removes from each event the webhooks whose filters it does not fulfil. A filter that cannot be evaluated counts as fulfilled, so
    /// that nothing is lost. A filter that has failed before is evaluated apart from the others, as long as its credit lasts.
    pub fn apply(&self, events: &mut [Heard], slow: &mut SlowFilters) {
        slow.keep(|path| {
            self.0
                .values()
                .flatten()
                .any(|condition| *condition.path == *path)
        });
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            let paths = event
                .queues
                .iter()
                .flat_map(|queue| self.of(*queue, &event.event_type));
            for path in paths.collect::<HashSet<_>>() {
                places.entry(path).or_default().push(place);
            }
        }
        // One of the filters has ended a worker, and it is not known yet which.
        let all_apart = crash_note::suspect().number < 0;
        let (apart, together): (Vec<_>, Vec<_>) = places.iter().partition(|(path, _)| slow.has(path));
        let mut trial = Evaluation {
            events,
            unfulfilled: HashSet::new(),
        };
        let mut apart: Vec<&str> = apart.into_iter().map(|(path, _)| *path).collect();
        let failed_together = !together.is_empty() && !all_apart && {
            let _filters = Numbered::new(Ran::FILTERS, 0);
            trial.evaluate(&together, LIMIT).is_err()
        };
        if failed_together || all_apart {
            let ends = Instant::now() + BUDGET;
            for (path, of_path) in together {
                let left = ends.saturating_duration_since(Instant::now());
                let _filter = Numbered::new(self.number_of(path), 0);
                if left.is_zero() || trial.evaluate(&[(path, of_path)], LIMIT_ALONE.min(left)).is_err() {
                    apart.push(path);
                }
            }
        }
        for path in apart {
            let _filter = Numbered::new(self.number_of(path), 0);
            let mut of_path = OfPath {
                path,
                evaluation: &mut trial,
                untried: Vec::new(),
            };
            // An error would say that the filter can work for no event, which `OfPath` never says.
            let _ = divide(&mut of_path, &places[path], slow.credit(path));
            of_path.report_untried();
        }
        let unfulfilled = trial.unfulfilled;
        let unwanted: Vec<HashSet<QueueId>> = events
            .iter()
            .enumerate()
            .map(|(place, event)| {
                let is_unwanted = |queue: &QueueId| {
                    self.of(*queue, &event.event_type)
                        .any(|path| unfulfilled.contains(&(place, path)))
                };
                event.queues.iter().copied().filter(is_unwanted).collect()
            })
            .collect();
        for (event, unwanted) in events.iter_mut().zip(unwanted) {
            event.queues.retain(|queue| !unwanted.contains(queue));
        }
    }
}

/// Filters that failed together with others, and how long each may still take.
#[derive(Default)]
pub struct SlowFilters {
    credits: HashMap<Arc<str>, Credit>,
    /// The time that all of them have together.
    budget: SharedBudget,
}

impl SlowFilters {
    /// Forgets filters that no webhook has any more.
    fn keep(&mut self, is_used: impl Fn(&str) -> bool) {
        self.credits.retain(|path, _| is_used(path));
    }

    fn has(&self, path: &str) -> bool {
        self.credits.contains_key(path)
    }

    /// Returns the filter's credit. From now on it is one of those that are evaluated apart.
    fn credit(&mut self, path: &str) -> &mut Credit {
        let budget = &self.budget;
        self.credits
            .entry(path.into())
            .or_insert_with(|| Credit::new(budget.clone()))
    }
}

/// Switches off the webhook whose filter has ended a worker, and those that have the same filter.
pub fn switch_off(webhook: i64, ending: Ending) {
    const SQL: &str = "UPDATE zentry_notify.webhook w SET is_active = false, switched_off_at = pg_catalog.now(), switched_off_reason = $2 \
                       FROM zentry_notify.webhook f \
                       WHERE f.id OPERATOR(pg_catalog.=) $1 AND w.is_active \
                         AND (w.id OPERATOR(pg_catalog.=) f.id OR w.filter::text OPERATOR(pg_catalog.=) f.filter::text)";
    let reason = format!("its filter {}", ending.words());
    pgrx::warning!("zentry_notify: webhook {webhook} is switched off: {reason}");
    let written = database::transaction("zentry_notify: switch a filter off", || {
        with_spi(|spi| {
            Plan::prepare(spi, SQL, &[pg_sys::INT8OID, pg_sys::TEXTOID])
                .execute(spi, &[webhook.into(), reason.as_str().into()]);
        });
    });
    if let Err(error) = written {
        pgrx::warning!("zentry_notify: webhook {webhook} could not be switched off: {error}");
    }
}

/// The evaluation of filters on the events of a batch.
struct Evaluation<'a> {
    events: &'a [Heard],
    /// Indexes of events, with the filters that are false for them, or unknown because a value is missing.
    unfulfilled: HashSet<(usize, &'a str)>,
}

impl<'a> Evaluation<'a> {
    /// Evaluates filters, each on the events at its indexes.
    fn evaluate(&mut self, filters: &[(&&'a str, &Vec<usize>)], limit: Duration) -> Result<(), Failure> {
        let mut of_event: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for ((_, places), number) in filters.iter().zip(1..) {
            for place in *places {
                of_event.entry(*place).or_default().push(number);
            }
        }
        let paths: Vec<&str> = filters.iter().map(|(path, _)| **path).collect();
        let found = limited::as_agent(limit, || self.ask(&of_event, paths))?;
        let filter = |number: i32| Some(*filters.get(usize::try_from(number).ok()?.checked_sub(1)?)?.0);
        let found = found
            .into_iter()
            .filter_map(|(place, number)| Some((place, filter(number)?)));
        self.unfulfilled.extend(found);
        Ok(())
    }

    /// Returns the events' indexes with the numbers of the filters that they do not fulfil.
    fn ask(&self, of_event: &BTreeMap<usize, Vec<i32>>, paths: Vec<&str>) -> Vec<(usize, i32)> {
        // This is the variant for time zones: the other one raises an error when it compares times with dates, even in silent mode.
        const SQL: &str = "SELECT p.place, ($5::int4[])[k] \
            FROM unnest($1::int8[], $2::text[], $3::int4[], $4::int4[]) AS p (place, data, first, last) \
            CROSS JOIN LATERAL (SELECT p.data::jsonb AS data OFFSET 0) j \
            CROSS JOIN LATERAL generate_series(p.first, p.last) k \
            WHERE jsonb_path_match_tz(j.data, (($6::text[])[($5::int4[])[k]])::jsonpath, '{}', true) IS NOT TRUE";
        let (mut places, mut payloads) = (Vec::<i64>::new(), Vec::<&str>::new());
        let (mut first, mut last, mut numbers) = (Vec::<i32>::new(), Vec::<i32>::new(), Vec::<i32>::new());
        for (place, of_event) in of_event {
            places.push(*place as i64);
            payloads.push(&self.events[*place].payload);
            first.push(numbers.len() as i32 + 1);
            numbers.extend(of_event);
            last.push(numbers.len() as i32);
        }
        with_spi(|spi| {
            use pg_sys::{INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID};
            let types = [
                INT8ARRAYOID,
                TEXTARRAYOID,
                INT4ARRAYOID,
                INT4ARRAYOID,
                INT4ARRAYOID,
                TEXTARRAYOID,
            ];
            let rows = Plan::prepare(spi, SQL, &types).execute(
                spi,
                &[
                    places.into(),
                    payloads.into(),
                    first.into(),
                    last.into(),
                    numbers.into(),
                    paths.into(),
                ],
            );
            let pair = |row| {
                let place = rows.get::<i64>(row, 1)?;
                Some((usize::try_from(place).ok()?, rows.get::<i32>(row, 2)?))
            };
            (0..rows.len()).filter_map(pair).collect()
        })
    }
}

/// One filter, on events that may make it fail.
struct OfPath<'a, 'b> {
    path: &'a str,
    evaluation: &'b mut Evaluation<'a>,
    /// Indexes of events for which no time was left.
    untried: Vec<usize>,
}

impl OfPath<'_, '_> {
    fn report_untried(&self) {
        if let Some(place) = self.untried.first() {
            let event = &self.evaluation.events[*place];
            pgrx::warning!(
                "zentry_notify: a filter was not evaluated on {} events, as event {} ({}), which are sent: it has taken too long",
                self.untried.len(),
                event.id,
                event.event_type,
            );
        }
    }
}

impl Trial<usize> for OfPath<'_, '_> {
    type Failure = Failure;

    fn alone(&self) -> Duration {
        LIMIT_ALONE
    }

    fn attempt(&mut self, places: &[usize], limit: Duration) -> Result<(), Failure> {
        self.evaluation.evaluate(&[(&self.path, &places.to_vec())], limit)
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, _worked: bool) -> Option<Failure> {
        None
    }

    fn fail(&mut self, places: &[usize], fault: Fault<Failure>, _until: Instant) {
        let (Fault::Theirs(failure) | Fault::Everybodys(failure)) = fault else {
            self.untried.extend(places);
            return;
        };
        for place in places {
            let event = &self.evaluation.events[*place];
            pgrx::warning!(
                "zentry_notify: a filter could not be evaluated on event {} ({}), which is sent: {}",
                event.id,
                event.event_type,
                failure.reason_of_row()
            );
        }
    }
}
