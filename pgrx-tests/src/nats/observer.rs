//! What somebody sees who is connected to the servers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_nats::{Client, ConnectOptions, HeaderMap, Request, RequestErrorKind};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::scene::SOON;
use crate::wait::eventually;

/// A message of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub sequence: u64,
    pub subject: String,
    pub id: String,
    /// Empty: it has none.
    pub traceparent: String,
    pub data: Value,
}

/// A client of the server that is none of the extension's.
#[derive(Debug)]
pub struct Observer {
    runtime: Runtime,
    client: Client,
}

impl Observer {
    pub fn connect(urls: &[String], options: ConnectOptions) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let addresses = urls
            .iter()
            .map(|url| url.parse())
            .collect::<Result<Vec<async_nats::ServerAddr>, _>>()?;
        let client = runtime.block_on(
            options
                .request_timeout(Some(Duration::from_secs(10)))
                .connect(addresses),
        )?;
        Ok(Self { runtime, client })
    }

    /// An answer of JetStream's; None: nobody answered.
    pub fn ask(&self, subject: &str, question: &Value) -> Result<Option<Value>> {
        let request = Request::new().payload(question.to_string().into());
        match self
            .runtime
            .block_on(self.client.send_request(subject.to_owned(), request))
        {
            Ok(answer) => Ok(Some(serde_json::from_slice(&answer.payload)?)),
            Err(error)
                if matches!(
                    error.kind(),
                    RequestErrorKind::NoResponders | RequestErrorKind::TimedOut
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A stream of all subjects that begin with `zentry`; `more` goes before what is usual.
    pub fn create_stream(&self, more: &Value) -> Result<()> {
        self.configure("CREATE", more)
    }

    /// What is not given is as usual.
    pub fn update_stream(&self, more: &Value) -> Result<()> {
        self.configure("UPDATE", more)
    }

    fn configure(&self, what: &str, more: &Value) -> Result<()> {
        let mut stream = json!({
            "name": STREAM,
            "subjects": ["zentry.>"],
            "storage": "file",
            "num_replicas": 1,
            "allow_direct": true,
            "duplicate_window": 600_000_000_000_u64,
        });
        for (name, value) in more.as_object().context("an object")? {
            stream[name] = value.clone();
        }
        // A cluster may have no leader yet.
        eventually(SOON, "the stream to be made", || {
            let answer = self
                .ask(&format!("$JS.API.STREAM.{what}.{STREAM}"), &stream)
                .ok()??;
            let code = answer["error"]["code"].as_u64();
            (code != Some(503)).then_some(answer)
        })
        .and_then(|answer| match answer.get("error") {
            Some(error) => bail!("{error}"),
            None => Ok(()),
        })
    }

    pub fn delete_stream(&self) -> Result<()> {
        self.ask(&format!("$JS.API.STREAM.DELETE.{STREAM}"), &json!({}))?;
        Ok(())
    }

    /// The stream's state, once somebody knows it.
    pub fn state(&self) -> Result<Value> {
        eventually(SOON, "the state of the stream", || {
            let info = self
                .ask(&format!("$JS.API.STREAM.INFO.{STREAM}"), &json!({}))
                .ok()??;
            info.get("state").cloned()
        })
    }

    /// Until so many servers have all of the stream.
    pub fn wait_until_whole(&self, servers: usize) -> Result<()> {
        eventually(SOON, "all servers to have all of the stream", || {
            let info = self
                .ask(&format!("$JS.API.STREAM.INFO.{STREAM}"), &json!({}))
                .ok()??;
            let cluster = &info["cluster"];
            let others = cluster["replicas"].as_array()?;
            let current = others
                .iter()
                .filter(|other| other["current"] == true && other["offline"] != true);
            (cluster["leader"].is_string() && 1 + current.count() == servers).then_some(())
        })
    }

    /// All messages, in their order.
    pub fn messages(&self) -> Result<Vec<Stored>> {
        let last = self.state()?["last_seq"].as_u64().context("last_seq")?;
        let mut messages = Vec::new();
        for sequence in 1..=last {
            messages.extend(self.message(sequence)?);
        }
        Ok(messages)
    }

    /// None: it was removed.
    fn message(&self, sequence: u64) -> Result<Option<Stored>> {
        let question = json!({ "seq": sequence }).to_string();
        let subject = format!("$JS.API.DIRECT.GET.{STREAM}");
        let found = eventually(SOON, "a message of the stream", || {
            let request = Request::new().payload(question.clone().into());
            let asked = self.client.send_request(subject.clone(), request);
            self.runtime.block_on(asked).ok()
        })?;
        if found.status.is_some_and(|status| status.as_u16() == 404) {
            return Ok(None);
        }
        let header = |name: &str| {
            let headers: Option<&HeaderMap> = found.headers.as_ref();
            headers
                .and_then(|headers| headers.get(name))
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        Ok(Some(Stored {
            sequence,
            subject: header("Nats-Subject"),
            id: header("Nats-Msg-Id"),
            traceparent: header("traceparent"),
            data: serde_json::from_slice(&found.payload)?,
        }))
    }

    /// Publishes and waits for nothing.
    pub fn publish(&self, subject: &str, data: &str) -> Result<()> {
        self.runtime.block_on(async {
            self.client
                .publish(subject.to_owned(), data.to_owned().into())
                .await?;
            self.client.flush().await?;
            Ok(())
        })
    }
}
