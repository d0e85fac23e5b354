#![allow(clippy::unwrap_used)]

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Late,
    Bad,
}

/// Rows are what they do: 0 works, 1 is bad, 2 hangs.
struct World {
    now: Instant,
    hopeless: Option<Failure>,
    worked: Vec<usize>,
    failed: Vec<usize>,
    untried: Vec<usize>,
    tries: usize,
}

type Row = (usize, u8);

impl World {
    fn new() -> Self {
        World {
            now: Instant::now(),
            hopeless: None,
            worked: Vec::new(),
            failed: Vec::new(),
            untried: Vec::new(),
            tries: 0,
        }
    }
}

impl Trial<Row> for World {
    type Failure = Failure;

    fn now(&self) -> Instant {
        self.now
    }

    fn alone(&self) -> Duration {
        Duration::from_millis(600)
    }

    fn attempt(&mut self, rows: &[Row], limit: Duration) -> Result<(), Failure> {
        self.tries += 1;
        for (_, does) in rows {
            match does {
                0 => self.now += Duration::from_micros(50),
                1 => return Err(Failure::Bad),
                _ => {
                    self.now += limit;
                    return Err(Failure::Late);
                }
            }
        }
        self.worked.extend(rows.iter().map(|(place, _)| place));
        Ok(())
    }

    fn is_late(failure: &Failure) -> bool {
        *failure == Failure::Late
    }

    fn hopeless(&mut self, _worked: bool) -> Option<Failure> {
        self.hopeless
    }

    fn fail(&mut self, rows: &[Row], fault: Fault<Failure>, _until: Instant) {
        let places = rows.iter().map(|(place, _)| *place);
        match fault {
            Fault::NoTime => self.untried.extend(places),
            Fault::Theirs(_) | Fault::Everybodys(_) => self.failed.extend(places),
        }
    }
}

fn rows(count: usize, odd: &[(usize, u8)]) -> Vec<Row> {
    let does = |place| {
        odd.iter()
            .find(|(at, _)| *at == place)
            .map_or(0, |(_, does)| *does)
    };
    (0..count).map(|place| (place, does(place))).collect()
}

#[test]
fn a_row_that_fails_or_hangs_fails_alone() {
    for does in [1, 2] {
        for at in [0, 100, 255, 256, 999] {
            let mut world = World::new();
            let outcome = divide(&mut world, &rows(1_000, &[(at, does)]), &mut Credit::default());
            assert_eq!(outcome, Ok(()));
            assert_eq!(world.failed, [at], "{does}");
            assert_eq!(
                (world.worked.len(), world.untried.len()),
                (999, 0),
                "{does} at {at}"
            );
        }
    }
}

#[test]
fn what_works_for_no_row_is_not_tried_for_each() {
    let mut world = World::new();
    world.hopeless = Some(Failure::Bad);
    let all: Vec<Row> = (0..1_000).map(|place| (place, 1)).collect();
    assert_eq!(
        divide(&mut world, &all, &mut Credit::default()),
        Err(Failure::Bad)
    );
    assert_eq!((world.failed.len(), world.tries), (1_000, 1));
}

#[test]
fn many_that_fail_cost_a_bounded_number_of_tries() {
    let mut world = World::new();
    let all: Vec<Row> = (0..10_000)
        .map(|place| (place, u8::from(place % 2 == 0)))
        .collect();
    assert_eq!(divide(&mut world, &all, &mut Credit::default()), Ok(()));
    assert!(world.tries < 2_000, "{}", world.tries);
    assert_eq!(world.failed.len() + world.worked.len(), 10_000);
    // Nobody who works is lost for more than those beside them.
    assert!(world.worked.len() >= CULPRITS, "{}", world.worked.len());
}

