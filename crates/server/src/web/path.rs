//! Ids and names in paths.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::error::Error;

/// The id in the path; anything else is 404.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(id) = Path::<i64>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found())?;
        Ok(Self(id))
    }
}

/// A name in the path; what cannot be a name is 404.
#[derive(Clone, Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found())?;
        if name.contains('\0') {
            return Err(Error::not_found());
        }
        Ok(Self(name))
    }
}
