//! The form that registers an integration or changes one.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use crate::database::{Access, Session};
use crate::queries::events::{self, EventType, TROUBLE};
use crate::queries::integrations::{self, Webhook};
use crate::queries::rights::{Deed, Rights};
use crate::vendors;
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::guide;
use crate::web::admin::input::{self, PROJECTS, TextField, problem_text, tick_box};
use crate::web::admin::visitor::Visitor;
use crate::web::error::Fields;
use crate::web::form::Filters;
use crate::web::path::Id;

/// What the form's fields send: a name may come several times.
type Sent = Form<Vec<(String, String)>>;

/// What the form offers to choose from.
struct Choices {
    types: Vec<EventType>,
    projects: Vec<(i64, String)>,
}

impl Choices {
    async fn of(session: &Session<'_>) -> Result<Self, Error> {
        Ok(Self {
            types: events::types(session).await?,
            projects: integrations::projects(session).await?,
        })
    }
}

/// Empty, or as another integration is.
pub async fn show_new(visitor: Visitor, mut filters: Filters) -> Result<Markup, Error> {
    let from = filters.number("from");
    filters.finish()?;
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::Register)?;
    let choices = Choices::of(&session).await?;
    let draft = match from {
        Some(id) => Draft::like(&super::one::found(&session, id).await?),
        None => Draft::fresh(),
    };
    Ok(page(&visitor, None, &choices, &draft, &Fields::new()))
}

pub async fn create(visitor: Visitor, Form(sent): Sent) -> Result<Response, Error> {
    let draft = Draft::sent(sent);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let choices = Choices::of(&session).await?;
    match register(&session, &draft).await {
        Ok((id, None)) => {
            session.commit().await?;
            let address = format!("/admin/integrations/{id}/?{}", Notice::Registered.query());
            Ok(Redirect::to(&address).into_response())
        }
        Ok((id, Some(secret))) => {
            session.commit().await?;
            let notice = html! { "It is registered." };
            Ok(super::one::secret_page(&visitor, id, &draft.name, &secret, notice).into_response())
        }
        Err(error) => again(&visitor, None, &choices, &draft, error),
    }
}

/// Its id, and the secret that was made for it.
async fn register(session: &Session<'_>, draft: &Draft) -> Result<(i64, Option<String>), Error> {
    let new = draft.new_integration().map_err(Error::fields)?;
    let id = integrations::create(session, &new).await?;
    Ok((id, integrations::first_secret(session, id, &new).await?))
}

pub async fn show(visitor: Visitor, Id(id): Id) -> Result<Markup, Error> {
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Rights::of(&session).await?.demand(Deed::Update)?;
    let webhook = super::one::found(&session, id).await?;
    let choices = Choices::of(&session).await?;
    Ok(page(
        &visitor,
        Some(&webhook),
        &choices,
        &Draft::of(&webhook),
        &Fields::new(),
    ))
}

pub async fn change(visitor: Visitor, Id(id): Id, Form(sent): Sent) -> Result<Response, Error> {
    let draft = Draft::sent(sent);
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let webhook = super::one::found(&session, id).await?;
    let choices = Choices::of(&session).await?;
    match update(&session, id, &draft).await {
        Ok(()) => {
            session.commit().await?;
            let address = format!("/admin/integrations/{id}/?{}", Notice::Saved.query());
            Ok(Redirect::to(&address).into_response())
        }
        Err(error) => again(&visitor, Some(&webhook), &choices, &draft, error),
    }
}

async fn update(session: &Session<'_>, id: i64, draft: &Draft) -> Result<(), Error> {
    let change = draft.change().map_err(Error::fields)?;
    integrations::update(session, id, &change).await?;
    // After the URL: another one takes them away.
    if let Some(credentials) = draft.credentials() {
        integrations::new_secret(session, id, Some(credentials), None).await?;
    }
    Ok(())
}

