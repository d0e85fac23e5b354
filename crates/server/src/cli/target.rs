//! The database or databases of a command, by `--database-url` or the environment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::database::{self, Connection, Database, Identity, Name, Parameters, PoolOptions, explain_pool};

/// The given connection strings; if there are none, libpq's variables give the database.
pub struct Target {
    given: Vec<Given>,
    /// Whether they were given on the command line.
    typed: bool,
}

/// A connection string.
struct Given {
    url: String,
    /// How it was given, for messages.
    by: String,
}

/// One of the databases of a command.
pub struct Chosen {
    /// `None`: it has no name.
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
    /// Returns the target of the options; `typed`: the connection strings are on the command line. A password there is an error, because it has been
    /// visible in the process list and stays in the shell's history.
    ///
    /// # Errors
    /// An error that names the option of an invalid value.
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

    /// Returns whether connection strings were given on the command line.
    pub fn is_typed(&self) -> bool {
        self.typed
    }

    /// Returns the database of a command for a single one.
    ///
    /// # Errors
    /// An error if there are several, or the given one is invalid.
    pub fn one(&self) -> Result<Chosen> {
        ensure!(
            self.given.len() < 2,
            "several databases are given, and this command takes one\n\
             hint: Give one by --database-url. Only send takes several, and serve by --database NAME=URL, once for each."
        );
        match self.given.first() {
            Some(given) => given.find(),
            None => Ok(Chosen {
                name: None,
                parameters: Parameters::find(None)?,
            }),
        }
    }

    /// Returns the databases of a command for several.
    ///
    /// # Errors
    /// An error that names the database that is invalid.
    pub fn all(&self) -> Result<Vec<Chosen>> {
        match &self.given[..] {
            [] => Ok(vec![self.one()?]),
            several => several.iter().map(Given::find).collect(),
        }
    }

    /// Returns a connection as the login role.
    ///
    /// # Errors
    /// Those of [`Target::one`], and an error if the database cannot be reached.
    pub async fn connect(&self) -> Result<Connection> {
        let database = Database::new(&self.one()?.parameters, &PoolOptions::single())?;
        database.connection(Identity::Login).await.map_err(explain_pool)
    }
}

/// Returns ` no. 2` for index 1 if there are several, else an empty text.
pub fn ordinal(place: usize, of: usize) -> String {
    match of {
        0 | 1 => String::new(),
        _ => format!(" no. {}", place + 1),
    }
}
