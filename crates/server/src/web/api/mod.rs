//! The REST API: one file for each noun.

mod audit;
mod integrations;
mod logs;
pub mod responses;
pub mod root;
mod tokens;
mod wordings;

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

/// Where a webhook is: one of the types that there are.
#[derive(Deserialize)]
#[serde(transparent)]
#[allow(dead_code, reason = "describes a string")]
pub struct WebhookType(String);

impl PartialSchema for WebhookType {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(crate::vendors::names()))
            .description(Some("Where a webhook is"));
        RefOr::T(schema.build().into())
    }
}

impl ToSchema for WebhookType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("WebhookType")
    }
}

/// How a webhook does
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "describes a string")]
pub enum WebhookState {
    Active,
    Failing,
    Gone,
    Off,
}

impl WebhookState {
    const NAMES: &[&str] = &["active", "failing", "gone", "off"];
}

/// What became of a delivery
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "describes a string")]
pub enum Status {
    Pending,
    Retry,
    Sent,
    Failed,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes web::path::Id")]
struct IdParams {
    id: i64,
}

/// What parameters of this type are like: an empty one is as good as none. utoipa takes no comment besides, so this has the words.
fn or_empty<T: PartialSchema>(words: &str) -> Schema {
    let empty = ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    AnyOfBuilder::new()
        .item(T::schema())
        .item(empty)
        .description(Some(words))
        .build()
        .into()
}

/// The number of a page, or `last`.
enum PageNumber {}

impl PartialSchema for PageNumber {
    fn schema() -> RefOr<Schema> {
        let last = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["last"]));
        RefOr::T(AnyOfBuilder::new().item(i64::schema()).item(last).build().into())
    }
}

fn webhook_type() -> Schema {
    or_empty::<WebhookType>("Where the webhook is")
}

/// The endpoints below `/api/notifications/`.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(integrations::list, integrations::create))
        .routes(routes!(
            integrations::get,
            integrations::put,
            integrations::patch,
            integrations::delete
        ))
        .routes(routes!(integrations::actions::test))
        .routes(routes!(integrations::actions::resume))
        .routes(routes!(integrations::actions::new_secret))
        .routes(routes!(logs::list_of_integration))
        .routes(routes!(logs::list))
        .routes(routes!(logs::get))
        .routes(routes!(logs::attempts))
        .routes(routes!(logs::retry))
        .routes(routes!(wordings::list))
        .routes(routes!(wordings::put, wordings::delete))
        .routes(routes!(wordings::preview))
        .routes(routes!(wordings::languages, wordings::put_language))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(root::status))
}
