//! `webhook-integrations/`

pub mod actions;
mod faults;
mod given;

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::responses::{Missing, NotAllowed, Refused};
use crate::database::{Access, Session};
use crate::queries::integrations::{self, Change, Filter, New, Order, Webhook};
use crate::web::filters::Filters;
use crate::web::form::Form;
use crate::web::page::{Page, Wanted};
use crate::web::path::Id;
use crate::web::uri::Here;
use crate::web::{Caller, Error};
use faults::Faults;
use given::{IntegrationChange, ListParams, NewIntegration, READ_ONLY, rules};

/// Webhook integrations, newest first
#[utoipa::path(
    get, path = "/webhook-integrations", operation_id = "list_integrations", tag = "Webhook integrations", params(ListParams),
    responses((status = 200, body = Page<Webhook>), Refused, NotAllowed, Missing)
)]
pub async fn list(caller: Caller, here: Here, mut filters: Filters) -> Result<Json<Page<Webhook>>, Error> {
    let wanted = Wanted::parse(filters.text("page").as_deref())?;
    let filter = Filter {
        id: None,
        webhook_type: filters.choice("webhook_type", &crate::vendors::names()),
        project: filters.number("project"),
        is_active: filters.flag("is_active"),
        state: filters.choice("state", super::schemas::WebhookState::NAMES),
        notices: filters.flag("notices"),
        notify_webhook_id: filters.number("notify_webhook_id"),
        rate_group: filters.text("rate_group"),
        name: None,
    };
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let count = integrations::count(&session, &filter).await?;
    let number = wanted.of(count);
    let results = integrations::webhooks(&session, &filter, number.slice(), Order::Newest).await?;
    Ok(Json(Page::new(number, count, results, &here)?))
}

/// The new integration
#[derive(Serialize, ToSchema)]
pub struct Registered {
    #[serde(flatten)]
    webhook: Webhook,
    /// The signing secret that was generated, for type `webhook`. It is not shown again
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// Register a webhook
#[utoipa::path(
    post, path = "/webhook-integrations", operation_id = "create_integration", tag = "Webhook integrations", request_body = NewIntegration,
    responses((status = 201, body = Registered), Refused, NotAllowed)
)]
pub async fn create(caller: Caller, mut form: Form) -> Result<(StatusCode, Json<Registered>), Error> {
    let mut new = New {
        name: form.required_text("name"),
        webhook_type: form.required_text("webhook_type"),
        webhook_url: form.required_text("webhook_url"),
        project: form.id("project").flatten(),
        event_types: form.names("event_types"),
        is_active: form.flag("is_active"),
        rules: rules(&mut form),
        secret: form.text("secret"),
        headers: form.texts_or_null("headers"),
        created_by: None,
    };
    form.ignore(&READ_ONLY);
    let mut faults = Faults::of(form);
    faults.fields().for_each(|field| new.leave_out(field));
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let id = loop {
        session.begin_trial().await?;
        match integrations::create(&session, &new).await {
            Ok(id) => break id,
            Err(error) => {
                let found = faults.add(error.into())?;
                found.iter().for_each(|field| new.leave_out(field));
                session.undo_trial().await?;
            }
        }
    };
    faults.finish()?;
    let secret = integrations::first_secret(&session, id, &new).await?;
    let webhook = found(&session, id).await?;
    session.commit().await?;
    Ok((StatusCode::CREATED, Json(Registered { webhook, secret })))
}

/// One integration
#[utoipa::path(
    get, path = "/webhook-integrations/{id}", operation_id = "get_integration", tag = "Webhook integrations", params(super::schemas::IdParams),
    responses((status = 200, body = Webhook), NotAllowed, Missing)
)]
pub async fn get(caller: Caller, Id(id): Id) -> Result<Json<Webhook>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    found(&session, id).await.map(Json)
}

/// Change an integration; the same as PATCH
#[utoipa::path(
    put, path = "/webhook-integrations/{id}", operation_id = "put_integration", tag = "Webhook integrations", params(super::schemas::IdParams),
    request_body = Option<IntegrationChange>,
    responses((status = 200, body = Webhook), Refused, NotAllowed, Missing)
)]
pub async fn put(caller: Caller, id: Id, form: Form) -> Result<Json<Webhook>, Error> {
    change(caller, id, form).await
}

/// Change an integration
#[utoipa::path(
    patch, path = "/webhook-integrations/{id}", operation_id = "patch_integration", tag = "Webhook integrations", params(super::schemas::IdParams),
    request_body = Option<IntegrationChange>,
    responses((status = 200, body = Webhook), Refused, NotAllowed, Missing)
)]
pub async fn patch(caller: Caller, id: Id, form: Form) -> Result<Json<Webhook>, Error> {
    change(caller, id, form).await
}

async fn change(caller: Caller, Id(id): Id, mut form: Form) -> Result<Json<Webhook>, Error> {
    let mut change = Change {
        name: form.text("name"),
        webhook_type: form.text("webhook_type"),
        webhook_url: form.text("webhook_url"),
        project: form.id("project"),
        event_types: form.names("event_types"),
        is_active: form.flag("is_active"),
        rules: rules(&mut form),
        headers: form.texts_or_null("headers"),
    };
    form.ignore(&READ_ONLY);
    let mut faults = Faults::of(form);
    faults.fields().for_each(|field| change.leave_out(field));
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    loop {
        session.begin_trial().await?;
        match integrations::update(&session, id, &change).await {
            Ok(()) => break,
            Err(error) => {
                let found = faults.add(error.into())?;
                found.iter().for_each(|field| change.leave_out(field));
                session.undo_trial().await?;
            }
        }
    }
    faults.finish()?;
    let changed = found(&session, id).await?;
    session.commit().await?;
    Ok(Json(changed))
}

/// Delete an integration with its log and its waiting deliveries
#[utoipa::path(
    delete, path = "/webhook-integrations/{id}", operation_id = "delete_integration", tag = "Webhook integrations", params(super::schemas::IdParams),
    responses((status = 204), NotAllowed, Missing)
)]
pub async fn delete(caller: Caller, Id(id): Id) -> Result<StatusCode, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::delete(&session, id).await?;
    session.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(session: &Session<'_>, id: i64) -> Result<Webhook, Error> {
    integrations::webhook(session, id)
        .await?
        .ok_or_else(Error::not_found)
}

#[cfg(test)]
mod tests;
