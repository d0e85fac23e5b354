//! The route cursor against a database in which transactions overlap, commit in any order or roll back, and a worker that dies at
//! any moment: every event that was committed is routed once, and in the end nothing is left to be read again.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use crate::id_set::IdSet;
use crate::route_cursor::{Look, RouteCursor};
use fastrand::Rng;

#[derive(Default)]
struct Database {
    next_xid: u64,
    next_id: i64,
    running: BTreeMap<u64, Vec<i64>>,
    next_session: u64,
    /// Transactions without a number, each with the ids that it has drawn.
    unnumbered: BTreeMap<u64, Vec<i64>>,
    events: BTreeSet<i64>,
    /// What the worker has written, in the same transaction as the deliveries.
    cursor: String,
    deliveries: BTreeMap<i64, u32>,
}

impl Database {
    fn begin(&mut self) {
        self.running.insert(self.next_xid, Vec::new());
        self.next_xid += 1;
    }

    /// A statement draws ids before it has stored anything.
    fn draw(&mut self, count: i64) {
        let ids = self.next_id..self.next_id + count;
        self.next_id += count;
        self.unnumbered.insert(self.next_session, ids.collect());
        self.next_session += 1;
    }

    /// One of these, by the dice, stores its rows, which gives it a number; or it gives up.
    fn store(&mut self, random: &mut Rng) {
        let place = random.usize(0..self.unnumbered.len().max(1));
        if let Some(session) = self.unnumbered.keys().nth(place).copied()
            && let Some(ids) = self.unnumbered.remove(&session)
            && random.u8(0..4) > 0
        {
            self.running.insert(self.next_xid, ids);
            self.next_xid += 1;
        }
    }

    /// A transaction that runs, by the dice.
    fn any(&self, random: &mut Rng) -> Option<u64> {
        let place = random.usize(0..self.running.len().max(1));
        self.running.keys().nth(place).copied()
    }

    fn write(&mut self, xid: u64, count: i64) {
        let ids = self.next_id..self.next_id + count;
        self.next_id += count;
        self.running.get_mut(&xid).unwrap().extend(ids);
    }

    fn end(&mut self, xid: u64, commits: bool) {
        let ids = self.running.remove(&xid).unwrap();
        if commits {
            self.events.extend(ids);
        }
    }

    fn oldest_running(&self) -> u64 {
        self.running.keys().next().copied().unwrap_or(self.next_xid)
    }
}

struct Worker {
    cursor: RouteCursor,
    in_hand: Vec<i64>,
}

impl Worker {
    fn start(database: &Database) -> Worker {
        Worker {
            cursor: RouteCursor::new(IdSet::parse(&database.cursor).unwrap()),
            in_hand: Vec::new(),
        }
    }

    /// Reads a page. `meanwhile` is what others do between the snapshot and the question for the next transaction's number.
    fn read(&mut self, database: &mut Database, page: usize, meanwhile: impl FnOnce(&mut Database)) {
        let found: Vec<i64> = self
            .cursor
            .to_read()
            .into_iter()
            .flat_map(|range| database.events.range(range.low..range.high))
            .copied()
            .take(page + 1)
            .collect();
        let oldest_running = database.oldest_running();
        meanwhile(database);
        let ids = &found[..found.len().min(page)];
        // As the worker does: it is not asked for otherwise.
        let unnumbered: Vec<u64> = match self.cursor.leaves_gaps(ids) {
            true => database.unnumbered.keys().copied().collect(),
            false => Vec::new(),
        };
        self.cursor.read(&Look {
            ids,
            complete: found.len() <= page,
            oldest_running,
            unnumbered: &unnumbered,
            next_transaction: database.next_xid,
        });
        self.in_hand.extend(ids);
    }

