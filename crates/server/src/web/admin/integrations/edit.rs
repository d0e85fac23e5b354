//! The form that registers an integration or changes one.

mod choices;
mod fieldsets;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use crate::database::{Access, Session};
use crate::queries::integrations::{self, Webhook};
use crate::queries::rights::{Deed, Rights};
use crate::web::Error;
use crate::web::admin::frame::{Frame, Notice, Section};
use crate::web::admin::input::tick_box;
use crate::web::admin::visitor::Visitor;
use crate::web::error::Fields;
use crate::web::filters::Filters;
use crate::web::path::Id;
use choices::Choices;
use fieldsets::{appearance, events as heard, pace, place, rules, trouble};

/// The names and values that the form sends; a name may occur several times.
type Sent = Form<Vec<(String, String)>>;

/// Returns the form for a new integration: with the defaults, or as a copy of the integration whose id is the parameter `from`.
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

/// Registers an integration, and redirects to its page, or shows the secret that was generated for it.
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
            let notice = html! { "The integration is registered." };
            Ok(super::secret::page(&visitor, id, &draft.name, &secret, notice).into_response())
        }
        Err(error) => again(&visitor, None, &choices, &draft, error),
    }
}

/// Registers the integration of a draft, and returns its id and the secret that was generated for it, if one was.
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
    // The credentials are set after the URL, because a new URL removes them.
    if let Some(credentials) = draft.credentials() {
        integrations::new_secret(session, id, Some(credentials), None).await?;
    }
    Ok(())
}

/// Returns the form as it was sent, with the errors of its fields and status 400; an error that is not about fields is returned as it is.
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

/// A URL to check while it is typed, with the type of webhook that is chosen.
#[derive(Debug, Deserialize)]
pub struct Typed {
    webhook_type: String,
    webhook_url: String,
}

/// The answer about a URL: the problem with it, or null if there is none.
#[derive(Debug, Serialize)]
pub struct Checked {
    problem: Option<String>,
}

/// Returns what is wrong with a URL, for the form's script.
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
            (heard(choices, draft, wrong))
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
