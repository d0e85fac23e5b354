//! The settings of a webhook besides its name, URL and subscriptions: one list for reading and writing.

use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use utoipa::ToSchema;

/// Settings of a webhook
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Settings {
    /// Keys of the event data that are left out
    pub omit_keys: Vec<String>,
    /// JSON path predicate over the event data: only events for which it is true are sent; null: all
    pub filter: Option<String>,
    /// For `daily_streak`: minimum length of a streak, in days; null: all are sent
    pub min_streak_days: Option<i32>,
    /// For `milestone_reached`: the milestones that are sent, in per cent; null: all
    pub milestones: Option<Vec<i32>>,
    /// When nothing is sent; null: never
    pub quiet_hours: Option<String>,
    /// Whom each message pings; null: nobody
    pub mention: Option<String>,
    /// The sender's name that its messages show, in Discord and Mattermost; null: `zentry_notify.username`
    pub username: Option<String>,
    /// The sender's picture that its messages show, in Discord and Mattermost; null: `zentry_notify.avatar_url`
    pub avatar_url: Option<String>,
    /// Whether a line of text stands above the events, for notifications on phones
    pub announce: bool,
    /// For a Discord forum channel: each message becomes a post with this name
    pub thread_name: Option<String>,
    /// For a Discord forum channel: ids of the tags of these posts
    pub applied_tags: Vec<String>,
    /// Maximum number of messages in a period, such as `25/5min`; null: the limit of the service
    pub rate_limit: Option<String>,
    /// Webhooks with the same group share one rate limit; null: it shares none
    pub rate_group: Option<String>,
    /// The webhook that gets notices about this one; null: those with `notices`
    pub notify_webhook_id: Option<i64>,
    /// Whether it gets notices about webhooks that have no `notify_webhook_id`
    pub notices: bool,
    /// When waiting events are sent as one message: an interval after the first of them, or a cron expression; null: at once, up to `max_events_per_message` in a message
    pub digest: Option<String>,
    /// Maximum number of waiting events in one message
    pub max_events_per_message: i32,
    /// Minimum time between two messages
    pub min_interval: String,
    /// Deliveries older than this expire; null: `zentry_notify.max_age`
    pub max_age: Option<String>,
    /// For Google Chat: events of the same `task` or `project` go to one thread; null: each message begins a thread
    pub thread_by: Option<String>,
}

impl Settings {
    /// Of the view.
    pub const COLUMNS: &str = "w.omit_keys, w.filter, w.min_streak_days, w.milestones, w.quiet_hours, w.mention, w.username, w.avatar_url, \
        w.announce, w.thread_name, w.applied_tags, w.rate_limit, w.rate_group, w.notify_webhook_id, w.notices, \
        w.digest, w.max_events_per_message::integer AS max_events_per_message, w.min_interval::text AS min_interval, \
        w.max_age::text AS max_age, w.thread_by";
}

impl From<&Row> for Settings {
    fn from(row: &Row) -> Self {
        Self {
            omit_keys: row.get("omit_keys"),
            filter: row.get("filter"),
            min_streak_days: row.get("min_streak_days"),
            milestones: row.get("milestones"),
            quiet_hours: row.get("quiet_hours"),
            mention: row.get("mention"),
            username: row.get("username"),
            avatar_url: row.get("avatar_url"),
            announce: row.get("announce"),
            thread_name: row.get("thread_name"),
            applied_tags: row.get("applied_tags"),
            rate_limit: row.get("rate_limit"),
            rate_group: row.get("rate_group"),
            notify_webhook_id: row.get("notify_webhook_id"),
            notices: row.get("notices"),
            digest: row.get("digest"),
            max_events_per_message: row.get("max_events_per_message"),
            min_interval: row.get("min_interval"),
            max_age: row.get("max_age"),
            thread_by: row.get("thread_by"),
        }
    }
}

