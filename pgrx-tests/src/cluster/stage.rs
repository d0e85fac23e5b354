//! The private PostgreSQL installation that `scripts/stage` makes, and the user that its servers run as.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User, geteuid};
use once_cell::sync::OnceCell;

/// Where the private installation is and how its programs are run.
#[derive(Debug)]
pub struct Stage {
    major: u32,
    private: PathBuf,
    bin: PathBuf,
    run: PathBuf,
    /// Set when we are root, as whom PostgreSQL refuses to run.
    server_user: Option<(Uid, Gid)>,
}

impl Stage {
    /// The stage below the target directory that this executable was built in, for `$PG_MAJOR` or else the newest there.
    pub fn get() -> Result<&'static Self> {
        static STAGE: OnceCell<Stage> = OnceCell::new();
        STAGE.get_or_try_init(Stage::find)
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
        let run = private.join("run");
        let stage = Self {
            major,
            private,
            bin,
            run,
            server_user: server_user()?,
        };
        stage.spread(&stage.run);
        Ok(stage)
    }

    /// PostgreSQL's major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Holds the stage and `run_dir`; belongs to us.
    pub fn private_dir(&self) -> &Path {
        &self.private
    }

    /// Where clusters live. It belongs to the servers' user, so where that is not us, nothing in it is opened for
    /// writing but by that user: a link placed there must not lead root to another file.
    pub fn run_dir(&self) -> &Path {
        &self.run
    }

    /// The path of one of PostgreSQL's programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The path of a library that the server loads by name.
    pub fn library(&self, name: &str) -> PathBuf {
        self.bin.with_file_name("lib").join(name)
    }

    /// A library for the server that is compiled from C; its path.
    pub fn compile_module(&self, name: &str, source: &str) -> Result<PathBuf> {
        let headers = Command::new(self.program("pg_config"))
            .arg("--includedir-server")
            .output()?;
        let (c, library) = (
            self.private.join(format!("{name}-{}.c", self.major)),
            self.private.join(format!("{name}-{}.so", self.major)),
        );
        fs::write(&c, source)?;
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-I"])
            .arg(String::from_utf8(headers.stdout)?.trim_end());
        run_to_end(compiler.arg("-o").arg(&library).arg(&c), "")?;
        Ok(library)
    }

    /// One of PostgreSQL's clients (psql, pg_dump, pgbench), run as ourselves.
    pub fn client(&self, name: &str) -> Command {
        without_pg_variables(self.program(name))
    }

    /// Any program, to be run as the servers' user.
    pub(crate) fn as_server(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = without_pg_variables(program);
        command.current_dir(&self.run);
        if let Some((uid, gid)) = self.server_user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Have the directories that will be made in `dir` put far apart. An ext4 without a journal does not give an inode
    /// away again for minutes after its file is gone, and passes all of those nearby for each new file: clusters and
    /// databases that come and go cost several times as much. It is a hint; other file systems know none.
    pub(crate) fn spread(&self, dir: &Path) {
        let _ = run_to_end(self.as_server("chattr").arg("+T").arg(dir), "");
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
    // pgrx puts backtraces into the details of errors when it is set.
    command.env_remove("RUST_BACKTRACE");
    command
}

/// Run a program to its end, with `input` on its standard input.
pub(crate) fn run_to_end(command: &mut Command, input: &str) -> Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
