//! Event types: which tables fire them, and what their messages look like.

use axum::Form;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::event_type::{found, previews};
use super::frame::{Frame, Notice, Section};
use super::visitor::Visitor;
use super::{input, parts};
use crate::database::Access;
use crate::queries::events::{self, Source, TROUBLE};
use crate::queries::integrations;
use crate::queries::rights::{Deed, Rights};
use crate::queries::status::{self, Finding};
use crate::web::Error;
use crate::web::filters::Filters;
use crate::web::path::Name;

pub async fn list(visitor: Visitor) -> Result<Markup, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let types = events::types(&session).await?;
    let sources = events::sources(&session).await?;
    let findings = status::status(&session).await?;
    let content = parts::table(
        "Event types",
        html! {
            thead { tr { @for head in ["Event", "Message", "Fired by", "State"] { th scope="col" { (head) } } } }
            tbody {
                @for kind in &types {
                    @let tables = || sources.iter().filter(|source| source.event_type == kind.name);
                    tr {
                        th scope="row" data-label="Event" {
                            a href={ "/admin/events/" (kind.name) "/" } { (kind.name) }
                            @if !kind.built_in { div.muted { "of your own" } }
                        }
                        td data-label="Message" { (kind.emoji) " " (kind.title) }
                        td data-label="Fired by" {
                            @for source in tables() { div { (source.relation) } }
                            @if kind.name == TROUBLE { span.muted { "webhooks that fail" } }
                            @else if tables().next().is_none() { span.muted { "no table" } }
                        }
                        td data-label="State" { (states(&kind.name, &findings)) }
                    }
                }
            }
        },
    );
    let frame = Frame::new(&visitor, Section::Events, "Events");
    Ok(frame
        .actions(html! { a.button href="/admin/languages/" { "Languages" } })
        .render(content))
}

/// The event sources of the type.
fn states(event_type: &str, findings: &[Finding]) -> Markup {
    let subject = format!("event {event_type}");
    html! {
        @for finding in findings.iter().filter(|finding| finding.subject == subject) {
            div {
                (parts::state(&finding.state))
                @if finding.state != "ok" { div.muted.words { (finding.detail) } (super::status::remedy(finding)) }
            }
        }
    }
}

pub async fn show(visitor: Visitor, Name(name): Name, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let webhook = filters.number("webhook");
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let kind = found(&session, &name).await?;
    let rights = Rights::of(&session).await?;
    let sources = events::sources(&session).await?;
    let findings = status::status(&session).await?;
    let names = integrations::names(&session).await?;
    let projects = integrations::projects(&session).await?;
    let previews = previews(&session, &name, webhook).await?;
    let words = super::wordings::section(&session, &name, &rights).await?;

    let title = format!("{} {}", kind.emoji, kind.name);
    let frame = Frame::new(&visitor, Section::Events, title.trim())
        .under("/admin/events/", "Events")
        .notice(notice);
    let ids: Vec<(String, &str)> = names
        .iter()
        .map(|(id, name)| (id.to_string(), name.as_str()))
        .collect();
    let chosen = webhook.map(|id| id.to_string()).unwrap_or_default();
    Ok(frame.render(html! {
        section {
            h2 { "Tables that fire it" }
            (states(&name, &findings))
            @let tables = || sources.iter().filter(|source| source.event_type == name);
            @for source in tables() { (table_of(source)) }
            @if name == TROUBLE { p.empty { "None: webhooks that fail fire it." } }
            @else if tables().next().is_none() { p.empty { "None: no table is attached for it." } }
        }
        section {
            h2 { "Preview" }
            form.filters method="get" {
                (input::choice("webhook", "Wording of", Some("the installation"), ids.iter().map(|(id, name)| (id.as_str(), *name)), &chosen))
                button { "Show" }
            }
            div.columns {
                @for (format, message) in &previews {
                    div {
                        h3 { (format) }
                        (message.draw())
                        details { summary { "As JSON" } (parts::json(&format!("The message for {format}"), message.json())) }
                    }
                }
            }
        }
        (words)
        @if rights.may(Deed::SendSample) {
            section {
                h2 { "Send a sample" }
                p {
                    @if name == TROUBLE { "To every active integration that gets notices about others." }
                    @else { "To every active integration that hears this event in the project." }
                }
                form.inline method="post" action={ "/admin/events/" (name) "/sample/" } {
                    div.field {
                        label for="project" { "Project id" span.optional { " (optional)" } }
                        input id="project" name="project" type="number" min="1" list=(input::PROJECTS);
                        (input::projects(&projects))
                    }
                    button { "Send" }
                }
            }
        }
    }))
}

fn table_of(source: &Source) -> Markup {
    html! {
        h3 { (source.relation) @if source.by_hand { span.muted { ", attached by hand" } } }
        @if let (Some(at), reason) = (source.suspended_at, source.suspended_reason.as_deref().unwrap_or_default()) {
            p { (parts::state("suspended")) " since " (parts::time(at)) ": " (reason) }
        }
        @if !source.omit.is_empty() { p { "Left out for everybody: " (source.omit.join(", ")) } }
        details {
            summary { "Where its data come from" }
            dl {
                @for (key, from) in source.columns.as_object().into_iter().flatten() { dt { code { (key) } } dd.words { (origin(from)) } }
            }
        }
    }
}

/// Returns a column or lookup as text.
fn origin(from: &Value) -> String {
    from.as_str().map_or_else(|| from.to_string(), ToOwned::to_owned)
}

/// The fields of the form that sends a sample.
#[derive(Debug, Deserialize)]
pub struct Sample {
    #[serde(default)]
    project: String,
}

pub async fn send_sample(
    visitor: Visitor,
    Name(name): Name,
    Form(sample): Form<Sample>,
) -> Result<Redirect, Error> {
    let project = match sample.project.trim() {
        "" => None,
        id => Some(
            id.parse()
                .map_err(|_| Error::refused("The id of a project is a number here."))?,
        ),
    };
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    found(&session, &name).await?;
    let ids = events::test(&session, &name, project).await?;
    session.commit().await?;
    Ok(Redirect::to(&if ids.is_empty() {
        format!("/admin/events/{name}/?{}", Notice::NobodyHears.query())
    } else {
        format!("/admin/logs/?event_type={name}&{}", Notice::SampleSent.query())
    }))
}
