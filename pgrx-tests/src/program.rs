//! `zentry-notify`, built and run.

use std::env;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use once_cell::sync::OnceCell;

/// The program, built from the sources as they are now.
pub fn program() -> Result<PathBuf> {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::new();
    PROGRAM.get_or_try_init(build).cloned()
}

fn build() -> Result<PathBuf> {
    let release = env::var_os("ZENTRY_RELEASE").is_some();
    let profile = if release { "release" } else { "dev" };
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "zentry-server",
            "--profile",
            profile,
        ])
        .env("CARGO_TARGET_DIR", target()?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(status.success(), "zentry-server does not build");
    let directory = if release { "release" } else { "debug" };
    Ok(target()?.join(directory).join("zentry-notify"))
}

/// The target directory that this test was built in.
pub fn target() -> Result<PathBuf> {
    let exe = env::current_exe()?;
    exe.ancestors()
        .find(|dir| dir.join("private/run").is_dir())
        .map(PathBuf::from)
        .context("this test is not below the target directory")
}

/// `zentry-notify` set to connect to a database as `role`, by libpq's variables.
pub fn connecting(host: &Path, port: u16, database: &str, role: &str) -> Result<Command> {
    let mut command = Command::new(program()?);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command
        .env_remove("DATABASE_URL")
        .env("PGHOST", host)
        .env("PGPORT", port.to_string())
        .env("PGUSER", role)
        .env("PGDATABASE", database)
        .stdin(Stdio::null());
    Ok(command)
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// # Errors
    /// When the process has ended and been waited for.
    pub fn signal(&self, signal: Signal) -> nix::Result<()> {
        kill(Pid::from_raw(self.id().cast_signed()), signal)
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
