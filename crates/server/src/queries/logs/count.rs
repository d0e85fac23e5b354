//! The number of deliveries that match a filter.

use serde_json::Value;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use super::filter::{Filter, Status};
use crate::database::Session;

/// A count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    Estimate(i64),
    /// For a search, which stops at the end of the page.
    Unknown,
}

/// Returns the exact number if the planner estimates that counting is cheap, else its estimate.
pub async fn count(session: &Session<'_>, filter: &Filter) -> Result<Count, Error> {
    // In the planner's unit, a sequential page read: a few milliseconds, or about 50,000 rows by an index.
    const CHEAP: f64 = 1_000.0;
    if filter.is_search() {
        return Ok(Count::Unknown);
    }
    let webhooks = filter.webhooks(session).await?;
    let conditions = Conditions::of(filter, webhooks.as_deref());
    let ids = conditions.ids();
    let plan = session
        .query_one(&format!("EXPLAIN (FORMAT JSON) {ids}"), &conditions.values())
        .await?;
    let plan: Value = plan.get(0);
    let number = |name: &str| plan.pointer(&format!("/0/Plan/{name}")).and_then(Value::as_f64);
    if let (Some(rows), Some(cost)) = (number("Plan Rows"), number("Total Cost"))
        && cost > CHEAP
    {
        return Ok(Count::Estimate(rows as i64));
    }
    let row = session
        .query_one(
            &format!("SELECT count(*) FROM ({ids}) found"),
            &conditions.values(),
        )
        .await?;
    Ok(Count::Exact(row.get(0)))
}

/// The conditions of a filter, with their values.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    fn of(filter: &Filter, webhooks: Option<&[i64]>) -> Self {
        let mut conditions = Self {
            sql: vec!["true".to_owned()],
            values: Vec::new(),
        };
        if let Some(ids) = webhooks {
            conditions.push("l.webhook_integration_id = ANY ($::bigint[])", ids.to_vec());
        }
        if let Some(name) = &filter.event_type {
            conditions.push("l.event_type = $::text", name.clone());
        }
        // A literal, so that the planner recognizes the partial index.
        match filter.status {
            Some(status @ (Status::Pending | Status::Retry)) => {
                let name = status.name();
                conditions.sql.push(format!(
                    "l.status IN ('pending', 'retry') AND l.status = '{name}'"
                ));
            }
            Some(status) => conditions.sql.push(format!("l.status = '{}'", status.name())),
            None if filter.waiting => conditions.sql.push("l.status IN ('pending', 'retry')".to_owned()),
            None => {}
        }
        conditions
    }

    /// Adds a condition with one value, in the place of `$`.
    fn push(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static) {
        let parameter = self.parameter(value);
        self.sql.push(condition.replace('$', &parameter));
    }

    /// Adds a value and returns its placeholder.
    fn parameter(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// Returns the query for the ids that match.
    fn ids(&self) -> String {
        format!(
            "SELECT l.id FROM zentry_notify.logs l WHERE {}",
            self.sql.join(" AND ")
        )
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect()
    }
}
