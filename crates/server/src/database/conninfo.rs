//! Parses libpq's connection strings: `postgresql://...` and `host=... user=...`.
//!
//! The parser of tokio-postgres refuses the parameters of libpq that it does not support (`service`, `passfile`, `sslrootcert`), so they have to be
//! removed first.
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use percent_encoding::percent_decode_str;

/// Connection parameters by libpq's names.
pub type Map = BTreeMap<String, String>;

/// Returns the parameters of a connection string. A string with neither `=` nor `://` is the name of a database.
pub fn parse(text: &str) -> Result<Map> {
    if let Some(rest) = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
    {
        return url(rest);
    }
    ensure!(
        !text.contains("://"),
        "a connection URL begins with postgresql:// or postgres://"
    );
    if text.contains('=') {
        return keywords(text);
    }
    Ok(Map::from([("dbname".into(), text.into())]))
}

/// Parameters that are secrets.
pub const PASSWORDS: [&str; 2] = ["password", "sslpassword"];

/// Returns whether a connection string contains a secret.
pub fn has_password(text: &str) -> Result<bool> {
    let map = parse(text)?;
    Ok(PASSWORDS
        .iter()
        .any(|name| map.get(*name).is_some_and(|value| !value.is_empty())))
}

/// Parses `[user[:password]@][host[:port],...][/dbname][?name=value&...]`.
fn url(text: &str) -> Result<Map> {
    let mut map = Map::new();
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (authority, database) = text.split_once('/').unwrap_or((text, ""));
    let hosts = match authority.rsplit_once('@') {
        Some((login, hosts)) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            insert(&mut map, "user", user)?;
            insert(&mut map, "password", password)?;
            hosts
        }
        None => authority,
    };
    let (names, ports): (Vec<_>, Vec<_>) = hosts.split(',').map(host_and_port).unzip();
    insert(&mut map, "host", &names.join(","))?;
    if ports.iter().any(|port| !port.is_empty()) {
        insert(&mut map, "port", &ports.join(","))?;
    }
    insert(&mut map, "dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            // The message does not quote the parameter, which may be part of a password with a question mark.
            .context("a parameter of the connection URL has no value; a ? in a password is written %3F")?;
        insert(&mut map, &decode(name)?, value)?;
    }
    Ok(map)
}

/// Splits `host`, `host:port` or `[address]:port`; a missing port is empty.
fn host_and_port(text: &str) -> (&str, &str) {
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':').unwrap_or_default());
    }
    text.split_once(':').unwrap_or((text, ""))
}

fn insert(map: &mut Map, name: &str, value: &str) -> Result<()> {
    if !value.is_empty() {
        map.insert(name.to_owned(), decode(value)?.into_owned());
    }
    Ok(())
}

fn decode(text: &str) -> Result<Cow<'_, str>> {
    percent_decode_str(text)
        .decode_utf8()
        .context("the connection URL is not UTF-8")
}

/// Parses `name = value ...`. Values may be in single quotes, and a backslash makes the next character literal.
fn keywords(text: &str) -> Result<Map> {
    let mut map = Map::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .context("a connection string is made of name=value pairs")?;
        let name = name.trim_end();
        ensure!(
            !name.is_empty() && !name.contains(char::is_whitespace),
            "a connection string is made of name=value pairs"
        );
        let (value, after) = value(after.trim_start())?;
        map.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    Ok(map)
}

/// Returns the value at the beginning of `text`, and the rest.
fn value(text: &str) -> Result<(String, &str)> {
    let (quoted, body) = match text.strip_prefix('\'') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut value = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, next)) => value.push(next),
                None => break,
            },
            '\'' if quoted => return Ok((value, &body[at + 1..])),
            space if !quoted && space.is_whitespace() => return Ok((value, &body[at..])),
            other => value.push(other),
        }
    }
    if quoted {
        bail!("a quote is not closed in the connection string");
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Map {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn a_url_with_everything() {
        let parsed =
            parse("postgresql://a%20b:p%40ss@one:1,[::1]:2/d?sslmode=verify-full&host=%2Frun").unwrap();
        let expected = [
            ("user", "a b"),
            ("password", "p@ss"),
            ("host", "/run"),
            ("port", "1,2"),
            ("dbname", "d"),
            ("sslmode", "verify-full"),
        ];
        assert_eq!(parsed, map(&expected));
    }

    #[test]
    fn a_url_with_nothing() {
        assert_eq!(parse("postgres://").unwrap(), Map::new());
        assert_eq!(parse("postgres:///d").unwrap(), map(&[("dbname", "d")]));
    }

    #[test]
    fn keywords_with_quotes_and_backslashes() {
        let parsed = parse(r"host = /run user='o\'neil x' password=a\ b  dbname=''").unwrap();
        let expected = [
            ("host", "/run"),
            ("user", "o'neil x"),
            ("password", "a b"),
            ("dbname", ""),
        ];
        assert_eq!(parsed, map(&expected));
        // Within a value a quote is one of its characters.
        let parsed = parse("user=o'neil dbname=d").unwrap();
        assert_eq!(parsed, map(&[("user", "o'neil"), ("dbname", "d")]));
    }

    #[test]
    fn a_password_is_found_in_every_form() {
        for text in [
            "postgresql://a:secret@h/d",
            "postgresql://h/d?password=secret",
            "host=h password = 'a b'",
            "sslpassword=x",
        ] {
            assert!(has_password(text).unwrap(), "{text}");
        }
        for text in [
            "postgresql://a@h/d",
            "postgresql://a:@h/d",
            "host=h user=password",
            "password",
            "password=''",
        ] {
            assert!(!has_password(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_name_alone_is_a_database() {
        assert_eq!(parse("zentry").unwrap(), map(&[("dbname", "zentry")]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, error) in [
            ("mysql://x", "begins with postgresql://"),
            ("postgres:///d?x", "has no value"),
            ("host=a b", "name=value"),
            ("host='a", "not closed"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(error), "{text}: {message}");
        }
    }
}
