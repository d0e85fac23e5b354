//! A Django project, and the Python to run it with.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use postgres::Client;
use zentry_e2e::cluster::{Cluster, Stage, TestDatabase};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/django");

/// A virtual environment with Django, made by the first test that needs it and kept as long as its requirements.
fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
        let place = Stage::get().unwrap().private_dir().join("django");
        let wanted = fs::read_to_string(format!("{SOURCES}/requirements.txt")).unwrap();
        let lock = File::create(place.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        let installed = place.join("installed");
        if fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
            let mut venv = Command::new("python3");
            run(venv.args(["-m", "venv", "--clear"]).arg(&place));
            let mut pip = Command::new(place.join("bin/pip"));
            pip.args([
                "--quiet",
                "--disable-pip-version-check",
                "install",
                "--requirement",
            ]);
            run(pip.arg(format!("{SOURCES}/requirements.txt")));
            fs::write(installed, wanted).unwrap();
        }
        place.join("bin/python")
    });
    &PYTHON
}

/// What it prints; a failure shows what it has to say.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A copy of the application's code, whose database is a test's.
pub struct Project {
    dir: PathBuf,
    cluster: &'static Cluster,
    database: String,
    role: String,
}

impl Project {
    /// As it is before it is adopted. It connects as a role of its own, which owns the application's tables.
    pub fn new(database: &TestDatabase, admin: &mut Client) -> Self {
        let role = format!("{}_app", database.name());
        let own = format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO {role}; \
             DO $$ DECLARE t regclass; BEGIN \
                FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
                LOOP EXECUTE format('ALTER TABLE %s OWNER TO {role}', t); END LOOP; END $$"
        );
        admin.batch_execute(&own).unwrap();
        let dir = Stage::get()
            .unwrap()
            .private_dir()
            .join(format!("django-{}", database.name()));
        let _ = fs::remove_dir_all(&dir);
        let project = Self {
            dir,
            cluster: database.cluster(),
            database: database.name().to_owned(),
            role,
        };
        project.copy("before");
        project
    }

    pub fn role(&self) -> &str {
        &self.role
    }

    /// Lay a directory of the sources over the project.
    pub fn copy(&self, from: &str) {
        fs::create_dir_all(&self.dir).unwrap();
        let mut copy = Command::new("cp");
        run(copy
            .arg("--recursive")
            .arg(format!("{SOURCES}/{from}/."))
            .arg(&self.dir));
    }

    pub fn manage(&self, arguments: &[&str]) -> String {
        run(self.python().arg("manage.py").args(arguments))
    }

    /// Run one of the checks.
    pub fn check(&self, name: &str, step: &str, webhook_url: &str) {
        let mut python = self.python();
        python.env("STEP", step).env("WEBHOOK_URL", webhook_url);
        run(python.arg(format!("{SOURCES}/checks/{name}.py")));
    }

    fn python(&self) -> Command {
        let mut command = Command::new(python());
        command
            .current_dir(&self.dir)
            .env("PYTHONPATH", &self.dir)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DJANGO_SETTINGS_MODULE", "zentry.settings")
            .env("PGHOST", self.cluster.dir())
            .env("PGPORT", self.cluster.port().to_string())
            .env("PGUSER", &self.role)
            .env("PGDATABASE", &self.database);
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        let forget = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}", role = self.role);
        let _ = self
            .cluster
            .connect_as("postgres", &self.database)
            .and_then(|mut client| Ok(client.batch_execute(&forget)?));
    }
}
