//! Who is signed in: a cookie has the token, and every page looks at it anew.

use std::net::SocketAddr;

use axum::Form;
use axum::extract::{ConnectInfo, FromRequestParts, Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};
use maud::html;
use serde::Deserialize;

use super::ROOT;
use super::frame::Frame;
use super::input::TextField;
use crate::database::Connection;
use crate::web::app::App;
use crate::web::error::Fields;
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

    pub fn role(&self) -> &str {
        self.0.role()
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let peer = Peer::from_request_parts(parts, app).await?;
        let secure = has_come_secure(app, &parts.extensions);
        let token = token(&parts.headers, secure).ok_or_else(Error::no_token)?;
        peer.caller(app, &token).await.map(Self)
    }
}

/// From where a request comes.
pub struct Peer(SocketAddr);

impl Peer {
    async fn caller(&self, app: &App, token: &str) -> Result<Caller, Error> {
        let caller = app.caller(token, self.0.ip()).await?;
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

fn token(headers: &HeaderMap, secure: bool) -> Option<String> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == cookie_name(secure))
        .map(|cookie| cookie.value().to_owned())
}

/// No script reads it, no other site's page makes a browser send it, and it ends with the browser.
fn cookie(token: &str, secure: bool) -> Cookie<'_> {
    Cookie::build((cookie_name(secure), token))
        .path(if secure { "/" } else { ROOT })
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(secure)
        .build()
}

/// A header that makes the browser forget the token.
pub fn forget(secure: bool) -> HeaderValue {
    let mut cookie = cookie("", secure);
    cookie.make_removal();
    header(&cookie)
}

fn header(cookie: &Cookie<'_>) -> HeaderValue {
    // A verified token has no character that a header could not have; of any other, nothing is kept.
    HeaderValue::try_from(cookie.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// A page of this site, whatever was asked for.
    fn path(&self) -> &str {
        let inside = self.next.starts_with("/admin/") && !self.next.contains(['\\', '\r', '\n']);
        if inside {
            &self.next
        } else {
            "/admin/integrations/"
        }
    }
}

pub async fn show_form(Query(next): Query<Next>) -> Response {
    form(&next, &Fields::new(), StatusCode::OK)
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    #[serde(default)]
    token: String,
    #[serde(flatten)]
    next: Next,
}

pub async fn sign_in(
    State(app): State<App>,
    peer: Peer,
    extensions: Extensions,
    Form(SignIn { token, next }): Form<SignIn>,
) -> Result<Response, Error> {
    match peer.caller(&app, token.trim()).await {
        Ok(_) => {
            let set = header(&cookie(token.trim(), has_come_secure(&app, &extensions)));
            Ok(([(SET_COOKIE, set)], Redirect::to(next.path())).into_response())
        }
        Err(error) if error.status().is_client_error() => {
            let wrong = Fields::from([("token".to_owned(), vec![error.words()])]);
            Ok(form(&next, &wrong, error.status()))
        }
        Err(error) => Err(error),
    }
}

pub async fn sign_out(State(app): State<App>, extensions: Extensions) -> Response {
    let forget = forget(has_come_secure(&app, &extensions));
    ([(SET_COOKIE, forget)], Redirect::to("/admin/sign-in/")).into_response()
}

fn form(next: &Next, wrong: &Fields, status: StatusCode) -> Response {
    let content = html! {
        form.narrow method="post" action="/admin/sign-in/" {
            input type="hidden" name="next" value=(next.path());
            (TextField {
                name: "token", label: "Token", kind: "password", required: true, autocomplete: "current-password",
                hint: html! { "What " code { "zentry_create_api_token" } " has shown once. You can do here what its role may do." },
                ..TextField::default()
            }.render(wrong))
            button.primary { "Sign in" }
        }
    };
    let page = Frame::outside("Sign in").problems(wrong).render(content);
    (status, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_this_site_alone() {
        let path = |next: &str| {
            Next {
                next: next.to_owned(),
            }
            .path()
            .to_owned()
        };
        assert_eq!(path("/admin/logs/?status=failed"), "/admin/logs/?status=failed");
        for elsewhere in [
            "",
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "/api/",
            "/admin/\\@x",
        ] {
            assert_eq!(path(elsewhere), "/admin/integrations/", "{elsewhere}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_site_alone() {
        let text = cookie("zentry_12345678_x", true).to_string();
        for attribute in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/"] {
            assert!(text.split("; ").any(|part| part == attribute), "{text}");
        }
        assert!(
            text.starts_with("__Host-zentry_token=") && !text.contains("Domain"),
            "{text}"
        );
        assert!(cookie("x", false).to_string().contains("Path=/admin"));
        assert!(!text.contains("Max-Age") && !text.contains("Expires"), "{text}");
    }
}
