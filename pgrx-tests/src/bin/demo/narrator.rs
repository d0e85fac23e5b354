//! What the demo prints.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Columns of a terminal that everything has to fit into.
const WIDTH: usize = 100;

/// Writes to standard output, in colour when that is a terminal.
#[derive(Debug)]
pub(crate) struct Narrator {
    out: io::Stdout,
    colour: bool,
    step: u32,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        let forced = env::var_os("CLICOLOR_FORCE").is_some();
        let colour = forced || (out.is_terminal() && env::var_os("NO_COLOR").is_none());
        Self { out, colour, step: 0 }
    }

    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Begin a step of the story.
    pub(crate) fn heading(&mut self, title: &str, why: &str) -> io::Result<()> {
        self.step += 1;
        let title = self.styled("1;36", format!("{}. {title}", self.step));
        write!(self.out, "\n{title}\n")?;
        if !why.is_empty() {
            writeln!(self.out, "{why}")?;
        }
        writeln!(self.out)
    }

    pub(crate) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// SQL as it is run.
    pub(crate) fn sql(&mut self, sql: &str) -> io::Result<()> {
        for line in sql.lines() {
            let line = self.styled("33", line);
            writeln!(self.out, "    {line}")?;
        }
        Ok(())
    }

    /// What a program answered; a long message of the server is wrapped.
    pub(crate) fn answer(&mut self, text: &str) -> io::Result<()> {
        let options = textwrap::Options::new(WIDTH - 6).subsequent_indent("        ");
        for line in text.trim_end().lines() {
            let lines = if line.starts_with("NOTICE:") {
                textwrap::wrap(line, &options)
            } else {
                vec![line.into()]
            };
            for line in lines {
                let line = self.styled("2", line);
                writeln!(self.out, "      {line}")?;
            }
        }
        Ok(())
    }

    /// Something that was checked and holds.
    pub(crate) fn check(&mut self, text: impl Display) -> io::Result<()> {
        let tick = self.styled("1;32", "✓");
        writeln!(self.out, "{tick} {text}")
    }

    fn styled(&self, style: &str, text: impl Display) -> String {
        if self.colour {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}
