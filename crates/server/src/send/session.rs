//! The session of a sender in the database.

use std::future::poll_fn;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::FromSql;
use tokio_postgres::{AsyncMessage, Client, Row, SimpleQueryMessage, Statement};

use crate::database::{self, Parameters, explain};

/// The time limit for connecting, for all hosts together.
const CONNECTS: Duration = Duration::from_secs(10);

const POOLED: &str = "the connection goes through a pooler that gives each transaction another session\n\
     hint: A sender needs one session for as long as it runs: connect it to the server itself, or to a pooler in session mode \
     (PgBouncer's pool_mode = session).";

/// A sender's session. It ends when this is dropped.
pub struct Session {
    client: Client,
    /// The parameters of the host that this session is connected to.
    server: Parameters,
    /// The sender's id.
    id: i64,
    claim: Statement,
    record: Statement,
    look: Statement,
    /// The database's time of day when the session began.
    pub began: Timestamp,
    /// Notifications of the worker and other senders; the channel ends with the connection.
    pub words: UnboundedReceiver<String>,
}

/// The answer of `take_queues`.
#[derive(Debug, Default, Deserialize)]
pub struct Look {
    pub taken: Vec<(i64, i64)>,
    pub let_go: Vec<i64>,
    pub asked: Vec<(i64, String)>,
}

/// The parameters of a claim, in the order of the queues.
#[derive(Debug, Default)]
pub struct Claims {
    pub queues: Vec<i64>,
    pub pages: Vec<i32>,
    pub cursors: Vec<i64>,
    pub shown: Vec<i32>,
}

/// Returns the settings as a new session has them. It is an error if the connection has no session of its own: two connections at the same
/// time have the same process only if a pooler shares it.
async fn settings_beside(parameters: &Parameters, session: &Client) -> Result<Value> {
    let (other, _words) = connect_to(parameters, CONNECTS).await?;
    ensure!(process(session).await? != process(&other).await?, POOLED);
    match other
        .query_one("SELECT zentry_notify.sending_settings()", &[])
        .await
    {
        Ok(row) => said(&row, 0),
        Err(error) => Err(refused(&other, error).await),
    }
}

/// Returns why the database does not let this session send, with what is to be done about it.
async fn refused(client: &Client, error: tokio_postgres::Error) -> anyhow::Error {
    const EXTENSION: &str = "\
        SELECT e.extversion, current_user::pg_catalog.text, \
               EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
                        WHERE n.nspname OPERATOR(pg_catalog.=) 'zentry_notify' AND p.proname OPERATOR(pg_catalog.=) 'sending_settings') \
          FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'zentry_notify'";
    const LACKING: [SqlState; 3] = [
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if !error.code().is_some_and(|code| LACKING.contains(code)) {
        return explain(error);
    }
    let found = match client.query_opt(EXTENSION, &[]).await {
        Ok(Some(row)) => row,
        Ok(None) => return anyhow!("the database does not have the extension zentry_notify"),
        Err(_) => return explain(error),
    };
    let text = |column: usize| found.try_get::<_, String>(column).unwrap_or_default();
    if !found.try_get(2).unwrap_or(true) {
        return anyhow!(
            "the extension is of version {}, which has no senders\nhint: ALTER EXTENSION zentry_notify UPDATE;",
            text(0)
        );
    }
    let why = format!("{:#}", explain(error));
    anyhow!(
        "the role {} may not send: {why}\nhint: zentry_grant(role, 'sender') gives the right.",
        text(1)
    )
}

/// Returns a column's value. A database of another version may return another type, which must be an error for this sender only, not a panic.
fn said<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column)
        .context("what the database says cannot be read: is its extension of another version?")
}

async fn process(client: &Client) -> Result<String> {
    let messages = client
        .simple_query("SELECT pg_catalog.pg_backend_pid()")
        .await
        .map_err(explain)?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten(),
        _ => None,
    });
    Ok(row
        .context("the server does not say which process it is")?
        .to_owned())
}

/// Connects to the first of the hosts that is up and takes writes, and returns the parameters of that host. A host that does not answer
/// delays no other.
async fn connect(parameters: &Parameters) -> Result<(Client, UnboundedReceiver<String>, Parameters)> {
    let hosts = parameters.by_host();
    let each = CONNECTS / u32::try_from(hosts.len().max(1))?;
    let several = hosts.len() > 1;
    let mut said = Vec::new();
    for host in hosts {
        match connect_to(&host, each).await {
            Ok((client, words)) => return Ok((client, words, host)),
            Err(error) if several => said.push(format!("{}: {error:#}", host.host())),
            Err(error) => return Err(error),
        }
    }
    bail!("{}", said.join("; "))
}