    /// Writes some of what is in hand, or all.
    fn write(&mut self, database: &mut Database, random: Option<&mut Rng>) {
        let (now, later) = match random {
            Some(random) => self.in_hand.drain(..).partition(|_| random.u8(..) < 180),
            None => (std::mem::take(&mut self.in_hand), Vec::new()),
        };
        self.in_hand = later;
        let written = self.cursor.with(now.iter().copied());
        database.cursor = written.to_text();
        self.cursor.wrote(written);
        for id in now {
            *database.deliveries.entry(id).or_default() += 1;
        }
    }
}

fn step(database: &mut Database, random: &mut Rng, left: &mut u32) {
    match random.u8(0..12) {
        10 if *left > 0 && database.unnumbered.len() < 5 => {
            *left -= 1;
            database.draw(random.i64(1..3));
        }
        11 => database.store(random),
        0..3 if *left > 0 && database.running.len() < 40 => {
            *left -= 1;
            database.begin();
        }
        0..7 => {
            if let Some(xid) = database.any(random) {
                database.write(xid, random.i64(1..4));
            }
        }
        _ => {
            if let Some(xid) = database.any(random) {
                database.end(xid, random.u8(0..4) > 0);
            }
        }
    }
}

fn simulate(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut database = Database {
        next_xid: 700,
        next_id: 1,
        cursor: "{}".to_owned(),
        ..Database::default()
    };
    let mut worker = Worker::start(&database);
    let mut left = 1_000;
    while left > 0 || !database.running.is_empty() || !database.unnumbered.is_empty() {
        step(&mut database, &mut random, &mut left);
        match random.u8(0..24) {
            0..6 => {
                let page = random.usize(1..30);
                let steps = random.u8(0..3);
                let mut others = Rng::with_seed(random.u64(..));
                worker.read(&mut database, page, |database| {
                    (0..steps).for_each(|_| step(database, &mut others, &mut left));
                });
            }
            6..10 => worker.write(&mut database, Some(&mut random)),
            // It dies with what it has in hand.
            10 => worker = Worker::start(&database),
            _ => {}
        }
    }
    for _ in 0..database.events.len() + 3 {
        worker.read(&mut database, 30, |_| {});
        worker.write(&mut database, None);
    }
    let delivered: BTreeSet<i64> = database.deliveries.keys().copied().collect();
    assert_eq!(
        delivered, database.events,
        "seed {seed}: an event was skipped, or made up"
    );
    let twice: Vec<_> = database
        .deliveries
        .iter()
        .filter(|(_, times)| **times > 1)
        .collect();
    assert!(twice.is_empty(), "seed {seed}: routed twice: {twice:?}");
    assert_eq!(
        worker.cursor.gaps(),
        0,
        "seed {seed}: gaps of which nothing can come"
    );
    let last = database.events.last().copied().unwrap_or(0);
    assert_eq!(worker.cursor.written().to_text(), format!("{{(,{})}}", last + 1));
}

#[test]
fn a_thousand_interleaved_transactions_are_routed_once_each() {
    (0..12).for_each(simulate);
}

#[test]
fn a_gap_stays_while_a_transaction_runs_that_ran_when_it_was_seen() {
    let mut cursor = RouteCursor::default();
    let look = |ids: &'static [i64], oldest_running, next_transaction| Look {
        ids,
        complete: true,
        oldest_running,
        unnumbered: &[],
        next_transaction,
    };
    // 1 belongs to transaction 11, which is younger than the one that has committed 2.
    cursor.read(&look(&[2], 11, 12));
    assert_eq!(cursor.gaps(), 1);
    cursor.read(&look(&[], 11, 20));
    assert_eq!(cursor.gaps(), 1);
    cursor.read(&look(&[1], 20, 20));
    assert_eq!(cursor.gaps(), 0);
    assert_eq!(cursor.with([1, 2]).to_text(), "{(,3)}");
}

