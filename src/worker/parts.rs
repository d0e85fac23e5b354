//! Writing what can be written of much, where a statement for all of it fails: in halves, each in a subtransaction.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use webhook::schedule::LaneId;

use crate::pg::subtransaction::{self, Failure};

/// Subtransactions at once: beyond, the rest is tried the next time.
const TRIES: usize = 200;
const LONGEST: Duration = Duration::from_secs(2);
/// So many rows of a lane are refused before the rest of it is taken for refused, if none was taken.
const ROWS: usize = 4;
/// So many lanes are refused before all are taken for refused, if nothing was taken.
const LANES: usize = 16;

/// What a row is, as far as writing it goes.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub lane: LaneId,
    /// It must not be written before those of its lane that stand before it, and wait as well.
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
struct Lane {
    refused: usize,
    written: bool,
    /// One that waits was refused.
    stuck: bool,
}

/// What became of each.
pub struct Parts {
    pieces: Vec<Piece>,
    pub fates: Vec<Fate>,
    lanes: HashMap<LaneId, Lane>,
    tries: usize,
    until: Instant,
    written: bool,
    /// The first refusal.
    pub failure: Option<Failure>,
}

impl Parts {
    /// Writes the pieces, those of a lane beside each other and in their order, as far as the database takes them. `write` is given
    /// their places. An error that says nothing of the rows is raised again, and so is the first one when no row of many lanes is
    /// taken. Within a transaction.
    pub fn write(pieces: Vec<Piece>, is_of_rows: fn(&Failure) -> bool, write: impl Fn(&[usize])) -> Parts {
        let mut parts = Parts {
            fates: vec![Fate::Untried; pieces.len()],
            lanes: HashMap::new(),
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
        let lane = self.pieces[first].lane;
        let of_one = lane == self.pieces[last].lane;
        if of_one && self.is_given_up(lane) {
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
                    if !self.written && self.lanes.len() >= LANES {
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

    /// Where to halve them: between two lanes, unless they are of one.
    fn middle(&self, chosen: &[usize], of_one: bool) -> usize {
        let half = chosen.len() / 2;
        if of_one {
            return chosen[half];
        }
        let begins = |place: &usize| {
            *place > 0 && self.pieces[chosen[*place]].lane != self.pieces[chosen[*place - 1]].lane
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
        piece.waits && self.lanes.get(&piece.lane).is_some_and(|lane| lane.stuck)
    }

    fn is_given_up(&self, lane: LaneId) -> bool {
        let lane = self.lanes.get(&lane);
        lane.is_some_and(|lane| lane.refused >= ROWS && !lane.written)
    }

    fn end(&mut self, places: &[usize], fate: Fate) {
        for place in places {
            self.fates[*place] = fate;
            let piece = self.pieces[*place];
            let lane = self.lanes.entry(piece.lane).or_default();
            match fate {
                Fate::Written => {
                    lane.written = true;
                    self.written = true;
                }
                Fate::Refused => {
                    lane.refused += 1;
                    lane.stuck |= piece.waits;
                }
                Fate::Untried => {}
            }
        }
    }

    /// The lanes of which nothing was taken.
    pub fn refused_lanes(&self) -> impl Iterator<Item = LaneId> + '_ {
        let refused = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.refused > 0 && !lane.written);
        refused.map(|(lane, _)| *lane)
    }
}
