//! Going on after the command has returned: `demo --keep` runs the demo in a process of its own session, passes on what
//! it prints, and leaves when that process says that it is ready.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, process};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use zentry_e2e::cluster::Stage;

/// The argument that tells the process in the background what it is.
pub(crate) const ARGUMENT: &str = "--background";

/// Run the demo in the background and relay its output until it ends or is ready.
pub(crate) fn launch(colour: bool) -> Result<ExitCode> {
    let mut command = Command::new(env::current_exe()?);
    command
        .arg(ARGUMENT)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    if colour {
        command.env("CLICOLOR_FORCE", "1");
    }
    let mut child = command.spawn()?;
    if let Some(mut output) = child.stdout.take() {
        io::copy(&mut output, &mut io::stdout())?;
    }
    if State::path()?.exists() {
        return Ok(ExitCode::SUCCESS);
    }
    let status = child.wait()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or_else(
            || {
                eprintln!("the demo was ended by signal {:?}", status.signal());
                ExitCode::FAILURE
            },
            ExitCode::from,
        ))
}

/// What `make psql`, `make stop` and `make picture` read: shell variables. The file is there while the demo is.
#[derive(Debug)]
pub(crate) struct State(PathBuf);

impl State {
    /// `urls` are webhooks of the emulator, by name.
    pub(crate) fn write(socket: &Path, page: &str, urls: &[(&str, String)]) -> Result<Self> {
        let path = Self::path()?;
        let mut text = format!(
            "DEMO_PID={}\nDEMO_SOCKET='{}'\nDEMO_PAGE='{page}'\n",
            process::id(),
            socket.display()
        );
        for (name, url) in urls {
            text += &format!("DEMO_{name}='{url}'\n");
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    fn path() -> Result<PathBuf> {
        match env::var_os("ZENTRY_DEMO_STATE") {
            Some(path) => Ok(path.into()),
            None => Ok(Stage::get()?.private_dir().join("demo.env")),
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // a stale file names a process that is gone, and is seen to do so
    }
}

/// Let go of the terminal, by which the launching command knows that all is ready, and wait to be told to stop.
pub(crate) fn serve() -> Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(&nowhere)?;
    nix::unistd::dup2_stderr(&nowhere)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        terminate.recv().await;
        Ok(())
    })
}
