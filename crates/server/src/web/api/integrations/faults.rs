//! Everything that is wrong with a request, not the first fault alone.

use crate::web::Error;
use crate::web::error::{Fields, NOT_ONE};
use crate::web::form::Form;

/// All that is wrong, not the first fault alone: what is wrong is left out, and the rest tried, until nothing else is.
pub(super) struct Faults(Fields);

impl Faults {
    pub fn of(form: Form) -> Self {
        Self(form.wrong())
    }

    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The fields that the database refuses. An error: there is nothing more to find out.
    pub fn add(&mut self, error: Error) -> Result<Vec<String>, Error> {
        let Some(found) = error.wrong_fields() else {
            return Err(self.all().unwrap_or(error));
        };
        let known = found.keys().all(|field| self.0.contains_key(field));
        let is_one = |field: &String| field.as_str() != NOT_ONE;
        let fields: Vec<String> = found.keys().filter(|field| is_one(field)).cloned().collect();
        if !known {
            self.0.extend(found.clone());
        }
        if known || fields.is_empty() {
            return Err(self.all().unwrap_or(error));
        }
        Ok(fields)
    }

    fn all(&self) -> Option<Error> {
        (!self.0.is_empty()).then(|| Error::fields(self.0.clone()))
    }

    pub fn finish(&self) -> Result<(), Error> {
        self.all().map_or(Ok(()), Err)
    }
}
