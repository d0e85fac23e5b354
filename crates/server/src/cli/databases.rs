//! The databases of a command that can serve several: with names, or as `--database-url` gives them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::target::{Chosen, Target, ordinal};
use crate::database::{self, Name, Parameters};

/// Databases with names.
#[derive(Args)]
pub struct Databases {
    /// One of several databases, instead of --database-url: a name of lower-case letters, digits, - and _, and a connection string without a password; may be repeated
    // It is parsed later, because clap shows values that it cannot parse.
    #[arg(long, value_name = "NAME=URL")]
    database: Vec<String>,
    /// A file with one NAME=URL per line, which may contain passwords
    #[arg(long, value_name = "FILE")]
    databases: Option<PathBuf>,
}

/// It leaves out connection strings, which may contain passwords.
impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases")
            .field("database", &self.database.len())
            .field("databases", &self.databases)
            .finish()
    }
}

impl Databases {
    /// Returns the databases that are given with names; empty: only those of the target are given.
    ///
    /// # Errors
    /// An error that names the database that cannot be used, and how it was given.
    pub fn named(&self, target: &Target) -> Result<Vec<Chosen>> {
        let mut all = self.typed()?;
        if let Some(path) = &self.databases {
            all.extend(read(path)?);
        }
        ensure!(
            all.is_empty() || !target.is_typed(),
            "--database-url cannot be combined with --database or --databases\n\
             hint: Give every database a name, or none."
        );
        let mut names = BTreeSet::new();
        for name in all.iter().filter_map(|chosen| chosen.name.as_ref()) {
            ensure!(names.insert(name), "two databases are called {name}");
        }
        Ok(all)
    }

    /// Returns those of the command line.
    fn typed(&self) -> Result<Vec<Chosen>> {
        let entries = self.database.iter().enumerate();
        let chosen = entries.map(|(place, entry)| {
            let given = || format!("--database{}", ordinal(place, self.database.len()));
            let (name, url) = named(entry).with_context(given)?;
            let given = || format!("--database {name}");
            ensure!(
                !database::has_password(url).with_context(given)?,
                "--database {name} has a password, which everybody on this machine can read in the list of processes\n\
                 hint: Leave it out there, change it, and give it by PGPASSFILE or ~/.pgpass, by a service, or by a file (--databases)."
            );
            find(&name, url).with_context(given)
        });
        chosen.collect()
    }
}

/// Reads a file of databases. Errors do not quote lines, which may contain passwords.
fn read(path: &Path) -> Result<Vec<Chosen>> {
    let text = fs::read_to_string(path);
    let path = path.display();
    let text = text.with_context(|| format!("--databases: cannot read {path}"))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let chosen = lines.map(|(place, line)| {
        let given = || format!("--databases: line {} of {path}", place + 1);
        let (name, url) = named(line).with_context(given)?;
        find(&name, url).with_context(|| format!("{}, {name}", given()))
    });
    let all = chosen.collect::<Result<Vec<_>>>()?;
    ensure!(!all.is_empty(), "--databases: {path} names no database");
    Ok(all)
}

fn find(name: &Name, url: &str) -> Result<Chosen> {
    Ok(Chosen {
        name: Some(name.clone()),
        parameters: Parameters::find(Some(url))?,
    })
}

/// Parses `NAME=URL`.
fn named(text: &str) -> Result<(Name, &str)> {
    let parts = text.split_once('=');
    let (name, url) = parts.context("it must be a name, =, and a connection string")?;
    let (name, url) = (name.trim().parse()?, url.trim());
    ensure!(!url.is_empty(), "the connection string is missing");
    Ok((name, url))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_ends_at_the_first_equals_sign() {
        let (name, url) = named(" shop = host=a dbname=b ").unwrap();
        assert_eq!((name.as_str(), url), ("shop", "host=a dbname=b"));
        for wrong in ["shop", "=dbname=x", "shop=", "Shop=dbname=x"] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
