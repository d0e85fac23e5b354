//! Authentication: from a token to a role.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use deadpool_postgres::{PoolError, TimeoutType};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::app::App;
use super::error::Error;
use crate::database::{Access, Connection, Identity};
use crate::queries::tokens::{self, Token};

const PREFIX: &str = "zentry_";
const KEY_LENGTH: usize = 8;

/// A verified caller.
#[derive(Clone, Debug)]
pub struct Caller {
    app: App,
    role: String,
    key: String,
    sees_tokens: bool,
}

impl Caller {
    /// Returns the caller with this token. Wrong tokens count for the address, and an address with too many of them is refused without a look at the
    /// token.
    pub async fn by_token(app: &App, token: &str, address: IpAddr) -> Result<Self, Error> {
        if let Some(wait) = app.throttle().wait(address, Instant::now()) {
            return Err(Error::throttled(wait));
        }
        let Some((key, found)) = verify(app, token).await? else {
            app.throttle().failed(address, Instant::now());
            return Err(Error::bad_token());
        };
        if app.used_tokens().is_news(&key, Instant::now()) {
            note_use(app, &key).await?;
        }
        Ok(Self {
            app: app.clone(),
            role: found.role,
            key,
            sees_tokens: found.sees_tokens,
        })
    }

    /// Returns a connection whose sessions run as the caller's role.
    pub async fn connection(&self) -> Result<Connection, Error> {
        Ok(self.app.database().connection(self.identity()).await?)
    }

    /// Returns such a connection for a test of a webhook.
    pub async fn trial(&self) -> Result<Connection, Error> {
        match self.app.trials().connection(self.identity()).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => Err(Error::too_many_trials()),
            other => Ok(other?),
        }
    }

    fn identity(&self) -> Identity {
        Identity::Role {
            role: self.role.clone(),
            token_key: self.key.clone(),
        }
    }

    /// Returns the token's role.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Returns whether the role may list tokens.
    pub fn sees_tokens(&self) -> bool {
        self.sees_tokens
    }

    /// Returns the token's key, which is not secret, for the log.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Reads the header `Authorization: Bearer TOKEN`. DRF's own scheme, `Token`, is accepted too.
impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|error| Error::internal(&error))?;
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(Error::no_token)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| ["bearer", "token"].contains(&scheme.to_ascii_lowercase().as_str()))
            .map(|(_, token)| token.trim())
            .ok_or_else(Error::no_token)?;
        let caller = Self::by_token(app, token, peer.ip()).await?;
        tracing::Span::current().record("token", caller.key());
        Ok(caller)
    }
}

/// Returns the token's key and the token, if it is valid.
///
/// The database finds it by its key, which is not secret. The hash of the secret is compared here, in constant time.
async fn verify(app: &App, token: &str) -> Result<Option<(String, Token)>, Error> {
    let Some(key) = key(token) else {
        return Ok(None);
    };
    let mut connection = app.database().connection(Identity::Login).await?;
    let session = connection.begin(Access::Read).await?;
    let found = tokens::find(&session, key).await.map_err(Error::unanswered)?;
    let hash = Sha256::digest(token.as_bytes());
    Ok(found
        .filter(|found| bool::from(found.hash.as_slice().ct_eq(hash.as_slice())))
        .map(|found| (key.to_owned(), found)))
}

/// Returns the key of `zentry_KEY_SECRET`, which is not secret.
fn key(token: &str) -> Option<&str> {
    let (key, _) = token.strip_prefix(PREFIX)?.split_once('_')?;
    (key.len() == KEY_LENGTH && key.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(key)
}

async fn note_use(app: &App, key: &str) -> Result<(), Error> {
    let mut connection = app.database().connection(Identity::Login).await?;
    let session = connection.begin(Access::Write).await?;
    tokens::note_use(&session, key).await?;
    Ok(session.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_key() {
        assert_eq!(key("zentry_0a1b2c3d_secret"), Some("0a1b2c3d"));
        for other in [
            "",
            "zentry_",
            "zentry_0a1b2c3d",
            "zentry_0a1b_x",
            "zentry_0a1b2c3\0_x",
            "0a1b2c3d_x",
        ] {
            assert_eq!(key(other), None, "{other:?}");
        }
    }
}
