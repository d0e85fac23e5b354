//! `webhook-integrations/`

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use super::or_empty;
use super::responses::{Missing, NotAllowed, Refused};
use crate::database::{Access, Session};
use crate::queries::integrations::{self, Change, Filter, New, Order, Webhook};
use crate::queries::settings::Rules;
use crate::web::error::{Fields, NOT_ONE};
use crate::web::form::{Filters, Form};
use crate::web::page::{Page, Wanted};
use crate::web::path::Id;
use crate::web::uri::Here;
use crate::web::{Caller, Error};

/// Which integrations are wanted
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct ListParams {
    #[param(schema_with = page)]
    page: Option<i64>,
    #[param(schema_with = super::webhook_type)]
    webhook_type: Option<super::WebhookType>,
    #[param(schema_with = project)]
    project: Option<i64>,
    #[param(schema_with = is_active)]
    is_active: Option<bool>,
    #[param(schema_with = state)]
    state: Option<super::WebhookState>,
    #[param(schema_with = notices)]
    notices: Option<bool>,
    #[param(schema_with = notify_webhook_id)]
    notify_webhook_id: Option<i64>,
    #[param(schema_with = rate_group)]
    rate_group: Option<String>,
}

fn state() -> Schema {
    or_empty::<super::WebhookState>("How it does")
}

fn notices() -> Schema {
    or_empty::<bool>("Whether it is told of the trouble of the others")
}

fn notify_webhook_id() -> Schema {
    or_empty::<i64>("The webhook that is told of their trouble")
}

fn rate_group() -> Schema {
    or_empty::<String>("Whose webhooks share a rate")
}

fn page() -> Schema {
    or_empty::<super::PageNumber>("From 1, or `last`")
}

fn project() -> Schema {
    or_empty::<i64>("The project's id")
}

fn is_active() -> Schema {
    or_empty::<bool>("Whether it is switched on")
}

