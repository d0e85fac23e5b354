//! Languages of messages: for all integrations, and for those with another one.

use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Frame, Notice, Section};
use super::input::problem_text;
use super::visitor::Visitor;
use super::wordings::{webhook_choice, whose};
use super::{guide, parts};
use crate::database::{Access, Session};
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::wordings::{self, ALL_EVENTS};
use crate::web::Error;
use crate::web::error::Fields;
use crate::web::filters::Filters;

/// The language if none is set.
const USUAL: &str = "en";

/// The languages that are set, and those that are available.
struct Spoken {
    known: Vec<String>,
    /// Those of all integrations first, then those of single ones.
    set: Vec<(Option<i64>, String)>,
    names: Vec<(i64, String)>,
    may_set: bool,
}

impl Spoken {
    async fn of(session: &Session<'_>) -> Result<Self, Error> {
        let wordings = wordings::list(session).await?;
        let of_all = wordings.into_iter().filter(|one| one.event_type == ALL_EVENTS);
        Ok(Self {
            known: wordings::languages(session).await?,
            set: of_all
                .filter_map(|one| Some((one.webhook, one.language?)))
                .collect(),
            names: integrations::names(session).await?,
            may_set: Rights::of(session).await?.may(Deed::SetLanguage),
        })
    }
}

/// Returns the name of a language in English and in itself.
fn name(code: &str) -> String {
    let name = match code {
        "en" => "English",
        "de" => "German (Deutsch)",
        "es" => "Spanish (español)",
        "fr" => "French (français)",
        "ja" => "Japanese (日本語)",
        "pt" => "Portuguese (português)",
        other => other,
    };
    name.to_owned()
}

pub async fn show(visitor: Visitor, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let webhook = filters.number("webhook");
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let spoken = Spoken::of(&session).await?;
    let asked = Language {
        webhook: webhook.map(|id| id.to_string()).unwrap_or_default(),
        language: String::new(),
    };
    Ok(page(&visitor, &spoken, notice, &asked, &Fields::new()))
}

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub struct Language {
    /// An integration's id; empty: all.
    #[serde(default)]
    webhook: String,
    /// Empty: removes the language.
    #[serde(default)]
    language: String,
}

pub async fn set(visitor: Visitor, Form(sent): Form<Language>) -> Result<Response, Error> {
    let webhook = match sent.webhook.trim() {
        "" => None,
        id => Some(id.parse().map_err(|_| Error::not_found())?),
    };
    let language = sent.language.replace('\0', "");
    let language = Some(language.trim()).filter(|code| !code.is_empty());
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    session.begin_trial().await?;
    let done = wordings::set_language(&session, language, webhook).await;
    if let Err(error) = done.map_err(Error::from) {
        session.undo_trial().await?;
        let Some(wrong) = error.wrong_fields() else {
            return Err(error);
        };
        let spoken = Spoken::of(&session).await?;
        let page = page(&visitor, &spoken, None, &sent, wrong);
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    session.commit().await?;
    let address = format!("/admin/languages/?{}", Notice::LanguageSet.query());
    Ok(Redirect::to(&address).into_response())
}

fn page(
    visitor: &Visitor,
    spoken: &Spoken,
    notice: Option<Notice>,
    asked: &Language,
    wrong: &Fields,
) -> Markup {
    let frame = Frame::new(visitor, Section::Events, "Languages")
        .under("/admin/events/", "Events")
        .notice(notice)
        .problems(wrong);
    let of_all = spoken.set.iter().find(|(webhook, _)| webhook.is_none());
    let of_all = of_all.map_or(USUAL, |(_, language)| language.as_str());
    let problem = wrong.get("language");
    frame.render(html! {
        p {
            "The language of the built-in events' texts, and of numbers, dates and buttons in all messages. Wordings that were set stay as they are. "
            (guide::link("languages", "Languages"))
        }
        (parts::table("Languages of messages", html! {
            thead { tr { th scope="col" { "Messages of" } th scope="col" { "Language" } } }
            tbody {
                tr { th scope="row" data-label="Messages of" { "all integrations" } td data-label="Language" { (name(of_all)) } }
                @for (webhook, language) in spoken.set.iter().filter(|(webhook, _)| webhook.is_some()) {
                    tr {
                        th scope="row" data-label="Messages of" { (whose(*webhook, &spoken.names)) }
                        td data-label="Language" { (name(language)) }
                    }
                }
            }
        }))
        @if spoken.may_set {
            form.sheet.below method="post" action="/admin/languages/" {
                h2 { "Set a language" }
                (webhook_choice("webhook", "webhook", "Messages of", "all integrations", &spoken.names, asked.webhook.parse().ok()))
                div.field {
                    label for="language" { "Language" }
                    select id="language" name="language" aria-describedby="language-problem" aria-invalid=[problem.map(|_| "true")] {
                        option value="" { "default: English, or for one integration the language of all" }
                        @for code in &spoken.known { option value=(code) selected[*code == asked.language] { (name(code)) } }
                    }
                    (problem_text("language", problem))
                }
                button.primary { "Set" }
            }
        }
    })
}
