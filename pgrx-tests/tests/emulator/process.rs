//! The program.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::{current, plain_client, post};

struct Process {
    child: Child,
    /// Kept open: who writes to a closed pipe is killed.
    _stdout: BufReader<ChildStdout>,
    told: Value,
}

fn start(arguments: &[&str]) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_emulator"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    Process {
        told: serde_json::from_str(&line).unwrap(),
        child,
        _stdout: stdout,
    }
}

#[test]
fn it_tells_its_urls_and_serves_until_its_input_ends() {
    let file = std::env::temp_dir().join(format!("emulator-ca-{}.pem", std::process::id()));
    let mut process = start(&["--webhooks", "2", "--ca-file", file.to_str().unwrap()]);
    let webhooks = process.told["webhooks"].as_array().unwrap();
    let kinds: Vec<&str> = webhooks
        .iter()
        .map(|webhook| webhook["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "discord",
            "connector",
            "workflow",
            "discord",
            "connector",
            "workflow"
        ]
    );
    let url = current(webhooks[0]["url"].as_str().unwrap());
    let body = json!({"content": "c", "allowed_mentions": {"parse": []}}).to_string();
    assert_eq!(post(&plain_client(), &url, &body).unwrap().status, 200);
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    std::fs::remove_file(&file).unwrap();

    drop(process.child.stdin.take());
    assert!(process.child.wait().unwrap().success());
}

#[test]
fn a_signal_ends_it() {
    let mut process = start(&["--detach"]);
    drop(process.child.stdin.take());
    let http = process.told["http"].as_str().unwrap().to_owned();
    assert_eq!(
        plain_client().get(&http).call().unwrap().status(),
        200,
        "detached, it outlives its input"
    );
    assert!(
        Command::new("kill")
            .arg(process.child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    assert!(process.child.wait().unwrap().success());
}

#[test]
fn what_it_does_not_know_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_emulator"))
        .arg("--colour")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--colour"));
}