/// Webhook integrations, newest first
#[utoipa::path(
    get, path = "/webhook-integrations", operation_id = "list_integrations", tag = "Webhook integrations", params(ListParams),
    responses((status = 200, body = Page<Webhook>), Refused, NotAllowed, Missing)
)]
pub async fn list(caller: Caller, here: Here, mut filters: Filters) -> Result<Json<Page<Webhook>>, Error> {
    let wanted = Wanted::parse(filters.text("page").as_deref())?;
    let filter = Filter {
        id: None,
        webhook_type: filters.choice("webhook_type", &crate::vendors::NAMES),
        project: filters.number("project"),
        is_active: filters.flag("is_active"),
        state: filters.choice("state", super::WebhookState::NAMES),
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

/// What can be set of a webhook; null takes away what need not be
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct GivenSettings {
    /// Keys of the events' data that its messages do not have
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    omit_keys: Option<Vec<String>>,
    /// Only events whose data this JSON path predicate is true of are heard; null: all
    #[schema(example = "$.points > 20")]
    filter: Option<String>,
    /// Of `daily_streak`, only streaks of so many days; null: all
    min_streak_days: Option<i32>,
    /// Of `milestone_reached`, only these, in per cent; null: all
    #[schema(value_type = Option<Vec<i32>>)]
    milestones: Option<Vec<i32>>,
    /// When nothing is sent; null: never
    #[schema(example = "22:00-07:00 Europe/Berlin")]
    quiet_hours: Option<String>,
    /// Whom each message pings; null: nobody
    #[schema(example = "role:123456789012345678")]
    mention: Option<String>,
    /// The name that its messages come from, in Discord and Mattermost; null: the installation's
    username: Option<String>,
    /// The picture that its messages come with, in Discord and Mattermost; null: the installation's
    avatar_url: Option<String>,
    /// A line of text stands above the events, for phones' notifications
    #[schema(nullable = false)]
    announce: Option<bool>,
    /// For a forum of Discord: each message becomes a post of this name
    thread_name: Option<String>,
    /// For a forum of Discord: ids of the tags of these posts
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    applied_tags: Option<Vec<String>>,
    /// How many messages it may get, and in what time; null: what is usual for its service
    #[schema(example = "25/5min")]
    rate_limit: Option<String>,
    /// Webhooks of the same group share their rate; null: it is on its own
    rate_group: Option<String>,
    /// The webhook that is told of its trouble; null: those with `notices`
    notify_webhook_id: Option<i64>,
    /// It is told of the trouble of the others
    #[schema(nullable = false)]
    notices: Option<bool>,
    /// When what has gathered leaves as one message; null: what waits leaves at once, up to `max_events_per_message` in a message
    #[schema(example = "0 9 * * 1-5 Europe/Berlin")]
    digest: Option<String>,
    /// How many waiting events may leave as one message
    #[schema(nullable = false)]
    max_events_per_message: Option<i32>,
    /// The shortest time between two messages
    #[schema(nullable = false, example = "30 seconds")]
    min_interval: Option<String>,
    /// Deliveries older than this expire; null: as the installation has it
    #[schema(example = "1 day")]
    max_age: Option<String>,
    /// For Google Chat: what the messages of a thread have in common, `task` or `project`; null: each message begins one
    #[schema(example = "project")]
    thread_by: Option<String>,
}

/// What a new integration is made of
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct NewIntegration {
    #[schema(min_length = 1, max_length = 100, example = "Backend channel")]
    name: String,
    webhook_type: super::WebhookType,
    #[schema(example = "https://discord.com/api/webhooks/123456789012345678/TOKEN")]
    webhook_url: String,
    /// Null: every project
    #[schema(minimum = 1)]
    project: Option<i64>,
    /// All unless given; `*` stands for all
    #[schema(value_type = Option<Vec<String>>, nullable = false, example = json!(["task_completed", "badge_earned"]))]
    event_types: Option<Vec<String>>,
    /// True unless given
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// For type `webhook`: what to sign by; one is made unless it is given, and shown in the answer
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// For type `webhook`: headers that its requests have besides. Their values are secrets
    #[schema(value_type = Option<HashMap<String, String>>)]
    headers: Option<Value>,
    #[serde(flatten)]
    settings: GivenSettings,
}

/// What was registered
#[derive(Serialize, ToSchema)]
pub struct Registered {
    #[serde(flatten)]
    webhook: Webhook,
    /// Of type `webhook`, if none was given: what it signs by. It is not shown again
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

/// What is read, and not written: whoever sends back what was read means nothing by it.
const READ_ONLY: [&str; 17] = [
    "id",
    "project_name",
    "created_by",
    "created_by_username",
    "created_at",
    "updated_at",
    "header_names",
    "state",
    "state_since",
    "reason",
    "next_try_at",
    "held_until",
    "pending",
    "sent",
    "failed",
    "last_delivery_at",
    "last_status",
];

/// All that is wrong, not the first fault alone: what is wrong is left out, and the rest tried, until nothing else is.
struct Faults(Fields);

impl Faults {
    fn of(form: Form) -> Self {
        Self(form.wrong())
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The fields that the database refuses. An error: there is nothing more to find out.
    fn add(&mut self, error: Error) -> Result<Vec<String>, Error> {
        let Some(found) = error.wrong_fields() else {
            return Err(self.all().unwrap_or(error));
        };
        let known = found.keys().all(|field| self.0.contains_key(field));
        let is_one = |field: &String| field.as_str() != NOT_ONE;
        let fields: Vec<String> = found.keys().filter(|field| is_one(field)).cloned().collect();
        if !known {
            self.0.extend(found.clone());
        }
        if known || fields.is_empty() {
            return Err(self.all().unwrap_or(error));
        }
        Ok(fields)
    }

    fn all(&self) -> Option<Error> {
        (!self.0.is_empty()).then(|| Error::fields(self.0.clone()))
    }

    fn finish(&self) -> Result<(), Error> {
        self.all().map_or(Ok(()), Err)
    }
}

/// What the form sets of a webhook: null is what is taken away.
fn rules(form: &mut Form) -> Rules {
    Rules {
        omit_keys: form.names("omit_keys"),
        filter: form.text_or_null("filter"),
        min_streak_days: form.whole_or_null("min_streak_days"),
        milestones: form.numbers_or_null("milestones"),
        quiet_hours: form.text_or_null("quiet_hours"),
        mention: form.text_or_null("mention"),
        username: form.text_or_null("username"),
        avatar_url: form.text_or_null("avatar_url"),
        announce: form.flag("announce"),
        thread_name: form.text_or_null("thread_name"),
        applied_tags: form.names("applied_tags"),
        rate_limit: form.text_or_null("rate_limit"),
        rate_group: form.text_or_null("rate_group"),
        notify_webhook_id: form.id("notify_webhook_id").map(Option::unwrap_or_default),
        notices: form.flag("notices"),
        digest: form.text_or_null("digest"),
        max_events_per_message: form.whole("max_events_per_message"),
        min_interval: form.text("min_interval"),
        max_age: form
            .text_or_null("max_age")
            .map(|text| if text.is_empty() { "0".to_owned() } else { text }),
        thread_by: form.text_or_null("thread_by"),
    }
}

/// One integration
#[utoipa::path(
    get, path = "/webhook-integrations/{id}", operation_id = "get_integration", tag = "Webhook integrations", params(super::IdParams),
    responses((status = 200, body = Webhook), NotAllowed, Missing)
)]
pub async fn get(caller: Caller, Id(id): Id) -> Result<Json<Webhook>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Read).await?;
    found(&session, id).await.map(Json)
}