/// The form as it was sent, with what is wrong; any other error as it is.
fn again(
    visitor: &Visitor,
    webhook: Option<&Webhook>,
    choices: &Choices,
    draft: &Draft,
    error: Error,
) -> Result<Response, Error> {
    match error.wrong_fields() {
        Some(wrong) => {
            let page = page(visitor, webhook, choices, draft, wrong);
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
        None => Err(error),
    }
}

/// A URL that is being typed.
#[derive(Debug, Deserialize)]
pub struct Typed {
    webhook_type: String,
    webhook_url: String,
}

/// What is wrong with it; null: nothing.
#[derive(Debug, Serialize)]
pub struct Checked {
    problem: Option<String>,
}

pub async fn check(visitor: Visitor, Form(typed): Form<Typed>) -> Result<Json<Checked>, Error> {
    let clean = |text: String| text.replace('\0', "").trim().to_owned();
    let (kind, url) = (clean(typed.webhook_type), clean(typed.webhook_url));
    let mut connection = visitor.connection().await?;
    let session = connection.begin(Access::Read).await?;
    match integrations::check_url(&session, &kind, &url)
        .await
        .map_err(Error::from)
    {
        Ok(()) => Ok(Json(Checked { problem: None })),
        Err(error) if error.wrong_fields().is_some() => Ok(Json(Checked {
            problem: Some(error.words()),
        })),
        Err(error) => Err(error),
    }
}

fn page(
    visitor: &Visitor,
    webhook: Option<&Webhook>,
    choices: &Choices,
    draft: &Draft,
    wrong: &Fields,
) -> Markup {
    let back = match webhook {
        Some(webhook) => format!("/admin/integrations/{}/", webhook.integration.id),
        None => "/admin/integrations/".to_owned(),
    };
    let (title, name) = match webhook {
        Some(webhook) => (
            format!("Edit {}", webhook.integration.name),
            webhook.integration.name.as_str(),
        ),
        None => ("New integration".to_owned(), "Integrations"),
    };
    let frame = Frame::new(visitor, Section::Integrations, &title)
        .under(&back, name)
        .problems(wrong);
    frame.render(html! {
        form.sheet method="post" novalidate {
            (place(webhook, draft, wrong))
            (events(choices, draft, wrong))
            (rules(draft, wrong))
            (pace(draft, wrong))
            (appearance(draft, wrong))
            (trouble(draft, wrong))
            fieldset {
                legend { "State" }
                (tick_box("is_active", "true", "Switched on", draft.is_active))
            }
            div.inline {
                button.primary { @if webhook.is_some() { "Save" } @else { "Register" } }
                a.button href=(back) { "Cancel" }
            }
        }
    })
}

fn place(webhook: Option<&Webhook>, draft: &Draft, wrong: &Fields) -> Markup {
    html! {
        fieldset {
            legend { "Where it posts to" }
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
                    @if let Some(webhook) = webhook { "Left empty, it stays " code { (webhook.integration.webhook_url) } "." }
                },
                ..TextField::default()
            }.render(wrong))
            div data-services=[vendors::with(&["credentials"])] {
                (TextField {
                    name: "secret", label: "Credentials", kind: "password", autocomplete: "new-password",
                    hint: html! {
                        "The content of a " code { ".creds" } " file, a user's seed, " code { "user:password" } " or a token. They are not shown again. "
                        @if webhook.is_some() { "Left empty, they stay; another URL takes them away." }
                    },
                    ..TextField::default()
                }.render(wrong))
            }
            div data-services=[vendors::with(&["headers"])] {
                (TextField {
                    name: "headers", label: "Headers of its requests", value: &draft.headers,
                    hint: html! {
                        "Such as " code { "{\"authorization\": \"Bearer TOKEN\"}" } ". Their values are not shown again. "
                        @if webhook.is_some() { "Left empty, they stay; " code { "{}" } " takes them away." }
                    },
                    ..TextField::default()
                }.render(wrong))
            }
        }
    }
}

fn events(choices: &Choices, draft: &Draft, wrong: &Fields) -> Markup {
    let Choices { types, projects } = choices;
    let unknown = draft
        .event_types
        .iter()
        .filter(|name| *name != "*" && types.iter().all(|kind| kind.name != **name));
    html! {
        fieldset #event_types aria-describedby="event_types-problem" {
            legend { "What it hears" }
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
                hint: html! { "Left empty, it hears of every project." },
                list: Some(PROJECTS),
                ..TextField::default()
            }.render(wrong))
            (input::projects(projects))
        }
    }
}

