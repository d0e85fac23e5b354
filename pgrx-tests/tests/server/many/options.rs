//! How several databases are given, and what is said of what is wrong with that.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use zentry_e2e::scene::Scene;

use super::{GONE, connection};
use crate::support::{Directory, Ran, command};

/// What a command says that ends at once, and not well.
fn refused(scene: &Scene, arguments: &[&str]) -> Result<String> {
    refused_with(scene, arguments, Path::new("/nowhere"))
}

/// With this file of services.
fn refused_with(scene: &Scene, arguments: &[&str], services: &Path) -> Result<String> {
    let mut command = command(scene, "postgres")?;
    command.env("PGSERVICEFILE", services);
    let ran = Ran::from(command.args(arguments).output()?);
    assert_ne!(ran.code, 0, "{arguments:?}: {}", ran.err);
    assert!(!ran.err.contains("MARKEDSECRET"), "{}", ran.err);
    Ok(ran.err)
}

#[test]
fn what_is_wrong_with_one_of_several_is_said_with_its_name_and_its_option() -> Result<()> {
    let scene = Scene::empty()?;
    let directory = Directory::new()?;
    let path = directory.0.join("databases");
    let file = path.to_str().context("a path")?;
    let services = directory.0.join("services");
    fs::write(&services, "[marked]\ndbname=x\npassword MARKEDSECRET\n")?;
    for command in ["serve", "send"] {
        for (text, why) in [
            ("# nothing\n", "names no database"),
            ("sales\n", "--databases: line 1 of"),
            (
                "\nSales=dbname=x password=MARKEDSECRET\n",
                "--databases: line 2 of",
            ),
            ("a=dbname=x\na=dbname=y\n", "two databases are called a"),
            ("a=\n", "the connection string is missing"),
            (
                "a=dbname=x\nb=service=nobody password=MARKEDSECRET\n",
                ", b: there is no service nobody",
            ),
            (
                "a=postgresql://u:pass?MARKEDSECRET@h/d\n",
                ", a: a parameter of the connection URL has no value",
            ),
            (
                "a=dbname=x\nb=port=many\n",
                ", b: the parameters of the connection are not valid",
            ),
            ("a=service=marked\n", "services: line 3 is not name=value"),
        ] {
            fs::write(&path, text)?;
            let error = refused_with(&scene, &[command, "--databases", file], &services)?;
            assert!(error.contains(why), "{command}, {text}: {error}");
        }
        for (url, why) in [
            ("a=postgresql://u:MARKEDSECRET@h/d", "--database a has a password"),
            (
                "A=postgresql://u:MARKEDSECRET@h/d",
                "--database: a name consists of lower-case letters",
            ),
            (
                "a=mysql://h/d",
                "--database a: a connection URL begins with postgresql://",
            ),
            ("a=service=nobody", "--database a: there is no service nobody"),
        ] {
            let error = refused(&scene, &[command, "--database", url])?;
            assert!(error.contains(why), "{command}, {url}: {error}");
        }
        let both = [command, "--database-url", GONE, "--database", "a=dbname=x"];
        let error = refused(&scene, &both)?;
        assert!(
            error.contains("--database-url cannot be combined with --database or --databases"),
            "{error}"
        );
    }
    let error = refused(&scene, &["serve", "--database", "admin=dbname=x"])?;
    assert!(
        error.contains("/admin is a path of the server's own") && error.contains("hint: "),
        "{error}"
    );
    let error = refused(
        &scene,
        &["send", "--database-url", GONE, "--database-url", "service=nobody"],
    )?;
    assert!(
        error.contains("--database-url no. 2: there is no service nobody"),
        "{error}"
    );
    Ok(())
}

#[test]
fn what_is_wrong_with_an_option_of_send_is_said_with_its_name() -> Result<()> {
    let scene = Scene::empty()?;
    let directory = Directory::new()?;
    let path = directory.0.join("ca.pem");
    fs::write(
        &path,
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )?;
    let file = path.to_str().context("a path")?;
    for (arguments, why) in [
        (
            ["--proxy", "ftp://u:MARKEDSECRET@h"],
            "--proxy: The proxy cannot be used",
        ),
        (["--ca-file", "/nowhere"], "--ca-file: cannot read /nowhere"),
        (["--ca-file", file], "--ca-file: the certificates can't be read"),
        (
            ["--source-address", "192.0.2.1"],
            "--source-address: messages cannot leave from 192.0.2.1",
        ),
    ] {
        let error = refused(&scene, &["send", arguments[0], arguments[1]])?;
        assert!(
            error.contains(why) && !error.contains("zentry_notify."),
            "{error}"
        );
    }
    Ok(())
}

#[test]
fn a_command_for_one_database_says_what_to_do_with_several() -> Result<()> {
    let scene = Scene::empty()?;
    let own = connection(&scene);
    for command in ["status", "serve"] {
        let error = refused(&scene, &[command, "--database-url", &own, "--database-url", &own])?;
        assert!(
            error.contains("several databases are given") && error.contains("hint: Give one"),
            "{error}"
        );
    }
    Ok(())
}
