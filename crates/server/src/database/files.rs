//! libpq's files: services (`pg_service.conf`) and passwords (`.pgpass`).

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use super::conninfo::Map;

/// Returns the parameters of a service, from the user's file, else from the system's.
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

/// Returns the parameters below `[name]`; `None`: there is no such section.
fn section(text: &str, name: &str) -> Result<Option<Map>> {
    let mut found: Option<Map> = None;
    let mut inside = false;
    let lines = text.lines().map(str::trim).enumerate();
    for (place, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = title == name && found.is_none();
            if inside {
                found = Some(Map::new());
            }
        } else if inside {
            let (name, value) = line
                .split_once('=')
                // The message does not quote the line, which may contain a password.
                .with_context(|| format!("line {} is not name=value", place + 1))?;
            found
                .get_or_insert_default()
                .insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    Ok(found)
}

/// The login that a password is needed for.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub host: &'a str,
    pub port: &'a str,
    pub database: &'a str,
    pub user: &'a str,
}

/// Returns the password in the first matching line of the file. As in libpq, a file that others can read is ignored.
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

/// Returns the password of a line `host:port:database:user:password` if the line matches the login.
fn matching(line: &str, login: Login<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, database, user, password] = fields.as_slice() else {
        return None;
    };
    // The file names sockets `localhost`.
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

/// Splits a line into five fields; the last one may contain colons, and a backslash makes the next character literal.
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
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LOGIN: Login<'_> = Login {
        host: "db",
        port: "5432",
        database: "zentry",
        user: "ada",
    };

    /// Returns a file with this content and mode, whose name no other test may use.
    pub fn file(name: &str, content: &str, mode: u32) -> PathBuf {
        let path = env::temp_dir().join(format!("zentry-notify-{}-{name}", std::process::id()));
        // One that nobody may write is not written again, but made anew.
        let _ = fs::remove_file(&path);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_service_is_the_lines_below_its_name() {
        let text = "# all\n[other]\nhost=x\n\n[mine]\nhost = db\n\n# its port\nport=1\n[later]\nuser=y\n[mine]\nuser=z\n";
        let parameters = section(text, "mine").unwrap().unwrap();
        assert_eq!(
            parameters,
            Map::from([("host".into(), "db".into()), ("port".into(), "1".into())])
        );
        assert_eq!(section(text, "none").unwrap(), None);
        let wrong = section("[mine]\npassword SWORDFISH", "mine").unwrap_err();
        assert_eq!(wrong.to_string(), "line 2 is not name=value");
        assert!(service("a service that nobody has").is_err());
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
    fn the_file_is_its_owners_alone() {
        let found = |mode: u32| {
            let path = file("passwords", "other:*:*:*:x\ndb:5432:*:ada:y\ndb:*:*:*:z\n", mode);
            password(path.to_str(), LOGIN)
        };
        assert_eq!(found(0o600).as_deref(), Some("y"));
        assert_eq!(found(0o400).as_deref(), Some("y"));
        for mode in [0o640, 0o604, 0o620, 0o601] {
            assert_eq!(found(mode), None, "{mode:o}");
        }
        let path = file("passwords", "", 0o600);
        assert_eq!(password(path.to_str(), LOGIN), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(password(path.to_str(), LOGIN), None);
        // Where no file is named, it is one in the user's own directory.
        let usual = home(".pgpass").unwrap();
        assert!(usual.ends_with(".pgpass") && usual != Path::new(".pgpass"));
    }

    #[test]
    fn a_line_fits_by_all_of_its_fields() {
        for line in [
            "db:5432:zentry:bob:x",
            "db:5432:other:ada:x",
            "db:1:zentry:ada:x",
            "other:5432:zentry:ada:x",
            "localhost:5432:zentry:ada:x",
            ":::::x",
        ] {
            assert_eq!(matching(line, LOGIN), None, "{line}");
        }
        assert_eq!(matching(r"d\b:5432:zentry:ada:a\:b\", LOGIN).unwrap(), "a:b");
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
