//! `GET /`: the messages roughly as the services draw them.

mod discord;
mod marked;
mod others;
mod teams;

use std::sync::Arc;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::kind::Kind;
use super::reply::Reply;
use super::services::service;
use super::shared::Shared;
use super::store::Received;
use super::verdict::Verdict;
use super::webhook::whose;

const STYLE: &str = include_str!("style.css");
/// The newest so many, in each column.
const SHOWN: usize = 200;

pub(crate) fn page(shared: &Shared) -> Reply {
    let all = shared.store.all();
    let of = |kinds: &[Kind]| -> Vec<Arc<Received>> {
        all.iter()
            .filter(|received| received.kind.is_some_and(|kind| kinds.contains(&kind)))
            .cloned()
            .collect()
    };
    let others = Kind::ALL
        .into_iter()
        .filter(|kind| service(*kind).by_path.is_some());
    let others: Vec<_> = others.map(|kind| (kind, of(&[kind]))).collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Webhook emulator" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (column("discord", "Discord", &of(&[Kind::Discord]), discord::message))
                (column("teams", "Microsoft Teams", &of(&[Kind::Connector, Kind::Workflow]), teams::message))
                // Those that nobody has registered take no room.
                @for (kind, all) in &others {
                    @if !all.is_empty() { (column(&format!("others {}", kind.name()), kind.title(), all, others::message)) }
                }
            }
        }
    };
    Reply {
        body: markup.into_string().into(),
        ..Reply::empty(200)
    }
    .header("content-type", "text/html; charset=utf-8")
    .header(
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; img-src https:",
    )
}

fn column(class: &str, title: &str, all: &[Arc<Received>], message: fn(&Received) -> Markup) -> Markup {
    let shown = &all[all.len().saturating_sub(SHOWN)..];
    html! {
        section class=(class) {
            header { h1 { (title) } span { (all.len()) " received" } }
            main {
                @if shown.is_empty() { p.none { "Nothing has arrived yet." } }
                @for received in shown {
                    article {
                        div.avatar { (received.sender().chars().next().unwrap_or(' ')) }
                        div.message {
                            div.who {
                                b { (received.sender()) } " " span.app { "APP" } " "
                                time { (whose(received)) " · " (received.at.strftime("%H:%M:%S")) }
                                (fate(received))
                            }
                            (message(received))
                        }
                    }
                }
            }
        }
    }
}

/// Why a message would not be seen in the channel.
fn fate(received: &Received) -> Markup {
    let why = match &received.verdict {
        Verdict::Accepted => return html! {},
        Verdict::Repeated => "taken before",
        Verdict::Unsaved => "without wait=true",
        Verdict::RateLimited => "rate limited",
        Verdict::Refused(why) | Verdict::Scripted(why) => why,
    };
    html! { " " span.refused title=(why) { "not shown: " (why) } }
}
