//! The visitor: a cookie holds the token, which is checked with each request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::database::Connection;
use crate::web::app::App;
use crate::web::uri::Secure;
use crate::web::{Caller, Error};

/// What paths of pages begin with.
pub const ROOT: &str = "/admin";

/// The cookie's name with TLS. With this prefix, browsers accept it only from this host, by TLS and for all paths, so that other hosts of the domain
/// cannot set it.
const SECURE_COOKIE: &str = "__Host-zentry_token";
const PLAIN_COOKIE: &str = "zentry_token";

/// A verified caller whose token is in the cookie.
#[derive(Clone, Debug)]
pub struct Visitor(Caller);

impl Visitor {
    /// Returns a connection whose sessions run as the visitor's role.
    pub async fn connection(&self) -> Result<Connection, Error> {
        self.0.connection().await
    }

    /// Returns such a connection for a test of a webhook.
    pub async fn trial(&self) -> Result<Connection, Error> {
        self.0.trial().await
    }

    /// Returns the token's key, which is not secret.
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

/// The site that a request comes from.
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

/// Returns whether browsers reach this server by TLS, its own or a proxy's.
pub fn is_secure(app: &App, own: Secure) -> bool {
    match app.options().public_url.as_deref() {
        Some(url) => url.starts_with("https://"),
        None => own.0,
    }
}

/// Returns whether the browser has sent this request by TLS.
pub fn has_come_secure(app: &App, extensions: &Extensions) -> bool {
    is_secure(app, extensions.get::<Secure>().copied().unwrap_or(Secure(false)))
}

fn cookie_name(secure: bool) -> &'static str {
    if secure { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// Returns the cookie: hidden from scripts, not sent with requests of other sites, and deleted when the browser is closed.
pub fn cookie(token: String, secure: bool) -> Cookie<'static> {
    Cookie::build((cookie_name(secure), token))
        .path(if secure { "/" } else { ROOT })
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
}

/// Returns the cookie that deletes the token.
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

    /// Where the address of browsers is known it decides, because a proxy may have ended TLS; else the connection does.
    #[test]
    fn a_request_is_secure_if_the_browser_has_sent_it_by_tls() {
        for (public_url, own, expected) in [
            (None, None, false),
            (None, Some(false), false),
            (None, Some(true), true),
            (Some("https://notify.example.com"), Some(false), true),
            (Some("http://notify.example.com"), Some(true), false),
        ] {
            let app = App::unconnected(|options| options.public_url = public_url.map(str::to_owned));
            let mut extensions = Extensions::new();
            if let Some(own) = own {
                extensions.insert(Secure(own));
            }
            let found = has_come_secure(&app, &extensions);
            assert_eq!(found, expected, "{public_url:?}, by TLS: {own:?}");
        }
    }

    /// A browser deletes the cookie of this name and path.
    #[test]
    fn who_signs_out_is_forgotten() {
        for secure in [true, false] {
            let (jar, given) = (forget(secure), cookie("x".to_owned(), secure));
            let removal: Vec<_> = jar.iter().collect();
            assert_eq!(removal.len(), 1);
            assert_eq!(
                (removal[0].name(), removal[0].path()),
                (given.name(), given.path())
            );
            assert_eq!(removal[0].value(), "");
            assert!(removal[0].max_age().is_some_and(|age| age.is_zero()));
        }
    }
}
