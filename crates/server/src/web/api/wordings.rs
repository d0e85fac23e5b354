//! `wordings/`, `event-types/` and `languages/`: the texts of messages.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::responses::{Missing, NotAllowed, Refused};
use super::schemas::or_empty;
use crate::database::{Access, Session};
use crate::queries::events;
use crate::queries::wordings::{self, ALL_EVENTS};
use crate::queries::words::Words;
use crate::web::filters::Filters;
use crate::web::form::Form;
use crate::web::path::Name;
use crate::web::{Caller, Error};

/// A wording of an event type
#[derive(Serialize, ToSchema)]
pub struct Wording {
    event_type: String,
    /// The integration that it is for; null: all
    webhook_integration: Option<i64>,
    #[serde(flatten)]
    words: Words,
}

impl From<wordings::Wording> for Wording {
    fn from(one: wordings::Wording) -> Self {
        Self {
            event_type: one.event_type,
            webhook_integration: one.webhook,
            words: one.words,
        }
    }
}

/// The integration that is meant
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct WhoseParams {
    #[param(schema_with = webhook_integration)]
    webhook_integration: Option<i64>,
}

fn webhook_integration() -> Schema {
    or_empty::<i64>("The wording of this integration; left out: the one for all")
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes a path")]
pub struct EventParams {
    event_type: String,
}

/// Wordings, those for all integrations first
#[utoipa::path(
    get, path = "/wordings", operation_id = "list_wordings", tag = "Wordings",
    responses((status = 200, body = Vec<Wording>), NotAllowed)
)]
pub async fn list(caller: Caller) -> Result<Json<Vec<Wording>>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    let all = wordings::list(&session).await?.into_iter();
    let of_events = all.filter(|one| one.event_type != ALL_EVENTS);
    Ok(Json(of_events.map(Wording::from).collect()))
}

/// Describes what [`put`] reads: [`Words`], with more ways to write the fields.
pub struct GivenWords;

impl PartialSchema for GivenWords {
    fn schema() -> RefOr<Schema> {
        let mut schema = Words::schema();
        if let RefOr::T(Schema::Object(words)) = &mut schema {
            words.description = Some(
                "The parts of a wording; null or left out: as the event type has it. An empty text removes the part from the message"
                    .to_owned(),
            );
            words.properties.insert("fields".to_owned(), fields().into());
        }
        schema
    }
}

impl ToSchema for GivenWords {}

fn fields() -> Schema {
    let value_type = SchemaType::from_iter([Type::Object, Type::Null]);
    ObjectBuilder::new()
        .schema_type(value_type)
        .description(Some(
            "Names and templates, as an object or as a list of `name` and `value`",
        ))
        .additional_properties(Some(ObjectBuilder::new().schema_type(Type::String)))
        .examples([json!({"Points": "{{ points }}"})])
        .into()
}

/// Set the wording of an event type, in place of the present one
#[utoipa::path(
    put, path = "/wordings/{event_type}", operation_id = "put_wording", tag = "Wordings", params(EventParams, WhoseParams), request_body = GivenWords,
    responses((status = 200, body = Wording), Refused, NotAllowed, Missing)
)]
pub async fn put(
    caller: Caller,
    Name(event_type): Name,
    mut filters: Filters,
    mut form: Form,
) -> Result<Json<Wording>, Error> {
    let webhook = filters.number("webhook_integration");
    filters.finish()?;
    let fields = form.pairs("fields");
    let words = Words::of(|name| form.words(name), fields);
    form.ignore(&["event_type", "webhook_integration"]);
    form.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    require(&session, &event_type).await?;
    let wording = wordings::Wording {
        event_type,
        webhook,
        words,
        language: None,
    };
    wordings::replace(&session, &wording).await?;
    let set = there(&session, &wording.event_type, webhook).await?;
    session.commit().await?;
    // The answer has the wording as it is stored. One without any words is not stored, so it is returned as it was sent.
    Ok(Json(set.unwrap_or(wording).into()))
}

