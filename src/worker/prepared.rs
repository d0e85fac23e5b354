//! The prepared statements of a source, for everything that can be looked up for its events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attached::Attached;
use super::limited::Failure;
use super::lookups::{Keys, Kind, Statement};
use super::query::{Query, both};
use super::source::Source;

/// The time limit for one statement.
pub const LIMIT: Duration = Duration::from_secs(2);
/// The time limit for an event by itself, after its page has taken too long, and for a key by itself.
pub const LIMIT_ALONE: Duration = Duration::from_millis(600);

pub struct Prepared {
    pub attached: Attached,
    /// The statements. Empty: nothing is to be looked up.
    pub queries: Vec<Query>,
    /// The detail for when nothing can be looked up.
    pub nulls: Option<Arc<str>>,
    pub refusals: Vec<String>,
}

impl Prepared {
    /// Prepares the statements for all keys except `nulls`.
    pub fn new(source: &Source, attached: Attached, nulls: &BTreeSet<String>) -> Result<Prepared, Failure> {
        let mut prepared = Prepared {
            queries: Vec::new(),
            nulls: None,
            refusals: Vec::new(),
            attached,
        };
        for kind in Kind::ALL {
            let keys = Keys::AllBut(nulls);
            let statement = Statement::new(&source.definition, &prepared.attached, kind, keys);
            prepared.nulls = both(prepared.nulls, statement.nulls());
            prepared.refusals.extend(statement.refusals.clone());
            let query = Query::prepare(statement, &prepared.attached, LIMIT)?;
            prepared.queries.extend(query);
        }
        Ok(prepared)
    }

    /// Prepares the statements for the keys that can be looked up by themselves. None: there is no such key.
    pub fn of_what_works(source: &Source, attached: Attached) -> Option<Prepared> {
        let mut failing = BTreeSet::new();
        let mut refusals = Vec::new();
        let mut works = false;
        let until = Instant::now() + LIMIT;
        for key in source.definition.columns.keys() {
            let outcome = match until <= Instant::now() {
                true => Err(Failure::Late),
                false => can_be_found_out(source, &attached, key),
            };
            match outcome {
                Ok(found) => works |= found,
                Err(failure) => {
                    refusals.push(format!("{key} ({})", failure.reason()));
                    failing.insert(key.clone());
                }
            }
        }
        if !works || failing.is_empty() {
            return None;
        }
        let mut prepared = Prepared::new(source, attached, &failing).ok()?;
        prepared.refusals.extend(refusals);
        Some(prepared)
    }
}

/// Returns whether anything has to be looked up for the key. An error says why that is impossible.
fn can_be_found_out(source: &Source, attached: &Attached, key: &str) -> Result<bool, Failure> {
    let mut found = false;
    for kind in Kind::ALL {
        let statement = Statement::new(&source.definition, attached, kind, Keys::One(key));
        if let Some(query) = Query::prepare(statement, attached, LIMIT_ALONE)? {
            query.try_with_nulls(attached.owner, LIMIT_ALONE)?;
            found = true;
        }
    }
    Ok(found)
}
