//! Sending again: one delivery, those that are ticked, or all that failed.

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

pub async fn one(visitor: Visitor, Id(id): Id) -> Result<Redirect, Error> {
    let again = again(&visitor, id).await?;
    Ok(Redirect::to(&format!(
        "/admin/logs/{again}/?{}",
        Notice::Retried.query()
    )))
}

/// The id of the delivery that does it.
async fn again(visitor: &Visitor, id: i64) -> Result<i64, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let (again, _) = logs::retry(&session, id).await?;
    session.commit().await?;
    Ok(again)
}

/// Each by itself, so that one that cannot be sent again keeps no other back.
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
            p.empty { "None was selected." }
        } @else {
            (parts::table("What was sent again", html! {
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

/// How far back one may go: what the form says, its words, and how long that is.
pub const SPANS: [(&str, &str, Option<Duration>); 4] = [
    ("hour", "hour", Some(Duration::from_secs(60 * 60))),
    ("day", "day", Some(Duration::from_secs(24 * 60 * 60))),
    ("week", "week", Some(Duration::from_secs(7 * 24 * 60 * 60))),
    ("ever", "(all there are)", None),
];

/// Which are meant; an empty field is any.
#[derive(Debug, Deserialize)]
pub struct Which {
    since: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    webhook: String,
}

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
        p { a href="/admin/logs/" { "See what becomes of them" } }
    }))
}
