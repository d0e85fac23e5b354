//! Wordings: the section that lists those of an event, the form that changes one, for all integrations or for one, and its preview.

mod draft;
mod fields;
mod section;
mod whose;

use axum::Form;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::event_type::{found, previews};
use super::frame::{Frame, Notice, Section};
use super::input::problem_text;
use super::preview::Message;
use super::visitor::Visitor;
use crate::database::{Access, Session};
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::wordings::{self, Wording};
use crate::queries::words::Words;
use crate::web::Error;
use crate::web::error::Fields;
use crate::web::filters::Filters;
use crate::web::path::Name;
use draft::{Draft, PARTS, Part};
use fields::lines_of;
pub(super) use section::section;
use whose::address;
pub(super) use whose::{webhook_choice, whose};

/// What the form changes: the wording of an event, for one integration or for all (`webhook` is `None`).
struct Subject {
    event: String,
    webhook: Option<i64>,
    /// The integration's name, or words for all.
    name: String,
    /// The texts in force, by the name of the part.
    now: Value,
    /// Whether a wording is set.
    is_set: bool,
}

impl Subject {
    /// Returns the subject and the words that are set for it. If there is no such event type or integration, the error has status 404.
    async fn of(session: &Session<'_>, event: &str, webhook: Option<i64>) -> Result<(Self, Words), Error> {
        found(session, event).await?;
        let names = integrations::names(session).await?;
        if webhook.is_some_and(|id| !names.iter().any(|(known, _)| *known == id)) {
            return Err(Error::not_found());
        }
        let wordings = wordings::list(session).await?;
        let there = wordings
            .into_iter()
            .find(|one| one.event_type == event && one.webhook == webhook);
        let subject = Self {
            event: event.to_owned(),
            webhook,
            name: whose(webhook, &names),
            now: wordings::now(session, event, webhook).await?.unwrap_or_default(),
            is_set: there.is_some(),
        };
        Ok((subject, there.map(|there| there.words).unwrap_or_default()))
    }

    /// Returns a text in force, for display; empty if there is none.
    fn now(&self, name: &str) -> String {
        match &self.now[name] {
            Value::String(text) => text.clone(),
            fields @ Value::Array(_) => lines_of(fields),
            _ => String::new(),
        }
    }
}

pub async fn show(visitor: Visitor, Name(event): Name, mut filters: Filters) -> Result<Markup, Error> {
    let webhook = filters.number("webhook");
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::SetWording)?;
    let (subject, words) = Subject::of(&session, &event, webhook).await?;
    let previews = previews(&session, &event, webhook).await?;
    Ok(page(
        &visitor,
        &subject,
        &Draft::of(&words),
        &previews,
        false,
        &Fields::new(),
    ))
}

/// Saves the wording, removes it, or previews it without saving.
pub async fn send(
    visitor: Visitor,
    Name(event): Name,
    mut filters: Filters,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let webhook = filters.number("webhook");
    filters.finish()?;
    let deed = sent.iter().find(|(name, _)| name == "do");
    let deed = deed.map_or("preview", |(_, deed)| deed.as_str());
    let draft = Draft::sent(&sent);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    Rights::of(&session).await?.demand(Deed::SetWording)?;
    let (subject, _) = Subject::of(&session, &event, webhook).await?;
    let back =
        |notice: Notice| Redirect::to(&format!("/admin/events/{event}/?{}", notice.query())).into_response();
    if deed == "reset" {
        wordings::reset(&session, &event, webhook).await?;
        session.commit().await?;
        return Ok(back(Notice::WordsReset));
    }
    let wording = Wording {
        event_type: event.clone(),
        webhook,
        words: draft.words(),
        language: None,
    };
    let slips = draft.slips();
    if !slips.is_empty() {
        let shown = previews(&session, &event, webhook).await?;
        let page = page(&visitor, &subject, &draft, &shown, false, &slips);
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    session.begin_trial().await?;
    let written = wordings::replace(&session, &wording).await;
    if let Err(error) = written.map_err(Error::from) {
        session.undo_trial().await?;
        let Some(wrong) = error.wrong_fields() else {
            return Err(error);
        };
        let shown = previews(&session, &event, webhook).await?;
        let page = page(&visitor, &subject, &draft, &shown, false, wrong);
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    if deed == "save" {
        session.commit().await?;
        return Ok(back(Notice::Worded));
    }
    let shown = previews(&session, &event, webhook).await?;
    // The transaction is not committed, so nothing is saved.
    drop(session);
    Ok(page(&visitor, &subject, &draft, &shown, true, &Fields::new()).into_response())
}

fn page(
    visitor: &Visitor,
    subject: &Subject,
    draft: &Draft,
    previews: &[(String, Message)],
    is_trial: bool,
    wrong: &Fields,
) -> Markup {
    let title = format!("Wording of {} for {}", subject.event, subject.name);
    let above = format!("/admin/events/{}/", subject.event);
    let frame = Frame::new(visitor, Section::Events, &title)
        .under(&above, &subject.event)
        .problems(wrong);
    frame.render(html! {
        form.sheet method="post" action=(address(&subject.event, subject.webhook)) novalidate {
            p.hint {
                "Leave a part empty to keep what messages have without this wording. "
                (super::guide::link("own-event-type", "Templates, and what they can say"))
            }
            @for part in &PARTS { (field(part, subject, draft, wrong)) }
            div.inline {
                button.primary name="do" value="save" { "Save" }
                button name="do" value="preview" { "Preview" }
                @if subject.is_set { button.danger name="do" value="reset" { "Reset" } }
                a.button href=(above) { "Cancel" }
            }
        }
        section #preview {
            h2 { @if is_trial { "Preview" } @else { "Messages" } }
            @if is_trial { p.notice role="status" { "Nothing is saved yet." } }
            div.columns {
                @for (format, message) in previews { div { h3 { (format) } (message.draw()) } }
            }
        }
    })
}

fn field(part: &Part, subject: &Subject, draft: &Draft, wrong: &Fields) -> Markup {
    let (name, text, now) = (part.name, draft.text(part.name), subject.now(part.name));
    let problem = wrong.get(name);
    let described = format!("{name}-hint {name}-problem");
    html! {
        div.field {
            label for=(name) { (part.label) span.optional { " (optional)" } }
            p.hint id={ (name) "-hint" } {
                (part.hint)
                @if !now.is_empty() { " Now: " code { (now.replace('\n', "; ")) } }
            }
            @if part.is_long {
                textarea id=(name) name=(name) rows="3" spellcheck="false" aria-describedby=(described)
                    aria-invalid=[problem.map(|_| "true")] { "\n" (text) }
            } @else {
                input id=(name) name=(name) type="text" value=(text) autocomplete="off" spellcheck="false"
                    aria-describedby=(described) aria-invalid=[problem.map(|_| "true")];
            }
            @if part.may_lack {
                label.tick {
                    input type="checkbox" name="none" value=(name) checked[draft.lacks.contains(name)];
                    span { "No " (part.label.to_lowercase()) " at all" }
                }
            }
            (problem_text(name, problem))
        }
    }
}
