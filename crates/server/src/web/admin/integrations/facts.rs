//! The lists of an integration's state and of its settings, on its page.

use maud::{Markup, html};

use crate::queries::integrations::Webhook;
use crate::web::admin::parts;

pub(super) fn state(webhook: &Webhook) -> Markup {
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

pub(super) fn settings(webhook: &Webhook) -> Markup {
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
        ("Sender's name", set.username.clone()),
        ("Sender's picture", set.avatar_url.clone()),
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
        ("Rate limit", set.rate_limit.clone()),
        ("Rate group", set.rate_group.clone()),
        (
            "Its notices go to",
            set.notify_webhook_id.map(|id| format!("webhook {id}")),
        ),
        (
            "Notices",
            set.notices
                .then(|| "gets those about other integrations".to_owned()),
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
            dt { "Service" } dd { (crate::vendors::name(&integration.webhook_type)) }
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
