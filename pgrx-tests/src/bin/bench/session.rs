//! Whether a session's later writes cost more than its first ones, and whether those of a large project do.

use anyhow::Result;

use crate::bed::{Audience, Bed, Spread, Way};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::load::{Load, Ran};
use crate::write;

/// Writes whose median is taken, at the session's beginning and at its end.
const WINDOW: usize = 2_000;
/// Plans and caches of the session are made by then.
const WARMED_UP: usize = 100;

const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = :id";

/// The 50,000th write of a session, over the first ones.
pub fn late_writes(bed: &Bed) -> Result<Vec<Row>> {
    crate::progress("The 50,000th write of one session");
    bed.register(Way::Ours, write::held())?;
    let load = Load {
        statement: COMPLETE.to_owned(),
        clients: 1,
        synchronous: false,
        transactions: bed.effort.share(),
    };
    let ways = [Way::Bare, Way::RowTrigger, Way::Ours];
    let runs = write::in_turns(bed, &ways, |way| {
        bed.refill(way, bed.effort.tasks(), Spread::Even)?;
        let took = load.each(bed, way)?;
        let first = Samples(took[WARMED_UP..WARMED_UP + WINDOW].to_vec()).median();
        let last = Samples(took[took.len() - WINDOW..].to_vec()).median();
        Ok(last / first)
    })?;
    let mut samples = runs.into_iter().map(Samples);
    let mut next = || samples.next().unwrap_or_default();
    let (bare, trigger, ours) = (next(), next(), next());
    Ok(vec![Row {
        key: "late-writes".to_owned(),
        what: "The 50,000th write of one session, over the first".to_owned(),
        unit: Unit::Times,
        goal: Some(Goal::AtMost(1.1)),
        ours,
        beside: vec![
            (Way::Bare.name().to_owned(), bare),
            (Way::RowTrigger.name().to_owned(), trigger),
        ],
    }])
}

/// Completing a task of a project with 100,000, over one of a project with 10. Milestones are listened to.
pub fn large_project(bed: &Bed) -> Result<Vec<Row>> {
    crate::progress("A project with 100,000 tasks");
    let audience = Audience {
        integrations: 1,
        by_project: false,
        events: Some(&["task_completed", "milestone_reached"]),
        held: true,
        ..Audience::default()
    };
    bed.register(Way::Ours, audience)?;
    let load = Load {
        statement: COMPLETE.to_owned(),
        clients: 1,
        synchronous: true,
        transactions: 0,
    };
    bed.refill(Way::Bare, bed.effort.tasks(), Spread::Even)?;
    let load = load.calibrated(bed)?;
    let mut runs: [Vec<Ran>; 2] = Default::default();
    for _ in 0..bed.effort.rounds {
        for (spread, runs) in [Spread::SmallProjects, Spread::OneProject]
            .into_iter()
            .zip(&mut runs)
        {
            bed.refill(Way::Ours, bed.effort.either(100_000, 20_000), spread)?;
            runs.push(load.run(bed, Way::Ours)?);
        }
    }
    let rates = runs
        .each_ref()
        .map(|runs| runs.iter().map(|run| run.rate).collect::<Samples>());
    let processor = runs.map(|runs| runs.iter().map(|run| run.processor).collect::<Samples>());
    Ok(vec![
        Row {
            key: "large-project".to_owned(),
            what:
                "Completing a task of a project with 100,000, over one of a project with 10, one client, on"
                    .to_owned(),
            unit: Unit::Ratio,
            goal: Some(Goal::AtLeast(0.95)),
            ours: rates[1].over(&rates[0]),
            beside: vec![("project of 10, writes/s".to_owned(), rates[0].clone())],
        },
        Row {
            key: "large-project-processor".to_owned(),
            what: "· processor time of the session, a write".to_owned(),
            unit: Unit::Microseconds,
            goal: None,
            ours: processor[1].clone(),
            beside: vec![("project of 10".to_owned(), processor[0].clone())],
        },
    ])
}
