//! How commands find the database, and who they are there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::Result;
use zentry_e2e::cluster::ClusterOptions;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{SOON, Scene};
use zentry_e2e::site::Site;
use zentry_e2e::wait::eventually;

use crate::support::{Directory, Ran, command, connecting, role_name};

/// As psql finds it: the URL first, then the service, the environment, and the password from its file.
#[test]
fn the_database_is_found_as_libpq_finds_it() -> Result<()> {
    let scene = Scene::start()?;
    let files = Directory::new()?;
    let cluster = scene.database.cluster();
    let services = files.0.join("services");
    fs::write(
        &services,
        format!(
            "[mine]\nhost={}\nport={}\nuser=postgres\n",
            cluster.dir().display(),
            cluster.port()
        ),
    )?;
    let bare = || -> Result<_> {
        let mut command = command(&scene, "postgres")?;
        for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE"] {
            command.env_remove(variable);
        }
        command.args(["integrations", "--json"]);
        Ok(command)
    };
    let ok = |output: std::process::Output| {
        let ran = Ran::from(output);
        assert_eq!((ran.code, ran.out.trim()), (0, "[]"), "{}", ran.err);
    };
    let name = scene.database.name();
    ok(bare()?
        .env("PGSERVICEFILE", &services)
        .env("PGSERVICE", "mine")
        .env("PGDATABASE", name)
        .output()?);
    ok(bare()?
        .env("PGSERVICEFILE", &services)
        .args(["--database-url", &format!("service=mine dbname={name}")])
        .output()?);
    let host: String = cluster
        .dir()
        .display()
        .to_string()
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let url = format!("postgresql://postgres@{host}:{}/{name}", cluster.port());
    // The environment gives way.
    ok(bare()?
        .env("PGDATABASE", "no_such_database")
        .args(["--database-url", &url])
        .output()?);
    ok(bare()?.env("DATABASE_URL", &url).output()?);

    let missing = Ran::from(
        bare()?
            .env("PGSERVICE", "other")
            .env("PGSERVICEFILE", &services)
            .output()?,
    );
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("no service other"), "{}", missing.err);
    let nowhere = Ran::from(bare()?.args(["--database-url", "host=/nowhere"]).output()?);
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.err.contains("cannot connect") && nowhere.err.contains("\nhint: Is the server running?"),
        "{}",
        nowhere.err
    );
    let empty = Ran::from(
        bare()?
            .args(["--database-url", &url.replace(name, "postgres")])
            .output()?,
    );
    assert!(empty.err.contains("does not have the extension"), "{}", empty.err);
    Ok(())
}

/// A password is taken from a file that nobody else may read.
#[test]
fn a_password_comes_from_its_file() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("secret")?;
    let role = role_name("password");
    client.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'it''s: a \\secret'; SELECT zentry_grant('{role}', 'reader')"
    ))?;
    let hba: String = client.query_one("SHOW hba_file", &[])?.get(0);
    let rules = fs::read_to_string(&hba)?;
    fs::write(&hba, format!("local all {role} scram-sha-256\n{rules}"))?;
    client.batch_execute("SELECT pg_reload_conf()")?;
    let files = Directory::new()?;
    let passwords = files.0.join("pgpass");
    fs::write(
        &passwords,
        format!("# ours\nlocalhost:*:secret:{role}:it's\\: a \\\\secret\n"),
    )?;
    let list = || -> Result<Ran> {
        let mut command = connecting(site.cluster.dir(), site.cluster.port(), "secret", &role)?;
        command
            .args(["integrations", "--json"])
            .env("PGPASSFILE", &passwords);
        Ok(command.output()?.into())
    };
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o644))?;
    eventually(SOON, "the password to be asked for", || {
        (list().ok()?.code == 1).then_some(())
    })?;
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o600))?;
    let ran = list()?;
    assert_eq!((ran.code, ran.out.trim()), (0, "[]"), "{}", ran.err);
    Ok(())
}

/// The list of processes shows command lines to everybody.
#[test]
fn a_password_on_the_command_line_is_refused() -> Result<()> {
    let site = Site::start(ClusterOptions::default())?;
    let mut client = site.database("secret")?;
    let role = role_name("typed");
    client.batch_execute(&format!(
        "CREATE ROLE {role} LOGIN; SELECT zentry_grant('{role}', 'reader')"
    ))?;
    let bare = || connecting(site.cluster.dir(), site.cluster.port(), "secret", &role);
    let url = format!(
        "postgresql://{role}:hunter2@/secret?host={}",
        site.cluster.dir().display()
    );
    for (before, after) in [(true, false), (false, true)] {
        let mut command = bare()?;
        let option = format!("--database-url={url}");
        command
            .args(before.then_some(&option))
            .arg("integrations")
            .args(after.then_some(&option));
        let ran = Ran::from(command.output()?);
        assert_eq!(ran.code, 1, "{}", ran.err);
        for word in [
            "has a password",
            "PGPASSFILE",
            "--database-url-file",
            "environment",
        ] {
            assert!(ran.err.contains(word), "{}", ran.err);
        }
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    let taken = |command: &mut Command| -> Result<()> {
        let ran = Ran::from(command.args(["integrations", "--json"]).output()?);
        assert_eq!((ran.code, ran.out.trim()), (0, "[]"), "{}", ran.err);
        Ok(())
    };
    taken(bare()?.env("DATABASE_URL", &url))?;
    let files = Directory::new()?;
    let file = files.0.join("url");
    fs::write(&file, format!("{url}\n"))?;
    taken(
        bare()?
            .env("DATABASE_URL", "host=/nowhere")
            .arg("--database-url-file")
            .arg(&file),
    )?;
    taken(bare()?.env("DATABASE_URL_FILE", &file))?;
    let missing = Ran::from(
        bare()?
            .args(["--database-url-file", "/nowhere", "integrations"])
            .output()?,
    );
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("cannot read /nowhere"), "{}", missing.err);
    Ok(())
}

/// What somebody has set for the database against code in views keeps nobody from ours; and a webhook whose URL is gone is shown like others.
#[test]
fn sessions_that_are_kept_from_views_and_a_url_that_is_gone() -> Result<()> {
    let mut scene = Scene::start()?;
    scene.channel(Kind::Discord)?;
    scene
        .database
        .set("restrict_nonsystem_relation_kind", "view, foreign-table")?;
    scene
        .client
        .batch_execute("DELETE FROM zentry_notify.webhook_secret")?;
    let ran = Ran::from(
        command(&scene, "postgres")?
            .args(["integrations", "--json"])
            .output()?,
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown: serde_json::Value = serde_json::from_str(&ran.out)?;
    assert_eq!(shown[0]["webhook_url"], "", "{shown:#}");
    Ok(())
}
