//! `zentry-notify`, built and run.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Request, Response};
use zentry_e2e::cluster::Stage;
pub use zentry_e2e::program::{connecting, program, target};
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::wait::eventually;

/// What paths begin with.
pub const API: &str = "/api/notifications/api";

/// A name for a role that no other test has: roles belong to the cluster.
pub fn role_name(kind: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("api_{kind}_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A running server. It ends when it is dropped.
pub struct Server {
    pub url: String,
    /// The role that it logs in as.
    pub login: String,
    child: Child,
    log: Arc<Mutex<String>>,
    /// Fills the log, until the server has ended.
    reader: Option<JoinHandle<()>>,
    agent: Agent,
}

impl Server {
    pub fn start(scene: &mut Scene) -> Result<Self> {
        Self::start_with(scene, &[])
    }

    /// With further arguments for `serve`.
    pub fn start_with(scene: &mut Scene, arguments: &[&str]) -> Result<Self> {
        let login = role_name("server");
        scene.client.batch_execute(&format!(
            "CREATE ROLE {login} LOGIN NOINHERIT; SELECT zentry_grant('{login}', 'server')"
        ))?;
        let cluster = scene.database.cluster();
        Self::start_on(
            cluster.dir(),
            cluster.port(),
            scene.database.name(),
            &login,
            arguments,
        )
    }

    /// Under a limit of the shell's, as `ulimit -n 100`.
    pub fn start_under(scene: &mut Scene, limit: &str) -> Result<Self> {
        let login = role_name("server");
        scene.client.batch_execute(&format!(
            "CREATE ROLE {login} LOGIN NOINHERIT; SELECT zentry_grant('{login}', 'server')"
        ))?;
        let cluster = scene.database.cluster();
        let server = connecting(cluster.dir(), cluster.port(), scene.database.name(), &login)?;
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("{limit} && exec \"$0\" serve --listen 127.0.0.1:0"))
            .arg(server.get_program())
            .stdin(Stdio::null());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Self::running(&mut shell, &login)
    }

    /// On any database, logged in as `login`.
    pub fn start_on(host: &Path, port: u16, database: &str, login: &str, arguments: &[&str]) -> Result<Self> {
        let mut server = connecting(host, port, database, login)?;
        server.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        Self::running(&mut server, login)
    }

    fn running(server: &mut Command, login: &str) -> Result<Self> {
        let mut child = server.stderr(Stdio::piped()).spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        let copy = log.clone();
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                copy.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let url = eventually(SOON, "the server to listen", || {
            let log = log.lock().unwrap();
            let (_, rest) = log.split_once("listening on ")?;
            Some(rest.lines().next()?.trim().to_owned())
        })
        .with_context(|| log.lock().unwrap().clone())?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(SOON))
            // The server closes a connection whose request it has refused before its body came.
            .max_idle_connections(0)
            .build()
            .new_agent();
        Ok(Self {
            url,
            login: login.to_owned(),
            child,
            log,
            reader: Some(reader),
            agent,
        })
    }

    /// A new role with this privilege, which the server may act as, and a token of it.
    pub fn token(&self, scene: &mut Scene, privilege: &str) -> Result<Token> {
        let role = role_name(privilege);
        scene.client.batch_execute(&format!(
            "CREATE ROLE {role} NOLOGIN; SELECT zentry_grant('{role}', '{privilege}'); GRANT {role} TO {}",
            self.login
        ))?;
        self.token_of(scene, &role)
    }

    /// A token of this role.
    pub fn token_of(&self, scene: &mut Scene, role: &str) -> Result<Token> {
        let name = role_name("token");
        let row = scene.client.query_one(
            "SELECT zentry_create_api_token($1, $2::text::name)",
            &[&name, &role],
        )?;
        Ok(Token {
            text: row.get(0),
            name,
            role: role.to_owned(),
        })
    }

    pub fn get(&self, path: &str, token: &Token) -> Result<Answer> {
        self.call("GET", &format!("{API}{path}"), Some(&token.text), None)
    }

    pub fn post(&self, path: &str, token: &Token, body: Value) -> Result<Answer> {
        self.call("POST", &format!("{API}{path}"), Some(&token.text), Some(body))
    }

    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body.to_string())?)?
            }
            None => self.agent.run(request.body(())?)?,
        };
        Answer::read(response)
    }

    /// With a body of this media type.
    pub fn send(&self, method: &str, path: &str, token: &Token, kind: &str, body: &str) -> Result<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", token.text))
            .header("Content-Type", kind);
        Answer::read(self.agent.run(request.body(body.to_owned())?)?)
    }

    /// Without a body, with further headers.
    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::read(self.agent.run(request.body(())?)?)
    }

    /// Wait until it has logged `needle`: an answer may come before what is logged of it.
    pub fn wait_for_log(&self, needle: &str) -> Result<()> {
        eventually(SOON, format!("the server to log {needle:?}"), || {
            self.log.lock().unwrap().contains(needle).then_some(())
        })
    }

    /// End it; all that it has logged.
    pub fn whole_log(mut self) -> String {
        self.end();
        self.log.lock().unwrap().clone()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log.lock().unwrap());
        }
    }
}

/// A token with what it stands for.
pub struct Token {
    pub text: String,
    pub name: String,
    pub role: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
    /// Null if it is none.
    pub json: Value,
}

impl Answer {
    fn read(response: Response<ureq::Body>) -> Result<Self> {
        let (parts, mut body) = response.into_parts();
        let text = body.read_to_string()?;
        Ok(Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// `zentry-notify` set to connect to the scene's database as `role`, by libpq's variables.
pub fn command(scene: &Scene, role: &str) -> Result<Command> {
    let cluster = scene.database.cluster();
    connecting(cluster.dir(), cluster.port(), scene.database.name(), role)
}

/// What a command printed, and its exit code.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A directory that is gone when this is dropped.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Result<Self> {
        let path = Stage::get()?.private_dir().join(role_name("dir"));
        let path = path.with_extension(std::process::id().to_string());
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub const MOMENT: Duration = Duration::from_millis(300);
