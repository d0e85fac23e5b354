//! What a write of one row costs the application.

use anyhow::Result;

use crate::bed::{Audience, Bed, CHANNELS, Spread, Way};
use crate::figures::{Goal, Row, Samples, Unit};
use crate::load::{Load, Ran};

/// The SQL that completes the tasks of a condition, and writes the rows of the log that come of it.
macro_rules! complete_and_log {
    ($condition:literal) => {
        concat!(
            "WITH t AS (UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE ",
            $condition,
            " RETURNING id, title, description, assigned_to_id, project_id, experience_reward, completed_at) \
             INSERT INTO outbox (webhook_integration_id, event_type, payload) \
             SELECT t.project_id, 'task_completed', \
                    jsonb_build_object('task_id', t.id, 'task_title', t.title, 'task_description', t.description, \
                                       'user_name', 'user1', 'user_id', t.assigned_to_id, 'project_name', 'Project 1', \
                                       'project_id', t.project_id, 'points', t.experience_reward, 'completed_at', t.completed_at) \
               FROM t"
        )
    };
}
pub(crate) use complete_and_log;

const COMPLETE: &str = "UPDATE tasks_task SET status = 'completed', completed_at = now() WHERE id = :id";
/// The same, and the row of the log that comes of it.
const COMPLETE_AND_LOG: &str = complete_and_log!("id = :id");
const RENAME: &str = "UPDATE tasks_task SET title = 'Another title' WHERE id = :id";
/// What Django's save does.
const SAVE: &str = "\
    UPDATE tasks_task SET title = title, description = description, status = 'in_progress', priority = 'high', emoji = emoji, \
           experience_reward = experience_reward, due_date = due_date, completed_at = completed_at, created_at = created_at, \
           updated_at = now(), assigned_to_id = assigned_to_id, created_by_id = created_by_id, project_id = project_id \
     WHERE id = :id";

const ALL: &[Way] = &[
    Way::Bare,
    Way::Floor,
    Way::RowTrigger,
    Way::StatementTrigger,
    Way::Ours,
    Way::OursSending,
];

/// A line of the table to be.
struct Case {
    key: &'static str,
    what: &'static str,
    statement: &'static str,
    clients: u32,
    synchronous: bool,
    subscribed: bool,
    /// Of each project.
    webhooks: usize,
    ways: &'static [Way],
    goal: f64,
}

const FIRES: Case = Case {
    key: "fires",
    what: "One-row UPDATE that fires one notification, four clients, `synchronous_commit` off",
    statement: COMPLETE,
    clients: 4,
    synchronous: false,
    subscribed: true,
    webhooks: 1,
    ways: ALL,
    goal: 0.55,
};

const CASES: [Case; 7] = [
    FIRES,
    Case {
        key: "fires-durably-1",
        what: "The same, `synchronous_commit` on, one client",
        clients: 1,
        synchronous: true,
        goal: 0.75,
        ..FIRES
    },
    Case {
        key: "fires-durably-4",
        what: "The same, `synchronous_commit` on, four clients",
        synchronous: true,
        goal: 0.78,
        ..FIRES
    },
    Case {
        key: "fires-ten",
        what: "The same with ten webhooks of the project, four clients, off",
        ways: &[Way::Bare, Way::Ours],
        webhooks: 10,
        ..FIRES
    },
    Case {
        key: "other-column",
        what: "One-row UPDATE that does not name the status column, four clients, off",
        statement: RENAME,
        ways: &[Way::Bare, Way::RowTrigger, Way::StatementTrigger, Way::Ours],
        goal: 0.97,
        ..FIRES
    },
    Case {
        key: "no-transition",
        what: "One-row UPDATE of every column without a transition, four clients, off",
        statement: SAVE,
        ways: &[Way::Bare, Way::RowTrigger, Way::StatementTrigger, Way::Ours],
        goal: 0.90,
        ..FIRES
    },
    Case {
        key: "no-subscriber",
        what: "An event without any subscriber, four clients, off",
        subscribed: false,
        ways: &[Way::Bare, Way::RowTrigger, Way::StatementTrigger, Way::Ours],
        goal: 0.93,
        ..FIRES
    },
];

pub fn measure(bed: &Bed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    bed.register(Way::Ours, held())?;
    for case in &CASES {
        crate::progress(case.what);
        subscribe(bed, case.subscribed)?;
        rows.extend(case.measure(bed)?);
    }
    subscribe(bed, true)?;
    Ok(rows)
}

/// A webhook for each of a thousand projects, with nothing that holds it back but the receiver.
pub const A_THOUSAND: Audience = Audience {
    integrations: 1_000,
    by_project: true,
    each: 1,
    events: Some(&["task_completed"]),
    events_per_message: 10,
    held: false,
};

