//! The schemas that several endpoints have in common.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// The type of a webhook: a string that the schema restricts to the names of the known types.
#[derive(Deserialize)]
#[serde(transparent)]
#[allow(dead_code, reason = "describes a string")]
pub struct WebhookType(String);

impl PartialSchema for WebhookType {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(crate::vendors::names()))
            .description(Some("The type of a webhook"));
        RefOr::T(schema.build().into())
    }
}

impl ToSchema for WebhookType {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("WebhookType")
    }
}

/// The state of a webhook
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
    pub const NAMES: &[&str] = &["active", "failing", "gone", "off"];
}

/// The status of a delivery
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
pub struct IdParams {
    id: i64,
}

/// Returns the schema of a parameter of this type that may also be empty, which counts as missing. `words`: its description, which utoipa does
/// not take from a comment where the schema is given by a function.
pub fn or_empty<T: PartialSchema>(words: &str) -> Schema {
    let empty = ObjectBuilder::new().schema_type(Type::String).max_length(Some(0));
    AnyOfBuilder::new()
        .item(T::schema())
        .item(empty)
        .description(Some(words))
        .build()
        .into()
}

/// The number of a page, or `last`.
pub enum PageNumber {}

impl PartialSchema for PageNumber {
    fn schema() -> RefOr<Schema> {
        let last = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(["last"]));
        RefOr::T(AnyOfBuilder::new().item(i64::schema()).item(last).build().into())
    }
}

/// Returns the schema of a parameter for a type of webhooks.
pub fn webhook_type() -> Schema {
    or_empty::<WebhookType>("The type of the webhook")
}