async fn connect_to(
    parameters: &Parameters,
    within: Duration,
) -> Result<(Client, UnboundedReceiver<String>)> {
    let (mut config, connector) = database::plain(parameters)?;
    // If one of the hosts is a standby, it is skipped.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    let connecting = timeout(within, config.connect(connector));
    let (client, mut connection) = connecting
        .await
        .context("cannot connect to the database in time")?
        .map_err(explain)
        .context("cannot connect to the database")?;
    let (say, words) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(told))) => {
                    if say.send(told.payload().to_owned()).is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    });
    Ok((client, words))
}

impl Session {
    /// Begins a session, and returns it with the present settings.
    ///
    /// # Errors
    /// What prevents it, with a hint.
    pub async fn begin(parameters: &Parameters, name: &str, patience: Duration) -> Result<(Self, Value)> {
        let (client, words, server) = connect(parameters).await?;
        let settings = settings_beside(&server, &client).await?;
        // This comes before anything is taken, so that no notification is missed.
        client
            .batch_execute("LISTEN zentry_notify_senders")
            .await
            .map_err(explain)?;
        let prepare = |sql: &'static str| async { client.prepare(sql).await.map_err(explain) };
        let claim = prepare(
            "SELECT c.id, c.webhook_id, c.event_type, c.data, c.detail, c.attempts, c.created_at, c.next_attempt_at, c.event_id, c.has_event, c.traceparent, \
                    c.unrouted_since, c.asked_at \
             FROM zentry_notify.claim_deliveries($1, $2, $3, $4, $5) c",
        )
        .await?;
        let record = prepare("SELECT zentry_notify.record_outcomes($1, $2)").await?;
        let look = prepare("SELECT zentry_notify.take_queues($1, $2, $3)").await?;
        let row = client
            .query_one(
                "SELECT zentry_notify.begin_sending($1, pg_catalog.make_interval(secs => $2)), pg_catalog.clock_timestamp()",
                &[&name, &patience.as_secs_f64()],
            )
            .await
            .map_err(explain)?;
        let session = Session {
            id: said(&row, 0)?,
            began: said(&row, 1)?,
            server,
            client,
            claim,
            record,
            look,
            words,
        };
        Ok((session, settings))
    }

    pub fn is_over(&self) -> bool {
        self.client.is_closed()
    }

    /// Reads the present settings in a new session: this one keeps those of its beginning.
    pub async fn settings(&self) -> Result<Value> {
        settings_beside(&self.server, &self.client).await
    }

    pub async fn look(
        &self,
        busy: &[i64],
        banned_until: Option<Timestamp>,
    ) -> Result<Look, tokio_postgres::Error> {
        let row = self
            .client
            .query_one(&self.look, &[&self.id, &busy, &banned_until])
            .await?;
        Ok(serde_json::from_value(row.try_get(0)?).unwrap_or_default())
    }

    pub async fn webhooks(&self) -> Result<Value, tokio_postgres::Error> {
        let sql = "SELECT zentry_notify.sending_webhooks($1)";
        self.client.query_one(sql, &[&self.id]).await?.try_get(0)
    }

    pub async fn claim(&self, claims: &Claims) -> Result<Vec<Row>, tokio_postgres::Error> {
        let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 5] = [
            &self.id,
            &claims.queues,
            &claims.pages,
            &claims.cursors,
            &claims.shown,
        ];
        self.client.query(&self.claim, &arguments).await
    }

    /// Reports outcomes. Returns the queues whose outcomes were refused.
    pub async fn record(&self, report: &Value) -> Result<Vec<i64>, tokio_postgres::Error> {
        let row = self.client.query_one(&self.record, &[&self.id, report]).await?;
        row.try_get(0)
    }

    pub async fn release(&self, queues: &[i64]) -> Result<(), tokio_postgres::Error> {
        let sql = "SELECT zentry_notify.release_queues($1, $2)";
        self.client.query_one(sql, &[&self.id, &queues]).await.map(drop)
    }

    pub async fn end(&self) -> Result<(), tokio_postgres::Error> {
        let sql = "SELECT zentry_notify.end_sending($1)";
        self.client.query_one(sql, &[&self.id]).await.map(drop)
    }
}
