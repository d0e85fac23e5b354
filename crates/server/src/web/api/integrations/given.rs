//! What a request may say of an integration.

use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use crate::queries::settings::Rules;
use crate::web::api::{PageNumber, WebhookState, WebhookType, or_empty, webhook_type};
use crate::web::form::Form;

/// Which integrations are wanted
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub struct ListParams {
    #[param(schema_with = page)]
    page: Option<i64>,
    #[param(schema_with = webhook_type)]
    webhook_type: Option<WebhookType>,
    #[param(schema_with = project)]
    project: Option<i64>,
    #[param(schema_with = is_active)]
    is_active: Option<bool>,
    #[param(schema_with = state)]
    state: Option<WebhookState>,
    #[param(schema_with = notices)]
    notices: Option<bool>,
    #[param(schema_with = notify_webhook_id)]
    notify_webhook_id: Option<i64>,
    #[param(schema_with = rate_group)]
    rate_group: Option<String>,
}

fn state() -> Schema {
    or_empty::<WebhookState>("How it does")
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
    or_empty::<PageNumber>("From 1, or `last`")
}

fn project() -> Schema {
    or_empty::<i64>("The project's id")
}

fn is_active() -> Schema {
    or_empty::<bool>("Whether it is switched on")
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
    webhook_type: WebhookType,
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
    /// For type `webhook`: what to sign by; one is made unless it is given, and shown in the answer. For type `nats`: credentials
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// For type `webhook`: headers that its requests have besides. Their values are secrets
    #[schema(value_type = Option<HashMap<String, String>>)]
    headers: Option<Value>,
    #[serde(flatten)]
    settings: GivenSettings,
}

/// What is to be changed; what is left out stays as it is
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct IntegrationChange {
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    webhook_type: Option<WebhookType>,
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

/// What the form sets of a webhook: null is what is taken away.
pub(super) fn rules(form: &mut Form) -> Rules {
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

/// What is read, and not written: whoever sends back what was read means nothing by it.
pub(super) const READ_ONLY: [&str; 17] = [
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