/// A worker that hears of every commit and has nothing to send for an hour: what is measured is the writer.
pub fn held() -> Audience {
    Audience {
        held: true,
        ..Audience::default()
    }
}

fn subscribe(bed: &Bed, subscribed: bool) -> Result<()> {
    let active = format!("is_active = {subscribed}");
    for way in [Way::RowTrigger, Way::StatementTrigger] {
        let update = format!("UPDATE notifications_webhookintegration SET {active}");
        bed.connect(way)?.batch_execute(&update)?;
    }
    let update = format!("UPDATE zentry_notify.webhook_integration SET {active}");
    Ok(bed.connect(Way::Ours)?.batch_execute(&update)?)
}

impl Case {
    fn measure(&self, bed: &Bed) -> Result<Vec<Row>> {
        bed.refill(Way::Bare, bed.effort.tasks(), Spread::Even)?;
        let load = self.load(Way::Bare).calibrated(bed)?;
        if self.webhooks != 1 {
            bed.register(Way::Ours, self.held())?;
        }
        let runs = in_turns(bed, self.ways, |way| {
            let spread = match way {
                Way::OursSending => Spread::ThousandProjects,
                _ => Spread::Even,
            };
            bed.refill(way, bed.effort.tasks(), spread)?;
            let load = Load {
                statement: self.load(way).statement,
                ..load.clone()
            };
            if way != Way::OursSending {
                return load.run(bed, way);
            }
            bed.register(way, A_THOUSAND)?;
            let ran = load.run(bed, way)?;
            bed.wait_until_sent(way)?;
            bed.register(way, held())?;
            Ok(ran)
        })?;
        if self.webhooks != 1 {
            bed.register(Way::Ours, held())?;
        }
        Ok(rows(self.key, self.what, self.ways, &runs, Goal::AtLeast(self.goal)).into())
    }

    fn held(&self) -> Audience {
        Audience {
            integrations: self.webhooks * CHANNELS,
            each: self.webhooks,
            ..held()
        }
    }

    fn load(&self, way: Way) -> Load {
        let statement = match way {
            Way::Floor => COMPLETE_AND_LOG,
            _ => self.statement,
        };
        Load {
            statement: statement.to_owned(),
            clients: self.clients,
            synchronous: self.synchronous,
            transactions: 0,
        }
    }
}

/// A B A B, so that a drift of the machine touches all alike; for each way, its runs.
pub fn in_turns<T>(bed: &Bed, ways: &[Way], mut run: impl FnMut(Way) -> Result<T>) -> Result<Vec<Vec<T>>> {
    let mut runs: Vec<Vec<T>> = ways.iter().map(|_| Vec::new()).collect();
    for _ in 0..bed.effort.rounds {
        for (way, runs) in ways.iter().zip(&mut runs) {
            runs.push(run(*way)?);
        }
    }
    Ok(runs)
}

/// Throughput over that of the first way, and processor time. What is ours has to be among the ways.
pub fn rows(key: &str, what: &str, ways: &[Way], runs: &[Vec<Ran>], goal: Goal) -> [Row; 2] {
    let rates: Vec<Samples> = runs
        .iter()
        .map(|runs| runs.iter().map(|run| run.rate).collect())
        .collect();
    let processor: Vec<Samples> = runs
        .iter()
        .map(|runs| runs.iter().map(|run| run.processor).collect())
        .collect();
    let ratios: Vec<Samples> = rates.iter().map(|rate| rate.over(&rates[0])).collect();
    let base = (format!("{}, writes/s", ways[0].name()), rates[0].clone());
    let mut rate = row(key.to_owned(), what.to_owned(), ways, &ratios);
    rate.unit = Unit::Ratio;
    rate.goal = Some(goal);
    rate.beside.retain(|(name, _)| name != ways[0].name());
    rate.beside.insert(0, base);
    let processor = row(
        format!("{key}-processor"),
        "· processor time of the sessions, a write".to_owned(),
        ways,
        &processor,
    );
    [rate, processor]
}

fn row(key: String, what: String, ways: &[Way], samples: &[Samples]) -> Row {
    let ours = if ways.contains(&Way::Finished) {
        Way::Finished
    } else {
        Way::Ours
    };
    let (mut own, mut beside) = (Samples::default(), Vec::new());
    for (way, samples) in ways.iter().zip(samples) {
        if *way == ours {
            own = samples.clone();
        } else {
            beside.push((way.name().to_owned(), samples.clone()));
        }
    }
    Row {
        key,
        what,
        unit: Unit::Microseconds,
        goal: None,
        ours: own,
        beside,
    }
}
