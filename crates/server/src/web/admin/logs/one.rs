//! The page of a delivery: its outcome, its message, its attempts, the event's data and the answer.

use maud::{Markup, html};

use crate::database::{Access, Session};
use crate::queries::events;
use crate::queries::logs::{self, Attempt, Detail, Entry};
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Section};
use crate::web::admin::parts;
use crate::web::admin::preview::Message;
use crate::web::admin::visitor::Visitor;
use crate::web::filters::Filters;
use crate::web::path::Id;

pub async fn show(visitor: Visitor, Id(id): Id, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let rights = Rights::of(&session).await?;
    let detail = logs::detail(&session, id).await?.ok_or_else(Error::not_found)?;
    let attempts = logs::attempts(&session, id).await?;
    let message = message(&session, &detail.entry).await?;

    let entry = &detail.entry;
    let title = format!("Delivery {id}");
    let mut frame = Frame::new(&visitor, Section::Log, &title)
        .under("/admin/logs/", "Log")
        .notice(notice);
    if rights.may(Deed::Retry) && entry.can_be_retried() {
        frame = frame.actions(html! {
            form method="post" action={ "/admin/logs/" (id) "/retry/" } { button.primary { "Send again" } }
        });
    }
    Ok(frame.render(html! {
        div.columns {
            section { h2 { "Summary" } (outcome(&detail)) }
            @if let Some(message) = message {
                section { h2 { "Message" } (message.draw()) }
            }
        }
        @if !attempts.is_empty() {
            section { h2 { "Attempts" } (history(&attempts, &detail)) }
        }
        section {
            h2 { "Event data" }
            (parts::json("The event's data", &entry.payload))
        }
        section {
            h2 { "The answer" }
            @if entry.response_body.is_empty() { p.empty { @if entry.response_status_code.is_some() { "It was empty." } @else { "There was no answer." } } }
            @else { (parts::text_box("The answer's body", &entry.response_body)) }
        }
    }))
}

/// Returns the message as it would be posted now; `None` if it cannot be made: for a test message, and if the event type, the webhook's type or
/// the data are gone.
async fn message(session: &Session<'_>, entry: &Entry) -> Result<Option<Message>, Error> {
    let known = events::types(session)
        .await?
        .iter()
        .any(|kind| kind.name == entry.event_type);
    let (Some(vendor), true, false) = (&entry.webhook_type, known, entry.payload.is_null()) else {
        return Ok(None);
    };
    let webhook = Some(entry.webhook_integration);
    let message = events::preview(session, &entry.event_type, vendor, Some(&entry.payload), webhook).await?;
    Ok(Some(Message::of(message)))
}

fn outcome(detail: &Detail) -> Markup {
    let entry = &detail.entry;
    html! {
        dl {
            dt { "Outcome" }
            dd {
                (parts::state(&entry.status))
                @if !entry.error_message.is_empty() { p.words { (entry.error_message) } }
            }
            dt { "Event" } dd {
                @if entry.event_type == "test" { (entry.event_type) } @else { a href={ "/admin/events/" (entry.event_type) "/" } { (entry.event_type) } }
            }
            dt { "Integration" }
            dd {
                a href={ "/admin/integrations/" (entry.webhook_integration) "/" } {
                    @match &entry.webhook_integration_name { Some(name) => (name), None => { "integration " (entry.webhook_integration) } }
                }
                @if let Some(vendor) = &entry.webhook_type { div.muted { (crate::vendors::name(vendor)) } }
            }
            dt { "Happened" } dd { (parts::time(entry.created_at)) }
            @if let Some(at) = entry.sent_at { dt { "Sent" } dd { (parts::time(at)) } }
            @if let Some(at) = detail.next_attempt_at { dt { "Next attempt" } dd { (parts::time(at)) } }
            dt { "Answer" }
            dd { (answer(entry.response_status_code)) }
            dt { "Attempts" } dd { (detail.attempts) }
            @if let Some(id) = entry.retried_as {
                dt { "Sent again" } dd { "as " a href={ "/admin/logs/" (id) "/" } { "delivery " (id) } }
            }
            @if let Some(id) = entry.retry_of {
                dt { "Re-send of" } dd { a href={ "/admin/logs/" (id) "/" } { "delivery " (id) } " (re-send no. " (entry.retry_count) ")" }
            }
        }
    }
}

/// Returns the table of the requests for the delivery: those that failed, and the one that succeeded, if one did.
fn history(attempts: &[Attempt], detail: &Detail) -> Markup {
    let content = html! {
        thead { tr { @for head in ["Attempt", "When", "Answer", "What went wrong", "Next attempt"] { th scope="col" { (head) } } } }
        tbody {
            @for one in attempts {
                tr {
                    th scope="row" data-label="Attempt" {
                        @match one.attempt { Some(number) => (number), None => span.muted { (one.in_place_of_a_number()) } }
                    }
                    td data-label="When" { (parts::time(one.attempted_at)) }
                    td data-label="Answer" { (answer(one.response_status_code)) }
                    td.words data-label="What went wrong" { (one.error_message) }
                    td data-label="Next attempt" {
                        @match one.next_attempt_at { Some(at) => (parts::time(at)), None => "given up" }
                    }
                }
            }
            @if let Some(at) = detail.entry.sent_at {
                tr {
                    th scope="row" data-label="Attempt" { (detail.attempts) }
                    td data-label="When" { (parts::time(at)) }
                    td data-label="Answer" { (answer(detail.entry.response_status_code)) }
                    td data-label="What went wrong" { (parts::state("sent")) }
                    td data-label="Next attempt" { span.muted { "–" } }
                }
            }
        }
    };
    html! {
        (parts::table("Attempts, in order", content))
        @if attempts.len() >= KEPT { p.muted { "Only the first " (KEPT) " failed attempts are kept, and the last one if the delivery was given up." } }
    }
}

/// The number of failed requests that are kept for each delivery, besides the last one if it was given up.
const KEPT: usize = 50;

/// Returns the status code of an answer for display; `None`: there was no answer.
fn answer(code: Option<i32>) -> Markup {
    html! { @match code { Some(code) => { "HTTP " (code) }, None => "none" } }
}
