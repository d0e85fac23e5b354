#![allow(clippy::unwrap_used)]

use tokio_postgres::config::TargetSessionAttrs;

use super::*;

fn map(pairs: &[(&str, &str)]) -> Map {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// As in libpq, `require` verifies if the certificate of an authority is given.
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
        asks_file: false,
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
    let shop = parameters(&[("host", "db"), ("port", "1"), ("dbname", "shop")]);
    assert_eq!((shop.database(), &*shop.place()), ("shop", "shop at db:1"));
    let address = parameters(&[("hostaddr", "127.0.0.1"), ("port", "1")]);
    assert_eq!(address.place(), " at 127.0.0.1:1");
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

/// As in libpq: no host gets the password of another.
#[test]
fn each_host_has_its_own_password() {
    let lines = "a:1:shop:lead:one\nb:*:*:*:two\n192.0.2.1:*:*:*:three\n";
    let file = files::tests::file("passwords_of_hosts", lines, 0o600);
    let found = |pairs: &[(&str, &str)]| {
        let mut map = map(&[("dbname", "shop"), ("user", "lead"), ("port", "1")]);
        map.insert("passfile".to_owned(), file.display().to_string());
        map.extend(self::map(pairs));
        let parameters = Parameters {
            asks_file: !map.contains_key("password"),
            map,
            ssl_mode: SslMode::Prefer,
        };
        let password = |one: &Parameters| one.map.get("password").cloned();
        let hosts = parameters.by_host();
        (
            password(&parameters.with_password()),
            hosts.iter().map(password).collect::<Vec<_>>(),
        )
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        found(&[("host", "a,b,c")]),
        (text("one"), vec![text("one"), text("two"), None])
    );
    assert_eq!(
        found(&[("host", "b,a"), ("port", "7,7")]),
        (text("two"), vec![text("two"), None])
    );
    assert_eq!(
        found(&[("hostaddr", "192.0.2.1")]),
        (text("three"), vec![text("three")])
    );
    assert_eq!(found(&[("host", "b"), ("hostaddr", "192.0.2.1")]).0, text("two"));
    assert_eq!(
        found(&[("host", "a,b"), ("password", "given")]),
        (text("given"), vec![text("given"), text("given")])
    );
    std::fs::remove_file(&file).unwrap();
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
        asks_file: false,
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
