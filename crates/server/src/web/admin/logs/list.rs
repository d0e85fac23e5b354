//! Deliveries, newest first, with filters.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::database::Access;
use crate::queries::events::{self, EventType};
use crate::queries::integrations;
use crate::queries::logs::{Entry, Filter, Status};
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Section};
use crate::web::admin::visitor::Visitor;
use crate::web::admin::{input, parts};
use crate::web::filters::Filters;
use crate::web::log_page::Place;
use crate::web::uri::Here;

pub async fn show(visitor: Visitor, here: Here, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let place = Place::of(&mut filters)?;
    let status = filters.choice("status", &OUTCOMES);
    let from = filters.text("from");
    let to = filters.text("to");
    let span = filters.choice("within", &SPANS.map(|(code, _, _)| code));
    let mut filter = Filter {
        webhook_integration: filters.number("webhook"),
        webhook_type: filters.choice("webhook_type", &crate::vendors::names()),
        event_type: filters.text("event_type"),
        status: status.as_deref().and_then(Status::parse),
        waiting: status.as_deref() == Some(WAITING),
        text: filters.text("text"),
        ..Filter::default()
    };
    filter.since = match &from {
        Some(day) => Some(start_of(day, 0).ok_or_else(no_day)?),
        None => span.as_deref().and_then(ago),
    };
    filter.until = match &to {
        Some(day) => Some(start_of(day, 1).ok_or_else(no_day)?),
        None => None,
    };
    let asked = Asked { from, to, span };
    filters.finish()?;

    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let rights = Rights::of(&session).await?;
    let page = place.page(&session, &filter, &here).await?;
    let types = events::types(&session).await?;
    let names = integrations::names(&session).await?;

    let may_retry = rights.may(Deed::Retry);
    let frame = Frame::new(&visitor, Section::Log, "Log").notice(notice);
    Ok(frame.render(html! {
        (narrowing(&filter, &asked, &types, &names))
        @if page.results.is_empty() {
            p.empty {
                @match page.reached {
                    Some(id) => { "No delivery matches down to number " (id) ". " },
                    None => "No delivery matches.",
                }
                @if let Some(next) = &page.next { a href=(next) rel="next" { "Look further" } }
            }
        } @else {
            form method="post" action="/admin/logs/retry/" {
                (parts::deliveries("Deliveries, newest first", &page.results, may_retry))
                @if may_retry && page.results.iter().any(Entry::can_be_retried) {
                    div.inline.below { button { "Send selected again" } span data-select-all {} }
                }
            }
            (parts::pager(&page, if page.count == 1 { "delivery" } else { "deliveries" }))
        }
        @if rights.may(Deed::RetryFailed) { (retry_failed(&filter, &types, &names)) }
    }))
}

/// The choice that stands for both `pending` and `retry`.
const WAITING: &str = "waiting";
const OUTCOMES: [&str; 5] = ["waiting", "pending", "retry", "sent", "failed"];

/// The spans before now to choose from: the value that the form sends, its label, and its length.
const SPANS: [(&str, &str, Duration); 4] = [
    ("hour", "hour", Duration::from_secs(60 * 60)),
    ("day", "day", Duration::from_secs(24 * 60 * 60)),
    ("week", "week", Duration::from_secs(7 * 24 * 60 * 60)),
    ("month", "30 days", Duration::from_secs(30 * 24 * 60 * 60)),
];

/// The range of time as the request has it, to fill in the form again.
struct Asked {
    from: Option<String>,
    to: Option<String>,
    span: Option<String>,
}

/// Returns the time at which a span of [`SPANS`] that ends now begins; `None` if there is no such span.
fn ago(span: &str) -> Option<Timestamp> {
    let (_, _, length) = SPANS.into_iter().find(|(code, _, _)| *code == span)?;
    Timestamp::now().checked_sub(length).ok()
}

