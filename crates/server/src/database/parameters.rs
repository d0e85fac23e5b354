//! Connection parameters, in libpq's order of precedence: connection string, service, environment, defaults.
//! <https://www.postgresql.org/docs/current/libpq-envars.html>

use std::env;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio_postgres::Config;

use super::conninfo::{self, Map};
use super::files::{self, Login};

/// The supported environment variables of libpq, and their parameters.
const VARIABLES: &[(&str, &str)] = &[
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

/// Parameters that tokio-postgres does not know; `tls` and this file use them.
const OURS: &[&str] = &["passfile", "sslrootcert", "sslcert", "sslkey"];

/// How the connection is secured, as libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    /// TLS if the server supports it, without verification.
    Prefer,
    /// TLS, without verification unless `sslrootcert` is given.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for the host's name.
    VerifyFull,
}

/// All parameters of a connection.
#[derive(Clone)]
pub struct Parameters {
    map: Map,
    ssl_mode: SslMode,
    /// Whether no password is given: then each host's is looked up in the password file.
    asks_file: bool,
}

impl Parameters {
    /// Returns the parameters of the connection string, with the missing ones from service, environment and defaults.
    ///
    /// # Errors
    /// An error if the parameters are invalid, as far as that is known without connecting.
    pub fn find(connection_string: Option<&str>) -> Result<Self> {
        let mut map = connection_string.map_or_else(|| Ok(Map::new()), conninfo::parse)?;
        let environment = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let service = map.remove("service").or_else(|| environment("PGSERVICE"));
        if let Some(name) = service {
            complete(&mut map, files::service(&name)?);
        }
        let variables = VARIABLES
            .iter()
            .filter_map(|(variable, parameter)| Some(((*parameter).to_owned(), environment(variable)?)));
        complete(&mut map, variables.collect());
        let defaults = defaults(&map);
        complete(&mut map, defaults);
        let ssl_mode = ssl_mode(&mut map)?;
        let asks_file = !map.contains_key("password");
        let parameters = Self {
            map,
            ssl_mode,
            asks_file,
        };
        let parameters = parameters.with_password();
        parameters.config()?;
        Ok(parameters)
    }

    /// Returns the configuration for tokio-postgres.
    pub fn config(&self) -> Result<Config> {
        let text: String = self
            .map
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()))
            .map(|(name, value)| {
                let value = match (name.as_str(), value.as_str()) {
                    // tokio-postgres lacks `primary`. `read-write` only differs for a primary with `default_transaction_read_only`.
                    ("target_session_attrs", "primary") => "read-write",
                    (_, value) => value,
                };
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                format!("{name}='{value}' ")
            })
            .collect();
        text.parse()
            .context("the parameters of the connection are not valid")
    }

    /// Returns the parameters of each host, in their order, so that the caller can connect to one after the other with its own time limit.
    pub fn by_host(&self) -> Vec<Self> {
        let list = |name: &str| -> Vec<&str> {
            self.map
                .get(name)
                .map_or(Vec::new(), |list| list.split(',').collect())
        };
        let lists = ["host", "hostaddr", "port"].map(|name| (name, list(name)));
        let hosts = lists[0].1.len().max(lists[1].1.len());
        let one = |place: usize| {
            let mut map = self.map.clone();
            for (name, values) in &lists {
                // A single port applies to all hosts.
                if let Some(value) = values.get(place).or(values.first().filter(|_| values.len() == 1)) {
                    map.insert((*name).to_owned(), (*value).to_owned());
                }
            }
            Self { map, ..*self }.with_password()
        };
        (0..hosts).map(one).collect()
    }

    /// Returns the host, for display.
    pub fn host(&self) -> &str {
        let host = self.map.get("host").or_else(|| self.map.get("hostaddr"));
        host.map_or("", String::as_str)
    }

    /// Returns the name of the database.
    pub fn database(&self) -> &str {
        self.map.get("dbname").map_or("", String::as_str)
    }

    /// Returns the database with its host and port, for display: `shop at db.example.com:5432`.
    pub fn place(&self) -> String {
        let of = |name: &str| self.map.get(name).map(String::as_str);
        let host = of("host").or(of("hostaddr")).unwrap_or_default();
        format!("{} at {host}:{}", self.database(), of("port").unwrap_or_default())
    }

    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    /// Returns the file that the parameter `name` (`sslrootcert`, `sslcert`, `sslkey`) gives.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.map.get(name).map(PathBuf::from)
    }

    /// Returns the parameters with the password of the first host, if it is to be looked up.
    fn with_password(mut self) -> Self {
        if !self.asks_file {
            return self;
        }
        self.map.remove("password");
        let get = |name: &str| self.map.get(name).map_or("", String::as_str);
        let first = |name: &str| get(name).split(',').next().unwrap_or_default();
        let host = match first("host") {
            "" => first("hostaddr"),
            host => host,
        };
        let login = Login {
            host,
            port: first("port"),
            database: get("dbname"),
            user: get("user"),
        };
        let file = self.map.get("passfile").map(String::as_str);
        if let Some(password) = files::password(file, login) {
            self.map.insert("password".to_owned(), password);
        }
        self
    }
}

/// Shows the parameters without passwords.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.map
                    .iter()
                    .filter(|(name, _)| !conninfo::PASSWORDS.contains(&name.as_str())),
            )
            .finish()
    }
}

fn complete(map: &mut Map, others: Map) {
    for (name, value) in others {
        map.entry(name).or_insert(value);
    }
}

fn defaults(map: &Map) -> Map {
    let login = || env::var("USER").unwrap_or_else(|_| "postgres".to_owned());
    let user = map.get("user").cloned().unwrap_or_else(login);
    let mut defaults = Map::from([
        ("port".to_owned(), "5432".to_owned()),
        ("dbname".to_owned(), user.clone()),
        ("user".to_owned(), user),
        ("application_name".to_owned(), "zentry-notify".to_owned()),
    ]);
    if !map.contains_key("hostaddr") {
        // Debian's directory; libpq has it compiled in.
        defaults.insert("host".to_owned(), "/var/run/postgresql".to_owned());
    }
    defaults
}

/// Removes `sslmode` from the parameters and returns it, and sets the value that tokio-postgres needs.
fn ssl_mode(map: &mut Map) -> Result<SslMode> {
    let (mode, known) = match map.get("sslmode").map(String::as_str) {
        Some("disable") => (SslMode::Disable, "disable"),
        // With `allow`, libpq tries without TLS first; the other order is allowed too.
        None | Some("allow" | "prefer") => (SslMode::Prefer, "prefer"),
        Some("require") if map.contains_key("sslrootcert") => (SslMode::VerifyCa, "require"),
        Some("require") => (SslMode::Require, "require"),
        Some("verify-ca") => (SslMode::VerifyCa, "require"),
        Some("verify-full") => (SslMode::VerifyFull, "require"),
        Some(other) => anyhow::bail!(
            "sslmode is {other}: it must be disable, allow, prefer, require, verify-ca or verify-full"
        ),
    };
    map.insert("sslmode".to_owned(), known.to_owned());
    Ok(mode)
}

#[cfg(test)]
mod tests;
