//! All errors of a request, not only the first.

use crate::web::Error;
use crate::web::error::{Fields, NOT_ONE};
use crate::web::form::Form;

/// The errors of a request by field. Fields with errors are left out and the rest is tried again, until there are no new errors.
pub(super) struct Faults(Fields);

impl Faults {
    /// Returns the errors of the form's fields.
    pub fn of(form: Form) -> Self {
        Self(form.wrong())
    }

    /// Returns the names of the fields that have errors.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Adds an error of the database, and returns the fields that it is about, which are to be left out of the next try. Returns all errors as
    /// one if there is nothing more to find out: the error is not about single fields, or not a new one.
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

    /// Returns all errors as one; `None` if there are none.
    fn all(&self) -> Option<Error> {
        (!self.0.is_empty()).then(|| Error::fields(self.0.clone()))
    }

    /// Returns an error with all errors, if there are any.
    pub fn finish(&self) -> Result<(), Error> {
        self.all().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fields(names: &[&str]) -> Fields {
        let names = names.iter();
        names
            .map(|name| ((*name).to_owned(), vec!["wrong".to_owned()]))
            .collect()
    }

    fn of(names: &[&str]) -> Faults {
        Faults(fields(names))
    }

    fn error(names: &[&str]) -> Error {
        Error::fields(fields(names))
    }

    #[test]
    fn what_is_found_is_left_out_until_there_is_nothing_more() {
        let mut faults = of(&[]);
        assert!(faults.finish().is_ok());
        assert_eq!(faults.add(error(&["name"])).unwrap(), ["name"]);
        assert_eq!(faults.add(error(&["digest"])).unwrap(), ["digest"]);
        assert_eq!(faults.fields().collect::<Vec<_>>(), ["digest", "name"]);
        let all = faults.finish().unwrap_err();
        assert_eq!(all.wrong_fields(), Some(&fields(&["digest", "name"])));
        // An error of a field that was left out already ends the search.
        let all = faults.add(error(&["name"])).unwrap_err();
        assert_eq!(all.wrong_fields(), Some(&fields(&["digest", "name"])));
    }

    /// An error that is not about a single field ends the search, because nothing can be left out.
    #[test]
    fn what_is_about_no_field_ends_the_search() {
        let all = of(&["name"]).add(error(&[NOT_ONE])).unwrap_err();
        assert_eq!(all.wrong_fields(), Some(&fields(&["name", NOT_ONE])));
        let rest = of(&[]).add(error(&["name", NOT_ONE])).unwrap();
        assert_eq!(rest, ["name"]);
        // So does an error that is not about fields; it is returned only if there are no errors of fields.
        let other = of(&[]).add(Error::not_found()).unwrap_err();
        assert_eq!(other.wrong_fields(), None);
        let known = of(&["name"]).add(Error::not_found()).unwrap_err();
        assert_eq!(known.wrong_fields(), Some(&fields(&["name"])));
    }
}
