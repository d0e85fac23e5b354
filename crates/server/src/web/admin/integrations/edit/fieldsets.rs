//! The fieldsets of the form, one for each group of settings.

use maud::{Markup, html};

use super::choices::Choices;
use crate::queries::events::TROUBLE;
use crate::queries::integrations::Webhook;
use crate::vendors;
use crate::web::admin::guide;
use crate::web::admin::input::{self, PROJECTS, TextField, problem_text, tick_box};
use crate::web::admin::integrations::draft::Draft;
use crate::web::error::Fields;

pub(super) fn place(webhook: Option<&Webhook>, draft: &Draft, wrong: &Fields) -> Markup {
    html! {
        fieldset {
            legend { "Destination" }
                (TextField {
                name: "name", label: "Name", value: &draft.name, required: true,
                hint: html! { "One that its team knows, such as Backend channel." },
                ..TextField::default()
            }.render(wrong))
            fieldset.plain #webhook_type aria-describedby="webhook_type-problem" {
                legend { "Service" }
                div.inline {
                    @for (value, text) in vendors::choices() {
                        label.tick {
                            input type="radio" name="webhook_type" value=(value) checked[draft.webhook_type == value];
                            span { (text) }
                        }
                    }
                }
                (problem_text("webhook_type", wrong.get("webhook_type")))
            }
            (TextField {
                name: "webhook_url", label: "Webhook URL", kind: "url", value: &draft.webhook_url, required: webhook.is_none(),
                check: Some("/admin/integrations/check/"),
                hint: html! {
                    "Who knows it can post to the channel, so it is not shown again. " a href="/admin/guide/" { "Where each service shows it" } ". "
                    @if let Some(webhook) = webhook { "Leave it empty to keep " code { (webhook.integration.webhook_url) } "." }
                },
                ..TextField::default()
            }.render(wrong))
            div data-services=[vendors::with(&["credentials"])] {
                (TextField {
                    name: "secret", label: "Credentials", kind: "password", autocomplete: "new-password",
                    hint: html! {
                        "The content of a " code { ".creds" } " file, a user's seed, " code { "user:password" } " or a token. They are not shown again. "
                        @if webhook.is_some() { "Leave them empty to keep the present ones; a new URL removes them." }
                    },
                    ..TextField::default()
                }.render(wrong))
            }
            div data-services=[vendors::with(&["headers"])] {
                (TextField {
                    name: "headers", label: "Additional headers", value: &draft.headers,
                    hint: html! {
                        "Such as " code { "{\"authorization\": \"Bearer TOKEN\"}" } ". Their values are not shown again. "
                        @if webhook.is_some() { "Leave them empty to keep the present ones; " code { "{}" } " removes them." }
                    },
                    ..TextField::default()
                }.render(wrong))
            }
        }
    }
}

pub(super) fn events(choices: &Choices, draft: &Draft, wrong: &Fields) -> Markup {
    let Choices { types, projects } = choices;
    let unknown = draft
        .event_types
        .iter()
        .filter(|name| *name != "*" && types.iter().all(|kind| kind.name != **name));
    html! {
        fieldset #event_types aria-describedby="event_types-problem" {
            legend { "Events" }
            @if draft.hears("*") { input type="hidden" name="heard_all" value="true"; }
            (tick_box("event_type", "*", "All events, also those that are added later", draft.hears("*")))
            div.ticks data-unless-all {
                @for kind in types.iter().filter(|kind| kind.name != TROUBLE) {
                    (tick_box("event_type", &kind.name, html! { (kind.emoji) " " (kind.name) }, draft.hears(&kind.name)))
                }
                @for name in unknown { (tick_box("event_type", name, name, true)) }
            }
            (problem_text("event_types", wrong.get("event_types")))
            (TextField {
                name: "project", label: "Project id", kind: "number", value: &draft.project,
                hint: html! { "Leave it empty for the events of all projects." },
                list: Some(PROJECTS),
                ..TextField::default()
            }.render(wrong))
            (input::projects(projects))
        }
    }
}

pub(super) fn pace(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "digest",
            label: "Digest",
            value: &draft.digest,
            hint: html! {
                "When waiting events are sent as one message: " code { "1 hour" } " after the first of them, or at "
                code { "0 9 * * 1-5 Europe/Berlin" } ", every working day at 9. " (guide::link("digest", "Digest"))
            },
            ..TextField::default()
        },
        TextField {
            name: "max_events_per_message",
            label: "Maximum number of events in a message",
            kind: "number",
            value: &draft.max_events_per_message,
            hint: html! { "1 to 10; left empty, it is 10." },
            ..TextField::default()
        },
        TextField {
            name: "min_interval",
            label: "Minimum time between messages",
            value: &draft.min_interval,
            hint: html! { "Such as " code { "30 seconds" } "." },
            ..TextField::default()
        },
        TextField {
            name: "max_age",
            label: "Maximum age of deliveries",
            value: &draft.max_age,
            hint: html! { "Such as " code { "1 day" } ". Leave it empty for the setting " code { "zentry_notify.max_age" } "." },
            ..TextField::default()
        },
        TextField {
            name: "rate_limit",
            label: "Rate limit",
            value: &draft.rate_limit,
            hint: html! { "Maximum number of messages in a period, such as " code { "25/5min" } "; " code { "0" } " means no limit." },
            ..TextField::default()
        },
        TextField {
            name: "rate_group",
            label: "Rate group",
            value: &draft.rate_group,
            hint: html! { "Any name. Webhooks with the same group share one rate limit, as the flows of one owner in Teams do." },
            ..TextField::default()
        },
    ];
    html! {
        details.more open[fields.iter().any(|field| !field.value.is_empty() || wrong.contains_key(field.name))] {
            summary { "Digest, rate limit, age" }
            @for field in fields { (of_services(&field, wrong)) }
        }
    }
}

