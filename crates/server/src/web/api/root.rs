//! The addresses of the lists, and the status of the installation.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::responses::NotAllowed;
use crate::database::Access;
use crate::queries::status::{self, Finding};
use crate::web::uri::Here;
use crate::web::{Caller, Error};

/// URLs of the lists
#[derive(Serialize, ToSchema)]
pub struct Root {
    #[serde(rename = "webhook-integrations")]
    webhook_integrations: String,
    #[serde(rename = "notification-logs")]
    notification_logs: String,
    status: String,
    wordings: String,
    languages: String,
    #[serde(rename = "audit-log")]
    audit_log: String,
    #[serde(rename = "api-tokens")]
    api_tokens: String,
}

/// URLs of the lists
#[utoipa::path(get, path = "/api/notifications/api", operation_id = "root", tag = "Status", responses((status = 200, body = Root), NotAllowed))]
pub async fn root(caller: Caller, here: Here) -> Result<Json<Root>, Error> {
    // Any valid token suffices: the list has no data of the database.
    drop(caller);
    Ok(Json(Root {
        webhook_integrations: here.below("webhook-integrations"),
        notification_logs: here.below("notification-logs"),
        status: here.below("status"),
        wordings: here.below("wordings"),
        languages: here.below("languages"),
        audit_log: here.below("audit-log"),
        api_tokens: here.below("api-tokens"),
    }))
}

/// The findings of `zentry_status()`: whether each part of the way from a write to its message works
#[utoipa::path(get, path = "/status", operation_id = "status", tag = "Status", responses((status = 200, body = Vec<Finding>), NotAllowed))]
pub async fn status(caller: Caller) -> Result<Json<Vec<Finding>>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    Ok(Json(status::status(&session).await?))
}
