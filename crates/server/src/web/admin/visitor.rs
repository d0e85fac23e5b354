//! Who is signed in: a cookie has the token, and every page looks at it anew.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::ROOT;
use crate::database::Connection;
use crate::web::app::App;
use crate::web::uri::Secure;
use crate::web::{Caller, Error};

/// The cookie's name with TLS. By this prefix a browser takes it from this very host alone, by TLS, and for all its paths: no neighbour in
/// the domain can plant one.
const SECURE_COOKIE: &str = "__Host-zentry_token";
const PLAIN_COOKIE: &str = "zentry_token";

/// A verified caller whose token is in the cookie.
#[derive(Clone, Debug)]
pub struct Visitor(Caller);

impl Visitor {
    /// A connection whose sessions run as the visitor's role.
    pub async fn connection(&self) -> Result<Connection, Error> {
        self.0.connection().await
    }

    /// The same for trying a webhook.
    pub async fn trial(&self) -> Result<Connection, Error> {
        self.0.trial().await
    }

    /// The token's key: no secret.
    pub fn key(&self) -> &str {
        self.0.key()
    }

    pub fn sees_tokens(&self) -> bool {
        self.0.sees_tokens()
    }

    pub fn role(&self) -> &str {
        self.0.role()
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let peer = Peer::from_request_parts(parts, app).await?;
        let secure = has_come_secure(app, &parts.extensions);
        let cookies = CookieJar::from_headers(&parts.headers);
        let token = cookies.get(cookie_name(secure)).ok_or_else(Error::no_token)?;
        peer.caller(app, token.value()).await.map(Self)
    }
}

/// From where a request comes.
pub struct Peer(SocketAddr);

impl Peer {
    pub async fn caller(&self, app: &App, token: &str) -> Result<Caller, Error> {
        let caller = Caller::by_token(app, token, self.0.ip()).await?;
        tracing::Span::current().record("token", caller.key());
        Ok(caller)
    }
}

impl FromRequestParts<App> for Peer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|error| Error::internal(&error))?;
        Ok(Self(peer))
    }
}

/// Whether browsers reach this server by TLS, its own or a proxy's.
pub fn is_secure(app: &App, own: Secure) -> bool {
    match app.options().public_url.as_deref() {
        Some(url) => url.starts_with("https://"),
        None => own.0,
    }
}

/// The same for a request.
pub fn has_come_secure(app: &App, extensions: &Extensions) -> bool {
    is_secure(app, extensions.get::<Secure>().copied().unwrap_or(Secure(false)))
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// No script reads it, no other site's page makes a browser send it, and it ends with the browser.
pub fn cookie(token: String, secure: bool) -> Cookie<'static> {
    Cookie::build((cookie_name(secure), token))
        .path(if secure { "/" } else { ROOT })
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
}

/// Makes the browser forget the token.
pub fn forget(secure: bool) -> CookieJar {
    let mut cookie = cookie(String::new(), secure);
    cookie.make_removal();
    CookieJar::new().add(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_for_this_site_alone() {
        let text = cookie("zentry_12345678_x".to_owned(), true).to_string();
        for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(text.split("; ").any(|part| part == attribute), "{text}");
        }
        assert!(
            text.starts_with("__Host-zentry_token=") && !text.contains("Domain"),
            "{text}"
        );
        assert!(cookie("x".to_owned(), false).to_string().contains("Path=/admin"));
        assert!(!text.contains("Max-Age") && !text.contains("Expires"), "{text}");
    }
}
