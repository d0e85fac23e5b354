//! Deliveries, newest first, with filters.

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
use crate::web::form::Filters;
use crate::web::log_page::Place;
use crate::web::uri::Here;

pub async fn show(visitor: Visitor, here: Here, mut filters: Filters) -> Result<Markup, Error> {
    let notice = parts::notice(&mut filters);
    let place = Place::of(&mut filters)?;
    let filter = Filter {
        webhook_integration: filters.number("webhook"),
        webhook_type: filters.choice("webhook_type", &crate::vendors::NAMES),
        event_type: filters.text("event_type"),
        status: filters
            .choice("status", Status::NAMES)
            .and_then(|name| Status::parse(&name)),
    };
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
        (narrowing(&filter, &types, &names))
        @if page.results.is_empty() {
            p.empty { "No delivery fits." }
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

fn narrowing(filter: &Filter, types: &[EventType], names: &[(i64, String)]) -> Markup {
    html! {
        form.filters method="get" role="search" aria-label="Deliveries" {
            (input::choice("status", "Outcome", Some("any"), Status::NAMES.iter().map(|name| (*name, *name)),
                filter.status.map_or("", Status::name)))
            (events_choice("event_type", types, filter.event_type.as_deref(), true))
            (input::choice("webhook_type", "Where", Some("Everywhere"), crate::vendors::ALL,
                filter.webhook_type.as_deref().unwrap_or_default()))
            (integrations_choice("webhook", names, filter.webhook_integration))
            button { "Show" }
        }
    }
}

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

/// A form that sends again all that failed and was not sent again yet.
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
