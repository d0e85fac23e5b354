//! Signing in and out.

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use maud::html;
use serde::Deserialize;

use super::frame::Frame;
use super::input::TextField;
use super::visitor::{Peer, cookie, forget, has_come_secure};
use crate::web::Error;
use crate::web::app::App;
use crate::web::error::Fields;

/// The query: where to go after signing in.
#[derive(Debug, Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// Returns the requested path if it is one of the admin pages, else the start page. Paths with `..` are refused, also percent-encoded
    /// (<https://url.spec.whatwg.org/#double-dot-path-segment>): they could lead to another database's pages.
    fn path(&self) -> &str {
        let path = self.next.split(['?', '#']).next().unwrap_or_default();
        let path = path.to_ascii_lowercase().replace("%2e", ".");
        let climbs = path.split('/').any(|part| part == "..");
        let inside = self.next.starts_with("/admin/") && !self.next.contains(['\\', '\r', '\n', '\t']);
        if inside && !climbs {
            &self.next
        } else {
            "/admin/integrations/"
        }
    }
}

pub async fn show_form(Query(next): Query<Next>) -> Response {
    form(&next, &Fields::new(), StatusCode::OK)
}

/// The fields of the form.
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
            let cookie = cookie(token.trim().to_owned(), has_come_secure(&app, &extensions));
            Ok((CookieJar::new().add(cookie), Redirect::to(next.path())).into_response())
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
    (forget, Redirect::to("/admin/sign-in/")).into_response()
}

fn form(next: &Next, wrong: &Fields, status: StatusCode) -> Response {
    let content = html! {
        form.narrow method="post" action="/admin/sign-in/" {
            input type="hidden" name="next" value=(next.path());
            (TextField {
                name: "token", label: "Token", kind: "password", required: true, autocomplete: "current-password",
                hint: html! { "The text that " code { "zentry_create_api_token" } " has shown once. You can do here what the token's role may do." },
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
        for here in ["/admin/logs/?status=failed", "/admin/events/a..b/?search=/../"] {
            assert_eq!(path(here), here);
        }
        for elsewhere in [
            "",
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "/api/",
            "/admin/\\@x",
            "/admin/../../shop/admin/",
            "/admin/.%2E/x",
            "/admin/..?x",
            "/admin/.\t./x",
        ] {
            assert_eq!(path(elsewhere), "/admin/integrations/", "{elsewhere}");
        }
    }
}
