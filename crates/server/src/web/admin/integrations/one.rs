//! The page of an integration: its state and settings, a test, its latest deliveries and changes.

use axum::response::Redirect;
use maud::{Markup, html};

use super::{facts, switch, trial};
use crate::database::{Access, Session};
use crate::queries::Slice;
use crate::queries::audit;
use crate::queries::integrations::{self, Webhook};
use crate::queries::logs::{self, Filter, Start};
use crate::queries::rights::{Deed, Rights};
use crate::queries::status;
use crate::queries::wordings::{self, Wording};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::visitor::Visitor;
use crate::web::admin::{parts, plot};
use crate::web::filters::Filters;
use crate::web::path::Id;

/// The number of deliveries that are shown.
const LATEST: i64 = 10;

/// The latest changes, as many as are shown.
const CHANGES: Slice = Slice { offset: 0, limit: 20 };

pub async fn show(visitor: Visitor, Id(id): Id, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let tried = filters.number("tried");
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let webhook = found(&session, id).await?;
    let rights = Rights::of(&session).await?;
    let doubts = integrations::doubts(&session, id).await?;
    let worded = words(&session, id).await?;
    let hours = status::hours(&session, 24, Some(id)).await?;
    let latest = Filter {
        webhook_integration: Some(id),
        ..Filter::default()
    };
    let latest = logs::list(&session, &latest, Start::Offset(0), LATEST).await?;
    let of_it = audit::Filter {
        webhook: Some(id),
        ..audit::Filter::default()
    };
    let changes = audit::list(&session, &of_it, CHANGES).await?;
    let tried = match tried {
        Some(log) => logs::detail(&session, log)
            .await?
            .filter(|tried| tried.entry.webhook_integration == id),
        None => None,
    };

    let frame = Frame::new(&visitor, Section::Integrations, &webhook.integration.name)
        .under("/admin/integrations/", "Integrations")
        .notice(notice)
        .actions(actions(&webhook, &rights));
    Ok(frame.render(html! {
        @for doubt in &doubts { p.doubt role="note" { (sentence(doubt)) } }
        div.columns {
            section { h2 { "State" } (facts::state(&webhook)) }
            section { h2 { "Settings" } (facts::settings(&webhook)) (worded) }
        }
        @if rights.may(Deed::Test) { (trial::form(id, tried.as_ref())) }
        div.columns {
            section { h2 { "Sent and failed, last 24 hours" } (plot::sent_and_failed(&hours)) }
            section { h2 { "Latency, last 24 hours" } (plot::latency(&hours)) }
        }
        section {
            h2 { "Latest deliveries" }
            @if latest.entries.is_empty() { p.empty { "Nothing was sent yet." } }
            @else {
                (parts::deliveries("The latest deliveries", &latest.entries, false))
                p { a href={ "/admin/logs/?webhook=" (id) } { "All its deliveries" } }
            }
        }
        section {
            h2 { "Changes" }
            @if changes.is_empty() { p.empty { "No changes are recorded." } } @else { (history(&changes)) }
        }
    }))
}

/// Returns a paragraph with the integration's own language and the events that have wordings of its own, with links to where they are set.
async fn words(session: &Session<'_>, id: i64) -> Result<Markup, Error> {
    let all = wordings::list(session).await?;
    let own: Vec<&Wording> = all.iter().filter(|one| one.webhook == Some(id)).collect();
    let language = own.iter().find_map(|one| one.language.as_deref());
    let events = || own.iter().filter(|one| one.language.is_none());
    Ok(html! {
        p.below {
            @if let Some(language) = language { "Its language is " code { (language) } ". " }
            @if events().next().is_some() {
                "It has its own wording for "
                @for (place, one) in events().enumerate() {
                    @if place > 0 { ", " }
                    a href={ "/admin/events/" (one.event_type) "/?webhook=" (id) } { (one.event_type) }
                }
                ". "
            }
            a href={ "/admin/languages/?webhook=" (id) } { "Languages" } " and " a href="/admin/events/" { "words" } "."
        }
    })
}

/// Returns the table of changes to the integration: when, by whom, and from what to what.
fn history(changes: &[audit::Change]) -> Markup {
    let content = html! {
        thead { tr { @for head in ["Changed", "By", "What", "Old and new values"] { th scope="col" { (head) } } } }
        tbody {
            @for change in changes {
                tr {
                    th scope="row" data-label="Changed" { (parts::time(change.changed_at)) }
                    td.words data-label="By" { (change.who()) }
                    td.words data-label="What" { (change.operation) " " (change.what()) }
                    td.words data-label="Old and new values" {
                        @for (column, text) in change.lines() { div { code { (column) } " " (text) } }
                    }
                }
            }
        }
    };
    parts::table("The latest changes", content)
}

/// Returns the integration with this id; if there is none, the error has status 404.
pub(super) async fn found(session: &Session<'_>, id: i64) -> Result<Webhook, Error> {
    integrations::webhook(session, id)
        .await?
        .ok_or_else(Error::not_found)
}

/// Returns a phrase of the database as a sentence: with a capital letter and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn actions(webhook: &Webhook, rights: &Rights) -> Markup {
    let id = webhook.integration.id;
    html! {
        @if rights.may(Deed::Update) {
            a.button href={ "/admin/integrations/" (id) "/edit/" } { "Edit" }
            (switch::form(webhook, "one"))
        }
        @if rights.may(Deed::NewSecret) && crate::vendors::has(&webhook.integration.webhook_type, "secret") {
            form method="post" action={ "/admin/integrations/" (id) "/secret/" } {
                button { "New secret" }
            }
        }
        @if rights.may(Deed::Resume) && (webhook.pending > 0 || matches!(webhook.state.as_str(), "failing" | "gone")) {
            form method="post" action={ "/admin/integrations/" (id) "/resume/" } {
                button { "Try now" }
            }
        }
        @if rights.may(Deed::Register) { a.button href={ "/admin/integrations/new/?from=" (id) } { "Clone" } }
        @if rights.may(Deed::Delete) { a.button.danger href={ "/admin/integrations/" (id) "/delete/" } { "Delete" } }
    }
}

/// Has waiting deliveries sent now, even if the endpoint has asked to wait, and redirects to the integration's page.
pub async fn resume(visitor: Visitor, Id(id): Id) -> Result<Redirect, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::resume(&session, id).await?;
    session.commit().await?;
    let notice = Notice::Resumed.query();
    Ok(Redirect::to(&format!("/admin/integrations/{id}/?{notice}")))
}