fn pace(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "digest",
            label: "Digest",
            value: &draft.digest,
            hint: html! {
                "What has gathered leaves as one message: " code { "1 hour" } " after the first event, or at "
                code { "0 9 * * 1-5 Europe/Berlin" } ", which is every working day at 9. " (guide::link("digest", "Digest"))
            },
            ..TextField::default()
        },
        TextField {
            name: "max_events_per_message",
            label: "Most events in a message",
            kind: "number",
            value: &draft.max_events_per_message,
            hint: html! { "1 to 10; left empty, it is 10." },
            ..TextField::default()
        },
        TextField {
            name: "min_interval",
            label: "Least time between messages",
            value: &draft.min_interval,
            hint: html! { "Such as " code { "30 seconds" } "." },
            ..TextField::default()
        },
        TextField {
            name: "max_age",
            label: "When deliveries expire",
            value: &draft.max_age,
            hint: html! { "Such as " code { "1 day" } ". Left empty, it is the installation's, " code { "zentry_notify.max_age" } "." },
            ..TextField::default()
        },
        TextField {
            name: "rate_limit",
            label: "Rate",
            value: &draft.rate_limit,
            hint: html! { "How many messages, and in what time, such as " code { "25/5min" } "; " code { "0" } " is no limit." },
            ..TextField::default()
        },
        TextField {
            name: "rate_group",
            label: "With whom it shares its rate",
            value: &draft.rate_group,
            hint: html! { "Any name: webhooks of the same one share it, as flows of one owner do in Teams." },
            ..TextField::default()
        },
    ];
    html! {
        details.more open[fields.iter().any(|field| !field.value.is_empty() || wrong.contains_key(field.name))] {
            summary { "Digest, rate, age" }
            @for field in fields { (of_services(&field, wrong)) }
        }
    }
}

/// A field, shown for the services that have a place for it.
fn of_services(field: &TextField<'_>, wrong: &Fields) -> Markup {
    html! { div data-services=[vendors::with(&[field.name])] { (field.render(wrong)) } }
}

fn trouble(draft: &Draft, wrong: &Fields) -> Markup {
    let told = TextField {
        name: "notify_webhook_id",
        label: "Which integration is told of this one's trouble",
        kind: "number",
        value: &draft.notify_webhook_id,
        hint: html! { "Its id. Left empty, those are told that are for notices." },
        ..TextField::default()
    };
    html! {
        details.more open[draft.notices || !told.value.is_empty() || wrong.contains_key(told.name)] {
            summary { "Notices" }
            (told.render(wrong))
            (tick_box("notices", "true", "It is for notices: it is told when another one fails, is switched off or lets deliveries expire", draft.notices))
        }
    }
}

fn appearance(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "username",
            label: "Name that messages come from",
            value: &draft.username,
            hint: html! { "Left empty, it is the installation's, " code { "zentry_notify.username" } "." },
            ..TextField::default()
        },
        TextField {
            name: "avatar_url",
            label: "Picture that they come with",
            value: &draft.avatar_url,
            hint: html! { "An address that begins with " code { "https://" } "." },
            ..TextField::default()
        },
        TextField {
            name: "thread_name",
            label: "Posts in a forum",
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
            label: "What the messages of a thread have in common",
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

/// Whom each service can ping. What stands between backticks is written as it is.
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

fn rules(draft: &Draft, wrong: &Fields) -> Markup {
    let fields = [
        TextField {
            name: "filter",
            label: "Filter",
            value: &draft.filter,
            hint: html! { "Only events whose data it is true of, such as " code { "$.points > 20" } ". " (guide::link("filters", "Filters")) },
            ..TextField::default()
        },
        TextField {
            name: "min_streak_days",
            label: "Shortest streak, in days",
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
            hint: html! { "What comes meanwhile is sent afterwards. Such as " code { "22:00-07:00 Europe/Berlin" } ". " (guide::link("quiet-hours", "Quiet hours")) },
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
            label: "What its messages must not have",
            value: &draft.omit_keys,
            hint: html! { "Keys of the events' data, such as " code { "task_description, user_name" } ". " (guide::link("privacy", "Privacy")) },
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
