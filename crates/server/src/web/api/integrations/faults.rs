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
        // The same again, although it was left out: that is the end of it.
        let all = faults.add(error(&["name"])).unwrap_err();
        assert_eq!(all.wrong_fields(), Some(&fields(&["digest", "name"])));
    }

    /// What is wrong with no field alone can't be left out.
    #[test]
    fn what_is_about_no_field_ends_the_search() {
        let all = of(&["name"]).add(error(&[NOT_ONE])).unwrap_err();
        assert_eq!(all.wrong_fields(), Some(&fields(&["name", NOT_ONE])));
        let rest = of(&[]).add(error(&["name", NOT_ONE])).unwrap();
        assert_eq!(rest, ["name"]);
        // Neither can another kind of error, which is told if there is nothing else.
        let other = of(&[]).add(Error::not_found()).unwrap_err();
        assert_eq!(other.wrong_fields(), None);
        let known = of(&["name"]).add(Error::not_found()).unwrap_err();
        assert_eq!(known.wrong_fields(), Some(&fields(&["name"])));
    }
}
