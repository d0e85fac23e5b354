//! References to the secrets of webhooks, which are kept outside the configuration file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A reference to a secret. The secret itself is not in the configuration file, which others may read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// The name of a variable of the environment.
    Env(String),
    /// The path of a file, relative to the directory of the configuration file.
    File(String),
}

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORMS: &str = "a secret must not be in this file\nWrite { env = \"NAME\" } for an environment variable, or { file = \"PATH\" } for a file, relative to this one.";
        let toml::Value::Table(table) = value else {
            return Err(FORMS);
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            // The hint of an error puts the name into a shell command, so it has to be a plain one.
            (Some((key, toml::Value::String(name))), None) if key == "env" && is_variable(&name) => {
                Ok(Self::Env(name))
            }
            (Some((key, toml::Value::String(_))), None) if key == "env" => Err(
                "this cannot be the name of an environment variable\nUse letters, digits and underscores.",
            ),
            (Some((key, toml::Value::String(path))), None) if key == "file" => Ok(Self::File(path)),
            _ => Err(FORMS),
        }
    }
}

/// Returns whether the name is not empty, has only ASCII letters, digits and underscores, and does not begin with a digit.
fn is_variable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(plain)
}

impl Secret {
    /// Returns the secret, without line breaks at its end; `directory`: that of the configuration file.
    ///
    /// # Errors
    /// A message and a hint, when the variable or the file cannot be read, or is empty.
    pub fn resolve(&self, directory: &Path) -> Result<String, (String, String)> {
        let (said, text) = match self {
            Self::Env(name) => (
                format!("the environment has no {name}"),
                std::env::var(name)
                    .map_err(|_| format!("Set it: read -rsp '{name}: ' {name}; export {name}")),
            ),
            Self::File(path) => {
                let path = directory.join(path);
                let text = fs::read_to_string(&path);
                (
                    format!("{} can't be read", path.display()),
                    text.map_err(|error| format!("{error}. It must contain the secret and nothing else.")),
                )
            }
        };
        let text = text.map_err(|hint| (said.clone(), hint))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            let what = match self {
                Self::Env(name) => format!("{name} is empty in the environment"),
                Self::File(path) => format!("{} is empty", directory.join(path).display()),
            };
            return Err((what, "It must contain the secret and nothing else.".to_owned()));
        }
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        url: Secret,
    }

    fn read(text: &str) -> Result<Secret, String> {
        let holder: Result<Holder, _> = toml::from_str(&format!("url = {text}"));
        holder
            .map(|holder| holder.url)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_secret_stands_in_the_environment_or_in_a_file() {
        assert_eq!(read(r#"{ env = "A_b9" }"#), Ok(Secret::Env("A_b9".to_owned())));
        assert_eq!(read(r#"{ env = "_" }"#), Ok(Secret::Env("_".to_owned())));
        assert_eq!(
            read(r#"{ file = "../x y" }"#),
            Ok(Secret::File("../x y".to_owned()))
        );
        for name in ["", "9a", "a-b", "a b", "a;rm", "ä"] {
            let error = read(&format!("{{ env = \"{name}\" }}")).unwrap_err();
            assert!(
                error.starts_with("this cannot be the name of an environment variable"),
                "{name}: {error}"
            );
        }
        for text in [
            "\"swordfish\"",
            "5",
            "{}",
            "{ env = 5 }",
            "{ key = \"a\" }",
            "{ env = \"A\", file = \"b\" }",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.starts_with("a secret must not be in this file"),
                "{text}: {error}"
            );
            assert!(!error.contains("swordfish"));
        }
    }

    #[test]
    fn a_file_holds_the_secret_and_nothing_else() {
        let directory = std::env::temp_dir().join(format!("zentry-secret-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("one"), "sword fish\r\n\n").unwrap();
        fs::write(directory.join("none"), "\n").unwrap();
        let secret = |name: &str| Secret::File(name.to_owned()).resolve(&directory);
        assert_eq!(secret("one").as_deref(), Ok("sword fish"));
        let (error, hint) = secret("none").unwrap_err();
        assert!(
            error.ends_with("none is empty") && hint.contains("nothing else"),
            "{error}: {hint}"
        );
        let (error, hint) = secret("other").unwrap_err();
        assert!(
            error.ends_with("other can't be read") && hint.contains("It must contain the secret"),
            "{error}: {hint}"
        );
        fs::remove_dir_all(&directory).unwrap();
        let (error, hint) = Secret::Env("ZENTRY_NO_SUCH_VARIABLE".to_owned())
            .resolve(&directory)
            .unwrap_err();
        assert!(
            error.contains("has no ZENTRY_NO_SUCH_VARIABLE") && hint.contains("export"),
            "{error}: {hint}"
        );
        let path = Secret::Env("PATH".to_owned()).resolve(&directory);
        assert_eq!(path.ok(), std::env::var("PATH").ok());
    }
}