/// What is to be changed; what is left out stays as it is
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct IntegrationChange {
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    webhook_type: Option<super::WebhookType>,
    /// The redacted URL that a read shows stands for the one that is there
    #[schema(nullable = false)]
    webhook_url: Option<String>,
    /// Null: every project
    #[schema(minimum = 1)]
    project: Option<i64>,
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    event_types: Option<Vec<String>>,
    /// True also brings back an integration that was switched off because its endpoint was gone
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// For type `webhook`: all headers that its requests have besides; null or empty: none
    #[schema(value_type = Option<HashMap<String, String>>)]
    headers: Option<Value>,
    #[serde(flatten)]
    settings: GivenSettings,
}

/// Change an integration, as PATCH does
#[utoipa::path(
    put, path = "/webhook-integrations/{id}", operation_id = "put_integration", tag = "Webhook integrations", params(super::IdParams),
    request_body = Option<IntegrationChange>,
    responses((status = 200, body = Webhook), Refused, NotAllowed, Missing)
)]
pub async fn put(caller: Caller, id: Id, form: Form) -> Result<Json<Webhook>, Error> {
    change(caller, id, form).await
}

/// Change an integration
#[utoipa::path(
    patch, path = "/webhook-integrations/{id}", operation_id = "patch_integration", tag = "Webhook integrations", params(super::IdParams),
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

/// Delete an integration, its log, and what still waits for it
#[utoipa::path(
    delete, path = "/webhook-integrations/{id}", operation_id = "delete_integration", tag = "Webhook integrations", params(super::IdParams),
    responses((status = 204), NotAllowed, Missing)
)]
pub async fn delete(caller: Caller, Id(id): Id) -> Result<StatusCode, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::delete(&session, id).await?;
    session.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to post
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct TestMessage {
    /// Cut at 500 characters
    #[schema(nullable = false, example = "Hello from Zentry")]
    test_message: Option<String>,
}

/// What became of a test message
#[derive(Serialize, ToSchema)]
pub struct Trial {
    /// In words
    message: String,
    /// The delivery's id in the log
    log_id: i64,
    /// `sent` or `failed`
    status: String,
    /// The HTTP status of the answer; null: none came
    response_status_code: Option<i32>,
}

/// Post a message to the webhook at once and wait for the answer. That it fails is a result, not an error
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/test", operation_id = "test_integration", tag = "Webhook integrations", params(super::IdParams),
    request_body = Option<TestMessage>,
    responses((status = 200, body = Trial), Refused, NotAllowed, Missing)
)]
pub async fn test(caller: Caller, Id(id): Id, mut form: Form) -> Result<Json<Trial>, Error> {
    let message = form.text("test_message");
    form.finish()?;
    let mut connection = caller.trial().await?;
    let session = connection.begin(Access::Write).await?;
    let trial = integrations::test(&session, id, message.as_deref()).await?;
    session.commit().await?;
    Ok(Json(Trial {
        message: match trial.error_message {
            Some(error) => format!("The test message was not delivered: {error}"),
            None => "The test message was delivered.".to_owned(),
        },
        log_id: trial.log_id,
        status: trial.status,
        response_status_code: trial.response_status_code,
    }))
}

