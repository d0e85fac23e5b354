//! The settings of a webhook beside its name, its address and its events: one list for what is read and what is written.

use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use utoipa::ToSchema;

/// What is set of a webhook
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Settings {
    /// Keys of the events' data that its messages do not have
    pub omit_keys: Vec<String>,
    /// Only events whose data this JSON path predicate is true of are heard; null: all
    pub filter: Option<String>,
    /// Of `daily_streak`, only streaks of so many days; null: all
    pub min_streak_days: Option<i32>,
    /// Of `milestone_reached`, only these, in per cent; null: all
    pub milestones: Option<Vec<i32>>,
    /// When nothing is sent; null: never
    pub quiet_hours: Option<String>,
    /// Whom each message pings; null: nobody
    pub mention: Option<String>,
    /// The name that its messages come from, in Discord and Mattermost; null: the installation's
    pub username: Option<String>,
    /// The picture that its messages come with, in Discord and Mattermost; null: the installation's
    pub avatar_url: Option<String>,
    /// A line of text stands above the events, for phones' notifications
    pub announce: bool,
    /// For a forum of Discord: each message becomes a post of this name
    pub thread_name: Option<String>,
    /// For a forum of Discord: ids of the tags of these posts
    pub applied_tags: Vec<String>,
    /// How many messages it may get, and in what time; null: what is usual for its service
    pub rate_limit: Option<String>,
    /// Webhooks of the same group share their rate; null: it is on its own
    pub rate_group: Option<String>,
    /// The webhook that is told of its trouble; null: those with `notices`
    pub notify_webhook_id: Option<i64>,
    /// It is told of the trouble of the others
    pub notices: bool,
    /// When what has gathered leaves as one message; null: what waits leaves at once, up to `max_events_per_message` in a message
    pub digest: Option<String>,
    /// How many waiting events may leave as one message
    pub max_events_per_message: i32,
    /// The shortest time between two messages
    pub min_interval: String,
    /// Deliveries older than this expire; null: as the installation has it
    pub max_age: Option<String>,
    /// For Google Chat: what the messages of a thread have in common, `task` or `project`; null: each message begins one
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

/// What is to be set. None: the function's default, or as it is. What is empty, or 0, is taken away.
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
    /// What the value is in the statement, a `$` standing for its place.
    pub shape: &'static str,
    pub value: &'a (dyn ToSql + Sync),
}

impl Rules {
    pub fn parameters(&self) -> Vec<Parameter<'_>> {
        // All of them: the compiler says which one is missing.
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

    /// Says nothing of a setting any more.
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

/// The parameters as a statement names them, from the place after `before` on.
pub fn named(parameters: &[Parameter<'_>], before: usize) -> String {
    let named = parameters.iter().enumerate().map(|(index, parameter)| {
        let place = format!("${}", before + index + 1);
        format!(", {} => {}", parameter.name, parameter.shape.replace('$', &place))
    });
    named.collect()
}