/// Returns when the day begins, in UTC, that comes `days` days after `day`; `None` if `day` is not a date such as 2026-11-29.
fn start_of(day: &str, days: i64) -> Option<Timestamp> {
    let day: Date = day.parse().ok()?;
    let day = day.checked_add(jiff::Span::new().days(days)).ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn no_day() -> Error {
    Error::detail(axum::http::StatusCode::BAD_REQUEST, "Write a day as 2026-11-29.")
}

fn narrowing(filter: &Filter, asked: &Asked, types: &[EventType], names: &[(i64, String)]) -> Markup {
    let outcome = if filter.waiting {
        WAITING
    } else {
        filter.status.map_or("", Status::name)
    };
    let words = |name: &'static str| match name {
        WAITING => "waiting (pending or retry)",
        other => other,
    };
    let day = |name: &str, label: &str, value: &Option<String>| {
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) name=(name) type="date" value=(value.as_deref().unwrap_or_default());
            }
        }
    };
    html! {
        form.filters method="get" role="search" aria-label="Deliveries" {
            div.field {
                label for="text" { "Containing the text" }
                input id="text" name="text" type="search" value=(filter.text.as_deref().unwrap_or_default()) autocomplete="off";
            }
            (input::choice("status", "Outcome", Some("any"), OUTCOMES.map(|name| (name, words(name))), outcome))
            (events_choice("event_type", types, filter.event_type.as_deref(), true))
            (input::choice("webhook_type", "Service", Some("All services"), crate::vendors::choices(),
                filter.webhook_type.as_deref().unwrap_or_default()))
            (integrations_choice("webhook", names, filter.webhook_integration))
            (input::choice("within", "Of the last", Some("(all there are)"), SPANS.map(|(code, text, _)| (code, text)),
                asked.span.as_deref().unwrap_or_default()))
            (day("from", "From (UTC)", &asked.from))
            (day("to", "To (UTC)", &asked.to))
            button { "Show" }
        }
    }
}

/// Returns the choice of an event type. `with_trials`: whether test messages can be chosen too.
fn events_choice(name: &str, types: &[EventType], chosen: Option<&str>, with_trials: bool) -> Markup {
    let trials = with_trials.then_some(("test", "test"));
    let all = types
        .iter()
        .map(|kind| (kind.name.as_str(), kind.name.as_str()))
        .chain(trials);
    input::choice(name, "Event", Some("any"), all, chosen.unwrap_or_default())
}

fn integrations_choice(name: &str, names: &[(i64, String)], chosen: Option<i64>) -> Markup {
    let all: Vec<(String, &str)> = names
        .iter()
        .map(|(id, name)| (id.to_string(), name.as_str()))
        .collect();
    let chosen = chosen.map(|id| id.to_string()).unwrap_or_default();
    input::choice(
        name,
        "Integration",
        Some("any"),
        all.iter().map(|(id, name)| (id.as_str(), *name)),
        &chosen,
    )
}

/// Returns the form that sends failed deliveries again that were not sent again yet; event type and integration are preset from the filter.
fn retry_failed(filter: &Filter, types: &[EventType], names: &[(i64, String)]) -> Markup {
    html! {
        details.more {
            summary { "Send many again" }
            p { "All failed deliveries of active integrations that were not sent again yet:" }
            form.filters method="post" action="/admin/logs/retry-failed/" {
                (input::choice("since", "Of the last", None, super::retry::SPANS.map(|(code, text, _)| (code, text)), "day"))
                div.field {
                    label for="retry_event_type" { "Event" }
                    select id="retry_event_type" name="event_type" {
                        option value="" { "any" }
                        @for kind in types { option value=(kind.name) selected[filter.event_type.as_ref() == Some(&kind.name)] { (kind.name) } }
                    }
                }
                div.field {
                    label for="retry_webhook" { "Integration" }
                    select id="retry_webhook" name="webhook" {
                        option value="" { "any" }
                        @for (id, name) in names { option value=(id) selected[filter.webhook_integration == Some(*id)] { (name) } }
                    }
                }
                button { "Send again" }
            }
        }
    }
}
