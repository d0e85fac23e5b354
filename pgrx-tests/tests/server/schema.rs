//! Schemathesis reads the API's description and tries what comes to its mind.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use zentry_e2e::emulator::{Behaviour, Kind, Limits};
use zentry_e2e::scene::Scene;
use zentry_e2e::site::fire;

use crate::support::{Server, target};

#[test]
fn the_api_is_what_its_description_says() -> Result<()> {
    let program = target()?.join("tools/schemathesis/bin/schemathesis");
    ensure!(
        program.exists(),
        "{} is missing: scripts/bootstrap installs it",
        program.display()
    );
    let mut scene = Scene::start()?;
    let channel = scene.channel(Kind::Discord)?;
    channel.webhook.limit(Limits::default());
    channel.webhook.script([Behaviour::Status(400)]);
    fire(&mut scene.client)?;
    scene.settle()?;
    // It tries wrong tokens, too.
    let server = Server::start_with(
        &mut scene,
        &["--max-failed-tries", "1000000", "--log-level", "warn"],
    )?;
    let manager = server.token(&mut scene, "manager")?;
    let output = Command::new(program)
        .arg("run")
        .arg(format!("{}/openapi.json", server.url))
        .args(["--header", &format!("Authorization: Bearer {}", manager.text)])
        .args([
            "--max-examples",
            "10",
            "--seed",
            "1",
            "--warnings",
            "off",
            "--no-color",
        ])
        // What the database has to say about a value, such as a host that is not allowed, no schema can say.
        // And what is of another type and can mean one thing only, such as 5 for a text, is taken, as Django REST framework does (`drf.rs`).
        .args([
            "--exclude-checks",
            "positive_data_acceptance,negative_data_rejection",
        ])
        // It would revoke its own.
        .args(["--exclude-operation-id", "revoke_token"])
        .current_dir(std::env::temp_dir())
        .output()
        .context("schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("27 selected"), "{said}");
    Ok(())
}
