//! The parameters and bodies of requests about integrations.

use serde::Deserialize;
use serde_json::Value;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, ToSchema};

use crate::queries::settings::Rules;
use crate::web::api::schemas::{PageNumber, WebhookState, WebhookType, or_empty, webhook_type};
use crate::web::form::Form;

/// Filters of the list
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
    or_empty::<WebhookState>("Its state")
}

fn notices() -> Schema {
    or_empty::<bool>("Whether it gets notices about other integrations")
}

fn notify_webhook_id() -> Schema {
    or_empty::<i64>("The webhook that gets notices about it")
}

fn rate_group() -> Schema {
    or_empty::<String>("Its rate group")
}

fn page() -> Schema {
    or_empty::<PageNumber>("Number of the page from 1, or `last`")
}

fn project() -> Schema {
    or_empty::<i64>("Id of its project")
}

fn is_active() -> Schema {
    or_empty::<bool>("Whether it is switched on")
}

/// Settings of a webhook; null removes an optional one
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct GivenSettings {
    /// Keys of the event data that are left out
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    omit_keys: Option<Vec<String>>,
    /// JSON path predicate over the event data: only events for which it is true are sent; null: all
    #[schema(example = "$.points > 20")]
    filter: Option<String>,
    /// For `daily_streak`: minimum length of a streak, in days; null: all are sent
    min_streak_days: Option<i32>,
    /// For `milestone_reached`: the milestones that are sent, in per cent; null: all
    #[schema(value_type = Option<Vec<i32>>)]
    milestones: Option<Vec<i32>>,
    /// When nothing is sent; null: never
    #[schema(example = "22:00-07:00 Europe/Berlin")]
    quiet_hours: Option<String>,
    /// Whom each message pings; null: nobody
    #[schema(example = "role:123456789012345678")]
    mention: Option<String>,
    /// The sender's name that its messages show, in Discord and Mattermost; null: `zentry_notify.username`
    username: Option<String>,
    /// The sender's picture that its messages show, in Discord and Mattermost; null: `zentry_notify.avatar_url`
    avatar_url: Option<String>,
    /// Whether a line of text stands above the events, for notifications on phones
    #[schema(nullable = false)]
    announce: Option<bool>,
    /// For a Discord forum channel: each message becomes a post with this name
    thread_name: Option<String>,
    /// For a Discord forum channel: ids of the tags of these posts
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    applied_tags: Option<Vec<String>>,
    /// Maximum number of messages in a period, such as `25/5min`; null: the limit of the service
    #[schema(example = "25/5min")]
    rate_limit: Option<String>,
    /// Webhooks with the same group share one rate limit; null: it shares none
    rate_group: Option<String>,
    /// The webhook that gets notices about this one; null: those with `notices`
    notify_webhook_id: Option<i64>,
    /// Whether it gets notices about webhooks that have no `notify_webhook_id`
    #[schema(nullable = false)]
    notices: Option<bool>,
    /// When waiting events are sent as one message: an interval after the first of them, or a cron expression; null: at once, up to `max_events_per_message` in a message
    #[schema(example = "0 9 * * 1-5 Europe/Berlin")]
    digest: Option<String>,
    /// Maximum number of waiting events in one message
    #[schema(nullable = false)]
    max_events_per_message: Option<i32>,
    /// Minimum time between two messages
    #[schema(nullable = false, example = "30 seconds")]
    min_interval: Option<String>,
    /// Deliveries older than this expire; null: `zentry_notify.max_age`
    #[schema(example = "1 day")]
    max_age: Option<String>,
    /// For Google Chat: events of the same `task` or `project` go to one thread; null: each message begins a thread
    #[schema(example = "project")]
    thread_by: Option<String>,
}

/// A new integration
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct NewIntegration {
    #[schema(min_length = 1, max_length = 100, example = "Backend channel")]
    name: String,
    webhook_type: WebhookType,
    #[schema(example = "https://discord.com/api/webhooks/123456789012345678/TOKEN")]
    webhook_url: String,
    /// The project whose events are sent; null: every project's
    #[schema(minimum = 1)]
    project: Option<i64>,
    /// The event types that are sent; `*` means all, which is the default
    #[schema(value_type = Option<Vec<String>>, nullable = false, example = json!(["task_completed", "badge_earned"]))]
    event_types: Option<Vec<String>>,
    /// Default: true
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// For type `webhook`: the signing secret; if it is left out, one is generated and returned. For type `nats`: credentials
    #[schema(nullable = false, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: Option<String>,
    /// For types `webhook` and `ntfy`: additional headers of its requests. Their values are secrets
    #[schema(value_type = Option<HashMap<String, String>>)]
    headers: Option<Value>,
    #[serde(flatten)]
    settings: GivenSettings,
}

/// Changes of an integration; fields that are left out stay as they are
#[derive(Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes what Form reads")]
pub struct IntegrationChange {
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    webhook_type: Option<WebhookType>,
    /// The redacted URL, as responses show it, means that the URL stays
    #[schema(nullable = false)]
    webhook_url: Option<String>,
    /// The project whose events are sent; null: every project's
    #[schema(minimum = 1)]
    project: Option<i64>,
    #[schema(value_type = Option<Vec<String>>, nullable = false)]
    event_types: Option<Vec<String>>,
    /// True also switches on an integration whose endpoint was gone
    #[schema(nullable = false)]
    is_active: Option<bool>,
    /// For types `webhook` and `ntfy`: all additional headers of its requests; null or empty: none
    #[schema(value_type = Option<HashMap<String, String>>)]
    headers: Option<Value>,
    #[serde(flatten)]
    settings: GivenSettings,
}

/// Takes the settings of a webhook from the form; null removes a setting, and a missing field is `None`.
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

/// The fields of an integration that can only be read. In requests they are ignored, so that clients can send back what they have read.
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
