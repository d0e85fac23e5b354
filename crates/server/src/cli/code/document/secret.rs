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
