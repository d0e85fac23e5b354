//! The pages of docs/guide say what happens: their statements are run, and what they say psql answers is compared.
//! docs/guide/README.md tells how a page is written.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compare;
mod page;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use zentry_e2e::cluster::Stage;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

use page::{Block, When};

/// Tables of an application that is not Zentry.
const PLAIN: &str = include_str!("../../fixtures/plain.sql");

/// URLs that pages show, and the kind of webhook that takes their place.
const URLS: [(&str, Kind); 8] = [
    ("https://discord.com/api/webhooks/ID/TOKEN", Kind::Discord),
    (
        "https://FLOW.environment.api.powerplatform.com/URL",
        Kind::Workflow,
    ),
    ("https://connectors.example.com/webhookb2/URL", Kind::Connector),
    ("https://hooks.slack.com/services/TEAM/WEBHOOK/TOKEN", Kind::Slack),
    (
        "https://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN",
        Kind::GoogleChat,
    ),
    ("https://mattermost.example.com/hooks/KEY", Kind::Mattermost),
    ("https://ntfy.sh/TOPIC", Kind::Ntfy),
    ("https://hooks.example.com/zentry", Kind::Signed),
];

#[test]
fn the_guides_statements_do_what_the_pages_say() {
    let pages = pages();
    assert!(!pages.is_empty());
    let failures: Vec<String> = pages
        .iter()
        .filter_map(|page| {
            let name = page.file_name().unwrap().to_string_lossy();
            Some(format!("{name}: {:#}", run(page).err()?))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn pages() -> Vec<PathBuf> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide");
    let mut pages: Vec<PathBuf> = fs::read_dir(guide)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("README.md")
        })
        .collect();
    pages.sort();
    pages
}

fn run(page: &Path) -> Result<()> {
    let blocks = page::parse(&fs::read_to_string(page)?)?;
    let mut scene = Scene::start()?;
    scene.client.batch_execute(PLAIN)?;
    let urls: Vec<(&str, String)> = URLS
        .iter()
        .map(|(shown, kind)| (*shown, scene.emulator.register(*kind).url()))
        .collect();
    for block in blocks {
        let is_there = |library| Stage::get().map(|stage| stage.library(library).exists());
        if !block.library.map_or(Ok(true), is_there)? {
            continue;
        }
        let mut sql = block.sql.clone();
        for (shown, url) in &urls {
            sql = sql.replace(shown, url);
        }
        run_block(&scene, &block, &sql).with_context(|| format!("line {}", block.line))?;
    }
    let complaints = scene.emulator.complaints();
    if !complaints.is_empty() {
        bail!("the emulator complains: {complaints:#?}");
    }
    Ok(())
}

fn run_block(scene: &Scene, block: &Block, sql: &str) -> Result<()> {
    let mut last = Ok(());
    let mut attempt = || {
        last = psql(scene, sql).and_then(|said| compare::same(block.output.as_deref(), &said));
        last.is_ok()
    };
    match block.when {
        When::Once => {
            attempt();
        }
        When::Eventually => {
            let _ = eventually(SOON, "the block's output", || attempt().then_some(()));
        }
    }
    last
}

/// What psql prints: rows, notices and errors, in order.
fn psql(scene: &Scene, sql: &str) -> Result<String> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = scene.database.cluster().client_command("psql");
    command
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--pset=null=(null)",
        ])
        .args(["--dbname", scene.database.name()])
        .stdin(Stdio::piped())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn()?;
    drop(command); // it holds the pipe's other end
    child
        .stdin
        .take()
        .context("no stdin")?
        .write_all(sql.as_bytes())?;
    let said = std::io::read_to_string(reader)?;
    child.wait()?;
    Ok(said)
}
