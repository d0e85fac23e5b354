//! Where a webhook's secrets are: they stand in no file that others may read.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// Where a secret is. It stands in no file that others may read.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "toml::Value")]
pub enum Secret {
    /// A variable of the environment.
    Env(String),
    /// A file, relative to this one.
    File(String),
}

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORMS: &str = "a secret stands elsewhere\nWrite { env = \"NAME\" } for a variable of the environment, or { file = \"PATH\" }, which is relative to this file.";
        let toml::Value::Table(table) = value else {
            return Err(FORMS);
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            // It stands in what is said to be typed.
            (Some((key, toml::Value::String(name))), None) if key == "env" && is_variable(&name) => {
                Ok(Self::Env(name))
            }
            (Some((key, toml::Value::String(_))), None) if key == "env" => {
                Err("no variable of the environment is called so\nLetters, digits and underscores.")
            }
            (Some((key, toml::Value::String(path))), None) if key == "file" => Ok(Self::File(path)),
            _ => Err(FORMS),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(plain)
}

impl Secret {
    /// What it is; an error says why nobody knows, and what to do.
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
                    text.map_err(|error| format!("{error}. It holds the secret and nothing else.")),
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
            return Err((what, "It holds the secret and nothing else.".to_owned()));
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
                error.starts_with("no variable of the environment"),
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
            assert!(error.starts_with("a secret stands elsewhere"), "{text}: {error}");
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
            error.ends_with("other can't be read") && hint.contains("It holds the secret"),
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
