//! Settings of a webhook, as options.

use clap::Args;

use crate::queries::settings::Rules;
use crate::vendors;

/// In a change, an empty text or 0 removes a setting
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// JSON path predicate over the events' data, such as '$.points > 20': only events for which it is true are sent
    #[arg(long, value_name = "PATH")]
    filter: Option<String>,
    /// For daily_streak: minimum length of a streak, in days
    #[arg(long, value_name = "DAYS")]
    min_streak_days: Option<i32>,
    /// For milestone_reached: the milestones that are sent, in per cent, such as 50,100
    #[arg(long, value_name = "PERCENT,...", value_parser = numbers)]
    milestones: Option<Numbers>,
    /// When nothing is sent, such as '22:00-07:00 Europe/Berlin'
    #[arg(long, value_name = "HOURS")]
    quiet_hours: Option<String>,
    /// When waiting events are sent as one message: '1 hour' after the first of them, or at '0 9 * * 1-5 Europe/Berlin'
    #[arg(long, value_name = "TIMES")]
    digest: Option<String>,
    #[arg(long, value_name = "WHOM", help = format!("Whom each message pings: {}", vendors::mentions()))]
    mention: Option<String>,
    /// Keys of the events' data that are left out
    #[arg(long, value_name = "KEY,...")]
    omit_keys: Option<String>,
    #[arg(long, value_name = "NAME", help = format!("The name that its messages in {} come from", vendors::called_with("username")))]
    username: Option<String>,
    #[arg(long, value_name = "URL", help = format!("The picture that its messages in {} come with", vendors::called_with("avatar_url")))]
    avatar_url: Option<String>,
    #[arg(long, value_name = "BOOLEAN",
        help = format!("Whether a line of text stands above the events in {}, for phones' notifications", vendors::called_with("announce")))]
    announce: Option<bool>,
    /// For a Discord forum channel: each message becomes a post with this name
    #[arg(long, value_name = "NAME")]
    thread_name: Option<String>,
    /// For a Discord forum channel: ids of the tags of these posts
    #[arg(long, value_name = "ID,...")]
    applied_tags: Option<String>,
    /// For Google Chat: events of the same task or project go to one thread
    #[arg(long, value_name = "WHAT")]
    thread_by: Option<String>,
    /// Maximum number of messages in a time, such as 25/5min; 0: no limit
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<String>,
    /// Webhooks with the same group share one rate limit
    #[arg(long, value_name = "NAME")]
    rate_group: Option<String>,
    /// Id of the webhook that gets notices about this one
    #[arg(long, value_name = "ID")]
    notify_webhook_id: Option<i64>,
    /// Whether it gets notices about other webhooks
    #[arg(long, value_name = "BOOLEAN")]
    notices: Option<bool>,
    /// Maximum number of waiting events in one message, 1 to 10
    #[arg(long, value_name = "EVENTS")]
    max_events_per_message: Option<i32>,
    /// Minimum time between two messages, such as '30 seconds'
    #[arg(long, value_name = "TIME")]
    min_interval: Option<String>,
    /// Deliveries older than this expire, such as '1 day'
    #[arg(long, value_name = "TIME")]
    max_age: Option<String>,
}

/// A list in one option, so that it can be empty.
#[derive(Clone, Debug)]
struct Numbers(Vec<i32>);

fn numbers(text: &str) -> Result<Numbers, std::num::ParseIntError> {
    items(text).map(str::parse).collect::<Result<_, _>>().map(Numbers)
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl From<Settings> for Rules {
    fn from(settings: Settings) -> Self {
        let names = |text: String| items(&text).map(ToOwned::to_owned).collect();
        Self {
            omit_keys: settings.omit_keys.map(names),
            filter: settings.filter,
            min_streak_days: settings.min_streak_days,
            milestones: settings.milestones.map(|numbers| numbers.0),
            quiet_hours: settings.quiet_hours,
            mention: settings.mention,
            username: settings.username,
            avatar_url: settings.avatar_url,
            announce: settings.announce,
            thread_name: settings.thread_name,
            applied_tags: settings.applied_tags.map(names),
            rate_limit: settings.rate_limit,
            rate_group: settings.rate_group,
            notify_webhook_id: settings.notify_webhook_id,
            notices: settings.notices,
            digest: settings.digest,
            max_events_per_message: settings.max_events_per_message,
            min_interval: settings.min_interval,
            max_age: settings.max_age,
            thread_by: settings.thread_by,
        }
    }
}
