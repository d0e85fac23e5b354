//! Events that can be told apart: completed tasks with numbers for titles, and the numbers of those that arrived.

use std::collections::HashSet;

use anyhow::Result;
use jiff::Timestamp;
use postgres::GenericClient;

use crate::emulator::{Event, Received, Webhook};
use crate::zentry::id;

/// Insert tasks of these numbers, completed already, into [`id::WEBSITE`], in one statement.
pub fn complete(client: &mut impl GenericClient, numbers: impl IntoIterator<Item = i64>) -> Result<()> {
    complete_in(client, id::WEBSITE, numbers)
}

/// The same in another project.
pub fn complete_in(
    client: &mut impl GenericClient,
    project: i64,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<()> {
    let numbers: Vec<i64> = numbers.into_iter().collect();
    client.execute(
        "INSERT INTO tasks_task (title, description, status, priority, emoji, experience_reward, completed_at, created_at, \
         updated_at, created_by_id, project_id) \
         SELECT 'Task ' || n, '', 'completed', 'medium', '', 10, now(), now(), now(), $2, $1 \
         FROM unnest($3::bigint[]) WITH ORDINALITY AS t (n, place) ORDER BY place",
        &[&project, &id::ADA, &numbers],
    )?;
    Ok(())
}

/// The number of the task that the event tells of, if it is one of ours. The event as a person reads it.
pub fn number(shown: &Event) -> Option<i64> {
    let rest = shown.text.strip_prefix("Task ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The numbers in a message, accepted or not.
pub fn in_message(message: &Received) -> Vec<i64> {
    let Some(kind) = message.kind else {
        return Vec::new();
    };
    let events = message.events();
    events
        .iter()
        .filter_map(|event| number(&event.shown(kind)))
        .collect()
}

/// The messages that the webhook has accepted: when each came, and the numbers in it.
pub fn timed_messages(webhook: &Webhook) -> Vec<(Timestamp, Vec<i64>)> {
    let received = webhook.received();
    let accepted = received.iter().filter(|received| received.accepted());
    accepted
        .map(|received| (received.at, in_message(received)))
        .collect()
}

/// The numbers in each message that the webhook has accepted.
pub fn messages(webhook: &Webhook) -> Vec<Vec<i64>> {
    let messages = timed_messages(webhook).into_iter();
    messages.map(|(_, numbers)| numbers).collect()
}

/// The numbers that the webhook has accepted, in order.
pub fn accepted(webhook: &Webhook) -> Vec<i64> {
    messages(webhook).concat()
}

/// The numbers that the webhook has accepted, each when it came first.
pub fn first_arrivals(webhook: &Webhook) -> Vec<i64> {
    first(accepted(webhook))
}

/// Each number where it is first.
pub fn first(numbers: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut seen = HashSet::new();
    numbers
        .into_iter()
        .filter(|number| seen.insert(*number))
        .collect()
}