/// Have what waits sent now, whatever its endpoint has asked for: also to one that was switched off
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/resume", operation_id = "resume_integration", tag = "Webhook integrations", params(super::IdParams),
    responses((status = 200, body = Webhook), Refused, NotAllowed, Missing)
)]
pub async fn resume(caller: Caller, Id(id): Id) -> Result<Json<Webhook>, Error> {
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    integrations::resume(&session, id).await?;
    let resumed = found(&session, id).await?;
    session.commit().await?;
    Ok(Json(resumed))
}

/// How a secret is changed
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct NewSecret {
    /// One is made unless it is given
    #[schema(nullable = false)]
    secret: Option<String>,
    /// So long requests are signed by the one of before, too; a day unless given
    #[schema(nullable = false, example = "7 days")]
    grace: Option<String>,
}

/// What a receiver checks signatures by
#[derive(Serialize, ToSchema)]
pub struct Secret {
    /// It is not shown again
    secret: String,
}

/// Give an integration of type `webhook` a new secret to sign by
#[utoipa::path(
    post, path = "/webhook-integrations/{id}/secret", operation_id = "new_secret", tag = "Webhook integrations", params(super::IdParams),
    request_body = Option<NewSecret>,
    responses((status = 200, body = Secret), Refused, NotAllowed, Missing)
)]
pub async fn new_secret(caller: Caller, Id(id): Id, mut form: Form) -> Result<Json<Secret>, Error> {
    let (secret, grace) = (form.text("secret"), form.text("grace"));
    form.finish()?;
    let mut connection = caller.connection().await?;
    let session = connection.begin(Access::Write).await?;
    let secret = integrations::new_secret(&session, id, secret.as_deref(), grace.as_deref()).await?;
    session.commit().await?;
    Ok(Json(Secret { secret }))
}

async fn found(session: &Session<'_>, id: i64) -> Result<Webhook, Error> {
    integrations::webhook(session, id)
        .await?
        .ok_or_else(Error::not_found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use utoipa::PartialSchema;

    use super::*;
    use crate::queries::settings::Settings;

    fn properties<T: PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let mut names: Vec<String> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    }

    /// What is read can be written, and what is described is what is written.
    #[test]
    fn every_setting_is_described_and_written() {
        let rules = Rules::default();
        let mut written: Vec<&str> = rules
            .parameters()
            .iter()
            .map(|parameter| parameter.name)
            .collect();
        written.sort_unstable();
        assert_eq!(properties::<Settings>(), written);
        assert_eq!(properties::<GivenSettings>(), written);
    }

    /// What is left out of a change is left out of it: else its fault would be found for ever.
    #[test]
    fn every_setting_can_be_left_out() {
        let filled = || Rules {
            omit_keys: Some(Vec::new()),
            filter: Some(String::new()),
            min_streak_days: Some(0),
            milestones: Some(Vec::new()),
            quiet_hours: Some(String::new()),
            mention: Some(String::new()),
            username: Some(String::new()),
            avatar_url: Some(String::new()),
            announce: Some(true),
            thread_name: Some(String::new()),
            applied_tags: Some(Vec::new()),
            rate_limit: Some(String::new()),
            rate_group: Some(String::new()),
            notify_webhook_id: Some(0),
            notices: Some(true),
            digest: Some(String::new()),
            max_events_per_message: Some(1),
            min_interval: Some(String::new()),
            max_age: Some(String::new()),
            thread_by: Some(String::new()),
        };
        for name in properties::<Settings>() {
            let mut rules = filled();
            rules.leave_out(&name);
            assert_ne!(format!("{rules:?}"), format!("{:?}", filled()), "{name}");
        }
    }

    /// What is read can be sent back.
    #[test]
    fn every_field_is_written_or_ignored() {
        let read = serde_json::to_value([Webhook::schema(), integrations::Integration::schema()])
            .unwrap()
            .to_string();
        for name in READ_ONLY {
            assert!(read.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
