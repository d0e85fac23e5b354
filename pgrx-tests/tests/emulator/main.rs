//! The emulator itself: for each rule a request just inside and one just outside, each fault, each endpoint.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod connector;
mod control;
mod discord;
mod discord_answers;
mod faults;
mod ntfy;
mod pacing;
mod process;
mod signed;
mod store;
mod tls;
mod workflow;

use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};
use zentry_e2e::emulator::Webhook;

pub const AGENT: &str = "DiscordBot (https://example.org/zentry, 1.0)";
/// Long enough for anything that does come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A client that reports every status, follows no redirect, and trusts just these roots.
pub fn client(roots: RootCerts, timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(AGENT)
        .timeout_global(Some(timeout))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .into()
}

pub fn plain_client() -> Agent {
    client(RootCerts::new_with_certs(&[]), PATIENCE)
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn of(mut response: Response<Body>) -> Result<Self, ureq::Error> {
        let text = response.body_mut().read_to_string()?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        })
    }
}

pub fn post(agent: &Agent, url: &str, body: &str) -> Result<Answer, ureq::Error> {
    agent
        .post(url)
        .header("content-type", "application/json")
        .send(body)
        .and_then(Answer::of)
}

pub fn send(webhook: &Webhook, body: &Value) -> Answer {
    post(&plain_client(), &url(webhook), &body.to_string()).unwrap()
}

/// The URL that a good sender makes of the one that it was given.
pub fn url(webhook: &Webhook) -> String {
    current(&webhook.url())
}

pub fn current(url: &str) -> String {
    match url.split_once("/api/webhooks/") {
        Some((base, rest)) => format!("{base}/api/v10/webhooks/{rest}?wait=true"),
        None => url.to_owned(),
    }
}
