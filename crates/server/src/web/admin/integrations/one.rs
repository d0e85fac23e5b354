//! One integration: its state and settings, a trial, what it was sent last.

use axum::Form;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use crate::database::{Access, Session};
use crate::queries::Slice;
use crate::queries::audit;
use crate::queries::integrations::{self, Change, Webhook};
use crate::queries::logs::{self, Detail, Filter, Start};
use crate::queries::rights::{Deed, Rights};
use crate::queries::status;
use crate::queries::wordings::{self, Wording};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::visitor::Visitor;
use crate::web::admin::{parts, plot};
use crate::web::filters::Filters;
use crate::web::path::Id;

/// Deliveries that are shown.
const LATEST: i64 = 10;

/// Changes that are shown.
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
            section { h2 { "State" } (state(&webhook)) }
            section { h2 { "Settings" } (settings(&webhook)) (worded) }
        }
        @if rights.may(Deed::Test) { (trial(id, tried.as_ref())) }
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
            @if changes.is_empty() { p.empty { "Nothing is known of who changed it." } } @else { (history(&changes)) }
        }
    }))
}

/// Which words are its own, and where they are set.
async fn words(session: &Session<'_>, id: i64) -> Result<Markup, Error> {
    let all = wordings::list(session).await?;
    let own: Vec<&Wording> = all.iter().filter(|one| one.webhook == Some(id)).collect();
    let language = own.iter().find_map(|one| one.language.as_deref());
    let events = || own.iter().filter(|one| one.language.is_none());
    Ok(html! {
        p.below {
            @if let Some(language) = language { "Its language is " code { (language) } ". " }
            @if events().next().is_some() {
                "It has words of its own for "
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

/// Who changed what of it.
fn history(changes: &[audit::Change]) -> Markup {
    let content = html! {
        thead { tr { @for head in ["Changed", "By", "What", "From what to what"] { th scope="col" { (head) } } } }
        tbody {
            @for change in changes {
                tr {
                    th scope="row" data-label="Changed" { (parts::time(change.changed_at)) }
                    td.words data-label="By" { (change.who()) }
                    td.words data-label="What" { (change.operation) " " (change.what()) }
                    td.words data-label="From what to what" {
                        @for (column, text) in change.lines() { div { code { (column) } " " (text) } }
                    }
                }
            }
        }
    };
    parts::table("The latest changes", content)
}

pub(super) async fn found(session: &Session<'_>, id: i64) -> Result<Webhook, Error> {
    integrations::webhook(session, id)
        .await?
        .ok_or_else(Error::not_found)
}

/// As the database's words stand alone.
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
            (switch_form(webhook, "one"))
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

fn state(webhook: &Webhook) -> Markup {
    html! {
        dl {
            dt { "State" }
            dd {
                (parts::state(&webhook.state))
                @if let Some(since) = webhook.state_since { " since " (parts::time(since)) }
                @if let Some(reason) = &webhook.reason { p.words { (reason) } }
            }
            @if let Some(next) = webhook.next_try_at { dt { "Next try" } dd { (parts::time(next)) } }
            @if let Some(until) = webhook.held_until { dt { "Held until" } dd { (parts::time(until)) } }
            dt { "Waiting" } dd { (parts::grouped(webhook.pending)) }
            dt { "Sent" } dd { (parts::grouped(webhook.sent)) }
            dt { "Failed" } dd { (parts::grouped(webhook.failed)) }
            dt { "Last delivery" }
            dd {
                @match (webhook.last_delivery_at, &webhook.last_status) {
                    (Some(at), Some(status)) => { (parts::state(status)) " " (parts::time(at)) },
                    _ => "none yet",
                }
            }
        }
    }
}

fn settings(webhook: &Webhook) -> Markup {
    let Webhook { integration, .. } = webhook;
    let set = &integration.settings;
    let milestones = set.milestones.as_ref().map(|all| {
        let all: Vec<String> = all.iter().map(|one| format!("{one} %")).collect();
        all.join(", ")
    });
    let streak = set.min_streak_days.map(|days| format!("from {days} days on"));
    let omitted = (!set.omit_keys.is_empty()).then(|| set.omit_keys.join(", "));
    let maker = integration
        .created_by_username
        .clone()
        .or(integration.created_by.map(|id| format!("user {id}")));
    let pause = Some(&set.min_interval).filter(|text| *text != "00:00:00");
    let events = Some(set.max_events_per_message).filter(|events| *events != 10);
    let further = [
        ("Filter", set.filter.clone()),
        ("Streaks", streak),
        ("Milestones", milestones),
        ("Quiet hours", set.quiet_hours.clone()),
        ("Pings", set.mention.clone()),
        ("Left out", omitted),
        ("Comes from", set.username.clone()),
        ("Picture", set.avatar_url.clone()),
        (
            "Phones",
            set.announce.then(|| "a line of text above the events".to_owned()),
        ),
        ("Posts in a forum", set.thread_name.clone()),
        (
            "Their tags",
            (!set.applied_tags.is_empty()).then(|| set.applied_tags.join(", ")),
        ),
        (
            "Threads",
            set.thread_by.as_ref().map(|what| format!("one for each {what}")),
        ),
        (
            "Events a message",
            events.map(|events| format!("at most {events}")),
        ),
        ("Between messages", pause.map(|pause| format!("at least {pause}"))),
        ("Digest", set.digest.clone()),
        ("Rate", set.rate_limit.clone()),
        ("Shares its rate with", set.rate_group.clone()),
        (
            "Whom it tells of its trouble",
            set.notify_webhook_id.map(|id| format!("webhook {id}")),
        ),
        (
            "Notices",
            set.notices
                .then(|| "is told of the trouble of the others".to_owned()),
        ),
        ("Expires after", set.max_age.clone()),
        (
            "Headers",
            (!integration.header_names.is_empty()).then(|| integration.header_names.join(", ")),
        ),
        ("Registered by", maker),
    ];
    html! {
        dl {
            dt { "Where" } dd { (crate::vendors::name(&integration.webhook_type)) }
            dt { "URL" } dd.words { (integration.webhook_url) }
            dt { "Project" } dd { (parts::project(integration.project, integration.project_name.as_deref())) }
            dt { "Hears" } dd { (integration.heard()) }
            @for (name, value) in further {
                @if let Some(value) = value { dt { (name) } dd.words { (value) } }
            }
            dt { "Registered" } dd { (parts::time(integration.created_at)) }
        }
    }
}

/// A form that posts a message, and what became of the one that was.
fn trial(id: i64, tried: Option<&Detail>) -> Markup {
    html! {
        section #trial {
            h2 { "Try it" }
            form.inline method="post" action={ "/admin/integrations/" (id) "/test/" } data-busy="Sending …" {
                div.field {
                    label for="test_message" { "Message" }
                    input id="test_message" name="test_message" type="text" maxlength="500" value="Test message from Zentry!";
                }
                button { "Test" }
            }
            @if let Some(Detail { entry, .. }) = tried {
                div.outcome role="status" {
                    (parts::state(&entry.status))
                    p.words {
                        @if entry.status == "sent" { "The message was delivered." } @else { (entry.error_message) }
                        @if let Some(code) = entry.response_status_code { " The answer was HTTP " (code) "." }
                    }
                    a href={ "/admin/logs/" (entry.id) "/" } { "Delivery " (entry.id) }
                }
            }
        }
    }
}

/// What the trial's form sends.
#[derive(Debug, Deserialize)]
pub struct Trial {
    #[serde(default)]
    test_message: String,
}

pub async fn test(visitor: Visitor, Id(id): Id, Form(trial): Form<Trial>) -> Result<Redirect, Error> {
    let message = trial.test_message.replace('\0', "");
    let mut connection = visitor.trial().await?;
    let session = connection.begin(Access::Write).await?;
    let outcome = integrations::test(&session, id, (!message.is_empty()).then_some(&*message)).await?;
    session.commit().await?;
    Ok(Redirect::to(&format!(
        "/admin/integrations/{id}/?tried={}#trial",
        outcome.log_id
    )))
}

/// Has what waits sent now, whatever its endpoint has asked for.
pub async fn resume(visitor: Visitor, Id(id): Id) -> Result<Redirect, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::resume(&session, id).await?;
    session.commit().await?;
    let notice = Notice::Resumed.query();
    Ok(Redirect::to(&format!("/admin/integrations/{id}/?{notice}")))
}

/// Gives it a new secret to sign by, and shows it this once.
pub async fn new_secret(visitor: Visitor, Id(id): Id) -> Result<Markup, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let webhook = found(&session, id).await?;
    let secret = integrations::new_secret(&session, id, None, None).await?;
    session.commit().await?;
    let grace = html! { "For a day, requests are signed by the secret of before, too." };
    Ok(secret_page(
        &visitor,
        id,
        &webhook.integration.name,
        &secret,
        grace,
    ))
}

pub(super) fn secret_page(visitor: &Visitor, id: i64, name: &str, secret: &str, notice: Markup) -> Markup {
    let back = format!("/admin/integrations/{id}/");
    let frame = Frame::new(visitor, Section::Integrations, "New secret").under(&back, name);
    frame.render(html! {
        section {
            p { (notice) }
            p { "What " (name) " checks signatures by from now on. Copy it now: it is not shown again." }
            (parts::text_box("The new secret", secret))
            a.button href=(back) { "Done" }
        }
    })
}

/// A button that switches it on, or off; `from` is the page that comes back.
pub(super) fn switch_form(webhook: &Webhook, from: &str) -> Markup {
    let (id, name) = (webhook.integration.id, &webhook.integration.name);
    let on = !webhook.integration.is_active;
    html! {
        form method="post" action={ "/admin/integrations/" (id) "/switch/" } {
            input type="hidden" name="from" value=(from);
            button name="on" value=(on) aria-label={ "Switch " (name) " " (if on { "on" } else { "off" }) } {
                "Switch " (if on { "on" } else { "off" })
            }
        }
    }
}

/// What the switch's form sends.
#[derive(Debug, Deserialize)]
pub struct Switch {
    on: bool,
    #[serde(default)]
    from: String,
}

pub async fn switch(
    visitor: Visitor,
    Id(id): Id,
    Form(Switch { on, from }): Form<Switch>,
) -> Result<Redirect, Error> {
    let change = Change {
        is_active: Some(on),
        ..Change::default()
    };
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::update(&session, id, &change).await?;
    session.commit().await?;
    let notice = if on {
        Notice::SwitchedOn
    } else {
        Notice::SwitchedOff
    };
    let page = if from == "list" {
        String::new()
    } else {
        format!("{id}/")
    };
    Ok(Redirect::to(&format!(
        "/admin/integrations/{page}?{}",
        notice.query()
    )))
}

/// Those that are ticked: all of them, or none.
pub async fn switch_many(
    visitor: Visitor,
    Form(sent): Form<Vec<(String, String)>>,
) -> Result<Redirect, Error> {
    let on = sent.iter().any(|(name, value)| name == "on" && value == "true");
    let ids = sent.iter().filter(|(name, _)| name == "id");
    let ids: Vec<i64> = ids.filter_map(|(_, id)| id.parse().ok()).collect();
    let change = Change {
        is_active: Some(on),
        ..Change::default()
    };
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    for id in &ids {
        integrations::update(&session, *id, &change).await?;
    }
    session.commit().await?;
    let notice = match (ids.is_empty(), on) {
        (true, _) => Notice::NoneSelected,
        (false, true) => Notice::ManySwitchedOn,
        (false, false) => Notice::ManySwitchedOff,
    };
    Ok(Redirect::to(&format!("/admin/integrations/?{}", notice.query())))
}