/// Remove the wording of an event type
#[utoipa::path(
    delete, path = "/wordings/{event_type}", operation_id = "reset_wording", tag = "Wordings", params(EventParams, WhoseParams),
    responses((status = 204), Refused, NotAllowed, Missing)
)]
pub async fn delete(
    caller: Caller,
    Name(event_type): Name,
    mut filters: Filters,
) -> Result<StatusCode, Error> {
    let webhook = filters.number("webhook_integration");
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    require(&session, &event_type).await?;
    wordings::reset(&session, &event_type, webhook).await?;
    session.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The format of the message
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct PreviewParams {
    #[param(schema_with = webhook_integration)]
    webhook_integration: Option<i64>,
    #[param(schema_with = super::schemas::webhook_type)]
    webhook_type: Option<super::schemas::WebhookType>,
}

/// The message of the event type's sample, as it would be posted: in the format and wording of an integration, or in the format of a webhook type
#[utoipa::path(
    get, path = "/event-types/{event_type}/preview", operation_id = "preview_event", tag = "Wordings", params(EventParams, PreviewParams),
    responses((status = 200, body = Object), Refused, NotAllowed, Missing)
)]
pub async fn preview(
    caller: Caller,
    Name(event_type): Name,
    mut filters: Filters,
) -> Result<Json<Value>, Error> {
    let webhook = filters.number("webhook_integration");
    let format = filters.choice("webhook_type", &crate::vendors::names());
    filters.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    require(&session, &event_type).await?;
    let format = format.as_deref().unwrap_or("discord");
    Ok(Json(
        events::preview(&session, &event_type, format, None, webhook).await?,
    ))
}

/// A language of messages
#[derive(Serialize, ToSchema)]
pub struct Language {
    /// The integration that it is for; null: all that have no language of their own
    webhook_integration: Option<i64>,
    language: String,
}

/// Languages that are set, and those that are available
#[derive(Serialize, ToSchema)]
pub struct Languages {
    available: Vec<String>,
    /// The one for all integrations first, by default `en`
    results: Vec<Language>,
}

/// The languages of messages
#[utoipa::path(
    get, path = "/languages", operation_id = "list_languages", tag = "Wordings",
    responses((status = 200, body = Languages), NotAllowed)
)]
pub async fn languages(caller: Caller) -> Result<Json<Languages>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    spoken(&session).await.map(Json)
}

async fn spoken(session: &Session<'_>) -> Result<Languages, Error> {
    let all = wordings::list(session).await?.into_iter();
    let mut results: Vec<Language> = all
        .filter_map(|one| {
            Some(Language {
                webhook_integration: one.webhook,
                language: one.language?,
            })
        })
        .collect();
    if results
        .first()
        .is_none_or(|one| one.webhook_integration.is_some())
    {
        let usual = Language {
            webhook_integration: None,
            language: "en".to_owned(),
        };
        results.insert(0, usual);
    }
    Ok(Languages {
        available: wordings::languages(session).await?,
        results,
    })
}

/// The language to set
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct GivenLanguage {
    /// Null: for all, English; for one integration, the language of the others
    #[schema(example = "de")]
    language: Option<String>,
    /// The integration; null or left out: all
    #[schema(minimum = 1)]
    webhook_integration: Option<i64>,
}

/// Set the language of messages, for all integrations or for one
#[utoipa::path(
    put, path = "/languages", operation_id = "put_language", tag = "Wordings", request_body = GivenLanguage,
    responses((status = 200, body = Languages), Refused, NotAllowed, Missing)
)]
pub async fn put_language(caller: Caller, mut form: Form) -> Result<Json<Languages>, Error> {
    let language = form.required_text_or_null("language");
    let webhook = form.id("webhook_integration").flatten();
    form.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    wordings::set_language(&session, language.as_deref(), webhook).await?;
    let spoken = spoken(&session).await?;
    session.commit().await?;
    Ok(Json(spoken))
}

/// Returns an error with status 404 if there is no such event type.
async fn require(session: &Session<'_>, name: &str) -> Result<(), Error> {
    let types = events::types(session).await?;
    let found = types.iter().any(|kind| kind.name == name);
    found.then_some(()).ok_or_else(Error::not_found)
}

/// Returns the wording that is set for an event, of one integration or of all (`None`); `None` if none is set.
async fn there(
    session: &Session<'_>,
    event_type: &str,
    webhook: Option<i64>,
) -> Result<Option<wordings::Wording>, Error> {
    let all = wordings::list(session).await?;
    Ok(all
        .into_iter()
        .find(|one| one.event_type == event_type && one.webhook == webhook))
}
