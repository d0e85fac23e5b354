//! libpq's files: services (`pg_service.conf`) and passwords (`.pgpass`).

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use super::conninfo::Map;

/// The parameters of a service: of the user's file, else of the system's.
/// <https://www.postgresql.org/docs/current/libpq-pgservice.html>
pub fn service(name: &str) -> Result<Map> {
    let user = env::var_os("PGSERVICEFILE")
        .map(PathBuf::from)
        .or_else(|| home(".pg_service.conf"));
    let system = env::var_os("PGSYSCONFDIR")
        .map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from)
        .join("pg_service.conf");
    for path in user.into_iter().chain([system]).filter(|path| path.is_file()) {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = section(&text, name).with_context(|| path.display().to_string())?;
        if let Some(parameters) = found {
            return Ok(parameters);
        }
    }
    bail!("there is no service {name} in pg_service.conf")
}

/// The lines below `[name]`.
fn section(text: &str, name: &str) -> Result<Option<Map>> {
    let mut found: Option<Map> = None;
    let mut inside = false;
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = title == name && found.is_none();
            if inside {
                found = Some(Map::new());
            }
        } else if inside {
            let (name, value) = line
                .split_once('=')
                .with_context(|| format!("not name=value: {line}"))?;
            found
                .get_or_insert_default()
                .insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(found)
}

/// What a password is for.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub host: &'a str,
    pub port: &'a str,
    pub database: &'a str,
    pub user: &'a str,
}

/// The password in the first line of the file that fits; as libpq does, none from a file that others may read.
/// <https://www.postgresql.org/docs/current/libpq-pgpass.html>
pub fn password(file: Option<&str>, login: Login<'_>) -> Option<String> {
    let path = file.map(PathBuf::from).or_else(|| home(".pgpass"))?;
    if !path.is_file() {
        return None;
    }
    if open_to_others(&path) {
        tracing::warn!(
            "{} is not read: others may read it; chmod 0600 mends that",
            path.display()
        );
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| matching(line, login))
}

/// The password of a line `host:port:database:user:password`, if it is for the login.
fn matching(line: &str, login: Login<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, database, user, password] = fields.as_slice() else {
        return None;
    };
    // A socket's directory stands in the file as localhost.
    let login_host = if login.host.starts_with('/') {
        "localhost"
    } else {
        login.host
    };
    let fits = |pattern: &String, value: &str| pattern == "*" || pattern == value;
    ((fits(host, login_host) || host == login.host)
        && fits(port, login.port)
        && fits(database, login.database)
        && fits(user, login.user))
    .then(|| password.clone())
}

/// Five fields, of which the last has the colons that are left; a backslash takes what follows literally.
fn fields(line: &str) -> Vec<String> {
    const FIELDS: usize = 5;
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.len() == FIELDS;
        match (character, fields.last_mut()) {
            (':', _) if !last => fields.push(String::new()),
            ('\\', Some(field)) => field.extend(characters.next()),
            (other, Some(field)) => field.push(other),
            (_, None) => {}
        }
    }
    fields
}

fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn home(name: &str) -> Option<PathBuf> {
    env::home_dir().map(|home| home.join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LOGIN: Login<'_> = Login {
        host: "db",
        port: "5432",
        database: "zentry",
        user: "ada",
    };

    #[test]
    fn a_service_is_the_lines_below_its_name() {
        let text = "# all\n[other]\nhost=x\n\n[mine]\nhost = db\nport=1\n[later]\nuser=y\n";
        let parameters = section(text, "mine").unwrap().unwrap();
        assert_eq!(
            parameters,
            Map::from([("host".into(), "db".into()), ("port".into(), "1".into())])
        );
        assert_eq!(section(text, "none").unwrap(), None);
        assert!(section("[mine]\nnonsense", "mine").is_err());
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        assert_eq!(
            matching("db:5432:zentry:ada:se:cr\\\\et", LOGIN).unwrap(),
            "se:cr\\et"
        );
        assert_eq!(matching("*:*:*:*:x", LOGIN).unwrap(), "x");
        assert_eq!(matching("db:5433:*:*:x", LOGIN), None);
        assert_eq!(matching("# db:5432:zentry:ada:x", LOGIN), None);
        assert_eq!(matching("db:5432:zentry", LOGIN), None);
    }

    #[test]
    fn a_socket_is_localhost() {
        let login = Login {
            host: "/run/postgresql",
            ..LOGIN
        };
        assert_eq!(matching("localhost:*:*:ada:x", login).unwrap(), "x");
        assert_eq!(matching("/run/postgresql:*:*:ada:y", login).unwrap(), "y");
    }
}