/// Returns a field that the script shows only for the types that support this setting.
fn of_services(field: &TextField<'_>, wrong: &Fields) -> Markup {
    html! { div data-services=[vendors::with(&[field.name])] { (field.render(wrong)) } }
}

pub(super) fn trouble(draft: &Draft, wrong: &Fields) -> Markup {
    let told = TextField {
        name: "notify_webhook_id",
        label: "Integration that gets notices about this one",
        kind: "number",
        value: &draft.notify_webhook_id,
        hint: html! { "Its id. Leave it empty for the integrations that get notices." },
        ..TextField::default()
    };
    html! {
        details.more open[draft.notices || !told.value.is_empty() || wrong.contains_key(told.name)] {
            summary { "Notices" }
            (told.render(wrong))
            (tick_box("notices", "true", "It gets notices when other integrations fail, are switched off or let deliveries expire", draft.notices))
        }
    }
}

pub(super) fn appearance(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "username",
            label: "Sender's name",
            value: &draft.username,
            hint: html! { "Leave it empty for the setting " code { "zentry_notify.username" } "." },
            ..TextField::default()
        },
        TextField {
            name: "avatar_url",
            label: "Sender's picture",
            value: &draft.avatar_url,
            hint: html! { "A URL that begins with " code { "https://" } "." },
            ..TextField::default()
        },
        TextField {
            name: "thread_name",
            label: "Name of posts in a forum",
            value: &draft.thread_name,
            hint: html! { "The name of the post that each message becomes, if the channel is a forum." },
            ..TextField::default()
        },
        TextField {
            name: "applied_tags",
            label: "Tags of these posts",
            value: &draft.applied_tags,
            hint: html! { "Ids, such as " code { "123456789012345678" } "." },
            ..TextField::default()
        },
        TextField {
            name: "thread_by",
            label: "Threads",
            value: &draft.thread_by,
            hint: html! { code { "task" } " or " code { "project" } ". Left empty, each message begins a thread." },
            ..TextField::default()
        },
    ];
    let all: Vec<&str> = fields
        .iter()
        .map(|field| field.name)
        .chain(["announce"])
        .collect();
    html! {
        details.more open[draft.announce || fields.iter().any(|field| !field.value.is_empty() || wrong.contains_key(field.name))]
            data-services=[vendors::with(&all)] {
            summary { "How messages look" }
            @for field in &fields { (of_services(field, wrong)) }
            div data-services=[vendors::with(&["announce"])] {
                (tick_box("announce", "true", "A line of text above the events, for phones' notifications", draft.announce))
            }
        }
    }
}

/// Returns how a mention is written for each type; the script shows that of the chosen type. Text between backticks becomes code.
fn mention_hint() -> Markup {
    html! {
        @for vendor in vendors::all() {
            @if let Some(mention) = &vendor.mention {
                span data-services=(vendor.webhook_type) {
                    @for (at, part) in mention.split('`').enumerate() {
                        @if at % 2 == 1 { code { (part) } } @else { (part) }
                    }
                    ". "
                }
            }
        }
    }
}

pub(super) fn rules(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "filter",
            label: "Filter",
            value: &draft.filter,
            hint: html! { "Only events for whose data this is true are sent, such as " code { "$.points > 20" } ". " (guide::link("filters", "Filters")) },
            ..TextField::default()
        },
        TextField {
            name: "min_streak_days",
            label: "Minimum length of streaks, in days",
            kind: "number",
            value: &draft.min_streak_days,
            ..TextField::default()
        },
        TextField {
            name: "milestones",
            label: "Milestones, in per cent",
            value: &draft.milestones,
            hint: html! { "Only these, such as " code { "50, 100" } "." },
            ..TextField::default()
        },
        TextField {
            name: "quiet_hours",
            label: "Quiet hours",
            value: &draft.quiet_hours,
            hint: html! { "Events of these hours are sent afterwards. Such as " code { "22:00-07:00 Europe/Berlin" } ". " (guide::link("quiet-hours", "Quiet hours")) },
            ..TextField::default()
        },
        TextField {
            name: "mention",
            label: "Whom messages ping",
            value: &draft.mention,
            hint: mention_hint(),
            ..TextField::default()
        },
        TextField {
            name: "omit_keys",
            label: "Keys that are left out",
            value: &draft.omit_keys,
            hint: html! { "Keys of the event data that its messages must not contain, such as " code { "task_description, user_name" } ". " (guide::link("privacy", "Privacy")) },
            ..TextField::default()
        },
    ];
    html! {
        details.more open[fields.iter().any(|field| !field.value.is_empty() || wrong.contains_key(field.name))] {
            summary { "Filter, quiet hours, pings" }
            @for field in &fields { (of_services(field, wrong)) }
        }
    }
}
