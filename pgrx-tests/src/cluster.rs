//! Private clusters of PostgreSQL: made in a second, reached through a socket that nobody else can open, gone when
//! dropped. The system's clusters, directories and ports are not touched.

mod guard;
mod log;
mod options;
mod process;
mod run;
mod shared;
mod stage;
mod template;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use postgres::{Client, NoTls};

use self::guard::Guard;
pub use self::options::{ClusterOptions, StopMode};
use self::process::{START_TIMEOUT, pid};
pub use self::shared::TestDatabase;
pub use self::stage::Stage;
use self::stage::run_to_end;
use crate::wait::eventually;

const SUPERUSER: &str = "postgres";
const PORT: u16 = 5432; // names the socket only: every cluster has a directory of its own for it

/// A cluster of its own. Dropping it stops the server and removes its files; when the thread panics, the end of the
/// server's log is printed first.
#[derive(Debug)]
pub struct Cluster {
    stage: &'static Stage,
    dir: PathBuf,
    /// postgresql.conf as initdb wrote it; ours follows it in the file, and the last of two lines counts.
    initial_conf: String,
    settings: Vec<(String, String)>,
    files: Option<(u32, u32)>,
    environment: Vec<(String, String)>,
    server: Option<Child>,
    _guard: Guard,
}

impl Cluster {
    /// Make a cluster and start it.
    pub fn start(options: ClusterOptions) -> Result<Self> {
        Self::start_on(options, template::clone_to)
    }

    /// Make a physical standby of `primary` and start it. It follows until it is [promoted](Self::promote).
    pub fn start_standby(primary: &Self, options: ClusterOptions) -> Result<Self> {
        Self::start_on(options, |stage, data| {
            let mut backup = stage.as_server(stage.program("pg_basebackup"));
            backup.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf"]);
            backup.args(["--username", SUPERUSER, "--port", &PORT.to_string(), "--host"]);
            run_to_end(backup.arg(&primary.dir).arg("--pgdata").arg(data), "")
        })
    }

    /// Take over the data of `old`, which is stopped for good, by pg_upgrade, and start.
    pub fn start_upgraded(mut old: Self, options: ClusterOptions) -> Result<Self> {
        old.stop(StopMode::Fast)?;
        Self::start_on(options, |stage, data| {
            template::clone_to(stage, data)?;
            // The new server needs the library as soon as the upgrade talks to it.
            let conf = fs::read_to_string(data.join("postgresql.conf"))?;
            let conf = format!("{conf}\nshared_preload_libraries = 'zentry_notify'\n");
            run_to_end(stage.as_server("tee").arg(data.join("postgresql.conf")), &conf)?;
            let bin = stage.program("");
            let mut upgrade = stage.as_server(stage.program("pg_upgrade"));
            upgrade.current_dir(&old.dir).args(["--username", SUPERUSER]);
            upgrade
                .arg("--old-bindir")
                .arg(&bin)
                .arg("--new-bindir")
                .arg(&bin);
            upgrade
                .arg("--old-datadir")
                .arg(old.dir.join("data"))
                .arg("--new-datadir")
                .arg(data);
            run_to_end(upgrade.arg("--socketdir").arg(&old.dir), "")
        })
    }

    /// `make_data` makes the data directory.
    fn start_on(
        options: ClusterOptions,
        make_data: impl FnOnce(&'static Stage, &Path) -> Result<()>,
    ) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let stage = Stage::get()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = stage.run_dir().join(format!("c{}-{number}", std::process::id()));
        run_to_end(stage.as_server("mkdir").arg("--mode=700").arg(&dir), "")?;
        let guard = Guard::over(stage, &dir)?;
        make_data(stage, &dir.join("data"))?;
        let files = options.files;
        let environment = options.environment.clone();
        let settings = options::settings(&dir, options);
        let initial_conf = fs::read_to_string(dir.join("data/postgresql.conf"))?;
        let mut cluster = Self {
            stage,
            dir,
            initial_conf,
            settings,
            files,
            environment,
            server: None,
            _guard: guard,
        };
        cluster.write_settings()?;
        cluster.start_server()?;
        Ok(cluster)
    }

    /// The directory of the cluster: socket, `data`, `log`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The number in the socket's name.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The PostgreSQL that the cluster runs on.
    pub fn stage(&self) -> &Stage {
        self.stage
    }

    /// Connect as superuser to the database `postgres`.
    pub fn connect(&self) -> Result<Client> {
        self.connect_as(SUPERUSER, "postgres")
    }

    /// Connect as `role` to `database`.
    pub fn connect_as(&self, role: &str, database: &str) -> Result<Client> {
        let client = self
            .config(role, database)
            .connect(NoTls)
            .with_context(|| format!("cannot connect as {role} to {database}"))?;
        Ok(client)
    }

    /// How `role` connects to `database`.
    pub fn config(&self, role: &str, database: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(&self.dir).port(PORT).user(role).dbname(database);
        config
    }

    /// One of PostgreSQL's clients, set to connect to this cluster as superuser.
    pub fn client_command(&self, name: &str) -> Command {
        let mut command = self.stage.client(name);
        command
            .env("PGHOST", &self.dir)
            .env("PGPORT", PORT.to_string())
            .env("PGUSER", SUPERUSER);
        command
    }

    /// What psql prints when called with `args`; an error when it fails.
    pub fn psql(&self, args: &[&str]) -> Result<String> {
        let output = self
            .client_command("psql")
            .args(["--no-psqlrc", "--set=ON_ERROR_STOP=1"])
            .args(args)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "psql {args:?}: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Change settings and wait until new sessions have them.
    pub fn conf(&mut self, settings: &[(&str, &str)]) -> Result<()> {
        let changed = settings
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        self.settings.extend(changed);
        self.write_settings()?;
        if self.server.is_none() {
            return Ok(());
        }
        let load_time = |client: &mut Client| -> Result<String> {
            Ok(client.query_one("SELECT pg_conf_load_time()::text", &[])?.get(0))
        };
        let mut client = self.connect()?;
        let before = load_time(&mut client)?;
        client.execute("SELECT pg_reload_conf()", &[])?;
        eventually(START_TIMEOUT, "the server to reload its settings", || {
            let now = load_time(&mut self.connect().ok()?).ok()?;
            (now != before).then_some(())
        })
    }

    /// Make a standby a server of its own, and wait until it takes writes.
    pub fn promote(&self) -> Result<()> {
        self.connect()?.execute("SELECT pg_promote()", &[])?;
        Ok(())
    }

    fn write_settings(&self) -> Result<()> {
        let conf = self.dir.join("data/postgresql.conf");
        let lines: String = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect();
        let text = format!("{}\n{lines}", self.initial_conf);
        // A process that is reading the file for a reload before this one must not see half of it.
        let new = conf.with_extension("new");
        run_to_end(self.stage.as_server("tee").arg(&new), &text)?;
        run_to_end(self.stage.as_server("mv").arg(new).arg(conf), "")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            self.print_log_tail();
        }
        // The guard's turn comes after this: it finds the server stopped and removes the files.
        if let Some(mut server) = self.server.take() {
            let _ = kill(pid(&server), Signal::SIGQUIT);
            // It may stand still.
            let _ = kill(pid(&server), Signal::SIGCONT);
            let _ = server.wait();
        }
    }
}
