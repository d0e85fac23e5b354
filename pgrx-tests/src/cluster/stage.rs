//! The private PostgreSQL installation that `scripts/stage` makes, and the user that its servers run as.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use anyhow::{Context, Result, anyhow};
use nix::unistd::{Gid, Uid, User, geteuid};

/// Where the private installation is and how its programs are run.
#[derive(Debug)]
pub struct Stage {
    major: u32,
    bin: PathBuf,
    run: PathBuf,
    /// Set when we are root, as whom PostgreSQL refuses to run.
    server_user: Option<(Uid, Gid)>,
}

impl Stage {
    /// The stage below the target directory that this executable was built in, for `$PG_MAJOR` or else the newest there.
    pub fn get() -> Result<&'static Self> {
        static STAGE: LazyLock<Result<Stage, String>> =
            LazyLock::new(|| Stage::find().map_err(|error| format!("{error:#}")));
        STAGE.as_ref().map_err(|error| anyhow!("{error}"))
    }

    fn find() -> Result<Self> {
        let exe = env::current_exe()?;
        let private = exe
            .ancestors()
            .map(|dir| dir.join("private"))
            .find(|private| private.join("run").is_dir())
            .context("there is no private PostgreSQL: run scripts/install, or `make test`")?
            .canonicalize()?;
        let major = match env::var("PG_MAJOR") {
            Ok(major) => major.parse().context("PG_MAJOR")?,
            Err(_) => newest(&private)?,
        };
        let bin = private.join(format!("pg{major}/usr/lib/postgresql/{major}/bin"));
        anyhow::ensure!(
            bin.join("postgres").exists(),
            "{} is not staged: run scripts/install with PG_MAJOR={major}",
            bin.display()
        );
        Ok(Self {
            major,
            bin,
            run: private.join("run"),
            server_user: server_user()?,
        })
    }

    /// PostgreSQL's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Where clusters live; belongs to the servers' user.
    pub fn run_dir(&self) -> &Path {
        &self.run
    }

    /// The path of one of PostgreSQL's programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// One of PostgreSQL's clients (psql, pg_dump, pgbench), run as ourselves.
    pub fn client(&self, name: &str) -> Command {
        without_pg_variables(self.program(name))
    }

    /// Any program, run as the servers' user.
    pub(crate) fn as_server(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = without_pg_variables(program);
        command.current_dir(&self.run);
        if let Some((uid, gid)) = self.server_user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Make a directory that only the servers' user (and root) can enter.
    pub(crate) fn create_dir(&self, dir: &Path) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("cannot make {}", dir.display()))?;
        if let Some((uid, gid)) = self.server_user {
            chown(dir, Some(uid.as_raw()), Some(gid.as_raw()))?;
        }
        Ok(())
    }
}

fn server_user() -> Result<Option<(Uid, Gid)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let name = env::var("ZENTRY_RUNAS").unwrap_or_else(|_| "postgres".to_owned());
    let user = User::from_name(&name)?
        .with_context(|| format!("no user {name} to run PostgreSQL as: set ZENTRY_RUNAS"))?;
    Ok(Some((user.uid, user.gid)))
}

fn newest(private: &Path) -> Result<u32> {
    fs::read_dir(private)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_prefix("pg")?.parse().ok())
        .max()
        .context("no version of PostgreSQL is staged: run scripts/install")
}

/// The caller's PGHOST, PGPORT, PGOPTIONS and the like must not lead to another cluster.
fn without_pg_variables(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command
}
