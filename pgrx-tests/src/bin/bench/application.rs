//! The application's way: write, commit, then post and wait for the answer.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use postgres::{Client, Statement};
use ureq::Agent;

use crate::bed::{Bed, Spread, Way};
use crate::clock;
use crate::figures::{Row, Samples, Unit};

const SESSIONS: u32 = 4;

/// A session of the application with a connection to the receiver.
pub struct Application {
    client: Client,
    complete: Statement,
    agent: Agent,
    url: String,
}

impl Application {
    /// Its writes fire what the way's database has; it posts by itself only when told to.
    pub fn start(bed: &Bed, way: Way, synchronous: bool) -> Result<Self> {
        let mut client = bed.connect(way)?;
        if !synchronous {
            client.batch_execute("SET synchronous_commit = off")?;
        }
        let complete = client.prepare(
            "UPDATE tasks_task SET status = 'completed', completed_at = now(), title = $2 WHERE id = $1",
        )?;
        Ok(Application {
            client,
            complete,
            agent: Agent::new_with_defaults(),
            url: bed.receiver.url(0),
        })
    }

    /// When COMMIT returned.
    pub fn complete(&mut self, task: i64, title: &str) -> Result<i64> {
        self.client.execute(&self.complete, &[&task, &title])?;
        Ok(clock::monotonic())
    }

    pub fn post(&self, title: &str) -> Result<()> {
        // About what a message of one event has.
        let body = format!(
            "{{\"content\": \"\", \"embeds\": [{{\"title\": \"Task Completed\", \"description\": \"{title}\", \
             \"fields\": [{{\"name\": \"Project\", \"value\": \"Project 1\", \"inline\": true}}]}}]}}"
        );
        self.agent
            .post(&self.url)
            .content_type("application/json")
            .send(body)?
            .body_mut()
            .read_to_string()?;
        Ok(())
    }
}

/// Four sessions that write and post, over four that only write: what the application pays today.
pub fn measure(bed: &Bed) -> Result<Row> {
    crate::progress("The application posts itself");
    let (mut writing, mut posting) = (Vec::new(), Vec::new());
    for _ in 0..bed.effort.rounds {
        writing.push(rate(bed, false)?);
        posting.push(rate(bed, true)?);
    }
    let (writing, posting) = (Samples(writing), Samples(posting));
    Ok(Row {
        key: "application".to_owned(),
        what: "The application's way: write, commit, post and wait for a receiver that answers at once, four clients, off".to_owned(),
        unit: Unit::Ratio,
        goal: None,
        ours: posting.over(&writing),
        beside: vec![("bare, writes/s".to_owned(), writing)],
    })
}

/// Writes a second.
fn rate(bed: &Bed, posting: bool) -> Result<f64> {
    bed.refill(Way::Bare, bed.effort.tasks(), Spread::Even)?;
    let time = Duration::from_secs_f64(bed.effort.seconds());
    let session = |number: u32| -> Result<u32> {
        let mut application = Application::start(bed, Way::Bare, false)?;
        let started = Instant::now();
        let mut written = 0;
        while started.elapsed() < time && written < bed.effort.share() {
            written += 1;
            let task = number * bed.effort.share() + written;
            let title = format!("Task {task}");
            application.complete(i64::from(task), &title)?;
            if posting {
                application.post(&title)?;
            }
        }
        Ok(written)
    };
    let started = Instant::now();
    let written = thread::scope(|scope| {
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|number| scope.spawn(move || session(number)))
            .collect();
        let mut all = 0;
        for session in sessions {
            all += session.join().map_err(|_| anyhow!("a session panicked"))??;
        }
        anyhow::Ok(all)
    })?;
    Ok(f64::from(written) / started.elapsed().as_secs_f64())
}
