//! `completions` and `man`: what packages install.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify completions bash > /etc/bash_completion.d/zentry-notify")]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<ExitCode> {
        // Into memory first: clap_complete panics where its reader has heard enough.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "zentry-notify", &mut text);
        io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Write the manual's pages, one for each command, into a directory
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  zentry-notify man /usr/local/share/man/man1")]
pub struct Man {
    directory: std::path::PathBuf,
}

impl Man {
    pub fn run(self) -> Result<ExitCode> {
        clap_mangen::generate_to(Cli::command(), self.directory)?;
        Ok(ExitCode::SUCCESS)
    }
}
