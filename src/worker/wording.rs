//! What messages say: the definitions of event types, as the database has them.

use webhook::definition::{Catalogue, Definition};

use super::webhooks::Wording;

/// The catalogue, and what it was made of: most changes of the configuration leave it as it is.
#[derive(Debug)]
pub struct Wordings {
    rows: Vec<Wording>,
    base: Option<String>,
    catalogue: Catalogue,
}

impl Default for Wordings {
    fn default() -> Self {
        Wordings {
            rows: Vec::new(),
            base: None,
            catalogue: Catalogue::builtin(),
        }
    }
}

impl Wordings {
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// `base` is what addresses that begin with a slash are below.
    pub fn update(&mut self, rows: Vec<Wording>, base: Option<String>) {
        if rows == self.rows && base == self.base {
            return;
        }
        let mut catalogue = Catalogue::builtin();
        catalogue.set_base(base.as_deref());
        for row in &rows {
            match compile(&row.definition) {
                Ok(definition) => match row.webhook {
                    Some(webhook) => catalogue.insert_own(webhook, definition),
                    None => catalogue.insert(definition),
                },
                // The rules of the table were broken by hand, or another version wrote it.
                Err(error) => pgrx::warning!("zentry_notify: a definition is not used: {error}"),
            }
        }
        *self = Wordings {
            rows,
            base,
            catalogue,
        };
    }
}

fn compile(definition: &str) -> Result<Definition, String> {
    let raw = serde_json::from_str(definition).map_err(|error| error.to_string())?;
    Definition::compile(&raw).map_err(|error| error.to_string())
}
