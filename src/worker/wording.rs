//! The definitions of event types, which say what messages say, as the database has them.

use webhook::definition::Catalogue;

use super::webhooks::Wording;

/// The catalogue of definitions, and the rows that it was made of: most changes of the configuration leave it as it is.
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

    /// Makes the catalogue of the rows, if they have changed. Addresses that begin with a slash are relative to `base`.
    pub fn update(&mut self, rows: Vec<Wording>, base: Option<String>) {
        if rows == self.rows && base == self.base {
            return;
        }
        let stored = rows.iter().map(|row| (row.webhook, row.definition.as_str()));
        let (catalogue, wrong) = Catalogue::stored(stored, base.as_deref());
        for error in wrong {
            pgrx::warning!("zentry_notify: a definition is not used: {error}");
        }
        *self = Wordings {
            rows,
            base,
            catalogue,
        };
    }
}
