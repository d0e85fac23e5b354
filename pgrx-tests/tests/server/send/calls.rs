//! What `send` calls, called by hand.

use anyhow::Result;
use postgres::Client;
use serde_json::{Value, json};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

/// A session that calls what `send` calls.
pub struct Calls {
    pub client: Client,
    pub sender: i64,
}

impl Calls {
    /// Begins to send, as `login`.
    pub fn begin(scene: &Scene, login: &str) -> Result<Self> {
        let mut client = scene.database.connect_as(login)?;
        let row = client.query_one("SELECT zentry_notify.begin_sending('by hand', '10 minutes')", &[])?;
        let sender = row.get(0);
        Ok(Self { client, sender })
    }

    /// Takes its share of the webhooks, and returns what the database says to that.
    pub fn look(&mut self) -> Result<Value> {
        let sql = "SELECT zentry_notify.take_queues($1, '{}', NULL)";
        Ok(self.client.query_one(sql, &[&self.sender])?.get(0))
    }

    /// Takes its share of the webhooks, and returns them with their epochs.
    pub fn take(&mut self) -> Result<Vec<(i64, i64)>> {
        Ok(serde_json::from_value(self.look()?["taken"].clone())?)
    }

    /// Returns the first deliveries that wait for a webhook.
    pub fn waiting(&mut self, webhook: i64) -> Result<Vec<i64>> {
        let sql =
            "SELECT c.id FROM zentry_notify.claim_deliveries($1, ARRAY[$2::bigint], '{10}', '{0}', '{10}') c";
        let rows = self.client.query(sql, &[&self.sender, &webhook])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Reports a delivery as sent, and returns what is refused of it.
    pub fn record(&mut self, webhook: i64, epoch: i64, delivery: i64) -> Result<Vec<i64>> {
        self.report(&json!({
            "epochs": [{"webhook_id": webhook, "epoch": epoch}],
            "deliveries": [{"id": delivery, "webhook_id": webhook, "status": "s", "attempts": 1, "finished_at": "2026-01-01T00:00:00Z"}],
        }))
    }

    /// Reports these parts, the others empty, and returns the webhooks that are refused.
    pub fn report(&mut self, parts: &Value) -> Result<Vec<i64>> {
        let mut report = json!({
            "epochs": [], "deliveries": [], "misses": [], "switched_off": [], "closed": [], "opened": [], "in_a_row": [], "expired": [],
            "tally": [],
        });
        for (part, told) in parts.as_object().into_iter().flatten() {
            report[part] = told.clone();
        }
        let sql = "SELECT zentry_notify.record_outcomes($1, $2)";
        Ok(self.client.query_one(sql, &[&self.sender, &report])?.get(0))
    }
}

/// Takes a webhook as soon as one is offered.
pub fn take_soon(calls: &mut Calls) -> Result<(i64, i64)> {
    eventually(SOON, "the webhook to be offered", || calls.take().ok()?.pop())
}
