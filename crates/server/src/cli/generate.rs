//! `completions` and `man`: files for packages.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print the script that completes commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify completions bash > /etc/bash_completion.d/zentry-notify")]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    /// Prints them, of this command line.
    pub fn run(self, mut line: Command) -> Result<ExitCode> {
        // Written to memory first, because clap_complete panics when the pipe is closed.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut line, "zentry-notify", &mut text);
        io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the manual pages, one for each command
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify man /usr/local/share/man/man1")]
pub struct Man {
    /// Directory to write them to
    directory: std::path::PathBuf,
}

impl Man {
    /// Writes them, of this command line.
    pub fn run(self, line: Command) -> Result<ExitCode> {
        clap_mangen::generate_to(line, self.directory)?;
        Ok(ExitCode::SUCCESS)
    }
}
