//! Tokens of the REST API and the admin pages: the list, creating one, which is shown once, and revoking one.

use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Frame, Notice, Section};
use super::input::{TextField, problem_text};
use super::visitor::Visitor;
use super::{guide, parts};
use crate::database::{Access, Session};
use crate::queries::rights::{Deed, Rights};
use crate::queries::tokens::{self, Listed};
use crate::web::Error;
use crate::web::error::Fields;
use crate::web::filters::Filters;

/// The default validity of a new token, in days.
const USUAL_DAYS: i32 = 90;

/// Returns the page around the content of the form.
struct Kept {
    tokens: Vec<Listed>,
    roles: Vec<String>,
    rights: Rights,
}

impl Kept {
    async fn of(session: &Session<'_>) -> Result<Self, Error> {
        Ok(Self {
            tokens: tokens::list(session).await?,
            roles: tokens::roles(session).await?,
            rights: Rights::of(session).await?,
        })
    }
}

pub async fn list(visitor: Visitor, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let kept = Kept::of(&session).await?;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let usual = today.checked_add(USUAL_DAYS.days()).unwrap_or(today);
    // Not later than the visitor's own token.
    let until = match kept.last_day(visitor.key()) {
        Some(last) => last.min(usual),
        None => usual,
    };
    let draft = Draft {
        name: String::new(),
        role: visitor.role().to_owned(),
        expires_at: until.to_string(),
    };
    Ok(page(&visitor, &kept, notice, &draft, &Fields::new()))
}

impl Kept {
    /// Returns the last whole day on which the token with this key is valid; `None`: it does not expire.
    fn last_day(&self, key: &str) -> Option<Date> {
        let own = self.tokens.iter().find(|one| one.key == key)?;
        let end = own.expires_at?.to_zoned(TimeZone::UTC).date();
        end.yesterday().ok()
    }
}

/// The fields of the form for a new token.
#[derive(Debug, Deserialize)]
pub struct Draft {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    /// The last day on which it is valid; empty: until it is revoked.
    #[serde(default)]
    expires_at: String,
}

impl Draft {
    /// Returns when it expires: at the beginning of the next day, in UTC.
    fn expiry(&self) -> Result<Option<Timestamp>, Error> {
        let text = self.expires_at.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let end = text.parse::<Date>().and_then(|day| day.tomorrow());
        let end = end.and_then(|day| day.to_zoned(TimeZone::UTC));
        let wrong = |_| {
            let words = "This is a day, such as 2026-11-29, before the year 9999.".to_owned();
            Error::fields(Fields::from([("expires_at".to_owned(), vec![words])]))
        };
        end.map(|end| Some(end.timestamp())).map_err(wrong)
    }
}