#[test]
fn rows_that_hang_have_a_share_of_the_time() {
    let mut world = World::new();
    let mut credit = Credit::default();
    let began = world.now;
    let mut blocked = Duration::ZERO;
    while world.now - began < Duration::from_secs(3_600) {
        let before = world.now;
        assert_eq!(
            divide(&mut world, &rows(10, &[(3, 2), (7, 2)]), &mut credit),
            Ok(())
        );
        blocked += world.now - before;
        world.now += Duration::from_millis(20);
    }
    assert!(blocked < Duration::from_secs(3_600 / 8), "{blocked:?}");
    // Others are not concerned, and neither are these when they behave.
    world.untried.clear();
    divide(&mut world, &rows(10, &[]), &mut Credit::default()).unwrap();
    world.now += Duration::from_secs(60);
    divide(&mut world, &rows(10, &[]), &mut credit).unwrap();
    assert_eq!(world.untried.len(), 0);
}

/// How long others were held up in so much time by rows that each take so long, whatever the limit says.
fn held_up(world: &mut World, credits: &mut [Credit], each: Duration, time: Duration) -> Duration {
    let began = world.now;
    let mut blocked = Duration::ZERO;
    while world.now - began < time {
        for credit in credits.iter_mut() {
            if !credit.is_spent(world.now) {
                world.now += each;
                blocked += each;
                credit.took(each, 1, world.now);
            }
        }
        world.now += Duration::from_millis(100);
    }
    blocked
}

#[test]
fn what_can_not_be_ended_in_time_is_paid_back() {
    let mut world = World::new();
    let mut credit = Credit::default();
    credit.took(Duration::from_secs(50), 1, world.now);
    let mut wait = Duration::ZERO;
    while credit.own.is_spent {
        world.now += Duration::from_secs(1);
        wait += Duration::from_secs(1);
        credit.own.refill(world.now);
    }
    assert!(wait >= Duration::from_secs(300), "{wait:?}");
}

#[test]
fn rows_that_are_slow_each_time_hold_up_others_for_a_minute_an_hour() {
    for each in [1_500, 7_000] {
        let mut world = World::new();
        let each = Duration::from_millis(each);
        let mut credits = [Credit::default()];
        let blocked = held_up(&mut world, &mut credits, each, Duration::from_secs(3_500));
        assert!(blocked <= Duration::from_secs(70), "{blocked:?}");
        assert!(credits[0].is_spent(world.now));
        // An hour later it may have been mended.
        world.now += Duration::from_secs(3_600);
        assert!(!credits[0].is_spent(world.now));
    }
}

#[test]
fn many_tables_of_one_owner_have_no_more_than_a_few() {
    let mut world = World::new();
    let budget = SharedBudget::default();
    let mut credits: Vec<Credit> = (0..50).map(|_| Credit::new(budget.clone())).collect();
    let time = Duration::from_secs(3_600);
    let blocked = held_up(&mut world, &mut credits, Duration::from_secs(2), time);
    assert!(blocked <= time / 9, "{blocked:?}");
    // Below what takes long, it is a share.
    let budget = SharedBudget::default();
    let mut credits: Vec<Credit> = (0..50).map(|_| Credit::new(budget.clone())).collect();
    let blocked = held_up(&mut world, &mut credits, Duration::from_millis(400), time);
    assert!(blocked <= time / 3, "{blocked:?}");
    // What belongs to somebody else is not concerned.
    assert!(!Credit::default().is_spent(world.now));
}

#[test]
fn a_source_that_is_attached_anew_has_what_its_owner_has() {
    let mut world = World::new();
    let budget = SharedBudget::default();
    let (mut blocked, began) = (Duration::ZERO, world.now);
    while world.now - began < Duration::from_secs(3_600) {
        let mut credit = Credit::new(budget.clone());
        blocked += held_up(
            &mut world,
            std::slice::from_mut(&mut credit),
            Duration::from_secs(2),
            Duration::from_secs(5),
        );
    }
    assert!(blocked <= Duration::from_secs(400), "{blocked:?}");
}
