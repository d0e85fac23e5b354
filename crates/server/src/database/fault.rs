//! What makes a database of no use to the server.

use std::fmt;

use deadpool_postgres::{HookError, PoolError};

use super::Database;
use super::explain::{explain, explain_begin, explain_pool};
use super::session::{Access, BeginError, Identity};

/// The first version of the extension that has everything that this program's statements use.
const NEEDED: [u32; 3] = [0, 3, 0];

/// Why a database is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no connection, or no answer: the reason.
    Unreachable(String),
    /// It does not have the extension.
    NoExtension,
    /// Its extension is of this version, which is too old.
    Outdated(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => f.write_str(reason),
            Self::NoExtension => f.write_str("the database does not have the extension zentry_notify"),
            Self::Outdated(version) => {
                let [major, minor, patch] = NEEDED;
                write!(
                    f,
                    "the extension is of version {version}, and this program needs {major}.{minor}.{patch}\n\
                     hint: ALTER EXTENSION zentry_notify UPDATE;"
                )
            }
        }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Unreachable(format!("{error:#}"))
    }
}

impl From<PoolError> for Fault {
    fn from(error: PoolError) -> Self {
        match error {
            // The pool looks for the extension on each new connection.
            PoolError::PostCreateHook(HookError::Message(_)) => Self::NoExtension,
            other => explain_pool(other).into(),
        }
    }
}

impl From<BeginError> for Fault {
    fn from(error: BeginError) -> Self {
        explain_begin(error).into()
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        explain(error).into()
    }
}

impl Database {
    /// Checks that the database can be reached, and has an extension that this program can use.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self) -> Result<(), Fault> {
        const VERSION: &str = "SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'zentry_notify'";
        let mut connection = self.connection(Identity::Login).await?;
        let session = connection.begin(Access::Read).await?;
        let rows = session.query(VERSION, &[]).await?;
        let version: String = rows.first().ok_or(Fault::NoExtension)?.try_get(0)?;
        match is_enough(&version) {
            true => Ok(()),
            false => Err(Fault::Outdated(version)),
        }
    }
}

/// Whether this version has what is needed. One that is not made of numbers is somebody's own, and taken to have it.
fn is_enough(version: &str) -> bool {
    let parts: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
    parts.map_or(true, |parts| parts[..] >= NEEDED[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_numbers() {
        for (version, enough) in [
            ("0.2.0", false),
            ("0.2.10", false),
            ("0.3", false),
            ("0.3.0", true),
            ("0.3.1", true),
            ("0.10.0", true),
            ("1.0", true),
            ("0.3.0-dev", true),
            ("own", true),
        ] {
            assert_eq!(is_enough(version), enough, "{version}");
        }
    }

    /// The extension of the same version can always be used.
    #[test]
    fn a_program_can_use_the_extension_of_its_own_version() {
        assert!(is_enough(env!("CARGO_PKG_VERSION")));
    }
}