/// Creates a token and shows it once.
pub async fn make(visitor: Visitor, Form(draft): Form<Draft>) -> Result<Response, Error> {
    let clean = |text: &str| text.replace('\0', "").trim().to_owned();
    let (name, role) = (clean(&draft.name), clean(&draft.role));
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    session.begin_trial().await?;
    let made = match draft.expiry() {
        Ok(expiry) => tokens::create(&session, &name, &role, expiry)
            .await
            .map_err(Error::from),
        Err(error) => Err(error),
    };
    match made {
        Ok(token) => {
            session.commit().await?;
            Ok(made_page(&visitor, &name, &role, &token).into_response())
        }
        Err(error) => {
            session.undo_trial().await?;
            let Some(wrong) = error.wrong_fields() else {
                return Err(error);
            };
            let kept = Kept::of(&session).await?;
            let page = page(&visitor, &kept, None, &draft, wrong);
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
    }
}

fn made_page(visitor: &Visitor, name: &str, role: &str, token: &str) -> Markup {
    let frame = Frame::new(visitor, Section::Tokens, "New token").under("/admin/tokens/", "Tokens");
    frame.render(html! {
        section {
            p { "The token " b { (name) } ", of the role " b { (role) } ". Copy it now: it is not shown again." }
            (parts::text_box("The new token", token))
            a.button href="/admin/tokens/" { "Done" }
        }
    })
}

fn page(visitor: &Visitor, kept: &Kept, notice: Option<Notice>, draft: &Draft, wrong: &Fields) -> Markup {
    let frame = Frame::new(visitor, Section::Tokens, "Tokens")
        .notice(notice)
        .problems(wrong);
    frame.render(html! {
        p {
            "Whoever has a token may do what its role may do, in these pages and by the REST API. "
            (guide::link("rest-api", "The REST API"))
        }
        @if kept.tokens.is_empty() { p.empty { "There are no tokens." } } @else { (table(kept)) }
        @if kept.rights.may(Deed::MakeToken) { (form(visitor, kept, draft, wrong)) }
    })
}

fn table(kept: &Kept) -> Markup {
    let may_revoke = kept.rights.may(Deed::RevokeToken);
    let time = |at: Option<Timestamp>| html! { @match at { Some(at) => (parts::time(at)), None => span.muted { "never" } } };
    let content = html! {
        thead { tr {
            @for head in ["Token", "Role", "State", "Created", "Expires", "Last used"] { th scope="col" { (head) } }
            @if may_revoke { th scope="col" { span.hidden { "Revoke" } } }
        } }
        tbody {
            @for one in &kept.tokens {
                tr {
                    th scope="row" data-label="Token" { (one.name) div.muted { "zentry_" (one.key) "_…" } }
                    td data-label="Role" { (one.role) }
                    td data-label="State" { @if one.state == "good" { (parts::state("ok")) } @else { (parts::state("broken")) " " (one.state) } }
                    td data-label="Created" { (parts::time(one.created_at)) div.muted { "by " (one.created_by) } }
                    td data-label="Expires" { (time(one.expires_at)) }
                    td data-label="Last used" { (time(one.last_used_at)) }
                    @if may_revoke {
                        // Only visitors with the role's privileges may revoke it; if the role no longer exists, every visitor of this page.
                        td.end {
                            @if kept.roles.contains(&one.role) || one.state == "role is gone" {
                                a.button.danger href={ "/admin/tokens/revoke/?" (query(&one.name)) } { "Revoke" span.hidden { " " (one.name) } }
                            }
                        }
                    }
                }
            }
        }
    };
    parts::table("Tokens, by name", content)
}

fn form(visitor: &Visitor, kept: &Kept, draft: &Draft, wrong: &Fields) -> Markup {
    let problem = wrong.get("role");
    let name = TextField {
        name: "name",
        label: "Name",
        value: &draft.name,
        hint: html! { "It says who or what uses the token, such as front end." },
        required: true,
        ..TextField::default()
    };
    let expires_at = TextField {
        name: "expires_at",
        label: "Valid until the end of",
        kind: "date",
        value: &draft.expires_at,
        hint: html! {
            "A day, in UTC. "
            @match kept.last_day(visitor.key()) {
                Some(last) => { "Not after " (last) ": it must not outlive the token that you are signed in by." },
                None => "Leave it empty for a token that is valid until it is revoked.",
            }
        },
        ..TextField::default()
    };
    html! {
        form.sheet.below method="post" action="/admin/tokens/" novalidate {
            h2 { "New token" }
            (name.render(wrong))
            div.field {
                label for="role" { "Role" }
                p.hint id="role-hint" { "The token may do what this role may do." }
                select id="role" name="role" aria-describedby="role-hint role-problem" aria-invalid=[problem.map(|_| "true")] {
                    @for role in &kept.roles { option value=(role) selected[*role == draft.role] { (role) } }
                }
                (problem_text("role", problem))
            }
            (expires_at.render(wrong))
            button.primary { "Create" }
        }
    }
}

fn query(name: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("name", name);
    query.finish()
}

pub async fn ask(visitor: Visitor, mut filters: Filters) -> Result<Markup, Error> {
    let name = filters.text("name").unwrap_or_default();
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::RevokeToken)?;
    let all = tokens::list(&session).await?;
    let one = all
        .into_iter()
        .find(|one| one.name == name)
        .ok_or_else(Error::not_found)?;
    let title = format!("Revoke {name}?");
    let frame = Frame::new(&visitor, Section::Tokens, &title).under("/admin/tokens/", "Tokens");
    Ok(frame.render(html! {
        p {
            "The next request with it is refused: of programs that use it, and of everybody who is signed in with it"
            @if one.key == visitor.key() { ", which is you" } ". This can't be undone."
        }
        form.inline method="post" action="/admin/tokens/revoke/" {
            input type="hidden" name="name" value=(name);
            button.danger { "Revoke" }
            a.button href="/admin/tokens/" { "Keep it" }
        }
    }))
}

/// The fields of the confirmation form.
#[derive(Debug, Deserialize)]
pub struct Revoked {
    #[serde(default)]
    name: String,
}

pub async fn revoke(visitor: Visitor, Form(Revoked { name }): Form<Revoked>) -> Result<Redirect, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    tokens::revoke(&session, &name.replace('\0', "")).await?;
    session.commit().await?;
    let address = format!("/admin/tokens/?{}", Notice::TokenRevoked.query());
    Ok(Redirect::to(&address))
}
