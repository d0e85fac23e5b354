//! Where the server listens, and what it says of that.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result};
use zentry_e2e::cluster::{ClusterOptions, StopMode};
use zentry_e2e::program::Running;
use zentry_e2e::scene::Scene;
use zentry_e2e::site::Site;

use crate::support::{Server, command, connecting};

/// A server that is killed in the end, whose lines are read one by one.
struct Started {
    _child: Running,
    lines: Box<dyn Iterator<Item = std::io::Result<String>>>,
}

impl Started {
    fn new(mut command: std::process::Command) -> Result<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        Ok(Self {
            _child: Running(child),
            lines: Box::new(lines),
        })
    }

    /// All up to the first that has these words.
    fn until(&mut self, words: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for line in self.lines.by_ref() {
            lines.push(line?);
            if lines.last().is_some_and(|line| line.contains(words)) {
                return Ok(lines);
            }
        }
        anyhow::bail!("it has ended without {words:?}: {lines:#?}")
    }
}

#[test]
fn it_listens_once_the_database_is_reached() -> Result<()> {
    let mut site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("late")?;
    client.batch_execute("CREATE ROLE server LOGIN; SELECT zentry_grant('server', 'server')")?;
    drop(client);
    site.cluster.stop(StopMode::Fast)?;
    let mut command = connecting(site.cluster.dir(), site.cluster.port(), "late", "server")?;
    // A name is an address.
    command.args(["serve", "--listen", "localhost:0"]);
    let mut server = Started::new(command)?;
    let before = server.until("waiting for the database")?;
    assert!(
        before.iter().all(|line| !line.contains("listening")),
        "{before:#?}"
    );
    assert!(
        before.iter().any(|line| line.contains("cannot connect")),
        "{before:#?}"
    );
    site.cluster.start_again()?;
    let after = server.until("listening on http://")?;
    let url = after
        .last()
        .and_then(|line| line.strip_prefix("listening on "))
        .context("a URL")?;
    assert_eq!(ureq::get(format!("{url}/healthz")).call()?.status(), 200);
    Ok(())
}

#[test]
fn who_listens_on_all_addresses_without_tls_is_warned() -> Result<()> {
    let mut scene = Scene::start()?;
    let login = Server::start(&mut scene)?.login.clone();
    let said = |arguments: &[&str]| -> Result<String> {
        let mut command = command(&scene, &login)?;
        command.arg("serve").args(arguments);
        Ok(Started::new(command)?.until("listening on")?.join("\n"))
    };
    for address in ["0.0.0.0:0", "[::]:0"] {
        let open = said(&["--listen", address])?;
        assert!(
            open.contains("warning: ") && open.contains("--tls-cert"),
            "{open}"
        );
    }
    for safe in [
        &["--listen", "127.0.0.1:0"][..],
        &["--listen", "localhost:0"],
        &[
            "--listen",
            "0.0.0.0:0",
            "--public-url",
            "https://notify.example.com",
        ],
    ] {
        let said = said(safe)?;
        assert!(!said.contains("warning"), "{said}");
    }
    let wrong = command(&scene, &login)?
        .args(["serve", "--listen", "8000"])
        .output()?;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("localhost:8000"));
    let nowhere = command(&scene, &login)?
        .args(["serve", "--listen", "no-such-host.invalid:80"])
        .output()?;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot listen on no-such-host.invalid:80"));
    Ok(())
}
