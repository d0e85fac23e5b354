//! Of those who hear an event's type, those who want to hear this event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pgrx::prelude::*;
use webhook::schedule::QueueId;

use super::limited;
use crate::plan::{Plan, with_spi};

/// For the filters of a batch.
const LIMIT: Duration = Duration::from_secs(2);
/// For those of one event, after its batch has failed.
const LIMIT_ALONE: Duration = Duration::from_millis(200);
/// Events of a batch whose failures are looked into one by one.
const CULPRITS: usize = 16;

/// What webhooks want to hear only.
#[derive(Default)]
pub struct Conditions(HashMap<QueueId, Vec<Condition>>);

/// A JSON path predicate that an event's data has to fulfil for a webhook to hear of it.
struct Condition {
    /// None: of any type.
    event_type: Option<String>,
    path: String,
}

/// An event that somebody may not want to hear.
pub struct Heard {
    pub id: i64,
    pub event_type: Arc<str>,
    pub payload: Arc<str>,
    pub queues: Vec<QueueId>,
}

impl Conditions {
    /// Those of the active webhooks.
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

    /// Takes from each event those who do not want to hear it. A filter that can't be evaluated is taken for fulfilled, so that nothing is
    /// lost.
    pub fn apply(&self, events: &mut [Heard]) {
        let mut culprits = 0;
        self.part(events, LIMIT, &mut culprits);
    }

    fn part(&self, events: &mut [Heard], limit: Duration, culprits: &mut usize) {
        let failure = match limited::as_agent(limit, || self.failing(events)) {
            Ok(failing) => {
                for (place, event) in events.iter_mut().enumerate() {
                    event.queues.retain(|queue| !failing.contains(&(place, *queue)));
                }
                return;
            }
            Err(failure) => failure,
        };
        if events.len() > 1 && *culprits < CULPRITS {
            let (a, b) = events.split_at_mut(events.len() / 2);
            self.part(a, limit.min(LIMIT_ALONE), culprits);
            self.part(b, limit.min(LIMIT_ALONE), culprits);
        } else if let Some(event) = events.first() {
            *culprits += 1;
            pgrx::warning!(
                "zentry_notify: a filter could not be evaluated on event {} ({}), which is sent: {}",
                event.id,
                event.event_type,
                failure.reason()
            );
        }
    }

    /// Webhooks of which a condition is false, or unknown as of a value that is missing, by the events' places.
    fn failing(&self, events: &[Heard]) -> HashSet<(usize, QueueId)> {
        // The variant for time zones: the other one raises an error when it compares times with dates, even if it is told not to.
        const SQL: &str = "SELECT p.n, ($4::int8[])[k] \
            FROM unnest($1::text[], $2::int4[], $3::int4[]) WITH ORDINALITY AS p (data, first, last, n) \
            CROSS JOIN LATERAL (SELECT p.data::jsonb AS data OFFSET 0) j \
            CROSS JOIN LATERAL generate_series(p.first, p.last) k \
            WHERE jsonb_path_match_tz(j.data, (($6::text[])[($5::int4[])[k]])::jsonpath, '{}', true) IS NOT TRUE";
        let (mut first, mut last) = (Vec::new(), Vec::new());
        let (mut queues, mut numbers): (Vec<i64>, Vec<i32>) = (Vec::new(), Vec::new());
        let mut paths: Vec<&str> = Vec::new();
        let mut known: HashMap<&str, i32> = HashMap::new();
        for event in events {
            first.push(queues.len() as i32 + 1);
            for queue in &event.queues {
                for path in self.of(*queue, &event.event_type) {
                    let number = *known.entry(path).or_insert_with(|| {
                        paths.push(path);
                        paths.len() as i32
                    });
                    queues.push(queue.0);
                    numbers.push(number);
                }
            }
            last.push(queues.len() as i32);
        }
        let payloads: Vec<&str> = events.iter().map(|event| &*event.payload).collect();
        with_spi(|spi| {
            use pg_sys::{INT4ARRAYOID, INT8ARRAYOID, TEXTARRAYOID};
            let types = [
                TEXTARRAYOID,
                INT4ARRAYOID,
                INT4ARRAYOID,
                INT8ARRAYOID,
                INT4ARRAYOID,
                TEXTARRAYOID,
            ];
            let rows = Plan::prepare(spi, SQL, &types).execute(
                spi,
                &[
                    payloads.into(),
                    first.into(),
                    last.into(),
                    queues.into(),
                    numbers.into(),
                    paths.into(),
                ],
            );
            let pair = |row| {
                let place = rows.get::<i64>(row, 1)?;
                let queue = rows.get::<i64>(row, 2)?;
                Some((usize::try_from(place - 1).ok()?, QueueId(queue)))
            };
            (0..rows.len()).filter_map(pair).collect()
        })
    }
}