/// Settings to write. `None`: the function's default, or unchanged. An empty value or 0 removes a setting.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub omit_keys: Option<Vec<String>>,
    pub filter: Option<String>,
    pub min_streak_days: Option<i32>,
    pub milestones: Option<Vec<i32>>,
    pub quiet_hours: Option<String>,
    pub mention: Option<String>,
    pub username: Option<String>,
    pub avatar_url: Option<String>,
    pub announce: Option<bool>,
    pub thread_name: Option<String>,
    pub applied_tags: Option<Vec<String>>,
    pub rate_limit: Option<String>,
    pub rate_group: Option<String>,
    pub notify_webhook_id: Option<i64>,
    pub notices: Option<bool>,
    pub digest: Option<String>,
    pub max_events_per_message: Option<i32>,
    pub min_interval: Option<String>,
    pub max_age: Option<String>,
    pub thread_by: Option<String>,
}

/// A parameter of `zentry_register_webhook` and `zentry_update_webhook`.
pub struct Parameter<'a> {
    pub name: &'static str,
    /// The expression in the statement, with `$` for the parameter.
    pub shape: &'static str,
    pub value: &'a (dyn ToSql + Sync),
}

impl Rules {
    pub fn parameters(&self) -> Vec<Parameter<'_>> {
        // Without `..`, so that the compiler reports a missing setting.
        let Self {
            omit_keys,
            filter,
            min_streak_days,
            milestones,
            quiet_hours,
            mention,
            username,
            avatar_url,
            announce,
            thread_name,
            applied_tags,
            rate_limit,
            rate_group,
            notify_webhook_id,
            notices,
            digest,
            max_events_per_message,
            min_interval,
            max_age,
            thread_by,
        } = self;
        let parameter = |name, shape, value| Parameter { name, shape, value };
        vec![
            parameter("omit_keys", "$::text[]", omit_keys),
            parameter("filter", "$::text", filter),
            parameter("min_streak_days", "$::integer", min_streak_days),
            parameter("milestones", "$::integer[]", milestones),
            parameter("quiet_hours", "$::text", quiet_hours),
            parameter("mention", "$::text", mention),
            parameter("username", "$::text", username),
            parameter("avatar_url", "$::text", avatar_url),
            parameter("announce", "$::boolean", announce),
            parameter("thread_name", "$::text", thread_name),
            parameter("applied_tags", "$::text[]", applied_tags),
            parameter("rate_limit", "$::text", rate_limit),
            parameter("rate_group", "$::text", rate_group),
            parameter("notify_webhook_id", "$::bigint", notify_webhook_id),
            parameter("notices", "$::boolean", notices),
            parameter("digest", "$::text", digest),
            parameter("max_events_per_message", "$::integer", max_events_per_message),
            parameter(
                "min_interval",
                "zentry_notify.to_interval($::text, 'min_interval')",
                min_interval,
            ),
            parameter(
                "max_age",
                "zentry_notify.to_interval($::text, 'max_age')",
                max_age,
            ),
            parameter("thread_by", "$::text", thread_by),
        ]
    }

    /// Removes a setting from those to write.
    pub fn leave_out(&mut self, name: &str) {
        match name {
            "omit_keys" => self.omit_keys = None,
            "filter" => self.filter = None,
            "min_streak_days" => self.min_streak_days = None,
            "milestones" => self.milestones = None,
            "quiet_hours" => self.quiet_hours = None,
            "mention" => self.mention = None,
            "username" => self.username = None,
            "avatar_url" => self.avatar_url = None,
            "announce" => self.announce = None,
            "thread_name" => self.thread_name = None,
            "applied_tags" => self.applied_tags = None,
            "rate_limit" => self.rate_limit = None,
            "rate_group" => self.rate_group = None,
            "notify_webhook_id" => self.notify_webhook_id = None,
            "notices" => self.notices = None,
            "digest" => self.digest = None,
            "max_events_per_message" => self.max_events_per_message = None,
            "min_interval" => self.min_interval = None,
            "max_age" => self.max_age = None,
            "thread_by" => self.thread_by = None,
            _ => {}
        }
    }
}

/// Returns the arguments of the statement, with parameters that are numbered after `before`.
pub fn named(parameters: &[Parameter<'_>], before: usize) -> String {
    let named = parameters.iter().enumerate().map(|(index, parameter)| {
        let place = format!("${}", before + index + 1);
        format!(", {} => {}", parameter.name, parameter.shape.replace('$', &place))
    });
    named.collect()
}
