//! The examples of docs/guide/rest-api.md, run from top to bottom.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zentry_e2e::scene::Scene;

use crate::support::Server;

const PAGE: &str = include_str!("../../../docs/guide/rest-api.md");

/// The blocks of a page: what they are, and their text.
pub fn blocks(page: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let Some((kind, after)) = after.split_once('\n') else {
            break;
        };
        let Some((text, after)) = after.split_once("\n```\n") else {
            break;
        };
        blocks.push((kind, text));
        rest = after;
    }
    blocks
}

/// Whether the answer has what the page shows: `"..."` stands for any text, and what the page leaves out may be anything.
fn fits(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::String(any), Value::String(_)) if any == "..." => true,
        (Value::Object(shown), Value::Object(answer)) => shown
            .iter()
            .all(|(key, value)| answer.get(key).is_some_and(|answer| fits(value, answer))),
        (Value::Array(shown), Value::Array(answer)) => {
            shown.len() == answer.len()
                && shown
                    .iter()
                    .zip(answer)
                    .all(|(shown, answer)| fits(shown, answer))
        }
        (shown, answer) => shown == answer,
    }
}

#[test]
fn the_examples_answer_what_they_say() -> Result<()> {
    let mut scene = Scene::start()?;
    let webhook = scene.emulator.discord_webhook();
    let mut server: Option<Server> = None;
    let mut token = String::new();
    let mut answer: Option<Value> = None;
    let mut run = 0;
    for (kind, text) in blocks(PAGE) {
        match kind {
            "sql" if text.contains("zentry_create_api_token") => {
                token = scene.client.query_one(text, &[])?.get(0)
            }
            "sql" => {
                scene.client.batch_execute(text)?;
                let cluster = scene.database.cluster();
                let (host, port) = (cluster.dir(), cluster.port());
                server = Some(Server::start_on(
                    host,
                    port,
                    scene.database.name(),
                    "zentry_server",
                    &[],
                )?);
            }
            "sh run" => {
                let url = &server.as_ref().context("the page starts the server first")?.url;
                let script = text
                    .replace("http://localhost:8000", url)
                    .replace("https://discord.com/api/webhooks/ID/TOKEN", &webhook.url());
                let output = Command::new("bash")
                    .args(["-euc", &script])
                    .env("TOKEN", &token)
                    .output()?;
                ensure!(output.status.success(), "{script}\n{output:?}");
                answer = serde_json::from_slice(&output.stdout).ok();
                run += 1;
            }
            "json" => {
                let shown: Value = serde_json::from_str(text).with_context(|| text.to_owned())?;
                let answer = answer
                    .take()
                    .with_context(|| format!("no answer to compare with {text}"))?;
                assert!(
                    fits(&shown, &answer),
                    "the page says\n{text}\nand the answer is\n{answer:#}"
                );
            }
            _ => {}
        }
    }
    assert_eq!(run, 13, "the page's examples");
    assert_eq!(scene.emulator.complaints(), Vec::<String>::new());
    Ok(())
}
