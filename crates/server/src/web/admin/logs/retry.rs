//! Sending again: one delivery, those that are selected, or all that failed.

use std::time::Duration;

use axum::Form;
use axum::response::Redirect;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::database::Access;
use crate::queries::logs;
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::parts;
use crate::web::admin::visitor::Visitor;
use crate::web::path::Id;

/// Sends a delivery again, and redirects to the delivery that does so.
pub async fn one(visitor: Visitor, Id(id): Id) -> Result<Redirect, Error> {
    let again = again(&visitor, id).await?;
    Ok(Redirect::to(&format!(
        "/admin/logs/{again}/?{}",
        Notice::Retried.query()
    )))
}

/// Sends a delivery again in a transaction of its own, and returns the id of the delivery that does so: the same one if it was waiting for its
/// next attempt.
async fn again(visitor: &Visitor, id: i64) -> Result<i64, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let (again, _) = logs::retry(&session, id).await?;
    session.commit().await?;
    Ok(again)
}

/// Sends the selected deliveries again, each in a transaction of its own, so that one that cannot be sent again does not keep back the others.
/// The page lists the outcomes; an error that is not the client's ends it.
pub async fn selected(visitor: Visitor, Form(sent): Form<Vec<(String, String)>>) -> Result<Markup, Error> {
    let ids = sent
        .iter()
        .filter(|(name, _)| name == "id")
        .filter_map(|(_, value)| value.parse::<i64>().ok());
    let mut outcomes = Vec::new();
    for id in ids {
        let outcome = match again(&visitor, id).await {
            Err(error) if !error.status().is_client_error() => return Err(error),
            other => other,
        };
        outcomes.push((id, outcome));
    }
    let frame = Frame::new(&visitor, Section::Log, "Sent again").under("/admin/logs/", "Log");
    Ok(frame.render(html! {
        @if outcomes.is_empty() {
            p.empty { "Nothing was selected." }
        } @else {
            (parts::table("Deliveries that were sent again", html! {
                thead { tr { th scope="col" { "Delivery" } th scope="col" { "Sent again" } } }
                tbody {
                    @for (id, outcome) in &outcomes {
                        tr {
                            th scope="row" data-label="Delivery" { a href={ "/admin/logs/" (id) "/" } { (id) } }
                            td data-label="Sent again" {
                                @match outcome {
                                    Ok(again) => { "as " a href={ "/admin/logs/" (again) "/" } { "delivery " (again) } },
                                    Err(error) => { (parts::state("failed")) " " (error.words()) },
                                }
                            }
                        }
                    }
                }
            }))
        }
    }))
}

/// The spans before now to choose from: the value that the form sends, its label, and its length; `None`: all deliveries there are.
pub const SPANS: [(&str, &str, Option<Duration>); 4] = [
    ("hour", "hour", Some(Duration::from_secs(60 * 60))),
    ("day", "day", Some(Duration::from_secs(24 * 60 * 60))),
    ("week", "week", Some(Duration::from_secs(7 * 24 * 60 * 60))),
    ("ever", "(all there are)", None),
];

/// The deliveries to send again; an empty event type or webhook stands for any.
#[derive(Debug, Deserialize)]
pub struct Which {
    since: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    webhook: String,
}

/// Sends again all matching failed deliveries that were not sent again yet. An unknown span, or a webhook that is no id, is an error 404.
pub async fn failed(visitor: Visitor, Form(which): Form<Which>) -> Result<Markup, Error> {
    let (_, _, span) = SPANS
        .into_iter()
        .find(|(code, _, _)| *code == which.since)
        .ok_or_else(Error::not_found)?;
    let since = span.and_then(|span| Timestamp::now().checked_sub(span).ok());
    let webhook = which.webhook.parse::<i64>().ok();
    if webhook.is_none() && !which.webhook.is_empty() {
        return Err(Error::not_found());
    }
    let event_type = Some(which.event_type.replace('\0', "")).filter(|name| !name.is_empty());
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let count = logs::retry_failed(&session, webhook, event_type.as_deref(), since).await?;
    session.commit().await?;
    let frame = Frame::new(&visitor, Section::Log, "Sent again").under("/admin/logs/", "Log");
    Ok(frame.render(html! {
        p.notice role="status" {
            @match count {
                0 => "There was nothing to send again.",
                1 => "One delivery is sent again.",
                count => { (parts::grouped(count)) " deliveries are sent again." },
            }
        }
        p { a href="/admin/logs/" { "Show them in the log" } }
    }))
}
