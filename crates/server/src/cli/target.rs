//! The database, or the databases, that a command is for, by `--database-url` or the environment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::explain_pool;
use crate::database::{self, Connection, Database, Identity, Name, Parameters, PoolOptions};

/// Where a command finds its databases; that of libpq's variables where nothing is given.
pub struct Target {
    given: Vec<Given>,
    /// They stand on the command line.
    typed: bool,
}

/// A connection string.
struct Given {
    url: String,
    /// What it was given by, for people.
    by: String,
}

/// One of the databases that a command is for.
pub struct Chosen {
    /// None: it has no name of its own.
    pub name: Option<Name>,
    pub parameters: Parameters,
}

impl Given {
    fn find(&self) -> Result<Chosen> {
        let parameters = Parameters::find(Some(&self.url)).with_context(|| self.by.clone())?;
        Ok(Chosen {
            name: None,
            parameters,
        })
    }
}

impl Target {
    /// From the options; `typed`: the connection strings stand on the command line. One with a password is refused there, not covered up:
    /// it has been in the process list by now, and in the shell's history for good, and who sees it taken would do it again.
    ///
    /// # Errors
    /// Says by which option what cannot be used was given.
    pub fn of(urls: &[String], file: Option<&Path>, typed: bool) -> Result<Self> {
        let Some(path) = file.filter(|_| !typed) else {
            let option = if typed { "--database-url" } else { "DATABASE_URL" };
            let given = urls.iter().enumerate().map(|(place, url)| Given {
                url: url.clone(),
                by: format!("{option}{}", ordinal(place, urls.len())),
            });
            let given: Vec<Given> = given.collect();
            for Given { url, by } in given.iter().filter(|_| typed) {
                ensure!(
                    !database::has_password(url).with_context(|| by.clone())?,
                    "{by} has a password, which everybody on this machine can read in the list of processes\n\
                     hint: Leave it out there, change it, and give it by PGPASSFILE or ~/.pgpass, by a file (--database-url-file), or by \
                     DATABASE_URL or PGPASSWORD in the environment or in an environment file of the service."
                );
            }
            return Ok(Self { given, typed });
        };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = text.lines().map(str::trim).enumerate();
        let given = lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(place, line)| Given {
                url: line.to_owned(),
                by: format!("line {} of {}", place + 1, path.display()),
            });
        let given: Vec<Given> = given.collect();
        ensure!(!given.is_empty(), "{} is empty", path.display());
        Ok(Self { given, typed })
    }

    /// Returns whether connection strings stand on the command line.
    pub fn is_typed(&self) -> bool {
        self.typed
    }

    /// Returns the database of a command that is for one.
    ///
    /// # Errors
    /// When there are several, or what is given cannot be used.
    pub fn one(&self) -> Result<Chosen> {
        ensure!(
            self.given.len() < 2,
            "several databases are given, and this command is for one\n\
             hint: Give one by --database-url. Several are for send, and for serve by --database NAME=URL, once for each."
        );
        match self.given.first() {
            Some(given) => given.find(),
            None => Ok(Chosen {
                name: None,
                parameters: Parameters::find(None)?,
            }),
        }
    }

    /// Returns the databases of a command that is for several.
    ///
    /// # Errors
    /// When one of them cannot be used; says which.
    pub fn all(&self) -> Result<Vec<Chosen>> {
        match &self.given[..] {
            [] => Ok(vec![self.one()?]),
            several => several.iter().map(Given::find).collect(),
        }
    }

    /// Returns a connection as the role that logs in.
    ///
    /// # Errors
    /// As [`Target::one`]; and when the database cannot be reached.
    pub async fn connect(&self) -> Result<Connection> {
        let database = Database::new(&self.one()?.parameters, &PoolOptions::single())?;
        database.connection(Identity::Login).await.map_err(explain_pool)
    }
}

/// Returns ` no. 2` for the place 1, where there are several.
pub fn ordinal(place: usize, of: usize) -> String {
    match of {
        0 | 1 => String::new(),
        _ => format!(" no. {}", place + 1),
    }
}
