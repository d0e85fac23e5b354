//! A real `nats-server` with JetStream, in a directory of its own, and what looks into its streams.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use async_nats::{Client, ConnectOptions, HeaderMap, Request, RequestErrorKind};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::cluster::Stage;
use crate::emulator::{Certificate, Emulator};
use crate::scene::SOON;
use crate::wait::eventually;

/// The stream of most tests.
pub const STREAM: &str = "ZENTRY";

/// Runs the server until the pipe closes, because we say so or because this process ended in any way whatever; then it is killed, without a chance to put
/// anything in order.
const GUARD: &str = r#"
"$1" --config "$2" &
server=$!
read -r _
kill -KILL "$server"
wait "$server"
"#;

/// How often other ports are tried: somebody else may have taken one between our look and the server's start.
const ATTEMPTS: usize = 5;

/// A server. It is killed, and its directory removed, when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    directory: PathBuf,
    port: u16,
    guard: Option<Child>,
}

impl NatsServer {
    /// Alone, and open to everybody.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// Alone, with more lines of configuration.
    pub fn start_with(more: &str) -> Result<Self> {
        Self::start_with_files(more, &[])
    }

    /// Alone, encrypted, with such a certificate of the emulator's authority.
    pub fn start_with_tls(emulator: &Emulator, certificate: Certificate) -> Result<Self> {
        let (chain, key) = emulator.certificate_pem(certificate)?;
        let more = "tls { cert_file: \"DIRECTORY/cert.pem\", key_file: \"DIRECTORY/key.pem\" }";
        Self::start_with_files(more, &[("cert.pem", &chain), ("key.pem", &key)])
    }

    /// `DIRECTORY` stands for that of the files.
    fn start_with_files(more: &str, files: &[(&str, &str)]) -> Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let server = Self::configure(free_port()?, "alone", more)?;
            for (name, content) in files {
                fs::write(server.directory.join(name), content)?;
            }
            match server.started() {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt")?)
    }

    /// As many as there are names, as a cluster.
    pub fn cluster(size: usize) -> Result<Vec<Self>> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::try_cluster(size) {
                Ok(servers) => return Ok(servers),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt")?)
    }

    fn try_cluster(size: usize) -> Result<Vec<Self>> {
        let listeners = (0..2 * size)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut ports = Vec::new();
        for listener in &listeners {
            ports.push(listener.local_addr()?.port());
        }
        drop(listeners);
        let (clients, routes) = ports.split_at(size);
        let urls: Vec<String> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let mut servers = Vec::new();
        for (number, (port, route)) in clients.iter().zip(routes).enumerate() {
            let more = format!(
                "cluster {{ name: zentry, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
                urls.join(", ")
            );
            let server = Self::configure(*port, &format!("server{number}"), &more)?;
            servers.push(server.launched()?);
        }
        for server in &servers {
            server.wait_until_ready()?;
        }
        Ok(servers)
    }

    /// The server's files, before it runs.
    fn configure(port: u16, name: &str, more: &str) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = Stage::get()?
            .private_dir()
            .join(format!("nats-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let path = directory.display().to_string();
        let mut configuration = format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: {name}\nlog_file: \"{path}/log\"\njetstream {{ store_dir: \"{path}/streams\" }}\n"
        );
        writeln!(configuration, "{}", more.replace("DIRECTORY", &path))?;
        fs::write(directory.join("server.conf"), configuration)?;
        Ok(Self {
            directory,
            port,
            guard: None,
        })
    }

    fn launched(mut self) -> Result<Self> {
        self.launch()?;
        Ok(self)
    }

    fn started(self) -> Result<Self> {
        let server = self.launched()?;
        server.wait_until_ready()?;
        Ok(server)
    }

    fn launch(&mut self) -> Result<()> {
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program()?)
            .arg(self.directory.join("server.conf"))
            .process_group(0) // out of reach of the terminal's Ctrl-C
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start nats-server")?;
        self.guard = Some(guard);
        Ok(())
    }

    /// Until it says that it listens; what it says in the log has happened.
    fn wait_until_ready(&self) -> Result<()> {
        let ready = eventually(SOON, "nats-server to be ready", || {
            let log = self.log();
            if log.contains("address already in use") {
                return Some(false);
            }
            log.contains("Server is ready").then_some(true)
        })?;
        ensure!(ready, "another process has taken the port {}", self.port);
        Ok(())
    }

    /// As with a power failure.
    pub fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }

    /// Starts it again on its port, with its streams.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let _ = fs::remove_file(self.directory.join("log"));
        self.launch()?;
        self.wait_until_ready()
    }

    /// What `zentry_notify.allowed_hosts` has of it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.host())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Somebody who may do everything.
    pub fn observer(&self) -> Result<Observer> {
        Observer::connect(&[self.url()], ConnectOptions::new())
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// `$ZENTRY_NATS_SERVER`, or what `scripts/bootstrap tests` has installed.
fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("ZENTRY_NATS_SERVER") {
        return Ok(program.into());
    }
    let target = Stage::get()?
        .private_dir()
        .parent()
        .context("the target directory")?
        .to_owned();
    let program = target.join("tools/nats-server/nats-server");
    ensure!(
        program.exists(),
        "no nats-server: scripts/bootstrap tests installs it"
    );
    Ok(program)
}

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
