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
                let value = match (name.as_str(), value.as_str()) {
                    // It is the same but for a primary whose sessions are told to be read-only.
                    ("target_session_attrs", "primary") => "read-write",
                    (_, value) => value,
                };
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                format!("{name}='{value}' ")
            })
            .collect();
        text.parse()
            .context("cannot make sense of the connection's parameters")
    }

    /// Those of each host, where there are several, in their order: who connects to one after the other waits for none longer than it wants.
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
                // One port is that of all.
                if let Some(value) = values.get(place).or(values.first().filter(|_| values.len() == 1)) {
                    map.insert((*name).to_owned(), (*value).to_owned());
                }
            }
            Self {
                map,
                ssl_mode: self.ssl_mode,
            }
        };
        (0..hosts).map(one).collect()
    }

    /// The host, for people.
    pub fn host(&self) -> &str {
        let host = self.map.get("host").or_else(|| self.map.get("hostaddr"));
        host.map_or("", String::as_str)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.map.get("dbname").map_or("", String::as_str)
    }

    /// Which database it is, for who has several: `shop at db.example.com:5432`.
    pub fn place(&self) -> String {
        let of = |name: &str| self.map.get(name).map(String::as_str);
        let host = of("host").or(of("hostaddr")).unwrap_or_default();
        format!("{} at {host}:{}", self.database(), of("port").unwrap_or_default())
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

/// Without passwords.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio_postgres::config::TargetSessionAttrs;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Map {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// As libpq has it: with an authority's certificate, `require` verifies.
    #[test]
    fn modes_are_what_libpq_means_by_them() {
        use SslMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
        for (given, certificate, mode, known) in [
            (None, false, Prefer, "prefer"),
            (Some("disable"), true, Disable, "disable"),
            (Some("allow"), true, Prefer, "prefer"),
            (Some("prefer"), false, Prefer, "prefer"),
            (Some("require"), false, Require, "require"),
            (Some("require"), true, VerifyCa, "require"),
            (Some("verify-ca"), false, VerifyCa, "require"),
            (Some("verify-full"), false, VerifyFull, "require"),
        ] {
            let mut parameters = Map::new();
            parameters.extend(given.map(|mode| ("sslmode".to_owned(), mode.to_owned())));
            if certificate {
                parameters.insert("sslrootcert".to_owned(), "/ca.pem".to_owned());
            }
            assert_eq!(
                ssl_mode(&mut parameters).unwrap(),
                mode,
                "{given:?} {certificate}"
            );
            assert_eq!(parameters["sslmode"], known);
        }
        assert!(ssl_mode(&mut map(&[("sslmode", "verify")])).is_err());
    }

    #[test]
    fn what_is_given_stays_and_the_rest_is_usual() {
        let mut given = map(&[("user", "lead"), ("port", "5433")]);
        let usual = defaults(&given);
        complete(&mut given, usual);
        let expected = [
            ("user", "lead"),
            ("port", "5433"),
            ("dbname", "lead"),
            ("host", "/var/run/postgresql"),
            ("application_name", "zentry-notify"),
        ];
        assert_eq!(given, map(&expected));
        assert!(!defaults(&map(&[("hostaddr", "127.0.0.1")])).contains_key("host"));
    }

    #[test]
    fn several_hosts_are_as_many_servers() {
        let parameters = |pairs: &[(&str, &str)]| Parameters {
            map: map(pairs),
            ssl_mode: SslMode::Prefer,
        };
        let shown = |parameters: &Parameters| {
            let all = parameters.by_host();
            let shown = all
                .iter()
                .map(|one| format!("{}:{}", one.host(), one.map["port"]));
            shown.collect::<Vec<_>>()
        };
        let one = parameters(&[("host", "/run"), ("port", "1")]);
        assert_eq!(shown(&one), ["/run:1"]);
        let one_port = parameters(&[("host", "a,b"), ("port", "1"), ("user", "lead")]);
        assert_eq!(shown(&one_port), ["a:1", "b:1"]);
        assert_eq!(one_port.by_host()[1].map["user"], "lead");
        let ports = parameters(&[("host", "a,b"), ("port", "1,2")]);
        assert_eq!(shown(&ports), ["a:1", "b:2"]);
        let addresses = parameters(&[("hostaddr", "127.0.0.1,127.0.0.2"), ("port", "1,2")]);
        assert_eq!(shown(&addresses), ["127.0.0.1:1", "127.0.0.2:2"]);
        let both = parameters(&[
            ("host", "a,b"),
            ("hostaddr", "127.0.0.1,127.0.0.2"),
            ("port", "1"),
        ]);
        assert_eq!(both.by_host()[1].map["hostaddr"], "127.0.0.2");
        let primary = parameters(&[("host", "a,b"), ("target_session_attrs", "primary")]);
        assert_eq!(
            primary.config().unwrap().get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
    }

    #[test]
    fn quotes_stay_and_passwords_are_not_shown() {
        let parameters = Parameters {
            map: map(&[
                ("user", r"o'neil\"),
                ("password", "swordfish"),
                ("sslpassword", "swordfish"),
                ("sslrootcert", "/ca.pem"),
            ]),
            ssl_mode: SslMode::Require,
        };
        let shown = format!("{parameters:?}");
        assert!(
            shown.contains("o'neil") && !shown.contains("swordfish"),
            "{shown}"
        );
        assert_eq!(parameters.file("sslrootcert"), Some(PathBuf::from("/ca.pem")));
        assert_eq!(parameters.file("sslkey"), None);
        assert_eq!(parameters.ssl_mode(), SslMode::Require);
        let known = Parameters {
            map: map(&[("user", r"o'neil\"), ("host", "a"), ("sslrootcert", "/ca.pem")]),
            ..parameters
        };
        assert_eq!(known.config().unwrap().get_user(), Some(r"o'neil\"));
    }
}