#[test]
fn a_gap_stays_while_a_session_writes_that_has_no_number_yet() {
    let mut cursor = RouteCursor::default();
    let look = |ids: &'static [i64], unnumbered: &'static [u64], transaction| Look {
        ids,
        complete: true,
        oldest_running: transaction,
        unnumbered,
        next_transaction: transaction,
    };
    // 1 was drawn by a statement that has stored nothing yet; what is numbered ends in the meantime.
    cursor.read(&look(&[2], &[71, 72], 12));
    cursor.read(&look(&[], &[72], 13));
    cursor.read(&look(&[], &[72, 73], 14));
    assert_eq!(cursor.gaps(), 1);
    // It stores its row as transaction 14, which runs.
    let numbered = Look {
        next_transaction: 15,
        ..look(&[], &[73], 14)
    };
    cursor.read(&numbered);
    cursor.read(&numbered);
    assert_eq!(cursor.gaps(), 1);
    cursor.read(&look(&[1], &[73], 15));
    assert_eq!(cursor.gaps(), 0);
    assert_eq!(cursor.with([1, 2]).to_text(), "{(,3)}");
}

#[test]
fn a_page_that_is_cut_off_closes_nothing_that_it_has_not_read() {
    let mut cursor = RouteCursor::new(IdSet::parse("{(,5),[6,9),[12,13)}").unwrap());
    let look = |ids, complete| Look {
        ids,
        complete,
        oldest_running: 50,
        unnumbered: &[],
        next_transaction: 50,
    };
    cursor.read(&look(&[], true));
    cursor.read(&look(&[9], false));
    assert_eq!(
        cursor.gaps(),
        1,
        "the gap before 9 is closed, the rest of the one after it is not"
    );
    assert_eq!(cursor.written().to_text(), "{(,9),[12,13)}");
}

/// Writers are asked for only where a gap is or comes, and a gap is gone with the last id that it lacked.
#[test]
fn there_are_gaps_where_ids_are_missing_and_nowhere_else() {
    let look = |ids| Look {
        ids,
        complete: true,
        oldest_running: 50,
        unnumbered: &[],
        next_transaction: 51,
    };
    let mut cursor = RouteCursor::default();
    assert!(!cursor.leaves_gaps(&[]) && !cursor.leaves_gaps(&[1, 2]));
    assert!(cursor.leaves_gaps(&[2]) && cursor.leaves_gaps(&[1, 3]));
    cursor.read(&look(&[1, 2]));
    assert_eq!(cursor.gaps(), 0);
    assert!(!cursor.leaves_gaps(&[3]) && cursor.leaves_gaps(&[4]));
    cursor.read(&look(&[7]));
    assert_eq!(cursor.gaps(), 1);
    assert!(cursor.leaves_gaps(&[8]) && cursor.leaves_gaps(&[]));
    for (ids, gaps) in [(&[3], 1), (&[6], 1), (&[4], 1), (&[5], 0)] {
        cursor.read(&look(ids));
        assert_eq!(cursor.gaps(), gaps, "after {ids:?}");
    }
    assert!(!cursor.leaves_gaps(&[8]));
    cursor.read(&look(&[11]));
    cursor.read(&look(&[9]));
    assert_eq!(cursor.gaps(), 2);
}

/// What is found in a gap in which nothing more can come is read, as what was found before it; neither is written.
#[test]
fn what_is_read_is_not_written_because_a_gap_around_it_closes() {
    let mut cursor = RouteCursor::default();
    let look = |ids, oldest_running| Look {
        ids,
        complete: true,
        oldest_running,
        unnumbered: &[],
        next_transaction: 12,
    };
    cursor.read(&look(&[2, 3, 7], 11));
    cursor.read(&look(&[1, 5], 12));
    assert_eq!(cursor.gaps(), 0);
    assert_eq!(cursor.written().to_text(), "{(,1),[4,5),[6,7)}");
    assert_eq!(cursor.with([1, 2, 3, 5, 7]).to_text(), "{(,8)}");
}
