//! Where the database is and who logs in, as libpq finds out: the connection string first, then the service, the
//! environment, the defaults.
//! <https://www.postgresql.org/docs/current/libpq-envars.html>

use std::env;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio_postgres::Config;

use super::conninfo::{self, Map};
use super::files::{self, Login};

/// libpq's variables of the environment that have a meaning here, and the parameters that they are for.
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

/// Those that tokio-postgres does not know: they are for TLS and for this file.
const OURS: &[&str] = &["passfile", "sslrootcert", "sslcert", "sslkey"];

/// How the connection is secured, by libpq's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    /// TLS if the server has it. Nothing is verified.
    Prefer,
    /// TLS, and nothing is verified unless `sslrootcert` is given.
    Require,
    /// TLS, and the certificate is of an authority that is trusted.
    VerifyCa,
    /// TLS, and the certificate is the host's as well.
    VerifyFull,
}

/// libpq's parameters of a connection, complete.
#[derive(Clone)]
pub struct Parameters {
    map: Map,
    ssl_mode: SslMode,
}

impl Parameters {
    /// Those of the string, completed from service, environment and defaults.
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
        let mut parameters = Self { map, ssl_mode };
        parameters.find_password();
        Ok(parameters)
    }

    /// For tokio-postgres.
    pub fn config(&self) -> Result<Config> {
        let text: String = self
            .map
            .iter()
            .filter(|(name, _)| !OURS.contains(&name.as_str()))
            .map(|(name, value)| {
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                format!("{name}='{value}' ")
            })
            .collect();
        text.parse()
            .context("cannot make sense of the connection's parameters")
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.map.get("dbname").map_or("", String::as_str)
    }

    pub fn ssl_mode(&self) -> SslMode {
        self.ssl_mode
    }

    /// A file that `name` (`sslrootcert`, `sslcert`, `sslkey`) gives.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.map.get(name).map(PathBuf::from)
    }

    fn find_password(&mut self) {
        if self.map.contains_key("password") {
            return;
        }
        let get = |name: &str| self.map.get(name).map_or("", String::as_str);
        let first = |name: &str| get(name).split(',').next().unwrap_or_default();
        let login = Login {
            host: first("host"),
            port: first("port"),
            database: get("dbname"),
            user: get("user"),
        };
        let file = self.map.get("passfile").map(String::as_str);
        if let Some(password) = files::password(file, login) {
            self.map.insert("password".to_owned(), password);
        }
    }
}

/// Without the password.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.map.iter().filter(|(name, _)| *name != "password"))
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
        // Debian's; libpq has the directory compiled in.
        defaults.insert("host".to_owned(), "/var/run/postgresql".to_owned());
    }
    defaults
}

/// Takes the mode out of the parameters, and leaves what tokio-postgres has to know of it.
fn ssl_mode(map: &mut Map) -> Result<SslMode> {
    let (mode, known) = match map.get("sslmode").map(String::as_str) {
        Some("disable") => (SslMode::Disable, "disable"),
        // libpq tries without TLS first where that is allowed; trying with it first is as allowed.
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
