//! Writing as many of many pieces as the database takes, where one statement for all of them fails: in halves, each in a subtransaction.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use webhook::schedule::QueueId;

use crate::pg::subtransaction::{self, Failure};

/// The most subtransactions at a time. The rest is tried the next time.
const TRIES: usize = 200;
const LONGEST: Duration = Duration::from_secs(2);
/// If so many rows of a queue are refused and none is taken, the rest of it counts as refused.
const ROWS: usize = 4;
/// If so many queues are refused and nothing is taken, all count as refused.
const QUEUES: usize = 16;

/// A row that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub queue: QueueId,
    /// Whether it waits: it must not be written before waiting rows of its queue that come before it.
    pub waits: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Untried,
    Written,
    Refused,
}

#[derive(Default)]
struct QueueParts {
    refused: usize,
    written: bool,
    /// Whether a waiting row was refused.
    stuck: bool,
}

/// The result for each piece.
pub struct Parts {
    pieces: Vec<Piece>,
    pub fates: Vec<Fate>,
    queues: HashMap<QueueId, QueueParts>,
    tries: usize,
    until: Instant,
    written: bool,
    /// The first refusal.
    pub failure: Option<Failure>,
}

impl Parts {
    /// Writes the pieces, which are grouped by queue and in order within each, as far as the database takes them. `write` gets their
    /// indexes. An error that says nothing of the rows is raised again, and so is the first one if no row of many queues is taken. It is
    /// called within a transaction.
    pub fn write(pieces: Vec<Piece>, is_of_rows: fn(&Failure) -> bool, write: impl Fn(&[usize])) -> Parts {
        let mut parts = Parts {
            fates: vec![Fate::Untried; pieces.len()],
            queues: HashMap::new(),
            tries: TRIES,
            until: Instant::now() + LONGEST,
            written: false,
            failure: None,
            pieces,
        };
        parts.go(0..parts.pieces.len(), is_of_rows, &write);
        parts
    }

    fn go(&mut self, range: Range<usize>, is_of_rows: fn(&Failure) -> bool, write: &impl Fn(&[usize])) {
        let chosen: Vec<usize> = range.filter(|place| !self.is_stuck(*place)).collect();
        let (Some(first), Some(last)) = (chosen.first().copied(), chosen.last().copied()) else {
            return;
        };
        let queue = self.pieces[first].queue;
        let of_one = queue == self.pieces[last].queue;
        if of_one && self.is_given_up(queue) {
            return self.end(&chosen, Fate::Refused);
        }
        if self.tries == 0 || self.until <= Instant::now() {
            return;
        }
        self.tries -= 1;
        match subtransaction::attempt(|| write(&chosen)) {
            Ok(()) => self.end(&chosen, Fate::Written),
            Err(failure) if !is_of_rows(&failure) => failure.raise(),
            Err(failure) => {
                if let [_] = chosen.as_slice() {
                    self.end(&chosen, Fate::Refused);
                    if !self.written && self.queues.len() >= QUEUES {
                        failure.raise();
                    }
                    self.failure.get_or_insert(failure);
                    return;
                }
                let middle = self.middle(&chosen, of_one);
                self.go(first..middle, is_of_rows, write);
                self.go(middle..last + 1, is_of_rows, write);
            }
        }
    }

    /// Returns where to halve them: between two queues, unless all are of one.
    fn middle(&self, chosen: &[usize], of_one: bool) -> usize {
        let half = chosen.len() / 2;
        if of_one {
            return chosen[half];
        }
        let begins = |place: &usize| {
            *place > 0 && self.pieces[chosen[*place]].queue != self.pieces[chosen[*place - 1]].queue
        };
        let after = (half..chosen.len()).find(begins);
        let before = (1..half.max(1)).rev().find(begins);
        let nearest = match (before, after) {
            (Some(before), Some(after)) if half - before < after - half => before,
            (Some(before), None) => before,
            (_, Some(after)) => after,
            (None, None) => half,
        };
        chosen[nearest]
    }

    fn is_stuck(&self, place: usize) -> bool {
        let piece = &self.pieces[place];
        piece.waits && self.queues.get(&piece.queue).is_some_and(|queue| queue.stuck)
    }

    fn is_given_up(&self, queue: QueueId) -> bool {
        let queue = self.queues.get(&queue);
        queue.is_some_and(|queue| queue.refused >= ROWS && !queue.written)
    }

    fn end(&mut self, places: &[usize], fate: Fate) {
        for place in places {
            self.fates[*place] = fate;
            let piece = self.pieces[*place];
            let queue = self.queues.entry(piece.queue).or_default();
            match fate {
                Fate::Written => {
                    queue.written = true;
                    self.written = true;
                }
                Fate::Refused => {
                    queue.refused += 1;
                    queue.stuck |= piece.waits;
                }
                Fate::Untried => {}
            }
        }
    }

    /// Returns the queues of which nothing was taken.
    pub fn refused_queues(&self) -> impl Iterator<Item = QueueId> + '_ {
        let refused = self
            .queues
            .iter()
            .filter(|(_, queue)| queue.refused > 0 && !queue.written);
        refused.map(|(queue, _)| *queue)
    }
}
