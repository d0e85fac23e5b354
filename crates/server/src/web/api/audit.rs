//! `audit-log/`

use axum::Json;
use serde::Deserialize;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::responses::{Missing, NotAllowed, Refused};
use super::schemas::or_empty;
use crate::database::Access;
use crate::queries::audit::{self, Change, Filter, OBJECT_TYPES};
use crate::web::filters::Filters;
use crate::web::page::{Number, Page};
use crate::web::uri::Here;
use crate::web::{Caller, Error};

/// The type of an object of the configuration
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "describes a string")]
enum ObjectType {
    Webhook,
    EventType,
    Wording,
    EventSource,
    ApiToken,
}

/// Filters of the list
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct ListParams {
    #[param(schema_with = page)]
    page: Option<i64>,
    #[param(schema_with = webhook)]
    webhook: Option<i64>,
    #[param(schema_with = object_type)]
    object_type: Option<String>,
}

fn page() -> Schema {
    or_empty::<i64>("Number of the page, from 1")
}

fn webhook() -> Schema {
    or_empty::<i64>("Changes of this integration, its secrets and its wordings")
}

fn object_type() -> Schema {
    or_empty::<ObjectType>("Changes of objects of this type")
}

/// Changes of the configuration, newest first
#[utoipa::path(
    get, path = "/audit-log", operation_id = "list_changes", tag = "Audit log", params(ListParams),
    responses((status = 200, body = Page<Change>), Refused, NotAllowed, Missing)
)]
pub async fn list(caller: Caller, here: Here, mut filters: Filters) -> Result<Json<Page<Change>>, Error> {
    let number = Number::parse(filters.text("page").as_deref())?;
    let filter = Filter {
        webhook: filters.number("webhook"),
        object_type: filters.choice("object_type", &OBJECT_TYPES),
        ..Filter::default()
    };
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let count = audit::count(&session, &filter).await?;
    let changes = audit::list(&session, &filter, number.slice()).await?;
    Ok(Json(Page::new(number, count, changes, &here)?))
}
